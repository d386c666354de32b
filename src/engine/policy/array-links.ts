/**
 * Records that have nothing but a weight, a hash, a deadline and a few bits of state, in typed
 * arrays. They stand in for real ones where only the policy's decisions matter.
 */
import { invariant } from '../../runtime/index.ts';
import type { PolicyLinks } from './policy.ts';

/** A record's fields in one word: 21 access bits, 2 of the queue, and whether a fill is due. */
const ACCESS_MASK = 0x1f_ffff;
const QUEUE_SHIFT = 21;
const QUEUE_MASK = 0x3;
const FILL_DUE = 1 << 23;
/** What there is room for at first, with the ref 0 that names none. */
const RECORDS_INITIAL = 16;

export class ArrayLinks implements PolicyLinks {
  /** The most records it can hold. */
  readonly recordsMax: number;
  #older = new Uint32Array(RECORDS_INITIAL);
  #newer = new Uint32Array(RECORDS_INITIAL);
  #fields = new Uint32Array(RECORDS_INITIAL);
  #bytes = new Float64Array(RECORDS_INITIAL);
  #hashes = new Int32Array(RECORDS_INITIAL);
  #deadlines = new Uint32Array(RECORDS_INITIAL);
  /** The first freed ref; each leads to the next by its newer link. */
  #free = 0;
  #refsUsed = 1;

  constructor(recordsMax: number) {
    this.recordsMax = recordsMax;
  }

  /** Memory held, in bytes. */
  get memoryBytes(): number {
    return this.#bytes.byteLength + this.#older.byteLength * 5;
  }

  /** A new record that never expires. */
  add(hash: number, bytes: number): number {
    let ref = this.#free;
    if (ref === 0) ref = this.#refsUsed++;
    else this.#free = this.#newer[ref];
    invariant(ref <= this.recordsMax, 'there are no more records than was said');
    if (ref >= this.#older.length) this.#grow();
    this.#fields[ref] = 0;
    this.#bytes[ref] = bytes;
    this.#hashes[ref] = hash;
    this.#deadlines[ref] = 0;
    return ref;
  }

  #grow(): void {
    const length = Math.min(this.recordsMax + 1, this.#older.length * 2);
    this.#older = enlarged(this.#older, new Uint32Array(length));
    this.#newer = enlarged(this.#newer, new Uint32Array(length));
    this.#fields = enlarged(this.#fields, new Uint32Array(length));
    this.#bytes = enlarged(this.#bytes, new Float64Array(length));
    this.#hashes = enlarged(this.#hashes, new Int32Array(length));
    this.#deadlines = enlarged(this.#deadlines, new Uint32Array(length));
  }

  free(ref: number): void {
    this.#newer[ref] = this.#free;
    this.#free = ref;
  }

  clear(): void {
    this.#free = 0;
    this.#refsUsed = 1;
  }

  older(ref: number): number {
    return this.#older[ref];
  }

  setOlder(ref: number, older: number): void {
    this.#older[ref] = older;
  }

  newer(ref: number): number {
    return this.#newer[ref];
  }

  setNewer(ref: number, newer: number): void {
    this.#newer[ref] = newer;
  }

  queue(ref: number): number {
    return (this.#fields[ref] >>> QUEUE_SHIFT) & QUEUE_MASK;
  }

  setQueue(ref: number, queue: number): void {
    this.#fields[ref] = (this.#fields[ref] & ~(QUEUE_MASK << QUEUE_SHIFT)) | (queue << QUEUE_SHIFT);
  }

  accessBits(ref: number): number {
    return this.#fields[ref] & ACCESS_MASK;
  }

  setAccessBits(ref: number, bits: number): void {
    this.#fields[ref] = (this.#fields[ref] & ~ACCESS_MASK) | bits;
  }

  recordBytes(ref: number): number {
    return this.#bytes[ref];
  }

  setRecordBytes(ref: number, bytes: number): void {
    this.#bytes[ref] = bytes;
  }

  /** As a signed integer. */
  hash(ref: number): number {
    return this.#hashes[ref];
  }

  /** In seconds; 0: never. */
  deadline(ref: number): number {
    return this.#deadlines[ref];
  }

  setDeadline(ref: number, seconds: number): void {
    this.#deadlines[ref] = seconds;
  }

  isFillDue(ref: number): boolean {
    return (this.#fields[ref] & FILL_DUE) !== 0;
  }

  setFillDue(ref: number, isDue: boolean): void {
    if (isDue) this.#fields[ref] |= FILL_DUE;
    else this.#fields[ref] &= ~FILL_DUE;
  }
}

function enlarged<Table extends Uint32Array | Int32Array | Float64Array>(
  table: Table,
  larger: Table,
): Table {
  larger.set(table);
  return larger;
}
