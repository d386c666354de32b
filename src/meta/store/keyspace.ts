/**
 * The state that the peers agree on: the entries, and the changes that led to the last revisions.
 *
 * Pure and deterministic: everything here follows from the commands alone, the bound of the history
 * too, which each command brings along. So all peers can serve a watch from the same revisions, and
 * a peer that was sent a snapshot as well, since that holds the history.
 *
 * Invariants: the history holds one commit for each revision after `compactRevision` through
 * `revision`; an entry's `createRevision` ≤ `modRevision` ≤ `revision`.
 */
import { asRevision, type Revision } from '../../cluster/index.ts';
import { invariant } from '../../runtime/index.ts';
import type { Change, Compare, Entry, ReadPage, ReadQuery, Transaction } from './metadata-store.ts';
import { SortedMap, type SortedView } from './sorted-map.ts';

/** How much of the past is kept for watches. */
export interface HistoryBound {
  readonly revisionsMax: number;
  /** Of the keys and values in it, in UTF-16 units. */
  readonly lengthMax: number;
}

/** What became of a key: its entry, or no more than the key where that was deleted. */
export type Changed = Entry | { readonly key: string; readonly value: undefined };

/** All changes of one revision, each key once. */
export interface HistoricCommit {
  readonly revision: Revision;
  readonly changes: readonly Changed[];
  readonly length: number;
}

export type Applied =
  | { readonly kind: 'committed'; readonly revision: Revision }
  | {
      readonly kind: 'conflict';
      readonly revision: Revision;
      readonly failed: ReadonlyArray<{ readonly key: string; readonly current: Entry | undefined }>;
    };

/** Everything that a snapshot holds, at one moment, never to change again. */
export interface FrozenKeyspace {
  readonly revision: Revision;
  readonly entries: SortedView<Entry>;
  readonly compactRevision: Revision;
  readonly history: readonly HistoricCommit[];
}

export class Keyspace {
  #entries = new SortedMap<Entry>();
  #revision = asRevision(0);
  /** From `#historyStart` on; what is before that is dropped now and then, all at once. */
  #history: HistoricCommit[] = [];
  #historyStart = 0;
  #historyLength = 0;

  get revision(): Revision {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Changes through this one are no longer known. */
  get compactRevision(): Revision {
    return asRevision(this.#revision - (this.#history.length - this.#historyStart));
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  list(prefix: string): Entry[] {
    const found: Entry[] = [];
    for (const [key, entry] of this.#entries.from(prefix)) {
      if (!key.startsWith(prefix)) break;
      found.push(entry);
    }
    return found;
  }

  read(query: ReadQuery): ReadPage {
    if ('key' in query) {
      const entry = this.get(query.key);
      const entries = entry === undefined ? [] : [entry];
      return { revision: this.#revision, entries, isMore: false };
    }
    const { prefix, after, limit = Infinity } = query;
    const entries: Entry[] = [];
    const from = after !== undefined && after > prefix ? after : prefix;
    for (const [key, entry] of this.#entries.from(from)) {
      if (!key.startsWith(prefix)) break;
      if (key === after) continue;
      if (entries.length >= limit) return { revision: this.#revision, entries, isMore: true };
      entries.push(entry);
    }
    return { revision: this.#revision, entries, isMore: false };
  }

  commit({ compares, changes }: Transaction, bound: HistoryBound): Applied {
    const failed = compares
      .filter((compare) => !this.#holds(compare))
      .map(({ key }) => ({ key, current: this.get(key) }));
    if (failed.length > 0) return { kind: 'conflict', revision: this.#revision, failed };
    const changed = this.#carryOut(changes);
    if (changed.length > 0) {
      this.#revision = this.#next;
      this.#remember(changed);
    }
    this.#trim(bound);
    return { kind: 'committed', revision: this.#revision };
  }

  compact(through: Revision): Revision {
    this.#forget(Math.min(through, this.#revision) - this.compactRevision);
    return this.compactRevision;
  }

  /** The commits after revision `after`, oldest first, or `undefined` where some are forgotten. */
  since(after: Revision): Iterable<HistoricCommit> | undefined {
    if (after < this.compactRevision) return undefined;
    return this.#commitsAfter(after);
  }

  freeze(): FrozenKeyspace {
    return {
      revision: this.#revision,
      entries: this.#entries.freeze(),
      compactRevision: this.compactRevision,
      history: this.#history.slice(this.#historyStart),
    };
  }

  /**
   * Takes the place of everything.
   * @param entries in the order of their keys
   * @param history the commits of the last revisions, without a gap
   */
  replace(revision: Revision, entries: Iterable<Entry>, history: readonly HistoricCommit[]): void {
    history.forEach((commit, index) =>
      invariant(
        commit.revision === revision - history.length + 1 + index,
        'a history has all of the last revisions',
      ),
    );
    this.#entries = new SortedMap();
    for (const entry of entries) this.#entries.set(entry.key, entry);
    this.#revision = revision;
    this.#history = [...history];
    this.#historyStart = 0;
    this.#historyLength = history.reduce((sum, { length }) => sum + length, 0);
  }

  get #next(): Revision {
    return asRevision(this.#revision + 1);
  }

  #holds(compare: Compare): boolean {
    const entry = this.#entries.get(compare.key);
    if ('isPresent' in compare) return entry !== undefined;
    return (entry?.modRevision ?? 0) === compare.modRevision;
  }

  /** @returns what is different now, each key once, in the order in which they were first touched */
  #carryOut(changes: readonly Change[]): Changed[] {
    const before = new Map<string, Entry | undefined>();
    for (const change of changes) {
      if (change.kind === 'put') {
        this.#put(change.key, change.value, before);
      } else if (change.kind === 'delete') {
        this.#delete(change.key, before);
      } else {
        for (const { key } of this.list(change.prefix)) this.#delete(key, before);
      }
    }
    const changed: Changed[] = [];
    for (const [key, entryBefore] of before) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) changed.push(entry);
      else if (entryBefore !== undefined) changed.push({ key, value: undefined });
    }
    return changed;
  }

  #put(key: string, value: string, before: Map<string, Entry | undefined>): void {
    const entry = this.#entries.get(key);
    if (!before.has(key)) before.set(key, entry);
    const modRevision = this.#next;
    const createRevision = entry?.createRevision ?? modRevision;
    this.#entries.set(key, { key, value, createRevision, modRevision });
  }

  #delete(key: string, before: Map<string, Entry | undefined>): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    if (!before.has(key)) before.set(key, entry);
    this.#entries.delete(key);
  }

  #remember(changes: readonly Changed[]): void {
    const length = lengthOf(changes);
    this.#history.push({ revision: this.#revision, changes, length });
    this.#historyLength += length;
  }

  /** The last commit is kept in any case: that one everybody may still want. */
  #trim({ revisionsMax, lengthMax }: HistoryBound): void {
    const max = Math.max(1, revisionsMax);
    for (let count = this.#history.length - this.#historyStart; count > 1; count--) {
      if (count <= max && this.#historyLength <= lengthMax) return;
      this.#forget(1);
    }
  }

  #forget(count: number): void {
    for (let forgotten = 0; forgotten < count; forgotten++) {
      this.#historyLength -= this.#history[this.#historyStart].length;
      this.#historyStart++;
    }
    if (this.#historyStart * 2 <= this.#history.length) return;
    this.#history.splice(0, this.#historyStart);
    this.#historyStart = 0;
  }

  *#commitsAfter(after: Revision): Generator<HistoricCommit> {
    for (let revision = after + 1; revision <= this.#revision; revision++) {
      const fromEnd = this.#revision - revision + 1;
      yield this.#history[this.#history.length - fromEnd];
    }
  }
}

export function lengthOf(changes: readonly Changed[]): number {
  return changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0);
}
