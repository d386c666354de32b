/**
 * The log in memory, with the marks that move along it:
 *
 *     base ≤ applied ≤ applying ≤ min(commit, stable)      commit, stable ≤ lastIndex
 *
 * - `base`: the position before the first entry held; what lies before is in a snapshot.
 * - `applying` was handed out to the state machine, `applied` has been confirmed by it.
 * - `commit` only ever rises.
 * - `stable`: entries through here are durable on this peer's disk. Falls when entries are cut away.
 *
 * The log also keeps the configurations that its entries brought, since the last one in the log is
 * in force, committed or not; and it knows which entries were handed out to be written, and in
 * which write, so that a late answer to a write never vouches for entries that have replaced those
 * written.
 */
import { invariant } from '../runtime/invariant.ts';
import { decodeConfiguration, EMPTY_CONFIGURATION } from './configuration.ts';
import type { StoredThrough } from './rules.ts';
import { asIndex, asTerm } from './types.ts';
import type { Configuration, Entry, Index, Position, SnapshotMetadata, Term } from './types.ts';

/** What an entry costs in messages and limits beside its bytes. */
export const ENTRY_OVERHEAD_BYTES = 24;

const ZERO_POSITION: Position = { index: asIndex(0), term: asTerm(0) };

interface ConfigurationAt {
  readonly index: Index;
  readonly configuration: Configuration;
}

export class RaftLog {
  #base: Position;
  #entries: Entry[];
  #commit: Index;
  #applying: Index;
  #applied: Index;
  #stable: Index;
  #unwrittenFrom: Index;
  #snapshot: SnapshotMetadata | undefined;
  /** Ascending; the first is at or before the snapshot. */
  #configurations: ConfigurationAt[];
  /** Writes under way: the last index that each still vouches for. */
  readonly #writes: Array<{ readonly sequence: number; through: Index }> = [];
  readonly #storedThrough: StoredThrough;

  /** @param entries consecutive, all durable; those that `snapshot` covers may be among them. */
  constructor(
    snapshot: SnapshotMetadata | undefined,
    entries: readonly Entry[],
    storedThrough: StoredThrough,
  ) {
    const covered = snapshot?.index ?? asIndex(0);
    const first = entries.at(0);
    invariant(
      first === undefined || first.index <= covered + 1,
      'no entry is missing between snapshot and log',
    );
    this.#storedThrough = storedThrough;
    this.#snapshot = snapshot;
    this.#commit = covered;
    this.#applying = covered;
    this.#applied = covered;
    this.#configurations = [
      { index: covered, configuration: snapshot?.configuration ?? EMPTY_CONFIGURATION },
    ];
    // The first of the entries that trail behind a snapshot serves as the position before the rest.
    const trails = first !== undefined && first.index <= covered;
    this.#base = trails ? positionOf(first) : (snapshot ?? ZERO_POSITION);
    this.#entries = entries.slice(trails ? 1 : 0);
    this.#entries.forEach((entry, at) => {
      invariant(entry.index === this.#base.index + 1 + at, 'the entries of a log are consecutive');
      if (entry.index > covered) this.#noteConfiguration(entry);
    });
    invariant(this.lastIndex >= covered, 'a log that trails behind a snapshot reaches its end');
    this.#stable = this.lastIndex;
    this.#unwrittenFrom = asIndex(this.lastIndex + 1);
  }

  get base(): Position {
    return this.#base;
  }

  /** The newest durable snapshot that this peer has; never before `base`. */
  get snapshot(): SnapshotMetadata | undefined {
    return this.#snapshot;
  }

  get lastIndex(): Index {
    return asIndex(this.#base.index + this.#entries.length);
  }

  get last(): Position {
    return this.#entries.at(-1) ?? this.#base;
  }

  get commit(): Index {
    return this.#commit;
  }

  get applied(): Index {
    return this.#applied;
  }

  get stable(): Index {
    return this.#stable;
  }

  /** The one in force. */
  get configuration(): Configuration {
    return this.#configurations[this.#configurations.length - 1].configuration;
  }

  /** The one that it takes the place of; itself where nothing is known of an earlier one. */
  get configurationBefore(): Configuration {
    const at = Math.max(0, this.#configurations.length - 2);
    return this.#configurations[at].configuration;
  }

  /** The entry that brought the one in force. */
  get configurationIndex(): Index {
    return this.#configurations[this.#configurations.length - 1].index;
  }

  /** The one in force when the log ended at `index`, which must not lie before the snapshot. */
  configurationAt(index: Index): Configuration {
    const at = this.#configurations.findLast((change) => change.index <= index);
    invariant(at !== undefined, 'configurations before the snapshot are forgotten');
    return at.configuration;
  }

  /** `undefined` where the entry is not held (any more). */
  entryAt(index: number): Entry | undefined {
    return index > this.#base.index ? this.#entries[index - this.#base.index - 1] : undefined;
  }

  /** `undefined` before the base and behind the end. */
  termAt(index: number): Term | undefined {
    return index === this.#base.index ? this.#base.term : this.entryAt(index)?.term;
  }

  has(position: Position): boolean {
    return this.termAt(position.index) === position.term;
  }

  /**
   * The last place at or before `position` where a log that holds `position` may agree with this
   * one: going back, the first entry whose term is not later. Term 0 where that is not known.
   */
  lastPossibleMatch(position: Position): Position {
    let index = Math.min(position.index, this.lastIndex);
    while (index > this.#base.index && this.#termHeld(index) > position.term) index--;
    const term = index === this.#base.index ? this.#base.term : this.termAt(index);
    return { index: asIndex(index), term: term ?? asTerm(0) };
  }

  /** Entries from `from` on: at least one where there is one, else as many as `bytesMax` allows. */
  slice(from: Index, through: Index, bytesMax: number): readonly Entry[] {
    invariant(from > this.#base.index, 'entries before the base are not held');
    const start = from - this.#base.index - 1;
    let end = start;
    let bytes = 0;
    while (end < this.#entries.length && this.#entries[end].index <= through) {
      bytes += entryBytes(this.#entries[end]);
      if (end > start && bytes > bytesMax) break;
      end++;
    }
    return this.#entries.slice(start, end);
  }

  append(entries: readonly Entry[]): void {
    for (const entry of entries) {
      invariant(entry.index === this.lastIndex + 1, 'an entry comes right after the last one');
      invariant(entry.term >= this.last.term, 'terms never fall along a log');
      this.#entries.push(entry);
      this.#noteConfiguration(entry);
    }
  }

  /** Cuts the entry at `from` and all after it away. */
  truncateFrom(from: Index): void {
    invariant(from > this.#commit, 'a committed entry is never cut away');
    const keptThrough = asIndex(from - 1);
    this.#entries.length = keptThrough - this.#base.index;
    this.#stable = lesser(this.#stable, keptThrough);
    this.#unwrittenFrom = lesser(this.#unwrittenFrom, from);
    for (const write of this.#writes) {
      write.through = this.#storedThrough(write.through, keptThrough);
    }
    this.#configurations = this.#configurations.filter(({ index }) => index <= keptThrough);
  }

  /** Raises the commit index to `index`; never lowers it. */
  commitThrough(index: Index): boolean {
    if (index <= this.#commit) return false;
    invariant(index <= this.lastIndex, 'only entries that are there can be committed');
    this.#commit = index;
    return true;
  }

  /** The entries appended since the last call, to be made durable by write `sequence`. */
  takeUnwritten(sequence: number): readonly Entry[] {
    if (this.#unwrittenFrom > this.lastIndex) return [];
    const entries = this.#entries.slice(this.#unwrittenFrom - this.#base.index - 1);
    this.#writes.push({ sequence, through: this.lastIndex });
    this.#unwrittenFrom = asIndex(this.lastIndex + 1);
    return entries;
  }

  /** Write `sequence` and all before it are durable. */
  written(sequence: number): void {
    while (this.#writes.length > 0 && this.#writes[0].sequence <= sequence) {
      const write = this.#writes.shift();
      if (write !== undefined && write.through > this.#stable) this.#stable = write.through;
    }
  }

  /** Committed, durable here and not handed out yet; counts as handed out from now on. */
  takeCommitted(bytesMax: number): readonly Entry[] {
    const through = lesser(this.#commit, this.#stable);
    if (through <= this.#applying) return [];
    const entries = this.slice(asIndex(this.#applying + 1), through, bytesMax);
    this.#applying = entries[entries.length - 1].index;
    return entries;
  }

  appliedThrough(index: Index): void {
    invariant(index <= this.#applying, 'nothing is applied that was not handed out');
    if (index > this.#applied) this.#applied = index;
  }

  /** Begins anew after a snapshot, whose becoming durable is write `sequence`. */
  restore(snapshot: SnapshotMetadata, sequence: number): void {
    invariant(snapshot.index > this.#commit, 'a snapshot never takes back what is committed');
    this.#base = { index: snapshot.index, term: snapshot.term };
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#configurations = [{ index: snapshot.index, configuration: snapshot.configuration }];
    this.#commit = snapshot.index;
    this.#stable = asIndex(0);
    this.#unwrittenFrom = asIndex(snapshot.index + 1);
    this.#writes.length = 0;
    this.#writes.push({ sequence, through: snapshot.index });
  }

  /** The snapshot installed by `restore` is durable and was handed out to the state machine. */
  restoring(snapshot: SnapshotMetadata): void {
    invariant(snapshot.index > this.#applying, 'a state machine is never set back');
    this.#applying = snapshot.index;
  }

  /** How far the log may be dropped behind `snapshot`, with no more than so much of it kept. */
  dropBehind(snapshot: Index, entriesMax: number, bytesMax: number): Index {
    let index: number = snapshot;
    let bytes = 0;
    for (let entry = this.entryAt(index); entry !== undefined; entry = this.entryAt(index)) {
      bytes += entryBytes(entry);
      if (snapshot - index >= entriesMax || bytes > bytesMax) break;
      index--;
    }
    return asIndex(index);
  }

  /**
   * A snapshot of this peer's own state is durable: forgets entries through `dropTo`.
   * @returns false where a newer snapshot is there already.
   */
  compact(snapshot: SnapshotMetadata, dropTo: Index): boolean {
    if (snapshot.index <= (this.#snapshot?.index ?? 0)) return false;
    invariant(snapshot.index <= this.#applied, 'a snapshot holds what has been applied');
    invariant(dropTo <= snapshot.index, 'only entries that a snapshot covers may go');
    this.#snapshot = snapshot;
    const inForce = this.#configurations.findLastIndex(({ index }) => index <= snapshot.index);
    this.#configurations.splice(0, inForce);
    if (dropTo <= this.#base.index) return true;
    const term = this.#termHeld(dropTo);
    this.#entries.splice(0, dropTo - this.#base.index);
    this.#base = { index: dropTo, term };
    return true;
  }

  #termHeld(index: number): Term {
    const term = this.termAt(index);
    invariant(term !== undefined, 'the terms of entries held are known');
    return term;
  }

  #noteConfiguration(entry: Entry): void {
    if (entry.kind !== 'configuration') return;
    this.#configurations.push({
      index: entry.index,
      configuration: decodeConfiguration(entry.bytes),
    });
  }
}

export function entryBytes(entry: Entry): number {
  return entry.bytes.length + ENTRY_OVERHEAD_BYTES;
}

function positionOf({ index, term }: Position): Position {
  return { index, term };
}

function lesser(a: Index, b: Index): Index {
  return a < b ? a : b;
}
