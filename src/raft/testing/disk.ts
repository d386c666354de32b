/**
 * A peer's disk in memory, for tests: carries out `Persist`s one by one, and forgets at a crash
 * whatever it has not carried out.
 */
import { invariant } from '../../runtime/invariant.ts';
import type { Persist } from '../effects.ts';
import { isAtOrAfter } from '../rules.ts';
import type { LogContents } from '../stores.ts';
import { asTerm } from '../types.ts';
import type { Entry, HardState, Index, Position, SnapshotMetadata } from '../types.ts';

interface StoredSnapshot {
  readonly metadata: SnapshotMetadata;
  readonly bytes: Uint8Array;
}

export class MemoryDisk {
  hardState: HardState = { term: asTerm(0), vote: undefined };
  entries: readonly Entry[] = [];
  snapshots: readonly StoredSnapshot[] = [];
  lostThrough: Position | undefined;
  #logSnapshot: SnapshotMetadata | undefined;
  #partial: Uint8Array = new Uint8Array(0);

  get latest(): StoredSnapshot | undefined {
    return this.snapshots.at(-1);
  }

  get lastIndex(): number {
    return this.entries.at(-1)?.index ?? this.#logSnapshot?.index ?? 0;
  }

  get contents(): LogContents {
    return {
      hardState: this.hardState,
      snapshot: this.#logSnapshot,
      entries: this.entries,
      lostThrough: this.lostThrough,
    };
  }

  termAt(index: number): number | undefined {
    if (index === this.#logSnapshot?.index) return this.#logSnapshot.term;
    return this.entries.find((entry) => entry.index === index)?.term;
  }

  /** @param crashAfterSnapshot stop when the snapshot is stored and the log is not yet begun anew. */
  carryOut(persist: Persist, crashAfterSnapshot = false): void {
    const { chunk, snapshot, entries, hardState, compact } = persist;
    if (chunk !== undefined) {
      const kept = chunk.offset === 0 ? new Uint8Array(0) : this.#partial;
      invariant(kept.length === chunk.offset, 'chunks are written in order');
      this.#partial = concat([kept, chunk.bytes]);
    }
    if (snapshot !== undefined) {
      this.addSnapshot({ metadata: snapshot, bytes: this.#partial });
      if (crashAfterSnapshot) return;
      this.entries = [];
      this.#logSnapshot = snapshot;
    }
    if (entries.length > 0) {
      const [first] = entries;
      invariant(first.index <= this.lastIndex + 1, 'no gap is written into a log');
      this.entries = [...this.entries.filter(({ index }) => index < first.index), ...entries];
      const { lostThrough } = this;
      if (lostThrough && isAtOrAfter(entries[entries.length - 1], lostThrough)) {
        this.lostThrough = undefined;
      }
    }
    if (hardState !== undefined) this.hardState = hardState;
    if (compact !== undefined) {
      this.#logSnapshot = compact.snapshot;
      this.entries = this.entries.filter(({ index }) => index > compact.dropTo);
    }
  }

  /** What is done to a log that a crash left behind its snapshot. */
  repair({ hardState, snapshot, entries }: LogContents): void {
    this.hardState = hardState;
    this.entries = entries;
    this.#logSnapshot = snapshot;
  }

  addSnapshot(snapshot: StoredSnapshot): void {
    this.snapshots = [...this.snapshots.slice(-1), snapshot];
  }

  readSnapshot(index: Index, offset: number, lengthMax: number): Uint8Array | undefined {
    const found = this.snapshots.find(({ metadata }) => metadata.index === index);
    return found?.bytes.subarray(offset, offset + lengthMax);
  }

  /** Loses durable entries from `from` on, as bad sectors do, but not the knowledge of the loss. */
  loseFrom(from: Index): void {
    const last = this.entries.at(-1);
    if (last === undefined || last.index < from) return;
    this.lostThrough = { index: last.index, term: last.term };
    this.entries = this.entries.filter(({ index }) => index < from);
  }
}

export function concat(pieces: Iterable<Uint8Array>): Uint8Array {
  return new Uint8Array(Buffer.concat([...pieces]));
}
