/**
 * One core alone, for tests that speak to it message by message and read its answers.
 *
 * Writes are durable at once unless `slowDisk` is set.
 */
import { encodeConfiguration, makeConfiguration } from '../configuration.ts';
import { RaftCore } from '../core.ts';
import type { Effects, Input, Persist } from '../effects.ts';
import { RAFT_LIMITS } from '../options.ts';
import type { RaftLimits } from '../options.ts';
import { RAFT_RULES } from '../rules.ts';
import type { Rules } from '../rules.ts';
import type { MessageBody } from '../state.ts';
import { asClusterId, asIndex, asPeerId, asTerm } from '../types.ts';
import type { Configuration, Entry, Message, PeerId } from '../types.ts';

export interface SoloOptions {
  /** The others' names; the core under test is `a`. */
  readonly voters?: string;
  readonly learners?: string;
  /** Terms of the log's entries; the first is the configuration's. */
  readonly log?: readonly number[];
  readonly term?: number;
  readonly vote?: string;
  readonly rules?: Partial<Rules>;
  readonly limits?: Partial<RaftLimits>;
  readonly random?: () => number;
  readonly slowDisk?: boolean;
}

const CLUSTER = asClusterId('test');
const A = asPeerId('a');

export function addressesOf(names: string): Configuration['addresses'] {
  const peers = names.split(' ').filter(Boolean).map(asPeerId);
  return new Map(peers.map((peer) => [peer, { host: peer, port: 1 }]));
}

export function configurationOf(voters: string, learners = ''): Configuration {
  const addresses = new Map([...addressesOf(voters), ...addressesOf(learners)]);
  return makeConfiguration(
    { voters: addressesOf(voters).keys(), learners: addressesOf(learners).keys() },
    addresses,
  );
}

/** Entries with these terms from index `from` on, as data; from index 1 on the first is not. */
export function entriesOf(terms: readonly number[], from = 1, configuration?: Configuration) {
  return terms.map((term, at): Entry => {
    const index = asIndex(from + at);
    const isConfiguration = index === 1 && configuration !== undefined;
    return {
      index,
      term: asTerm(term),
      kind: isConfiguration ? 'configuration' : 'data',
      bytes: isConfiguration
        ? encodeConfiguration(configuration)
        : new TextEncoder().encode(`${index}.${term}`),
    };
  });
}

export class Solo {
  readonly core: RaftCore;
  /** All that was sent, oldest first. */
  readonly sent: Message[] = [];
  readonly applied: Entry[] = [];
  readonly writes: Persist[] = [];
  nowUs = 0;
  readonly #slowDisk: boolean;

  constructor(options: SoloOptions = {}) {
    const configuration = configurationOf(options.voters ?? 'a b c', options.learners);
    const log = options.log ?? [1];
    const limits = { ...RAFT_LIMITS, ...options.limits };
    const vote = options.vote === undefined ? undefined : asPeerId(options.vote);
    this.#slowDisk = options.slowDisk === true;
    this.core = new RaftCore({
      identity: { cluster: CLUSTER, id: A },
      limits,
      rules: { ...RAFT_RULES, ...options.rules },
      random: { uint32: options.random ?? (() => 0) },
      contents: {
        hardState: { term: asTerm(options.term ?? log.at(-1) ?? 0), vote },
        snapshot: undefined,
        entries: entriesOf(log, 1, configuration),
        lostThrough: undefined,
      },
      nowUs: this.nowUs,
    });
  }

  step(input: Input): Effects {
    const effects = this.core.step(input, this.nowUs);
    this.sent.push(...effects.messages);
    this.applied.push(...effects.apply);
    if (effects.persist !== undefined) this.writes.push(effects.persist);
    const last = effects.apply.at(-1);
    if (last !== undefined) this.step({ kind: 'applied', index: last.index });
    if (!this.#slowDisk) this.write();
    return effects;
  }

  /** The writes asked for so far are durable. */
  write(): void {
    const sequence = this.writes.splice(0).at(-1)?.sequence;
    if (sequence !== undefined) this.step({ kind: 'persisted', sequence });
  }

  /** A message comes in, in the current term unless `term` says otherwise; it may be another's. */
  receive(from: string, body: MessageBody, term: number = this.core.term): Effects {
    const envelope = { cluster: CLUSTER, from: asPeerId(from), to: A, term: asTerm(term) };
    return this.step({ kind: 'message', message: { ...body, ...envelope } });
  }

  /** Time passes until the core wants to be woken. */
  timeOut(): Effects {
    this.nowUs = this.core.wakeAtUs;
    return this.step({ kind: 'tick' });
  }

  pass(ms: number): Effects {
    this.nowUs += ms * 1000;
    return this.step({ kind: 'tick' });
  }

  /** Lets the election time out, and the pre-vote succeed. */
  becomeCandidate(): void {
    this.timeOut();
    for (const { to, nextTerm } of this.sentOf('preVote').slice(-this.#others.length)) {
      this.receive(to, { kind: 'preVoteResponse', nextTerm, granted: true });
      if (this.core.role === 'candidate') return;
    }
  }

  becomeLeader(): void {
    this.becomeCandidate();
    for (const peer of this.#others) {
      if (this.core.role === 'candidate') {
        this.receive(peer, { kind: 'voteResponse', granted: true });
      }
    }
  }

  /** Takes all messages of a kind sent so far, and forgets them. */
  takeSent<Kind extends Message['kind']>(kind: Kind): Array<Message & { kind: Kind }> {
    const taken = this.sentOf(kind);
    this.sent.length = 0;
    return taken;
  }

  sentOf<Kind extends Message['kind']>(kind: Kind): Array<Message & { kind: Kind }> {
    const isOfKind = (message: Message): message is Message & { kind: Kind } =>
      message.kind === kind;
    return this.sent.filter(isOfKind);
  }

  get logTerms(): readonly number[] {
    const { log } = this.core;
    return Array.from({ length: log.lastIndex }, (_, at) => log.termAt(at + 1) ?? -1);
  }

  get #others(): readonly PeerId[] {
    return this.core.log.configuration.voters.filter((peer) => peer !== A);
  }
}
