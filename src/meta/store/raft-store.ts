/**
 * The metadata store that comes with cachectl: a Raft state machine, reached through one peer.
 *
 * Any peer will do, also one that does not lead: it passes commits on and asks the leader how far
 * it must have applied before it answers a read. A commit is proposed in a session until its
 * outcome is known, and applied once.
 */
import { asRevision, type Revision } from '../../cluster/index.ts';
import type { RaftPeer, RefusalReason } from '../../raft/index.ts';
import { invariant } from '../../runtime/index.ts';
import { decodeApplied, encodeStoreCommand } from './codec.ts';
import type { HistoryBound } from './keyspace.ts';
import type {
  CommitOutcome,
  CompactOutcome,
  MetadataStore,
  ReadOutcome,
  ReadQuery,
  StoreRefusal,
  StoreView,
  Transaction,
  Watch,
  WatchHandler,
} from './metadata-store.ts';
import type { StoreMachine } from './store-machine.ts';

export interface RaftStoreOptions {
  /** Revisions that a watch can go back to. Each costs the memory of what it changed. */
  readonly historyRevisionsMax: number;
  /** Their keys and values in all, in characters: the memory that the history may take. */
  readonly historyLengthMax: number;
  /** How long a compaction may take. */
  readonly compactTimeoutMs: number;
}

const RAFT_STORE_DEFAULTS: RaftStoreOptions = Object.freeze({
  historyRevisionsMax: 10_000,
  historyLengthMax: 64 * 1024 * 1024,
  compactTimeoutMs: 5000,
});

export class RaftMetadataStore implements MetadataStore {
  readonly #machine: StoreMachine;
  readonly #peer: Pick<RaftPeer, 'propose' | 'read'>;
  readonly #bound: HistoryBound;
  readonly #compactTimeoutMs: number;

  /** @param machine the one that `peer` was opened with */
  constructor(
    machine: StoreMachine,
    peer: Pick<RaftPeer, 'propose' | 'read'>,
    options: Partial<RaftStoreOptions> = {},
  ) {
    const { historyRevisionsMax, historyLengthMax, compactTimeoutMs } = {
      ...RAFT_STORE_DEFAULTS,
      ...options,
    };
    this.#machine = machine;
    this.#peer = peer;
    this.#bound = { revisionsMax: historyRevisionsMax, lengthMax: historyLengthMax };
    this.#compactTimeoutMs = compactTimeoutMs;
  }

  read(query: ReadQuery, done: (outcome: ReadOutcome) => void): void {
    this.#peer.read((outcome) => {
      if (outcome.kind === 'refused') done({ kind: 'refused', reason: refusalOf(outcome.reason) });
      else done({ kind: 'read', ...this.#machine.keyspace.read(query) });
    });
  }

  view(): StoreView {
    return this.#machine.keyspace;
  }

  commit(
    transaction: Transaction,
    timeoutMs: number,
    done: (outcome: CommitOutcome) => void,
  ): void {
    checkStrings(transaction);
    const command = encodeStoreCommand({ kind: 'commit', transaction, bound: this.#bound });
    this.#peer.propose(command, timeoutMs, (outcome) => {
      if (outcome.kind === 'applied') done(decodeApplied(outcome.answer));
      else if (outcome.kind === 'unknown') done(outcome);
      else done({ kind: 'refused', reason: refusalOf(outcome.reason) });
    });
  }

  watch(prefix: string, from: Revision, handler: WatchHandler): Watch {
    return this.#machine.watches.add(prefix, from, handler);
  }

  compact(through: Revision, done: (outcome: CompactOutcome) => void): void {
    const command = encodeStoreCommand({ kind: 'compact', through });
    this.#peer.propose(command, this.#compactTimeoutMs, (outcome) => {
      if (outcome.kind === 'applied') {
        const { revision } = decodeApplied(outcome.answer);
        done({ kind: 'compacted', compactRevision: asRevision(revision) });
      } else if (outcome.kind === 'unknown') done(outcome);
      else done({ kind: 'refused', reason: refusalOf(outcome.reason) });
    });
  }
}

/** Text that is no Unicode would come back from the log as something else. */
function checkStrings({ compares, changes }: Transaction): void {
  for (const { key } of compares) invariant(key.isWellFormed(), 'a key is Unicode');
  for (const change of changes) {
    const key = change.kind === 'deletePrefix' ? change.prefix : change.key;
    invariant(key.isWellFormed(), 'a key is Unicode');
    if (change.kind === 'put') invariant(change.value.isWellFormed(), 'a value is Unicode');
  }
}

function refusalOf(reason: RefusalReason): StoreRefusal {
  switch (reason) {
    case 'overloaded':
    case 'tooLarge':
    case 'stopped':
      return reason;
    case 'noLeader':
    case 'notLeader':
    case 'transferring':
    case 'changePending':
    case 'invalidChange':
    case 'notMember':
      return 'unavailable';
  }
}
