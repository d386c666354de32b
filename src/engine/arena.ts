/**
 * Records off the V8 heap, in segments of one size, each filled from its start.
 *
 * A record is named by a `ref`: its position in 8-byte units over all segments, below 2^31 so that
 * it stays a small integer, which bounds an arena to 16 GiB. 0 names nothing. A record:
 *
 *     word 0   ref of the next record in the same index bucket; DEAD or HOLE once freed
 *     word 1   ref of the next older record in its eviction queue
 *     word 2   ref of the next newer one
 *     word 3   value length (30 bits) | eviction queue (2)
 *     word 4   key length (17 bits) | domain (14) | copy (1): another node decides what becomes of it
 *     word 5   deadline, low 32 bits of the milliseconds since 1970
 *     word 6   deadline, high 11 bits | access bits (21), the eviction policy's own
 *     then     the key's bytes, the value's bytes, padding to a multiple of 8
 *
 * A freed record is a hole, and the next record of exactly that size fills it; so where sizes repeat,
 * replacing one record by another moves nothing. Other holes are won back by cleaning.
 *
 * Invariants: records lie back to back from a segment's start to its fill mark, so a segment can be
 * walked; a segment's live bytes are the sum of its records that are not freed; no hole lies in a segment that
 * is being retired behind the point that cleaning has reached.
 */
import { copyBytes, invariant } from '../runtime/index.ts';
import type { Slabs } from './slabs.ts';

const HEADER_BYTES = 28;
export const KEY_LENGTH_MAX = 65_536;
export const VALUE_LENGTH_MAX = 512 * 1024 * 1024;
/** Ids of domains go from 0 to this: some of their numbers, of 14 bits, are for those being flushed. */
export const DOMAIN_MAX = 16_383 - 64;
/** Deadlines from here on, in the year 2248, are kept in a table beside the arena. */
const DEADLINE_NEAR_END = 2 ** 43 - 1;

/** Word 0 of a record that is freed. */
const DEAD = 0xffff_ffff;
/** Word 0 of a freed record that is in the list of holes of its size: words 1 and 2 link it. */
const HOLE = 0xffff_fffe;
const VALUE_LENGTH_MASK = 0x3fff_ffff;
const KEY_LENGTH_MASK = 0x1_ffff;
const COPY = 0x8000_0000;
const COPY_MASK = 0x7fff_ffff;
const DEADLINE_HIGH_MASK = 0x7ff;
const UNITS_MAX = 2 ** 31;

/** Where a new record goes: writes of clients, or survivors that the cleaner has moved. */
export const STREAM_WRITES = 0;
export const STREAM_SURVIVORS = 1;
export type Stream = typeof STREAM_WRITES | typeof STREAM_SURVIVORS;

const LARGE_SLOT = 2;
const NONE = -1;
const SEGMENTS_INITIAL = 64;

export class Arena {
  /** The size of the slabs' blocks; a large record has a segment of its own size. */
  readonly segmentBytes: number;
  readonly segmentsMax: number;
  /** Bytes of all segments, filled or not. */
  bytesReserved = 0;
  /** Bytes of all records that are not freed. */
  bytesLive = 0;
  /** Those of copies among them. */
  bytesOfCopies = 0;
  /** By segment: bytes filled, bytes live, earliest deadline it may hold (Infinity: none). */
  filled = new Int32Array(SEGMENTS_INITIAL);
  live = new Int32Array(SEGMENTS_INITIAL);
  deadlineMin = new Float64Array(SEGMENTS_INITIAL);
  segmentCount = 0;

  readonly #slabs: Slabs;
  readonly #shift: number;
  readonly #mask: number;
  #words: Uint32Array[] = [];
  #octets: Uint8Array[] = [];
  /** By segment: the block it lies in, or NONE where it has memory of its own. */
  #block = new Int32Array(SEGMENTS_INITIAL);
  readonly #freeNumbers: number[] = [];
  readonly #open: [number, number, number] = [NONE, NONE, NONE];
  readonly #farDeadlines = new Map<number, number>();
  /** By size in units: the hole freed last, or 0. */
  readonly #holes: Uint32Array;
  /** The segment whose holes are not to be filled, since it is being cleaned; or NONE. */
  #retiring = NONE;

  readonly #onRelease: (segment: number) => void;

  /**
   * @param slabs whose blocks are the segments: a power of two from 4 KiB to 16 MiB
   * @param onRelease told of each segment whose memory was given back: its number may be used anew
   */
  constructor(slabs: Slabs, onRelease: (segment: number) => void = () => {}) {
    const segmentBytes = slabs.blockBytes;
    this.segmentBytes = segmentBytes;
    this.#slabs = slabs;
    this.#onRelease = onRelease;
    this.#shift = Math.log2(segmentBytes) - 3;
    invariant(
      Number.isInteger(this.#shift) && this.#shift >= 9 && this.#shift <= 21,
      'a segment is a power of two from 4 KiB to 16 MiB',
    );
    this.#mask = 2 ** this.#shift - 1;
    this.segmentsMax = UNITS_MAX >>> this.#shift;
    this.#holes = new Uint32Array((segmentBytes >>> 5) + 1);
  }

  /** The size of a record with such a key and value, in bytes. */
  static bytesFor(keyLength: number, valueLength: number): number {
    return (HEADER_BYTES + keyLength + valueLength + 7) & ~7;
  }

  /** Whether a record of this size can be appended to the stream; else `openSegment` comes first. */
  fits(bytes: number, stream: Stream): boolean {
    const segment = this.#open[this.#slotFor(bytes, stream)];
    return segment !== NONE && this.filled[segment] + bytes <= this.#octets[segment].length;
  }

  /**
   * The size of the segment that `openSegment` would add for a record of this size. One for a large
   * record never has the common size: by that it is known as none that can be cleaned.
   */
  segmentBytesFor(recordBytes: number): number {
    if (!this.#isLarge(recordBytes)) return this.segmentBytes;
    const bytes = (recordBytes + 8 + 4095) & ~4095;
    return bytes === this.segmentBytes ? bytes + 4096 : bytes;
  }

  /**
   * Adds a segment with room for `recordBytes` and closes the stream's open one; one that was opened
   * for a large record which never came is given back.
   *
   * @returns false where all segment numbers are taken
   */
  openSegment(recordBytes: number, stream: Stream): boolean {
    const slot = this.#slotFor(recordBytes, stream);
    if (this.#freeNumbers.length === 0 && this.segmentCount === this.segmentsMax) return false;
    if (slot === LARGE_SLOT && this.#open[slot] !== NONE) this.#releaseSegment(this.#open[slot]);
    this.#open[slot] = this.#addSegment(this.segmentBytesFor(recordBytes));
    return true;
  }

  /** A large record has a segment to itself: sharing would waste the ends of many. */
  #isLarge(recordBytes: number): boolean {
    return recordBytes > this.segmentBytes >>> 2;
  }

  #slotFor(recordBytes: number, stream: Stream): number {
    return this.#isLarge(recordBytes) ? LARGE_SLOT : stream;
  }

  #addSegment(bytes: number): number {
    const segment = this.#freeNumbers.pop() ?? this.segmentCount;
    invariant(segment < this.segmentsMax, 'the arena has no segment number left');
    if (segment === this.segmentCount) this.segmentCount++;
    if (segment === this.filled.length) this.#growTables();
    const block = bytes === this.segmentBytes ? this.#slabs.take() : NONE;
    const buffer = block === NONE ? new ArrayBuffer(bytes) : this.#slabs.buffer(block);
    const offset = block === NONE ? 0 : this.#slabs.offset(block);
    this.#words[segment] = new Uint32Array(buffer, offset, bytes >>> 2);
    this.#octets[segment] = new Uint8Array(buffer, offset, bytes);
    this.#block[segment] = block;
    this.filled[segment] = segmentHead(segment);
    this.live[segment] = 0;
    this.deadlineMin[segment] = Infinity;
    this.bytesReserved += bytes;
    return segment;
  }

  #growTables(): void {
    const length = this.filled.length * 2;
    this.filled = grown(this.filled, new Int32Array(length));
    this.live = grown(this.live, new Int32Array(length));
    this.#block = grown(this.#block, new Int32Array(length));
    this.deadlineMin = grown(this.deadlineMin, new Float64Array(length));
  }

  /** Whether a record of this size can take the place of a freed one. */
  hasHole(bytes: number): boolean {
    if (this.#isLarge(bytes)) return false;
    const units = bytes >>> 3;
    let hole = this.#holes[units];
    while (hole !== 0 && hole >>> this.#shift === this.#retiring) {
      this.#unlinkHole(hole);
      hole = this.#holes[units];
    }
    return hole !== 0;
  }

  /**
   * Makes a record with header and key; the value's bytes are the caller's to write.
   *
   * There must be room (`hasHole`, or `fits` after `openSegment`). Links are 0, the deadline is none.
   */
  append(
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
    domain: number,
    stream: Stream,
  ): number {
    const ref = this.#allocate(Arena.bytesFor(keyLength, valueLength), stream);
    const words = this.#words[ref >>> this.#shift];
    const word = (ref & this.#mask) << 1;
    words[word] = 0;
    words[word + 1] = 0;
    words[word + 2] = 0;
    words[word + 3] = valueLength;
    words[word + 4] = keyLength | (domain << 17);
    words[word + 5] = 0;
    words[word + 6] = 0;
    const octets = this.#octets[ref >>> this.#shift];
    copyBytes(keyBytes, keyStart, octets, (word << 2) + HEADER_BYTES, keyLength);
    return ref;
  }

  /** Copies a record with all its fields to a hole or to the survivors' stream, where there must be room. */
  copyRecord(ref: number): number {
    const bytes = this.recordBytes(ref);
    const copy = this.#allocate(bytes, STREAM_SURVIVORS);
    copyBytes(
      this.#octets[ref >>> this.#shift],
      (ref & this.#mask) << 3,
      this.#octets[copy >>> this.#shift],
      (copy & this.#mask) << 3,
      bytes,
    );
    const deadline = this.deadline(ref);
    if (deadline !== 0) this.setDeadline(copy, deadline);
    if (this.isCopy(copy)) this.bytesOfCopies += bytes;
    return copy;
  }

  #allocate(bytes: number, stream: Stream): number {
    this.bytesLive += bytes;
    const slot = this.#slotFor(bytes, stream);
    if (this.hasHole(bytes)) {
      const hole = this.#holes[bytes >>> 3];
      this.#unlinkHole(hole);
      this.live[hole >>> this.#shift] += bytes;
      return hole;
    }
    const segment = this.#open[slot];
    if (slot === LARGE_SLOT) this.#open[LARGE_SLOT] = NONE;
    const offset = this.filled[segment];
    this.filled[segment] = offset + bytes;
    this.live[segment] += bytes;
    return (segment << this.#shift) | (offset >>> 3);
  }

  /** Takes a hole out of the list of its size. */
  #unlinkHole(hole: number): void {
    const words = this.#words[hole >>> this.#shift];
    const word = (hole & this.#mask) << 1;
    const previous = words[word + 1];
    const next = words[word + 2];
    words[word] = DEAD;
    if (previous === 0) this.#holes[this.recordBytes(hole) >>> 3] = next;
    else this.setNewer(previous, next);
    if (next !== 0) this.setOlder(next, previous);
  }

  /** Gives `to` the place of `from` in its policy's queue: the links, the queue, the access bits. */
  copyLinks(from: number, to: number): void {
    this.setOlder(to, this.older(from));
    this.setNewer(to, this.newer(from));
    this.setQueue(to, this.queue(from));
    this.setAccessBits(to, this.accessBits(from));
  }

  /** Frees a record. Its place is filled by a later one, or given back with its segment. */
  free(ref: number): void {
    const segment = ref >>> this.#shift;
    const bytes = this.recordBytes(ref);
    const words = this.#words[segment];
    const word = (ref & this.#mask) << 1;
    invariant(words[word] < HOLE, 'a record is freed once');
    if (this.#farDeadlines.size > 0) this.#farDeadlines.delete(ref);
    this.live[segment] -= bytes;
    this.bytesLive -= bytes;
    if (words[word + 4] >= COPY) this.bytesOfCopies -= bytes;
    words[word] = DEAD;
    if (this.#isLarge(bytes)) {
      this.#releaseSegment(segment);
    } else if (segment !== this.#retiring) {
      const next = this.#holes[bytes >>> 3];
      words[word] = HOLE;
      words[word + 1] = 0;
      words[word + 2] = next;
      if (next !== 0) this.setOlder(next, ref);
      this.#holes[bytes >>> 3] = ref;
    }
  }

  /** From now on no record is put into this segment: its live ones are being moved out. */
  retire(segment: number): void {
    this.#retiring = segment;
  }

  /** Cleaning has come past this freed record of the segment being retired. */
  forgetHole(ref: number): void {
    if (this.#words[ref >>> this.#shift][(ref & this.#mask) << 1] === HOLE) this.#unlinkHole(ref);
  }

  /** Gives back the segment that was retired, which must hold no live record and no hole. */
  releaseRetired(): void {
    invariant(this.live[this.#retiring] === 0, 'a released segment holds no live record');
    this.#releaseSegment(this.#retiring);
    this.#retiring = NONE;
  }

  #releaseSegment(segment: number): void {
    this.bytesReserved -= this.#octets[segment].length;
    if (this.#block[segment] !== NONE) this.#slabs.give(this.#block[segment]);
    this.#words[segment] = EMPTY_WORDS;
    this.#octets[segment] = EMPTY_OCTETS;
    this.filled[segment] = 0;
    this.deadlineMin[segment] = Infinity;
    this.#freeNumbers.push(segment);
    this.#onRelease(segment);
  }

  segmentOf(ref: number): number {
    return ref >>> this.#shift;
  }

  /** Memory of the arena's own tables. */
  get tableBytes(): number {
    return this.filled.length * 20 + this.#holes.byteLength;
  }

  /** Whether records are still being appended to this segment. */
  isOpen(segment: number): boolean {
    return this.#open.includes(segment);
  }

  /** The bytes that a segment occupies; 0 where there is none of this number. */
  segmentSize(segment: number): number {
    return this.#octets[segment].length;
  }

  /** The first record of a segment, live or dead; compare with `endOf` before use. */
  firstOf(segment: number): number {
    return (segment << this.#shift) | (segmentHead(segment) >>> 3);
  }

  /** One past the last record of a segment, as a ref. */
  endOf(segment: number): number {
    return (segment << this.#shift) + (this.filled[segment] >>> 3);
  }

  isDead(ref: number): boolean {
    return this.#words[ref >>> this.#shift][(ref & this.#mask) << 1] >= HOLE;
  }

  next(ref: number): number {
    return this.#words[ref >>> this.#shift][(ref & this.#mask) << 1];
  }

  setNext(ref: number, next: number): void {
    this.#words[ref >>> this.#shift][(ref & this.#mask) << 1] = next;
  }

  older(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 1];
  }

  setOlder(ref: number, older: number): void {
    this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 1] = older;
  }

  newer(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 2];
  }

  setNewer(ref: number, newer: number): void {
    this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 2] = newer;
  }

  /** Which of its policy's queues the record is in, 0 to 3. */
  queue(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 3] >>> 30;
  }

  setQueue(ref: number, queue: number): void {
    const words = this.#words[ref >>> this.#shift];
    const word = ((ref & this.#mask) << 1) + 3;
    words[word] = (words[word] & VALUE_LENGTH_MASK) | (queue << 30);
  }

  valueLength(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 3] & VALUE_LENGTH_MASK;
  }

  /** The new length must round to the same record size. */
  setValueLength(ref: number, length: number): void {
    const words = this.#words[ref >>> this.#shift];
    const word = ((ref & this.#mask) << 1) + 3;
    words[word] = (words[word] & ~VALUE_LENGTH_MASK) | length;
  }

  keyLength(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 4] & KEY_LENGTH_MASK;
  }

  domain(ref: number): number {
    const word = this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 4];
    return (word & COPY_MASK) >>> 17;
  }

  isCopy(ref: number): boolean {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 4] >= COPY;
  }

  setCopy(ref: number, isCopy: boolean): void {
    const words = this.#words[ref >>> this.#shift];
    const word = ((ref & this.#mask) << 1) + 4;
    if (words[word] >= COPY === isCopy) return;
    this.bytesOfCopies += isCopy ? this.recordBytes(ref) : -this.recordBytes(ref);
    words[word] = isCopy ? words[word] | COPY : words[word] & COPY_MASK;
  }

  /** Milliseconds since 1970 at which the record expires; 0: never. */
  deadline(ref: number): number {
    const words = this.#words[ref >>> this.#shift];
    const word = ((ref & this.#mask) << 1) + 5;
    const high = words[word + 1] & DEADLINE_HIGH_MASK;
    if (high === DEADLINE_HIGH_MASK && words[word] === 0xffff_ffff) {
      return this.#farDeadlines.get(ref) ?? 0;
    }
    return high * 0x1_0000_0000 + words[word];
  }

  setDeadline(ref: number, deadline: number): void {
    const segment = ref >>> this.#shift;
    const words = this.#words[segment];
    const word = ((ref & this.#mask) << 1) + 5;
    if (this.#farDeadlines.size > 0) this.#farDeadlines.delete(ref);
    let near = deadline;
    if (deadline >= DEADLINE_NEAR_END) {
      this.#farDeadlines.set(ref, deadline);
      near = DEADLINE_NEAR_END;
    }
    const high = Math.floor(near / 0x1_0000_0000);
    words[word] = near - high * 0x1_0000_0000;
    words[word + 1] = (words[word + 1] & ~DEADLINE_HIGH_MASK) | high;
    if (deadline !== 0 && deadline < this.deadlineMin[segment]) {
      this.deadlineMin[segment] = deadline;
    }
  }

  /** 21 bits that are the eviction policy's own. */
  accessBits(ref: number): number {
    return this.#words[ref >>> this.#shift][((ref & this.#mask) << 1) + 6] >>> 11;
  }

  setAccessBits(ref: number, bits: number): void {
    const words = this.#words[ref >>> this.#shift];
    const word = ((ref & this.#mask) << 1) + 6;
    words[word] = (words[word] & DEADLINE_HIGH_MASK) | (bits << 11);
  }

  /** Reads a word of each cache line that a short record may lie in; what it gives has no meaning. */
  peek(ref: number): number {
    const words = this.#words[ref >>> this.#shift];
    const word = (ref & this.#mask) << 1;
    const last = words.length - 1;
    return words[word + 4] ^ words[Math.min(word + 16, last)] ^ words[Math.min(word + 32, last)];
  }

  /** The size of the record, header and padding included. */
  recordBytes(ref: number): number {
    const words = this.#words[ref >>> this.#shift];
    const word = (ref & this.#mask) << 1;
    return (
      (HEADER_BYTES +
        (words[word + 3] & VALUE_LENGTH_MASK) +
        (words[word + 4] & KEY_LENGTH_MASK) +
        7) &
      ~7
    );
  }

  /** The array that holds the record's key and value; see `keyStart` and `valueStart`. */
  octets(ref: number): Uint8Array {
    return this.#octets[ref >>> this.#shift];
  }

  keyStart(ref: number): number {
    return ((ref & this.#mask) << 3) + HEADER_BYTES;
  }

  valueStart(ref: number): number {
    return ((ref & this.#mask) << 3) + HEADER_BYTES + this.keyLength(ref);
  }

  /** Whether the record's key, in this domain, is `bytes[start, start + length)`. */
  hasKey(ref: number, bytes: Uint8Array, start: number, length: number, domain: number): boolean {
    const segment = ref >>> this.#shift;
    const unit = ref & this.#mask;
    const word = this.#words[segment][(unit << 1) + 4];
    if ((word & COPY_MASK) !== (length | (domain << 17))) return false;
    const octets = this.#octets[segment];
    const at = (unit << 3) + HEADER_BYTES;
    for (let i = length - 1; i >= 0; i--) if (octets[at + i] !== bytes[start + i]) return false;
    return true;
  }

  /** Forgets every record and gives back all memory, in time proportional to the segments. */
  clear(): void {
    this.bytesOfCopies = 0;
    for (let segment = 0; segment < this.segmentCount; segment++) {
      if (this.#octets[segment].length > 0 && this.#block[segment] !== NONE) {
        this.#slabs.give(this.#block[segment]);
      }
    }
    this.#words = [];
    this.#octets = [];
    this.#freeNumbers.length = 0;
    this.#open.fill(NONE);
    this.#holes.fill(0);
    this.#retiring = NONE;
    this.#farDeadlines.clear();
    this.filled.fill(0, 0, this.segmentCount);
    this.live.fill(0, 0, this.segmentCount);
    this.segmentCount = 0;
    this.bytesReserved = 0;
    this.bytesLive = 0;
  }
}

const EMPTY_WORDS = new Uint32Array(0);
const EMPTY_OCTETS = new Uint8Array(0);

function grown<Table extends Int32Array | Float64Array>(table: Table, larger: Table): Table {
  larger.set(table);
  return larger;
}

/** Unit 0 of segment 0 is left out, so that no record has the ref 0. */
function segmentHead(segment: number): number {
  return segment === 0 ? 8 : 0;
}
