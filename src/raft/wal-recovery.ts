/**
 * What a directory of segments holds after whatever has happened to it. Pure: bytes in, verdict out.
 *
 * The end of the last segment may be *torn*: cut short, or with zeros in the place of a sector
 * that was never written. That was never acknowledged, and is left out in silence. Anything else
 * that does not check is *damage*: the disk has not kept what it had confirmed. Damage is never
 * left out in silence:
 *
 * - It is of no consequence where the log is whole without it (what is damaged was compacted
 *   away, or replaced by a snapshot).
 * - Else entries are lost. The log then ends before the damage; and since the groups' headers say
 *   how far it went, a peer can go on as one that has to be sent again what it once had.
 * - Where not even that is known, nothing can be made of it.
 *
 * References: Alagappan et al., "Protocol-aware recovery for consensus-based storage" (FAST 2018).
 */
import { invariant } from '../runtime/index.ts';
import type { LogContents } from './stores.ts';
import { asIndex, asTerm } from './types.ts';
import type { Entry, HardState, Position, SnapshotMetadata } from './types.ts';
import {
  ALIGNMENT,
  GROUP_HEADER_BYTES,
  type GroupHeader,
  readGroupBody,
  readGroupHeader,
  type SegmentHeader,
  seedOf,
  type WalRecord,
} from './wal-format.ts';

const SECTOR_BYTES = 512;

/** Where an empty log ends. */
export const LOG_START: Position = { index: asIndex(0), term: asTerm(0) };

/** Positive where `a` is further: of a higher term, or of the same and a higher index. */
export function comparePositions(a: Position, b: Position): number {
  return a.term === b.term ? a.index - b.index : a.term - b.term;
}

export interface Segment {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly number: number;
  /** Undefined where it is damaged. */
  readonly header: SegmentHeader | undefined;
  readonly headerLength: number;
}

/** Bytes that are not what was once durable there. */
interface Damage {
  readonly path: string;
  readonly offset: number;
  readonly words: string;
}

export interface Recovery {
  readonly contents: LogContents;
  /** Of any consequence only where `next.beginsAnew`. */
  readonly damages: readonly Damage[];
  /** What was never acknowledged, at the end of the last segment. */
  readonly tornBytes: number;
  /** How the log has to go on, in a new segment. */
  readonly next: {
    readonly sequence: number;
    readonly previousChecksum: number;
    /** Entries are lost: what is left is written anew, and all older segments are void. */
    readonly beginsAnew: boolean;
    /**
     * What to say first: all that is left, or else what the last good group said, since nobody
     * knows whether that one is durable.
     */
    readonly records: readonly WalRecord[];
  };
  /** The segments that still count, with the highest index of an entry in each; oldest first. */
  readonly highestIndexes: ReadonlyMap<number, number>;
}

/** The damage hides what a peer must know to be safe. */
export interface Unrecoverable {
  readonly fatal: Damage;
}

interface SnapshotsHeld {
  readonly latest: SnapshotMetadata | undefined;
}

/** @param segments in the order of their numbers, at least one of them with a good header. */
export function recoverLog(
  segments: readonly Segment[],
  store: Uint8Array,
  held?: SnapshotsHeld,
): Recovery | Unrecoverable {
  return new Reader(segments, store, held).read();
}

interface Group {
  readonly header: GroupHeader;
  readonly records: readonly WalRecord[];
}

/** Groups in an unbroken chain, and what comes of them when they are carried out in order. */
class Run {
  readonly entries: Entry[] = [];
  hardState: HardState | undefined;
  snapshot: SnapshotMetadata | undefined;
  lost: Position | undefined;
  lastGroup: Group | undefined;
  readonly highestIndexes = new Map<number, number>();

  apply(segmentNumber: number, group: Group): void {
    this.lastGroup = group;
    let highest = this.highestIndexes.get(segmentNumber) ?? 0;
    for (const record of group.records) {
      switch (record.kind) {
        case 'hardState':
          this.hardState = record.hardState;
          break;
        case 'snapshot':
          this.snapshot = record.snapshot;
          if (!record.beginsAnew) break;
          this.entries.length = 0;
          this.highestIndexes.clear();
          highest = 0;
          break;
        case 'lost':
          this.lost = record.position;
          break;
        case 'entry':
          this.#append(record.entry);
          highest = Math.max(highest, record.entry.index);
          break;
      }
    }
    this.highestIndexes.set(segmentNumber, highest);
  }

  /** Whether nothing but this snapshot and this run is needed to know all. */
  isWholeAfter(snapshot: SnapshotMetadata | undefined): boolean {
    const header = this.lastGroup?.header;
    const end = this.entries.at(-1) ?? snapshot ?? LOG_START;
    return (
      header !== undefined &&
      this.hardState?.term === header.term &&
      comparePositions(end, header.last) === 0 &&
      this.followsSnapshot(snapshot)
    );
  }

  /** Whether there is no gap between the snapshot and the first entry. */
  followsSnapshot(snapshot: SnapshotMetadata | undefined): boolean {
    const snapshotIndex = snapshot?.index ?? 0;
    return this.entries.length === 0 || this.entries[0].index <= snapshotIndex + 1;
  }

  #append(entry: Entry): void {
    const first = this.entries.length > 0 ? this.entries[0].index : entry.index;
    this.entries.length = Math.max(0, Math.min(this.entries.length, entry.index - first));
    this.entries.push(entry);
  }
}

class Reader {
  readonly #segments: readonly Segment[];
  readonly #seed: number;
  readonly #held: SnapshotsHeld | undefined;
  readonly #runs: Run[] = [];
  readonly #damages: Damage[] = [];
  /** What follows does not continue the last run. */
  #isBroken = true;
  /** The next group of the chain, where that is known. */
  #expected: { readonly sequence: number; readonly previousChecksum: number } | undefined;
  #tornBytes = 0;
  /** The last group of all is damaged: what its header says, if that can be read. */
  #lostEnd: { readonly header: GroupHeader | undefined } | undefined;

  constructor(segments: readonly Segment[], store: Uint8Array, held: SnapshotsHeld | undefined) {
    this.#segments = segments;
    this.#seed = seedOf(store);
    this.#held = held;
  }

  read(): Recovery | Unrecoverable {
    const anew = this.#segments.findLastIndex(({ header }) => header?.beginsAnew === true);
    const counting = this.#segments.slice(Math.max(0, anew));
    counting.forEach((segment, index) => {
      const later = counting.slice(index + 1);
      const next = later.find(({ header }) => header !== undefined);
      this.#readSegment(segment, next?.header?.firstSequence ?? Infinity, later.at(0));
    });
    return this.#conclude();
  }

  /** Reads the groups before the sequence number `limit`, at which a later segment begins. */
  #readSegment(segment: Segment, limit: number, next: Segment | undefined): void {
    const { bytes, header } = segment;
    let floor = this.#expected?.sequence ?? 0;
    let offset = 0;
    let hasGroup = false;
    if (header === undefined) {
      this.#break(segment, 0, 'the header is damaged');
    } else {
      this.#enterSegment(segment, header);
      floor = header.firstSequence;
      offset = segment.headerLength;
    }
    while (floor < limit) {
      const expected = this.#groupAt(bytes, offset);
      const group = expected ?? this.#findGroup(bytes, offset, floor, limit);
      if (group === undefined) {
        if (next === undefined) this.#endAt(segment, offset, hasGroup);
        // At a segment's end it is the next one, of unknown beginning, that is to blame.
        else if (next.header !== undefined || offset < bytes.length)
          this.#breakOnce(segment, offset);
        return;
      }
      if (expected === undefined) this.#breakOnce(segment, offset);
      this.#apply(segment, group);
      hasGroup = true;
      floor = group.header.sequence + 1;
      offset = group.header.end;
    }
  }

  #enterSegment(segment: Segment, header: SegmentHeader): void {
    const { firstSequence: sequence, previousChecksum } = header;
    const isContinued =
      this.#expected?.sequence === sequence && this.#expected.previousChecksum === previousChecksum;
    if (this.#expected !== undefined && !isContinued) {
      this.#break(segment, 0, 'it does not continue the segment before it');
    }
    this.#expected = { sequence, previousChecksum };
  }

  #groupAt(bytes: Uint8Array, offset: number): Group | undefined {
    const header = readGroupHeader(bytes, offset, this.#seed);
    if (header === undefined || header.sequence !== this.#expected?.sequence) return undefined;
    if (header.previousChecksum !== this.#expected.previousChecksum) return undefined;
    const records = readGroupBody(bytes, header, this.#seed);
    return records === undefined ? undefined : { header, records };
  }

  /** A good group further on: the proof that what is missing before it was once durable. */
  #findGroup(bytes: Uint8Array, from: number, floor: number, limit: number): Group | undefined {
    for (let offset = from; offset < bytes.length; offset += ALIGNMENT) {
      const header = readGroupHeader(bytes, offset, this.#seed);
      if (header === undefined || header.sequence < floor || header.sequence >= limit) continue;
      const records = readGroupBody(bytes, header, this.#seed);
      if (records !== undefined) return { header, records };
    }
    return undefined;
  }

  #apply(segment: Segment, group: Group): void {
    if (this.#isBroken) this.#runs.push(new Run());
    this.#isBroken = false;
    this.#runs[this.#runs.length - 1].apply(segment.number, group);
    const { sequence, checksum } = group.header;
    this.#expected = { sequence: sequence + 1, previousChecksum: checksum };
  }

  #break(segment: Segment, offset: number, words: string): void {
    this.#damages.push({ path: segment.path, offset, words });
    this.#isBroken = true;
    this.#expected = undefined;
  }

  /** Unless that is what the break before it was about. */
  #breakOnce(segment: Segment, offset: number): void {
    if (this.#expected === undefined) return;
    this.#break(segment, offset, 'groups of records are damaged or missing');
  }

  /**
   * There is no good group from here on: it is the end, or a group is torn or damaged. A segment's
   * first group is never torn, since it was durable before the segment had its name.
   */
  #endAt({ bytes, path }: Segment, offset: number, hasGroup: boolean): void {
    const header = readGroupHeader(bytes, offset, this.#seed);
    if (hasGroup && (offset === bytes.length || isTorn(bytes, offset, header))) {
      this.#tornBytes = bytes.length - offset;
      return;
    }
    this.#damages.push({ path, offset, words: 'the last group of records is damaged' });
    this.#lostEnd = { header };
  }

  #conclude(): Recovery | Unrecoverable {
    const run = this.#runs.at(-1);
    const header = run?.lastGroup?.header;
    const snapshot = this.#usable(run?.snapshot);
    const isWhole = this.#lostEnd === undefined && run?.isWholeAfter(snapshot) === true;
    if (isWhole && run.hardState !== undefined) return this.#whole(run, run.hardState, snapshot);
    if (this.#damages.length === 0) {
      const [{ path }] = this.#segments;
      const words = 'what it goes on from is missing: a segment, or the snapshot that replaced it';
      this.#damages.push({ path, offset: 0, words });
    }
    const end = this.#lostEnd === undefined ? header : this.#lostEnd.header;
    if (end === undefined) return { fatal: this.#damages[this.#damages.length - 1] };
    return this.#withLoss(end);
  }

  /** The snapshot, or an older one if that is all there is. */
  #usable(snapshot: SnapshotMetadata | undefined): SnapshotMetadata | undefined {
    if (this.#held === undefined || snapshot === undefined) return snapshot;
    const { latest } = this.#held;
    return (latest?.index ?? 0) >= snapshot.index ? snapshot : latest;
  }

  #whole(run: Run, hardState: HardState, snapshot: SnapshotMetadata | undefined): Recovery {
    const { entries, lost, lastGroup } = run;
    invariant(lastGroup !== undefined, 'a log that is whole has a last group');
    return {
      contents: contentsOf(hardState, snapshot, entries, lost),
      damages: this.#damages,
      tornBytes: this.#tornBytes,
      next: {
        sequence: lastGroup.header.sequence,
        previousChecksum: lastGroup.header.previousChecksum,
        beginsAnew: false,
        records: lastGroup.records.filter(
          (each) => each.kind === 'entry' || (each.kind === 'snapshot' && each.beginsAnew),
        ),
      },
      highestIndexes: run.highestIndexes,
    };
  }

  /** @param end the last header that is known to have been durable. */
  #withLoss(end: GroupHeader): Recovery {
    const [first] = this.#runs;
    const noted = this.#runs.findLast((run) => run.snapshot !== undefined)?.snapshot;
    const snapshot = this.#usable(noted);
    // What came before the damage, unless a later snapshot covers it.
    const isOfUse =
      first !== undefined &&
      first.followsSnapshot(snapshot) &&
      (first.entries.at(-1) ?? LOG_START).index >= (snapshot ?? LOG_START).index;
    const entries = isOfUse ? first.entries : [];
    const lost = this.#runs
      .flatMap((run) => (run.lost === undefined ? [] : [run.lost]))
      .reduce((a, b) => (comparePositions(a, b) < 0 ? b : a), end.last);
    return {
      contents: contentsOf(this.#hardStateAt(end), snapshot, entries, lost),
      damages: this.#damages,
      tornBytes: this.#tornBytes,
      next: {
        sequence: end.sequence + 1,
        previousChecksum: 0,
        beginsAnew: true,
        records: entries.map((entry) => ({ kind: 'entry', entry })),
      },
      highestIndexes: new Map(),
    };
  }

  /**
   * A vote that may have been lost is lost for good: the peer moves on to the next term, in which
   * it cannot have voted.
   */
  #hardStateAt(end: GroupHeader): HardState {
    const run = this.#runs.findLast(({ hardState }) => hardState !== undefined);
    const known = run?.hardState;
    const isLatest = run === this.#runs.at(-1) && this.#lostEnd === undefined;
    if (known?.term === end.term && (isLatest || known.vote !== undefined)) return known;
    return { term: asTerm(end.term + 1), vote: undefined };
  }
}

/** What was lost counts as that until the log has come as far again. */
function contentsOf(
  hardState: HardState,
  snapshot: SnapshotMetadata | undefined,
  entries: readonly Entry[],
  lost: Position | undefined,
): LogContents {
  const end = entries.at(-1) ?? snapshot ?? LOG_START;
  const isOpen = lost !== undefined && comparePositions(end, lost) < 0;
  return { hardState, snapshot, entries, lostThrough: isOpen ? lost : undefined };
}

/**
 * Whether a power failure explains what is there: the file ends too early, or a sector's part of
 * the group was never written and so is zeros. (A group that holds 512 zeros in a row of its own
 * can be taken for torn though it decayed; no other can.)
 */
function isTorn(bytes: Uint8Array, offset: number, header: GroupHeader | undefined): boolean {
  const end = header?.end ?? Math.max(bytes.length, offset + GROUP_HEADER_BYTES);
  if (end > bytes.length) return true;
  let start = offset;
  while (start < end) {
    const stop = Math.min(end, (Math.floor(start / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    if (bytes.subarray(start, stop).every((byte) => byte === 0)) return true;
    start = stop;
  }
  return false;
}
