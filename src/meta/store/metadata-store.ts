/**
 * What the control plane needs of a store: a small, strongly consistent space of keys and values.
 *
 * - Keys are strings, ordered by their UTF-16 units, which for ASCII is byte order; values are JSON
 *   text that the store does not look into.
 * - Each commit that changes something makes one new revision; all its changes carry that one.
 *   Revisions are counted from 1 without gaps, and never reused. Revision 0 is the empty store.
 * - A commit is applied whole or not at all, and a committed one is never lost.
 * - A watch is told each change once and in order, whatever happens to the peer's log meanwhile, or
 *   it is told that the changes it asks for are no longer kept.
 *
 * No word of consensus is in here, so that etcd could stand behind it as well.
 */
import type { Revision } from '../../cluster/index.ts';

export interface Entry {
  readonly key: string;
  readonly value: string;
  /** At which the key came into being, since it was last absent. */
  readonly createRevision: Revision;
  /** At which the value was last put. */
  readonly modRevision: Revision;
}

/** What must be true of a key for a commit to go through. */
export type Compare =
  /** The key's last change has this revision; 0: the key is absent. */
  { readonly key: string; readonly modRevision: Revision } | IsPresent;

interface IsPresent {
  readonly key: string;
  readonly isPresent: true;
}

/** Carried out in their order: of two puts of one key, the later one's value stays. */
export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  /** Of an absent key: no change. */
  | { readonly kind: 'delete'; readonly key: string }
  | { readonly kind: 'deletePrefix'; readonly prefix: string };

export interface Transaction {
  /** All must hold. */
  readonly compares: readonly Compare[];
  readonly changes: readonly Change[];
}

/**
 * Why nothing was done.
 *
 * - `unavailable`: no majority of peers could be reached; try again.
 * - `overloaded`: too much is under way here; try again later.
 * - `tooLarge`: the transaction is longer than one may be.
 * - `stopped`: this peer has stopped.
 */
export type StoreRefusal = 'unavailable' | 'overloaded' | 'tooLarge' | 'stopped';

export type CommitOutcome =
  /** `revision` is the store's after the commit: the same as before where nothing changed. */
  | { readonly kind: 'committed'; readonly revision: Revision }
  /** Some compares did not hold, at `revision`. Nothing was changed. */
  | {
      readonly kind: 'conflict';
      readonly revision: Revision;
      /** Those that did not hold, in their order, with what is there. */
      readonly failed: ReadonlyArray<{ readonly key: string; readonly current: Entry | undefined }>;
    }
  /** Surely not applied, and never will be. */
  | { readonly kind: 'refused'; readonly reason: StoreRefusal }
  /** Time is up: it may be applied, now or later, or never. */
  | { readonly kind: 'unknown' };

export type ReadQuery =
  | { readonly key: string }
  | {
      readonly prefix: string;
      /** The first entry of the page is the one after this key. */
      readonly after?: string;
      /** Entries at most; all without it. */
      readonly limit?: number;
    };

export interface ReadPage {
  readonly revision: Revision;
  /** In the order of their keys. */
  readonly entries: readonly Entry[];
  /** There are more entries after the last one. */
  readonly isMore: boolean;
}

export type ReadOutcome =
  | ({ readonly kind: 'read' } & ReadPage)
  | { readonly kind: 'refused'; readonly reason: StoreRefusal };

/** The state at one moment: good until control goes back to the event loop. */
export interface StoreView {
  readonly revision: Revision;
  get(key: string): Entry | undefined;
  /** In the order of the keys. */
  list(prefix: string): readonly Entry[];
}

export type WatchEvent =
  | {
      readonly kind: 'put';
      readonly key: string;
      readonly value: string;
      readonly modRevision: Revision;
    }
  | { readonly kind: 'delete'; readonly key: string; readonly modRevision: Revision };

export interface WatchHandler {
  /**
   * All changes of one or more whole revisions, in order; never empty. `revision` is that of the
   * last: to go on elsewhere, watch from there. A key changed twice by one commit comes once.
   */
  onEvents(revision: Revision, events: readonly WatchEvent[]): void;
  /**
   * Changes after the revision asked for are no longer kept: they begin after `compactRevision`.
   * The watch has ended. Read anew, and watch from the revision of what was read.
   */
  onCompacted(compactRevision: Revision): void;
}

export interface Watch {
  /** No call of the handler comes after this. */
  cancel(): void;
}

export type CompactOutcome =
  /** Changes through `compactRevision` can no longer be watched. */
  | { readonly kind: 'compacted'; readonly compactRevision: Revision }
  | { readonly kind: 'refused'; readonly reason: StoreRefusal }
  | { readonly kind: 'unknown' };

/** Every `done` and every handler is called later, never within the call that it was given to. */
export interface MetadataStore {
  /** Linearizable: sees every commit that was acknowledged before the call. */
  read(query: ReadQuery, done: (outcome: ReadOutcome) => void): void;
  /** What has reached this peer, which may be old. */
  view(): StoreView;
  commit(transaction: Transaction, timeoutMs: number, done: (outcome: CommitOutcome) => void): void;
  /** Changes after revision `from`, of keys that begin with `prefix`, as they reach this peer. */
  watch(prefix: string, from: Revision, handler: WatchHandler): Watch;
  /** Forgets the changes through `through`; what has been put and not deleted stays. */
  compact(through: Revision, done: (outcome: CompactOutcome) => void): void;
}
