/** The core's settings: who this peer is, how patient it is, and a bound on everything. */
import { invariant } from '../runtime/invariant.ts';
import type { ClusterId, PeerId } from './types.ts';

export interface RaftLimits {
  /**
   * A follower that has heard from no leader for a time drawn from [this, twice this) stands for
   * election; a leader that has heard from no majority for this long stands down. Too short for the
   * network and the disk means needless elections, too long means a long time without a leader.
   * Several heartbeat intervals.
   */
  readonly electionTimeoutMs: number;
  /** How often a leader tells each peer that it is there. */
  readonly heartbeatIntervalMs: number;
  /** Bytes of entries in one append message. One entry always fits. */
  readonly messageBytesMax: number;
  /** Append messages under way to one follower, and their bytes. Their product with the number of
   * followers bounds the leader's send buffers. */
  readonly inflightMessagesMax: number;
  readonly inflightBytesMax: number;
  /** One command. A longer one is refused as `tooLarge`. */
  readonly commandBytesMax: number;
  /** Entries that a leader has appended and not committed; beyond, it refuses as `overloaded`. */
  readonly uncommittedBytesMax: number;
  /** Entries handed to the state machine in one step. */
  readonly applyBytesMax: number;
  readonly snapshotChunkBytes: number;
  /** Entries kept behind a snapshot, so that a follower that is a little behind needs no snapshot:
   * as many as both limits allow. */
  readonly trailingEntries: number;
  readonly trailingBytes: number;
  /** A learner this close to the commit index is promoted. */
  readonly promotionLagEntriesMax: number;
  /** Reads that wait for the leader's answer or for a majority; beyond, they are refused. */
  readonly pendingReadsMax: number;
}

export const RAFT_LIMITS: RaftLimits = Object.freeze({
  electionTimeoutMs: 450,
  heartbeatIntervalMs: 100,
  messageBytesMax: 1024 * 1024,
  inflightMessagesMax: 128,
  inflightBytesMax: 8 * 1024 * 1024,
  commandBytesMax: 4 * 1024 * 1024,
  uncommittedBytesMax: 64 * 1024 * 1024,
  applyBytesMax: 4 * 1024 * 1024,
  snapshotChunkBytes: 512 * 1024,
  trailingEntries: 4096,
  trailingBytes: 16 * 1024 * 1024,
  promotionLagEntriesMax: 64,
  pendingReadsMax: 65_536,
});

export interface RaftIdentity {
  readonly cluster: ClusterId;
  readonly id: PeerId;
}

/** @throws {InvariantError} on limits that cannot work together. */
export function checkLimits(limits: RaftLimits): void {
  for (const value of Object.values(limits)) {
    invariant(Number.isSafeInteger(value) && value >= 0, 'a limit is a whole number, not negative');
  }
  invariant(limits.heartbeatIntervalMs > 0, 'heartbeats are some time apart');
  invariant(
    limits.electionTimeoutMs >= 2 * limits.heartbeatIntervalMs,
    'an election timeout leaves room for two heartbeats',
  );
  invariant(
    limits.inflightMessagesMax > 0 && limits.inflightBytesMax > 0,
    'at least one message may be under way',
  );
  invariant(limits.snapshotChunkBytes > 0, 'a snapshot moves forward with each chunk');
}
