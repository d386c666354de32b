/**
 * Key -> record, by linear hashing: as many buckets as keys, each the head of a chain that runs
 * through the records themselves.
 *
 * The table grows and shrinks by one bucket at a time, so no call ever rehashes more than one
 * chain, and it costs 4 bytes a key at any size. Source: W. Litwin, "Linear hashing", VLDB 1980.
 *
 * Invariants: bucket b holds the records whose hash h has `bucketOf(h) === b`; all buckets below
 * `#count` exist, none above.
 */
import { invariant } from '../runtime/index.ts';
import type { Arena } from './arena.ts';
import type { KeyHash } from './hash.ts';
import { CHUNK_WORDS, type ChunkSource } from './policy/index.ts';

const CHUNK_BUCKETS = CHUNK_WORDS;
const CHUNK_SHIFT = Math.log2(CHUNK_BUCKETS);
const CHUNK_MASK = CHUNK_BUCKETS - 1;
const BUCKETS_MIN = 16;

export class KeyIndex {
  readonly #arena: Arena;
  readonly #hash: KeyHash;
  readonly #memory: ChunkSource;
  #chunks: Uint32Array[] = [new Uint32Array(BUCKETS_MIN)];
  /** The chunks' numbers, but for a first one that is not full-grown. */
  readonly #numbers: number[] = [];
  #count = BUCKETS_MIN;
  /** The largest 2^n - 1 such that all buckets up to it exist. */
  #maskLow = BUCKETS_MIN - 1;
  keys = 0;

  constructor(arena: Arena, hash: KeyHash, memory: ChunkSource) {
    this.#arena = arena;
    this.#hash = hash;
    this.#memory = memory;
  }

  /** Memory held by the table itself. */
  get bytes(): number {
    return this.#chunks.length === 1
      ? this.#chunks[0].byteLength
      : this.#chunks.length * CHUNK_BUCKETS * 4;
  }

  /** The record of this key, or 0. */
  find(hash: number, bytes: Uint8Array, start: number, length: number, domain: number): number {
    const arena = this.#arena;
    let ref = this.#head(this.#bucketOf(hash));
    while (ref !== 0 && !arena.hasKey(ref, bytes, start, length, domain)) ref = arena.next(ref);
    return ref;
  }

  /** The first record of the bucket that a hash belongs to, or 0. */
  headOf(hash: number): number {
    return this.#head(this.#bucketOf(hash));
  }

  /** Adds a record whose key is not there yet. */
  insert(hash: number, ref: number): void {
    const bucket = this.#bucketOf(hash);
    this.#arena.setNext(ref, this.#head(bucket));
    this.#setHead(bucket, ref);
    this.keys++;
    if (this.keys > this.#count) this.#grow();
  }

  remove(hash: number, ref: number): void {
    this.#unlink(hash, ref, this.#arena.next(ref));
    this.keys--;
    if (this.keys < this.#count >>> 2 && this.#count > BUCKETS_MIN) {
      this.#shrink();
      if (this.#count > BUCKETS_MIN) this.#shrink();
    }
  }

  /** Puts `to` in the place of `from`. */
  replace(hash: number, from: number, to: number): void {
    this.#arena.setNext(to, this.#arena.next(from));
    this.#unlink(hash, from, to);
  }

  clear(): void {
    for (const number of this.#numbers) this.#memory.give(number);
    this.#numbers.length = 0;
    this.#chunks = [new Uint32Array(BUCKETS_MIN)];
    this.#count = BUCKETS_MIN;
    this.#maskLow = BUCKETS_MIN - 1;
    this.keys = 0;
  }

  /** Lets whatever points to `ref` point to `successor`. */
  #unlink(hash: number, ref: number, successor: number): void {
    const arena = this.#arena;
    const bucket = this.#bucketOf(hash);
    let at = this.#head(bucket);
    if (at === ref) {
      this.#setHead(bucket, successor);
      return;
    }
    while (at !== 0) {
      const next = arena.next(at);
      if (next === ref) {
        arena.setNext(at, successor);
        return;
      }
      at = next;
    }
    invariant(false, 'an indexed record is in its bucket');
  }

  /**
   * Calls `visit` for all records of one bucket and gives the cursor of the next; 0 after the last.
   *
   * Cursors run through the hashes in the order of their reversed bits. A bucket is an interval in
   * that order, and growing or shrinking splits or joins neighbouring intervals. Of an interval that
   * was joined the part before the cursor is left out; so whoever goes from cursor 0 to cursor 0
   * sees each key that was there all the time, once.
   */
  scan(cursor: number, visit: (ref: number) => void): number {
    const arena = this.#arena;
    const bucket = this.#bucketOf(reverseBits(cursor));
    const intervalStart = reverseBits(bucket) >>> 0;
    let ref = this.#head(bucket);
    while (ref !== 0) {
      const next = arena.next(ref);
      if (intervalStart === cursor || this.#orderOf(ref) >= cursor) visit(ref);
      ref = next;
    }
    const bits = this.#bitsOf(bucket);
    // Not as a power of two: that is a call of libm's, and took more time than all of the rest.
    return bits === 0 ? 0 : (intervalStart + (0x8000_0000 >>> (bits - 1))) >>> 0;
  }

  /** Where a record is in the order of `scan`. */
  #orderOf(ref: number): number {
    return orderOfHash(this.#hash.ofRecord(this.#arena, ref));
  }

  /** A record of a bucket chosen by `random`, or 0 where that bucket is empty. */
  sample(random: number): number {
    const arena = this.#arena;
    const head = this.#head(this.#bucketOf(random));
    let length = 0;
    for (let ref = head; ref !== 0; ref = arena.next(ref)) length++;
    if (length === 0) return 0;
    let ref = head;
    for (let skip = (random >>> 8) % length; skip > 0; skip--) ref = arena.next(ref);
    return ref;
  }

  /** How many low bits of a hash decide that it belongs to this bucket. */
  #bitsOf(bucket: number): number {
    const low = 32 - Math.clz32(this.#maskLow);
    const split = bucket > this.#maskLow || bucket + this.#maskLow + 1 < this.#count;
    return split ? low + 1 : low;
  }

  #bucketOf(hash: number): number {
    const high = hash & ((this.#maskLow << 1) | 1);
    return high < this.#count ? high : hash & this.#maskLow;
  }

  #head(bucket: number): number {
    return this.#chunks[bucket >>> CHUNK_SHIFT][bucket & CHUNK_MASK];
  }

  #setHead(bucket: number, ref: number): void {
    this.#chunks[bucket >>> CHUNK_SHIFT][bucket & CHUNK_MASK] = ref;
  }

  /** Adds one bucket and moves into it the part of its buddy's chain that belongs there. */
  #grow(): void {
    const bucket = this.#count;
    this.#makeRoomFor(bucket);
    const bit = this.#maskLow + 1;
    const buddy = bucket - bit;
    let stay = 0;
    let move = 0;
    const arena = this.#arena;
    let ref = this.#head(buddy);
    while (ref !== 0) {
      const next = arena.next(ref);
      const hash = this.#hash.ofRecord(arena, ref);
      if ((hash & bit) === 0) {
        arena.setNext(ref, stay);
        stay = ref;
      } else {
        arena.setNext(ref, move);
        move = ref;
      }
      ref = next;
    }
    this.#setHead(buddy, stay);
    this.#setHead(bucket, move);
    this.#count++;
    if (this.#count === (this.#maskLow + 1) * 2) this.#maskLow = this.#count - 1;
  }

  /** Takes the last bucket away and hands its chain to its buddy. */
  #shrink(): void {
    if (this.#count === this.#maskLow + 1) this.#maskLow >>>= 1;
    const bucket = this.#count - 1;
    const buddy = bucket - (this.#maskLow + 1);
    const arena = this.#arena;
    const head = this.#head(bucket);
    if (head !== 0) {
      let last = head;
      for (let next = arena.next(last); next !== 0; next = arena.next(last)) last = next;
      arena.setNext(last, this.#head(buddy));
      this.#setHead(buddy, head);
      this.#setHead(bucket, 0);
    }
    this.#count--;
    if ((this.#count & CHUNK_MASK) === 0 && this.#chunks.length > 1) this.#removeChunk();
  }

  #makeRoomFor(bucket: number): void {
    const first = this.#chunks[0];
    if (bucket < CHUNK_BUCKETS) {
      if (bucket < first.length) return;
      const length = first.length * 2;
      const larger = length === CHUNK_BUCKETS ? this.#addChunk() : new Uint32Array(length);
      larger.set(first);
      this.#chunks[0] = larger;
    } else if ((bucket & CHUNK_MASK) === 0) {
      this.#chunks.push(this.#addChunk());
    }
  }

  #addChunk(): Uint32Array {
    const number = this.#memory.take();
    this.#numbers.push(number);
    return this.#memory.words(number).fill(0);
  }

  #removeChunk(): void {
    this.#chunks.pop();
    const number = this.#numbers.pop();
    invariant(number !== undefined, 'all chunks are numbered once the first is full-grown');
    this.#memory.give(number);
  }
}

/** Where the records of a hash are in the order of `KeyIndex.scan`, as its cursors count. */
export function orderOfHash(hash: number): number {
  return reverseBits(hash) >>> 0;
}

function reverseBits(value: number): number {
  let bits = value;
  bits = ((bits >>> 1) & 0x5555_5555) | ((bits & 0x5555_5555) << 1);
  bits = ((bits >>> 2) & 0x3333_3333) | ((bits & 0x3333_3333) << 2);
  bits = ((bits >>> 4) & 0x0f0f_0f0f) | ((bits & 0x0f0f_0f0f) << 4);
  bits = ((bits >>> 8) & 0x00ff_00ff) | ((bits & 0x00ff_00ff) << 8);
  return (bits >>> 16) | (bits << 16);
}
