/**
 * Following a leader: its appends, heartbeats and snapshots (Raft §5.3, §7).
 *
 * All that arrives here is of the current term, from its leader. What a follower vouches for is
 * what one message has compared and brought, nothing more; what it answers waits in the outbox
 * until it is durable.
 */
import { invariant } from '../runtime/invariant.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import type { RaftState } from './state.ts';
import { asIndex } from './types.ts';
import type {
  Append,
  Heartbeat,
  Index,
  PeerId,
  Position,
  SnapshotChunk,
  SnapshotMetadata,
} from './types.ts';

export class Follower {
  readonly #state: RaftState;
  readonly #receiver = new SnapshotReceiver();
  #installing: { readonly sequence: number; readonly snapshot: SnapshotMetadata } | undefined;

  constructor(state: RaftState) {
    this.#state = state;
  }

  append(whole: Append): void {
    const { log, rules } = this.#state;
    const message = afterCommit(whole, log.commit);
    if (message === undefined) {
      this.#accept(whole.from, log.commit);
      return;
    }
    const previous = { index: message.previousIndex, term: message.previousTerm };
    if (!log.has(previous)) {
      invariant(previous.index > log.commit, 'leader completeness: a leader has what is committed');
      this.#reject(message.from, previous);
      return;
    }
    const missing = message.entries.slice(rules.entriesHeld(message, log));
    if (missing.length > 0) {
      if (missing[0].index <= log.lastIndex) this.#cutFrom(missing[0].index);
      this.#appendEntries(missing);
    }
    this.#commit(rules.commitAfterAppend(message, log));
    this.#accept(message.from, rules.acknowledges(message, log));
  }

  heartbeat(message: Heartbeat): void {
    const { log, rules } = this.#state;
    const commit = rules.commitAfterHeartbeat(message, log);
    if (commit > log.lastIndex) {
      invariant(
        !this.#state.isWhole,
        'the log is shorter than what this peer has acknowledged: its disk was replaced or set back',
      );
      this.#reject(message.from, { index: asIndex(log.lastIndex + 1), term: log.last.term });
      return;
    }
    this.#commit(commit);
    this.#state.send(message.from, {
      kind: 'heartbeatResponse',
      readContext: message.readContext,
    });
  }

  snapshotChunk(message: SnapshotChunk): void {
    const { log, rules, outbox } = this.#state;
    const { snapshot } = message;
    if (rules.isStaleSnapshot(snapshot, log)) {
      this.#accept(message.from, log.commit);
      return;
    }
    if (rules.keepsLogAfter(snapshot, log)) {
      this.#commit(snapshot.index);
      this.#accept(message.from, snapshot.index);
      return;
    }
    const result = this.#receiver.take(message);
    if (result.kind !== 'refused') outbox.writeChunk(result.chunk);
    if (result.kind !== 'complete') {
      this.#state.send(message.from, {
        kind: 'snapshotResponse',
        index: snapshot.index,
        nextOffset: result.nextOffset,
      });
      return;
    }
    this.#install(snapshot);
    this.#accept(message.from, snapshot.index);
  }

  /** All writes through `sequence` are durable. @returns the snapshot to restore from now. */
  written(sequence: number): SnapshotMetadata | undefined {
    if (this.#installing === undefined || this.#installing.sequence > sequence) return undefined;
    const { snapshot } = this.#installing;
    this.#installing = undefined;
    this.#state.log.restoring(snapshot);
    return snapshot;
  }

  #install(snapshot: SnapshotMetadata): void {
    const { log, outbox, rules } = this.#state;
    const configuration = rules.configurationOf(snapshot, log);
    log.restore({ ...snapshot, configuration }, outbox.nextSequence);
    outbox.writeSnapshot(snapshot);
    outbox.event({ kind: 'snapshotInstalled', index: snapshot.index });
    outbox.event({ kind: 'configuration', configuration, index: snapshot.index });
    this.#installing = { sequence: outbox.nextSequence, snapshot };
  }

  #cutFrom(from: Index): void {
    const { log, outbox } = this.#state;
    const before = log.configurationIndex;
    log.truncateFrom(from);
    outbox.event({ kind: 'truncated', from });
    if (log.configurationIndex !== before) this.#configurationChanged();
  }

  #appendEntries(entries: Append['entries']): void {
    const { log } = this.#state;
    const before = log.configurationIndex;
    log.append(entries);
    if (log.configurationIndex !== before) this.#configurationChanged();
  }

  #configurationChanged(): void {
    const { log, outbox } = this.#state;
    const { configuration, configurationIndex: index } = log;
    outbox.event({ kind: 'configuration', configuration, index });
  }

  #commit(index: Index): void {
    const { log, outbox } = this.#state;
    if (log.commitThrough(index)) outbox.event({ kind: 'committed', index: log.commit });
  }

  /** Tells the leader that the log lacks `previous`, and where to look instead. */
  #reject(leader: PeerId, previous: Position): void {
    const hint = this.#state.log.lastPossibleMatch(previous);
    this.#state.send(leader, {
      kind: 'appendRejected',
      previousIndex: previous.index,
      hintIndex: hint.index,
      hintTerm: hint.term,
      lostEntries: !this.#state.isWhole,
    });
  }

  #accept(leader: PeerId, match: Index): void {
    this.#state.send(leader, { kind: 'appendAccepted', match });
  }
}

/**
 * What is new in a message that begins before the commit index, up to which logs agree anyway.
 * @returns `undefined` where nothing is.
 */
function afterCommit(message: Append, commit: Index): Append | undefined {
  const overlap = commit - message.previousIndex;
  if (overlap <= 0) return message;
  if (overlap >= message.entries.length) return undefined;
  const { index: previousIndex, term: previousTerm } = message.entries[overlap - 1];
  return { ...message, previousIndex, previousTerm, entries: message.entries.slice(overlap) };
}
