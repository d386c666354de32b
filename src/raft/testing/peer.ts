/**
 * One peer of a test world: a core, a disk in memory, and a state machine that keeps a list.
 *
 * It performs effects by hand, so that a test decides when a write becomes durable, and what a
 * crash leaves behind.
 */
import { crc32 } from 'node:zlib';
import { encodeConfiguration, initialConfiguration } from '../configuration.ts';
import { RaftCore } from '../core.ts';
import type { Effects, Input, Persist, ProposalOutcome, ReadOutcome } from '../effects.ts';
import type { RaftIdentity, RaftLimits } from '../options.ts';
import { reconcile } from '../recovery.ts';
import type { Rules } from '../rules.ts';
import { SessionStateMachine, SESSION_LIMITS } from '../sessions.ts';
import type { SessionAnswer, SessionRules } from '../sessions.ts';
import type { StateMachine } from '../stores.ts';
import { asIndex, asTerm } from '../types.ts';
import type { Configuration, Entry, Index, PeerId, SnapshotMetadata } from '../types.ts';
import { concat, MemoryDisk } from './disk.ts';

/** Keeps every command in the order of applying; answers with its place. */
export class ListMachine implements StateMachine {
  commands: string[] = [];
  /** A command that was applied although it had been before. */
  repeated: string | undefined;
  #known = new Set<string>();

  apply(command: Uint8Array): Uint8Array {
    const text = new TextDecoder().decode(command);
    if (this.#known.has(text)) this.repeated = text;
    this.#known.add(text);
    this.commands.push(text);
    return new TextEncoder().encode(String(this.commands.length));
  }

  snapshot(): Iterable<Uint8Array> {
    return [new TextEncoder().encode(JSON.stringify(this.commands))];
  }

  restore(pieces: Iterable<Uint8Array>): void {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(concat(pieces)));
    this.commands = Array.isArray(parsed) ? parsed.map(String) : [];
    this.#known = new Set(this.commands);
  }
}

export interface TestPeerOptions {
  readonly identity: RaftIdentity;
  readonly limits: RaftLimits;
  readonly rules: Rules;
  /** `undefined`: commands are applied as they are, without sessions. */
  readonly sessionRules: SessionRules | undefined;
  readonly random: { uint32(): number };
  /** Told of every step, before its effects are performed. */
  readonly observe: (peer: TestPeer, effects: Effects) => void;
}

export class TestPeer {
  readonly id: PeerId;
  readonly disk = new MemoryDisk();
  readonly #options: TestPeerOptions;
  #core: RaftCore | undefined;
  machine = new ListMachine();
  #sessions: SessionStateMachine | undefined;
  /** Writes handed out and not carried out yet. */
  writes: Persist[] = [];
  reads: ReadOutcome[] = [];
  proposals: ProposalOutcome[] = [];
  answers: SessionAnswer[] = [];
  lastEffects: Effects | undefined;

  constructor(options: TestPeerOptions) {
    this.id = options.identity.id;
    this.#options = options;
    this.#sessions = this.#newMachine();
  }

  get core(): RaftCore {
    if (this.#core === undefined) throw new Error(`${this.id} is down`);
    return this.#core;
  }

  get isUp(): boolean {
    return this.#core !== undefined;
  }

  /** Writes the first entry of a new cluster to the disk. */
  bootstrap(voters: Configuration['addresses']): void {
    const bytes = encodeConfiguration(initialConfiguration(voters));
    const term = asTerm(1);
    this.disk.entries = [{ index: asIndex(1), term, kind: 'configuration', bytes }];
    this.disk.hardState = { term, vote: undefined };
  }

  start(nowUs: number): void {
    const { identity, limits, rules, random } = this.#options;
    const { latest } = this.disk;
    const { contents, repair } = reconcile(this.disk.contents, latest?.metadata);
    if (repair !== 'none') this.disk.repair(contents);
    this.#sessions = this.#newMachine();
    if (latest !== undefined) (this.#sessions ?? this.machine).restore([latest.bytes]);
    this.#core = new RaftCore({ identity, limits, rules, random, contents, nowUs });
  }

  /** Stops at once; the first `carriedOut` of the writes under way still reach the disk. */
  crash(carriedOut: number, halfSnapshot: boolean): void {
    const reaching = this.writes.slice(0, carriedOut);
    for (const [at, write] of reaching.entries()) {
      this.disk.carryOut(write, halfSnapshot && at === reaching.length - 1);
      if (halfSnapshot && write.snapshot !== undefined && at === reaching.length - 1) break;
    }
    this.writes = [];
    this.reads = [];
    this.proposals = [];
    this.answers = [];
    this.#core = undefined;
  }

  step(input: Input, nowUs: number): Effects {
    const effects = this.core.step(input, nowUs);
    this.lastEffects = effects;
    this.#options.observe(this, effects);
    if (effects.persist !== undefined) this.writes.push(effects.persist);
    this.reads.push(...effects.reads);
    this.proposals.push(...effects.proposals);
    if (effects.restore !== undefined) this.#restore(effects.restore, nowUs);
    if (effects.apply.length > 0) this.#apply(effects.apply, nowUs);
    return effects;
  }

  /** Carries out the first `count` writes, and answers them with the last one's number. */
  carryOut(count: number, nowUs: number): void {
    const done = this.writes.splice(0, count);
    for (const write of done) this.disk.carryOut(write);
    const last = done.at(-1);
    if (last !== undefined) this.step({ kind: 'persisted', sequence: last.sequence }, nowUs);
  }

  /** Stores a snapshot of what has been applied. */
  saveSnapshot(nowUs: number): void {
    const { log } = this.core;
    const term = log.termAt(log.applied);
    if (term === undefined || log.applied <= (this.disk.latest?.metadata.index ?? 0)) return;
    const bytes = concat((this.#sessions ?? this.machine).snapshot());
    const metadata: SnapshotMetadata = {
      index: log.applied,
      term,
      configuration: log.configurationAt(log.applied),
      sizeBytes: bytes.length,
      checksum: crc32(bytes),
    };
    this.disk.addSnapshot({ metadata, bytes });
    this.step({ kind: 'snapshotSaved', snapshot: metadata }, nowUs);
  }

  #apply(entries: readonly Entry[], nowUs: number): void {
    let index: Index = asIndex(0);
    for (const entry of entries) {
      if (entry.kind === 'data') {
        if (this.#sessions === undefined) this.machine.apply(entry.bytes);
        else this.answers.push(this.#sessions.apply(entry.bytes, entry.index));
      }
      index = entry.index;
    }
    this.step({ kind: 'applied', index }, nowUs);
  }

  #restore(snapshot: SnapshotMetadata, nowUs: number): void {
    const stored = this.disk.readSnapshot(snapshot.index, 0, snapshot.sizeBytes);
    if (stored === undefined) throw new Error('the snapshot to restore is on the disk');
    (this.#sessions ?? this.machine).restore([stored]);
    this.step({ kind: 'applied', index: snapshot.index }, nowUs);
  }

  #newMachine(): SessionStateMachine | undefined {
    this.machine = new ListMachine();
    const { sessionRules } = this.#options;
    if (sessionRules === undefined) return undefined;
    return new SessionStateMachine(this.machine, SESSION_LIMITS, sessionRules);
  }
}
