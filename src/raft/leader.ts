/**
 * Leading (Raft §5.3, §5.4.2; thesis 3.10, 6.2): takes proposals into the log, decides what is
 * committed, keeps a majority's ear, hands leadership over.
 *
 * Lives for one term. A leader whose time is over says so by `isOver`, and the core lets it go.
 */
import { invariant } from '../runtime/invariant.ts';
import { encodeConfiguration, isVoter } from './configuration.ts';
import type { AdministrationOutcome, ConfigurationChange } from './effects.ts';
import { ENTRY_OVERHEAD_BYTES, entryBytes } from './log.ts';
import { Membership } from './membership.ts';
import { quorumReached, quorumVote } from './quorum.ts';
import { ReadRounds } from './read-index.ts';
import { Replication } from './replication.ts';
import type { RaftState } from './state.ts';
import { asIndex } from './types.ts';
import type {
  AppendAccepted,
  AppendRejected,
  EntryKind,
  HeartbeatResponse,
  Index,
  PeerId,
  RefusalReason,
  SnapshotResponse,
} from './types.ts';

const NO_BYTES = new Uint8Array(0);

interface Transfer {
  readonly to: PeerId;
  readonly untilUs: number;
}

export class Leader {
  readonly #state: RaftState;
  readonly #membership: Membership;
  readonly replication: Replication;
  readonly reads: ReadRounds;
  #transfer: Transfer | undefined;
  #heartbeatDueUs: number;
  #uncommittedBytes: number;
  #isOver = false;

  /** Begins the term with an entry of its own, without which nothing older could be committed. */
  constructor(state: RaftState) {
    const { log, nowUs } = state;
    this.#state = state;
    this.#heartbeatDueUs = nowUs + state.heartbeatIntervalUs;
    const uncommitted = log.slice(asIndex(log.commit + 1), log.lastIndex, Infinity);
    this.#uncommittedBytes = uncommitted.reduce((sum, entry) => sum + entryBytes(entry), 0);
    this.replication = new Replication(state);
    this.reads = new ReadRounds(state, this.replication);
    this.#membership = new Membership(state, this.replication, (configuration) => {
      this.#append('configuration', encodeConfiguration(configuration));
      const index = log.configurationIndex;
      state.outbox.event({ kind: 'configuration', configuration, index });
      this.replication.followConfiguration();
      this.replication.broadcast(false);
    });
    this.#append('noop', NO_BYTES);
    this.replication.broadcast(true);
  }

  /** This peer was removed, or hears from no majority. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get transferringTo(): PeerId | undefined {
    return this.#transfer?.to;
  }

  get wakeAtUs(): number {
    return Math.min(this.#heartbeatDueUs, this.#transfer?.untilUs ?? Infinity);
  }

  tick(): void {
    const { nowUs, heartbeatIntervalUs, rules, outbox } = this.#state;
    if (this.#transfer !== undefined && nowUs >= this.#transfer.untilUs) {
      outbox.event({ kind: 'transferAborted', to: this.#transfer.to });
      this.#transfer = undefined;
    }
    if (nowUs < this.#heartbeatDueUs) return;
    if (rules.mustStandDown(this.#hearsFromQuorum())) {
      this.#isOver = true;
      return;
    }
    this.#heartbeatDueUs = nowUs + heartbeatIntervalUs;
    this.replication.heartbeat(this.reads.context);
  }

  /** @returns where the first of the commands was appended, or why none was. */
  propose(commands: readonly Uint8Array[]): Index | RefusalReason {
    const { limits, log } = this.#state;
    if (commands.some((command) => command.length > limits.commandBytesMax)) return 'tooLarge';
    if (this.#transfer !== undefined) return 'transferring';
    const bytes = commands.reduce((sum, { length }) => sum + length + ENTRY_OVERHEAD_BYTES, 0);
    // One proposal is always taken, so that a limit smaller than it cannot block for ever.
    const isFull = this.#uncommittedBytes + bytes > limits.uncommittedBytesMax;
    if (isFull && this.#uncommittedBytes > 0) return 'overloaded';
    const index = asIndex(log.lastIndex + 1);
    for (const command of commands) this.#append('data', command);
    this.replication.broadcast(false);
    return index;
  }

  change(change: ConfigurationChange): AdministrationOutcome {
    if (this.#transfer !== undefined) {
      const words = `leadership is being handed over to ${this.#transfer.to}`;
      return { accepted: false, refused: 'transferring', words };
    }
    const outcome = this.#membership.change(change);
    this.#settle();
    return outcome;
  }

  transfer(wanted: PeerId | undefined): AdministrationOutcome {
    const { configuration, id, nowUs, electionTimeoutUs } = this.#state;
    const to = wanted ?? this.replication.furthestVoter();
    if (to === undefined || to === id || !isVoter(configuration, to)) {
      const words = to === undefined ? 'there is no other voter' : `${to} is not another voter`;
      return { accepted: false, refused: 'notMember', words };
    }
    if (this.#transfer?.to !== to) this.#transfer = { to, untilUs: nowUs + electionTimeoutUs };
    this.replication.broadcast(false);
    this.#completeTransfer();
    return { accepted: true };
  }

  /** More of the leader's own log may be durable. */
  written(): void {
    this.#advanceCommit();
  }

  accepted(message: AppendAccepted): void {
    const progress = this.#heardFrom(message.from);
    if (progress === undefined) return;
    const isNews = this.replication.accepted(message, progress);
    if (!isNews) return;
    this.#advanceCommit();
    this.#settle();
    this.#completeTransfer();
  }

  rejected(message: AppendRejected): void {
    const progress = this.#heardFrom(message.from);
    if (progress !== undefined) this.replication.rejected(message, progress);
  }

  heartbeatAnswered(message: HeartbeatResponse): void {
    const progress = this.#heardFrom(message.from);
    if (progress === undefined) return;
    this.replication.answered(message.from, progress);
    if (message.readContext > progress.readContext) {
      progress.readContext = message.readContext;
      this.reads.advance();
    }
    this.#completeTransfer();
  }

  snapshotWanted(message: SnapshotResponse): void {
    const progress = this.#heardFrom(message.from);
    if (progress !== undefined) this.replication.snapshotWanted(message, progress);
  }

  /** Leadership has ended, for whatever reason. */
  end(): void {
    this.reads.abandon();
  }

  #heardFrom(peer: PeerId) {
    const progress = this.replication.followers.get(peer);
    if (progress !== undefined) progress.heardAtUs = this.#state.nowUs;
    return progress;
  }

  #hearsFromQuorum(): boolean {
    const { configuration, electionTimeoutUs, id, nowUs, rules } = this.#state;
    const result = quorumVote(rules.decidingConfiguration(configuration), (peer) => {
      if (peer === id) return true;
      const progress = this.replication.followers.get(peer);
      return progress !== undefined && nowUs - progress.heardAtUs < electionTimeoutUs;
    });
    return result === 'won';
  }

  #append(kind: EntryKind, bytes: Uint8Array): void {
    const { log, term } = this.#state;
    const entry = { index: asIndex(log.lastIndex + 1), term, kind, bytes };
    log.append([entry]);
    this.#uncommittedBytes += entryBytes(entry);
  }

  #advanceCommit(): void {
    const { configuration, log, outbox, rules, term } = this.#state;
    const reached = quorumReached(
      rules.decidingConfiguration(configuration),
      (peer) => this.replication.matchOf(peer),
      rules.sortNumbers,
    );
    const index = asIndex(Math.min(reached, log.lastIndex));
    if (index <= log.commit) return;
    const entryTerm = log.termAt(index);
    invariant(entryTerm !== undefined, 'what is not committed yet is in the log');
    if (!rules.mayCommit(entryTerm, term)) return;
    const committed = log.slice(asIndex(log.commit + 1), index, Infinity);
    for (const entry of committed) this.#uncommittedBytes -= entryBytes(entry);
    log.commitThrough(index);
    outbox.event({ kind: 'committed', index });
    this.replication.broadcast(true);
    this.reads.advance();
    this.#settle();
  }

  #settle(): void {
    if (this.#isOver || this.#membership.advance()) return;
    const heir = this.replication.furthestVoter();
    if (heir !== undefined) this.#state.send(heir, { kind: 'timeoutNow' });
    this.#isOver = true;
  }

  /** Tells the heir to stand for election, once it has the whole log. */
  #completeTransfer(): void {
    const to = this.#transfer?.to;
    if (to === undefined || this.replication.matchOf(to) < this.#state.log.lastIndex) return;
    this.#state.send(to, { kind: 'timeoutNow' });
  }
}
