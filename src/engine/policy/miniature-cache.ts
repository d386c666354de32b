/**
 * A cache of keys without values: a policy, a capacity, and a table from hash to record.
 *
 * It shows which requests a policy would hit, and nothing else. Keys are told apart by their 32-bit
 * hash alone. Memory grows with the records, by doubling.
 */
import { ArrayLinks } from './array-links.ts';
import type { EvictionPolicy } from './policy.ts';

/** A power of two. */
const SLOTS_INITIAL = 32;

export class MiniatureCache {
  bytes = 0;
  records = 0;
  readonly #policy: EvictionPolicy;
  readonly #links: ArrayLinks;
  /** Refs by hash: open addressing with linear probing, at most half full. */
  #table = new Uint32Array(SLOTS_INITIAL);
  #tableMask = SLOTS_INITIAL - 1;
  #capacityBytes = 0;

  constructor(makePolicy: (links: ArrayLinks) => EvictionPolicy, recordsMax: number) {
    this.#links = new ArrayLinks(recordsMax);
    this.#policy = makePolicy(this.#links);
  }

  /** Memory held, in bytes. */
  get memoryBytes(): number {
    return this.#links.memoryBytes + this.#table.byteLength + this.#policy.bytes;
  }

  get nowSeconds(): number {
    return this.#policy.nowSeconds;
  }

  set nowSeconds(seconds: number) {
    this.#policy.nowSeconds = seconds;
  }

  /** Evicts down to a lower capacity at once. */
  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
    this.#makeRoom(0);
  }

  /**
   * A read, which is followed by a fill where it misses.
   *
   * @param bytes the weight of the record that is filled in
   * @returns whether it hit
   */
  request(hash: number, bytes: number): boolean {
    const ref = this.#find(hash | 0);
    if (ref === 0) {
      this.#insert(hash | 0, bytes, 0);
      return false;
    }
    this.#policy.accessed(ref, hash);
    return true;
  }

  /**
   * A read that has missed in the cache that this one is compared with, so that a fill may follow
   * there, as a `write`. Where the read hits here, that write is none here: it will not count as a
   * use of the record.
   */
  requestMissedElsewhere(hash: number): boolean {
    const ref = this.#find(hash | 0);
    if (ref === 0) return false;
    this.#policy.accessed(ref, hash);
    this.#links.setFillDue(ref, true);
    return true;
  }

  /** Whether a request would hit now. */
  has(hash: number): boolean {
    return this.#find(hash | 0) !== 0;
  }

  /** A write. @param deadlineSeconds 0: never */
  write(hash: number, bytes: number, deadlineSeconds: number): void {
    const ref = this.#find(hash | 0);
    if (ref === 0) {
      this.#insert(hash | 0, bytes, deadlineSeconds);
      return;
    }
    const bytesBefore = this.#links.recordBytes(ref);
    this.#links.setRecordBytes(ref, bytes);
    this.#links.setDeadline(ref, deadlineSeconds);
    this.bytes += bytes - bytesBefore;
    this.#policy.resized(ref, bytesBefore, bytes);
    if (this.#links.isFillDue(ref)) this.#links.setFillDue(ref, false);
    else this.#policy.accessed(ref, hash);
    this.#makeRoom(0);
  }

  /** Removes the record of this hash, if there is one. */
  remove(hash: number): void {
    const ref = this.#table[this.#slotOf(hash | 0)];
    if (ref !== 0) this.#remove(ref);
  }

  /** Removes each record whose hash `goes`. */
  removeWhere(goes: (hash: number) => boolean): void {
    for (let slot = 0; slot < this.#table.length;) {
      const ref = this.#table[slot];
      // A removal may move another record to this slot.
      if (ref !== 0 && goes(this.#links.hash(ref))) this.#remove(ref);
      else slot++;
    }
  }

  clear(): void {
    this.#table.fill(0);
    this.#links.clear();
    this.#policy.clear();
    this.bytes = 0;
    this.records = 0;
  }

  /** The record of this hash, or 0; removes it if it has expired. */
  #find(hash: number): number {
    const ref = this.#table[this.#slotOf(hash)];
    if (ref === 0) return 0;
    const deadline = this.#links.deadline(ref);
    if (deadline === 0 || deadline > this.#policy.nowSeconds) return ref;
    this.#remove(ref);
    return 0;
  }

  #insert(hash: number, bytes: number, deadlineSeconds: number): void {
    if (bytes > this.#capacityBytes) return;
    this.#makeRoom(bytes);
    if (this.records === this.#links.recordsMax) this.#remove(this.#policy.victim());
    if ((this.records + 1) * 2 > this.#table.length) this.#growTable();
    const ref = this.#links.add(hash, bytes);
    this.#links.setDeadline(ref, deadlineSeconds);
    this.#table[this.#slotOf(hash)] = ref;
    this.records++;
    this.bytes += bytes;
    this.#policy.inserted(ref, hash);
  }

  #growTable(): void {
    const before = this.#table;
    this.#table = new Uint32Array(before.length * 2);
    this.#tableMask = this.#table.length - 1;
    for (const ref of before) if (ref !== 0) this.#table[this.#slotOf(this.#links.hash(ref))] = ref;
  }

  #makeRoom(bytes: number): void {
    while (this.bytes + bytes > this.#capacityBytes) this.#remove(this.#policy.victim());
  }

  #remove(ref: number): void {
    const hash = this.#links.hash(ref);
    this.#policy.removed(ref, hash);
    this.records--;
    this.bytes -= this.#links.recordBytes(ref);
    this.#vacate(this.#slotOf(hash));
    this.#links.free(ref);
  }

  /** Where the hash stands, or the empty slot where it would. */
  #slotOf(hash: number): number {
    let slot = hash & this.#tableMask;
    for (;;) {
      const ref = this.#table[slot];
      if (ref === 0 || this.#links.hash(ref) === hash) return slot;
      slot = (slot + 1) & this.#tableMask;
    }
  }

  /** Empties a slot, and moves into it whatever a search could no longer find behind it. */
  #vacate(slot: number): void {
    const table = this.#table;
    const mask = this.#tableMask;
    let hole = slot;
    for (let next = (hole + 1) & mask; table[next] !== 0; next = (next + 1) & mask) {
      const home = this.#links.hash(table[next]) & mask;
      if (((next - home) & mask) < ((next - hole) & mask)) continue;
      table[hole] = table[next];
      hole = next;
    }
    table[hole] = 0;
  }
}
