/**
 * What a peer is whatever its role: identity, term and vote, log, outbox, whom it follows.
 *
 * The roles (`election.ts`, `follower.ts`, `leader.ts`) work on this one object; `core.ts` decides
 * which of them is asked.
 */
import { invariant } from '../runtime/invariant.ts';
import type { RaftIdentity, RaftLimits } from './options.ts';
import { RaftLog } from './log.ts';
import { Outbox } from './outbox.ts';
import type { Rules } from './rules.ts';
import type { LogContents } from './stores.ts';
import { asTerm } from './types.ts';
import type {
  ClusterId,
  Configuration,
  HardState,
  Message,
  PeerId,
  Position,
  Term,
} from './types.ts';

type Without<T, Keys extends PropertyKey> = T extends unknown ? Omit<T, Keys> : never;

/** A message but for its envelope. */
export type MessageBody = Without<Message, 'cluster' | 'from' | 'to' | 'term'>;

export class RaftState {
  readonly id: PeerId;
  readonly cluster: ClusterId;
  readonly limits: RaftLimits;
  readonly rules: Rules;
  readonly log: RaftLog;
  readonly outbox: Outbox;
  readonly lostThrough: Position | undefined;
  #hardState: HardState;
  #leader: PeerId | undefined;
  /** The time of the step under way. */
  nowUs: number;
  /** When the leader was last heard from. */
  leaderHeardAtUs = 0;

  constructor(
    identity: RaftIdentity,
    limits: RaftLimits,
    rules: Rules,
    contents: LogContents,
    nowUs: number,
  ) {
    this.id = identity.id;
    this.cluster = identity.cluster;
    this.limits = limits;
    this.rules = rules;
    this.nowUs = nowUs;
    this.outbox = new Outbox(rules);
    this.log = new RaftLog(contents.snapshot, contents.entries, rules.storedThrough);
    this.lostThrough = contents.lostThrough;
    this.#hardState = contents.hardState;
    invariant(this.log.last.term <= this.term, 'no entry is of a term that was not entered');
  }

  get term(): Term {
    return this.#hardState.term;
  }

  get vote(): PeerId | undefined {
    return this.#hardState.vote;
  }

  get leader(): PeerId | undefined {
    return this.#leader;
  }

  get configuration(): Configuration {
    return this.log.configuration;
  }

  get electionTimeoutUs(): number {
    return this.limits.electionTimeoutMs * 1000;
  }

  get heartbeatIntervalUs(): number {
    return this.limits.heartbeatIntervalMs * 1000;
  }

  /** The end of the log as this peer votes by it. */
  get votingPosition(): Position {
    return this.rules.votesAs(this.log, this.lostThrough);
  }

  /** Whether the log holds all that this peer has ever acknowledged. */
  get isWhole(): boolean {
    const { log } = this;
    return (
      this.votingPosition.index === log.lastIndex && this.votingPosition.term === log.last.term
    );
  }

  /** Goes on to a later term. */
  enterTerm(term: Term): void {
    invariant(term > this.term, 'terms only rise');
    this.#setHardState({ term, vote: this.rules.voteInTerm(this.#hardState, term) });
    this.setLeader(undefined);
  }

  /** Stands for election in the next term, with one's own vote. */
  enterOwnElection(): void {
    this.#setHardState({ term: asTerm(this.term + 1), vote: this.id });
    this.setLeader(undefined);
  }

  voteFor(candidate: PeerId): void {
    if (this.vote !== candidate) this.#setHardState({ term: this.term, vote: candidate });
  }

  setLeader(leader: PeerId | undefined): void {
    if (leader === this.#leader) return;
    this.#leader = leader;
    this.outbox.event({ kind: 'leader', leader, term: this.term });
  }

  /** The current leader has been heard from, just now. */
  heardFromLeader(leader: PeerId): void {
    invariant(
      this.#leader === undefined || this.#leader === leader,
      'election safety: at most one leader in a term',
    );
    this.setLeader(leader);
    this.leaderHeardAtUs = this.nowUs;
  }

  send(to: PeerId, body: MessageBody): void {
    this.outbox.send({ cluster: this.cluster, from: this.id, to, term: this.term, ...body });
  }

  #setHardState(hardState: HardState): void {
    this.#hardState = hardState;
    this.outbox.writeHardState(hardState);
  }
}
