/**
 * What a command is. One table of these is the source of arity, flags, key positions, documentation
 * and of what `COMMAND` answers.
 */
import { LatencyHistogram } from './latency-histogram.ts';
import type { Call } from './call.ts';
import { keyRange } from './command-description.ts';

/** Redis' names; `COMMAND INFO` shows them. */
export type CommandFlag =
  | 'write'
  | 'readonly'
  | 'denyoom'
  | 'admin'
  | 'noscript'
  | 'loading'
  | 'stale'
  | 'asking'
  | 'fast'
  | 'no_auth'
  | 'allow_busy';

export type CommandGroup =
  'string' | 'generic' | 'bitmap' | 'connection' | 'server' | 'cluster' | 'lease';

/** Which arguments are keys: from `first` to `last` (negative: from the end) in steps. */
export interface KeyPositions {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** Redis' words for what is done to them, as in `RW access update`. */
  readonly access: string;
}

export interface CommandSpec {
  /** Lower case. A subcommand's is that of the word after its container's. */
  readonly name: string;
  /** The number of arguments, the name included; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly CommandFlag[];
  readonly keys?: readonly KeyPositions[];
  readonly group: CommandGroup;
  /** Redis' access categories, in the place of the one that follows from the group. */
  readonly categories?: readonly string[];
  /** Redis' hints for proxies and cluster clients. */
  readonly tips?: readonly string[];
  /** One sentence, for `COMMAND DOCS` and the reference page. */
  readonly summary: string;
  /** As `COMMAND DOCS` gives it: the version of Redis that has the command; ours have none. */
  readonly since?: string;
  readonly complexity: string;
  /** The arguments after the name, in Redis' notation, for help and the reference page. */
  readonly syntax: string;
  /** Absent in a pure container, whose `subcommands` do the work. */
  readonly run?: (call: Call) => void;
  readonly subcommands?: readonly CommandSpec[];
  /** May take long enough to be worth timing each call; see `Node` on the slow log. */
  readonly maySlow?: boolean;
}

/** A command as the server holds it: its specification and its counters. */
export class Command {
  readonly spec: CommandSpec;
  /** `container|subcommand` for a subcommand. */
  readonly fullName: string;
  readonly run: ((call: Call) => void) | undefined;
  readonly subcommands: ReadonlyMap<string, Command>;
  readonly arity: number;
  readonly isWrite: boolean;
  readonly needsAuth: boolean;
  /** Whether it is about the node itself, and so for no tenant but `default`. */
  readonly isAdmin: boolean;
  readonly maySlow: boolean;
  /** Its keys are the arguments from `keyFirst` (0: it has none) to `keyLast`, in steps. */
  readonly keyFirst: number;
  readonly keyLast: number;
  readonly keyStep: number;
  /** Whether it works on all that a namespace holds. */
  readonly isOnAllKeys: boolean;
  /** Whether it counts as an operation of its tenant; what a client needs to connect does not. */
  readonly isOperation: boolean;
  /** Whether it is carried out as it is, whatever its first argument says. */
  readonly isPlain: boolean;
  calls = 0;
  rejected = 0;
  failed = 0;
  /** Calls that were timed, and what they took in all. */
  readonly timings = new LatencyHistogram();
  timedUs = 0;

  constructor(spec: CommandSpec, container?: string) {
    this.spec = spec;
    this.fullName = container === undefined ? spec.name : `${container}|${spec.name}`;
    this.run = spec.run;
    this.arity = spec.arity;
    this.isWrite = spec.flags.includes('write');
    this.needsAuth = !spec.flags.includes('no_auth');
    this.isAdmin = spec.flags.includes('admin') && spec.group !== 'cluster';
    this.maySlow = spec.maySlow ?? false;
    const { first, last, step } = keyRange(spec);
    this.keyFirst = first;
    this.keyLast = last;
    this.keyStep = step;
    const touchesData = this.isWrite || spec.flags.includes('readonly');
    this.isOnAllKeys = first === 0 && touchesData;
    this.isOperation = touchesData || spec.name === 'ping' || spec.name === 'echo';
    this.isPlain = spec.run !== undefined && spec.subcommands === undefined;
    this.subcommands = new Map(
      (spec.subcommands ?? []).map((sub) => [sub.name, new Command(sub, spec.name)]),
    );
  }

  /** Whether a request of so many arguments, the name included, has the right number. */
  takes(argumentCount: number): boolean {
    return this.arity >= 0 ? argumentCount === this.arity : argumentCount >= -this.arity;
  }

  resetCounters(): void {
    this.calls = this.rejected = this.failed = this.timedUs = 0;
    this.timings.reset();
  }
}
