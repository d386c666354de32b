/**
 * What goes into a step of the core, and what comes out.
 *
 * **Durable before visible.** A step never asks for a sync and a message that depends on it at the
 * same time. It hands out a `Persist` with a sequence number, keeps back whatever depends on it
 * (votes, acknowledgements, its own share in a commit), and hands that out only after the input
 * `persisted` has named the sequence number. The performer of effects therefore cannot send too
 * early: it has nothing to send. What it may do is to begin any number of `Persist`s at once, and
 * to answer them all by the highest number (group commit).
 *
 * **Time** is monotonic microseconds, passed in with every step. `wakeAtUs` says when the next step
 * is due though nothing else happens; a late one is harmless.
 */
import type {
  Configuration,
  Entry,
  HardState,
  Index,
  Message,
  PeerId,
  RefusalReason,
  SnapshotMetadata,
  Term,
} from './types.ts';
import type { Address } from '../runtime/ports.ts';

/**
 * What must become durable, in the order of `sequence` (1, 2, 3, …).
 *
 * Carry out: `chunk`, then `snapshot`, then `entries` and `hardState` in one atomic log batch, then
 * `compactTo`. If any of it fails, the peer must stop: the failure is never retried.
 */
export interface Persist {
  readonly sequence: number;
  readonly hardState: HardState | undefined;
  /**
   * Consecutive. The first may lie within the log: then the log is first cut, so that it ends
   * before it. Otherwise it comes right after the log's last entry.
   */
  readonly entries: readonly Entry[];
  /**
   * A snapshot whose chunks are all there: make it the current one, and let the log begin anew,
   * empty, right after it.
   */
  readonly snapshot: SnapshotMetadata | undefined;
  /** A piece of a snapshot being received. At offset 0 an unfinished one is thrown away. */
  readonly chunk: ReceivedChunk | undefined;
  /** Entries through `dropTo` are covered by this durable snapshot of our own: they may go. */
  readonly compact: { readonly snapshot: SnapshotMetadata; readonly dropTo: Index } | undefined;
  /** False where the answer `persisted` need not wait for a sync (a chunk, a compaction). */
  readonly mustSync: boolean;
}

export interface ReceivedChunk {
  readonly snapshot: SnapshotMetadata;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A piece of the snapshot to read for a follower; answered by the input `snapshotRead`. */
export interface SnapshotReadRequest {
  readonly to: PeerId;
  readonly snapshot: SnapshotMetadata;
  readonly offset: number;
  readonly lengthMax: number;
}

export type ReadOutcome =
  /** Serve the read once the state machine has applied `index`. */
  | { readonly read: number; readonly index: Index }
  | { readonly read: number; readonly refused: RefusalReason };

/** What became of proposals; `proposal` is the number given with the input `propose`. */
export type ProposalOutcome =
  /** They are the log entries from `index` on, unless another leader overwrites them. */
  | { readonly proposal: number; readonly index: Index; readonly term: Term }
  /** Sent to the leader. May or may not arrive. */
  | { readonly proposal: number; readonly forwardedTo: PeerId }
  | { readonly proposal: number; readonly refused: RefusalReason };

/** The outcome of `change` and `transfer`. */
export type AdministrationOutcome =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly refused: RefusalReason; readonly words: string };

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

/** What an operator or an oracle wants to know of; no behaviour depends on it. */
export type RaftEvent =
  | { readonly kind: 'role'; readonly role: Role; readonly term: Term }
  | { readonly kind: 'leader'; readonly leader: PeerId | undefined; readonly term: Term }
  | { readonly kind: 'configuration'; readonly configuration: Configuration; readonly index: Index }
  | { readonly kind: 'truncated'; readonly from: Index }
  | { readonly kind: 'committed'; readonly index: Index }
  | { readonly kind: 'snapshotInstalled'; readonly index: Index }
  | { readonly kind: 'snapshotBegun'; readonly to: PeerId; readonly index: Index }
  | { readonly kind: 'caughtUp'; readonly peer: PeerId }
  | { readonly kind: 'transferAborted'; readonly to: PeerId }
  /** A peer's log is shorter than what it has acknowledged: its disk was lost. */
  | { readonly kind: 'lostData'; readonly peer: PeerId };

export interface Effects {
  /** Begin to make this durable; tell by `persisted`. */
  readonly persist: Persist | undefined;
  /** May be sent now. */
  readonly messages: readonly Message[];
  /** Replace the state machine's state by this durable snapshot, before `apply`. */
  readonly restore: SnapshotMetadata | undefined;
  /** Committed and durable here; apply in order, then tell by `applied`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadOutcome[];
  readonly proposals: readonly ProposalOutcome[];
  readonly administration: AdministrationOutcome | undefined;
  readonly snapshotReads: readonly SnapshotReadRequest[];
  readonly events: readonly RaftEvent[];
  /** When to step with `tick` at the latest, on the clock that `now` is read from. */
  readonly wakeAtUs: number;
}

/** The members wanted. Peers in neither list are removed. */
export interface ConfigurationChange {
  readonly voters: ReadonlyMap<PeerId, Address>;
  readonly learners: ReadonlyMap<PeerId, Address>;
}

export type Input =
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | { readonly kind: 'message'; readonly message: Message }
  /** All `Persist`s through `sequence` are durable. */
  | { readonly kind: 'persisted'; readonly sequence: number }
  /** The state machine has applied all through `index` (by entries, or by restoring). */
  | { readonly kind: 'applied'; readonly index: Index }
  /** `proposal` is the caller's number; it comes back in `ProposalOutcome`. */
  | {
      readonly kind: 'propose';
      readonly proposal: number;
      readonly commands: readonly Uint8Array[];
    }
  /** Ask for a linearizable read. `read` is the caller's number; it comes back, and goes no further. */
  | { readonly kind: 'read'; readonly read: number }
  /** Leader only. New voters are learners first, and are promoted when they have caught up. */
  | { readonly kind: 'change'; readonly change: ConfigurationChange }
  /** Leader only. `undefined`: to the voter that is furthest. */
  | { readonly kind: 'transfer'; readonly to: PeerId | undefined }
  /** Hold an election now, whatever the timeout says. */
  | { readonly kind: 'campaign' }
  /** A durable snapshot of this peer's own applied state is there. */
  | { readonly kind: 'snapshotSaved'; readonly snapshot: SnapshotMetadata }
  /** Answers a `SnapshotReadRequest`; `bytes` undefined where the snapshot is no longer there. */
  | {
      readonly kind: 'snapshotRead';
      readonly to: PeerId;
      readonly index: Index;
      readonly offset: number;
      readonly bytes: Uint8Array | undefined;
    }
  /** The transport found the peer out of reach: probe instead of streaming. */
  | { readonly kind: 'unreachable'; readonly peer: PeerId };
