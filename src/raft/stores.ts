/**
 * The faces towards storage, network and user: log store, snapshot store, transport, state machine.
 *
 * The vocabulary is hashicorp/raft's, so that a Raft package could stand in this one's place. All
 * calls are asynchronous by callback and never call back before they have returned. Any error of a
 * store is final: the peer steps down and stops, since after a failed sync nothing is known about
 * what the disk holds.
 */
import type { Address, SystemError } from '../runtime/ports.ts';
import type {
  Entry,
  HardState,
  Index,
  Message,
  PeerId,
  Position,
  SnapshotMetadata,
} from './types.ts';

/** An atomic step of the log: all of it is durable, or none. */
export interface LogBatch {
  readonly hardState: HardState | undefined;
  /** Consecutive; the first may lie within the log, which is then cut to end before it. */
  readonly entries: readonly Entry[];
  /** Where set, all entries are dropped first, and the log begins right after this snapshot. */
  readonly snapshot: SnapshotMetadata | undefined;
}

/** What a log store holds when it is opened. */
export interface LogContents {
  readonly hardState: HardState;
  /** The last snapshot that the log was told of. */
  readonly snapshot: SnapshotMetadata | undefined;
  /** Consecutive; the first follows, or lies before, `snapshot.index + 1`. */
  readonly entries: readonly Entry[];
  /**
   * Set where the disk has lost entries in the middle that were once durable: the last of them, or
   * of those after them. `entries` then ends before the damage. Until its log has reached this
   * position anew, the peer votes as if it still had it, and does not stand for election: so what
   * it once acknowledged still counts.
   */
  readonly lostThrough: Position | undefined;
}

/** Log storage and stable storage in one: term and vote are records of the same log. */
export interface LogStore {
  /**
   * Batches become durable in the order of the calls; one sync may serve many. `done` comes when
   * the batch, and so all before it, is durable.
   */
  append(batch: LogBatch, done: (error: SystemError | undefined) => void): void;
  /**
   * The snapshot is durable in the snapshot store: notes it in the log, then may drop entries
   * through `dropTo` (at most `snapshot.index`).
   */
  compact(
    snapshot: SnapshotMetadata,
    dropTo: Index,
    done: (error: SystemError | undefined) => void,
  ): void;
  close(done: (error: SystemError | undefined) => void): void;
}

/** Takes the bytes of one snapshot in order. */
export interface SnapshotSink {
  write(bytes: Uint8Array, done: (error: SystemError | undefined) => void): void;
  /** Makes it the current snapshot, durably and in one step; older ones may then go. */
  finish(snapshot: SnapshotMetadata, done: (error: SystemError | undefined) => void): void;
  /** Throws away what was written. */
  cancel(done: (error: SystemError | undefined) => void): void;
}

export interface SnapshotStore {
  /** The current one: complete, durable, its checksum verified when the store was opened. */
  readonly latest: SnapshotMetadata | undefined;
  /** Any number of sinks may be open at a time. */
  create(): SnapshotSink;
  /** `undefined` where `snapshot` is no longer held. Fewer bytes than asked for at its end. */
  read(
    snapshot: SnapshotMetadata,
    offset: number,
    lengthMax: number,
    done: (error: SystemError | undefined, bytes: Uint8Array | undefined) => void,
  ): void;
}

export interface TransportHandler {
  onMessage(message: Message): void;
  /** Messages to this peer are being lost. */
  onUnreachable(peer: PeerId): void;
}

/** Carries messages; may lose, delay, reorder and repeat them, never alters them. */
export interface Transport {
  start(handler: TransportHandler): void;
  /** Best effort, never blocks. With an output queue that is full, the message is dropped. */
  send(message: Message): void;
  /** Whom to keep connections to, and where. Called with every new configuration. */
  setPeers(peers: ReadonlyMap<PeerId, Address>): void;
  stop(done: () => void): void;
}

/**
 * The replicated state. Deterministic: what `apply` does may depend on nothing but the state and
 * its arguments, so not on time, randomness or the peer it runs on.
 */
export interface StateMachine {
  /** @returns the answer for the proposer. */
  apply(command: Uint8Array, index: Index): Uint8Array;
  /** The state as of this call, in pieces; later `apply`s must not show in pieces taken later. */
  snapshot(): Iterable<Uint8Array>;
  /** Replaces the whole state by that of a snapshot, given in pieces cut anywhere. */
  restore(pieces: Iterable<Uint8Array>): void;
}
