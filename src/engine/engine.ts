/**
 * The cache engine: keys and values as byte ranges, in memory that never exceeds its limit.
 *
 * Synchronous and pure: the caller sets `nowMs` before it calls, and every call does a bounded
 * amount of work. Nothing allocates on the V8 heap per key.
 *
 * A `ref` that a call returns is good until the next call that may write or maintain: those move
 * records. What must survive them is copied first.
 *
 * Guarantees: an expired record is never returned; bytes used are at most `memoryBytes` after every
 * call; a domain evicts only its own records; accounts are exact.
 */
import { copyBytes, invariant, type Random } from '../runtime/index.ts';
import { Arena, DOMAIN_MAX, KEY_LENGTH_MAX, STREAM_SURVIVORS, STREAM_WRITES } from './arena.ts';
import { Cleaner } from './cleaner.ts';
import { Domain } from './domain.ts';
import { ExpirySweep } from './expiry-sweep.ts';
import { KeyHash } from './hash.ts';
import { KeyIndex } from './key-index.ts';
import { MemoryBudget, segmentBytesFor } from './memory-budget.ts';
import { createPolicy, type PolicyName } from './policy/index.ts';

/** Why a record went that no command removed. */
export type RemovalReason = 'expired' | 'evicted';

/** Told of each record that goes by itself, while its key can still be read. */
export type RemovalListener = (
  domain: Domain,
  octets: Uint8Array,
  keyStart: number,
  keyLength: number,
  reason: RemovalReason,
) => void;

export interface EngineOptions {
  /** All memory the engine may hold: records, index, policies. At least 1 MiB. */
  memoryBytes: number;
  random: Random;
  onRemoval?: RemovalListener;
}

export interface MemoryReport {
  limitBytes: number;
  usedBytes: number;
  /** Records that are live, with headers. */
  liveBytes: number;
  /** Keys and values alone. */
  payloadBytes: number;
  indexBytes: number;
  policyBytes: number;
  /** Reserved for records over live; 1 where nothing is stored. */
  fragmentation: number;
  /** All that is used beyond keys and values, for each item. */
  overheadBytesPerItem: number;
}

export const MEMORY_BYTES_MIN = 1024 * 1024;
/** What 31-bit refs can address, less the segments that are always being filled. */
export const MEMORY_BYTES_MAX = 15.5 * 1024 ** 3;

/** With a limit that was lowered: about a millisecond's work. */
const EVICTIONS_A_TURN = 2048;
const EVICTIONS_A_WRITE = 64;
const TTL_SAMPLES = 16;
/** About what a core's own cache holds. */
const CACHE_BYTES = 2 * 1024 * 1024;
/** The size of a record, as long as there is none to go by. */
const RECORD_BYTES_GUESS = 128;

export class Engine {
  /** Milliseconds since 1970, as the caller last said. */
  nowMs = 0;
  readonly arena: Arena;
  readonly hash: KeyHash;
  readonly #random: Random;
  readonly #onRemoval: RemovalListener | undefined;
  readonly #domains: Array<Domain | undefined> = [];
  readonly #cleaner: Cleaner;
  readonly #sweep: ExpirySweep;
  readonly #budget: MemoryBudget;
  /** Counts every eviction and relocation, so that a caller can see that its refs went stale. */
  #moves = 0;
  #ghostsAdjustedSeconds = -1;
  /** Records that cleaning has moved. */
  relocations = 0;

  constructor(options: EngineOptions) {
    invariant(options.memoryBytes >= MEMORY_BYTES_MIN, 'an engine has at least 1 MiB');
    invariant(options.memoryBytes <= MEMORY_BYTES_MAX, 'an engine has at most 15.5 GiB');
    this.#random = options.random;
    this.#onRemoval = options.onRemoval;
    this.hash = new KeyHash(options.random.uint32(), options.random.uint32());
    this.arena = new Arena(segmentBytesFor(options.memoryBytes), (segment) =>
      this.#sweep.forget(segment),
    );
    this.#cleaner = new Cleaner(this.arena, (ref) => this.#relocate(ref));
    this.#sweep = new ExpirySweep(this.arena, (ref) => this.#expire(this.#domainOf(ref), ref));
    this.#budget = new MemoryBudget(options.memoryBytes, this.arena, this.#domains);
  }

  get memoryBytes(): number {
    return this.#budget.memoryBytes;
  }

  /** A lower limit is reached by evicting in the calls that follow. */
  setMemoryBytes(bytes: number): void {
    invariant(bytes >= MEMORY_BYTES_MIN && bytes <= MEMORY_BYTES_MAX, '1 MiB to 15.5 GiB');
    this.#budget.memoryBytes = bytes;
    this.#budget.refresh();
  }

  addDomain(id: number, policyName: PolicyName): Domain {
    invariant(Number.isInteger(id) && id >= 0 && id <= DOMAIN_MAX, 'a domain has a small number');
    invariant(this.#domains[id] === undefined, 'a domain is added once');
    const index = new KeyIndex(this.arena, this.hash);
    const domain = new Domain(id, index, this.#createPolicy(policyName), policyName);
    this.#domains[id] = domain;
    return domain;
  }

  /** Changes how a domain evicts. Takes about 0.1 µs a record, in one call. */
  setPolicy(domain: Domain, policyName: PolicyName): void {
    if (domain.policyName === policyName) return;
    const policy = this.#createPolicy(policyName);
    policy.nowSeconds = domain.policy.nowSeconds;
    const refs: number[] = [];
    this.#forEach(domain, (ref) => refs.push(ref));
    for (const ref of refs) {
      const hash = this.#hashOf(ref);
      domain.policy.removed(ref, hash);
      policy.inserted(ref, hash);
    }
    domain.setPolicy(policy, policyName);
  }

  /**
   * Brings what is needed to find `count` keys into the CPU's cache. The loads for one key wait for
   * each other, those for different keys do not: so this takes little longer for many than for one.
   *
   * @param hashes of the keys; overwritten
   * @returns nothing of meaning, so that the loads are not optimized away
   */
  warm(domain: Domain, hashes: Int32Array, count: number): number {
    const { index } = domain;
    const { arena } = this;
    for (let i = 0; i < count; i++) hashes[i] = index.headOf(hashes[i]);
    let sum = 0;
    for (let i = 0; i < count; i++) if (hashes[i] !== 0) sum ^= arena.peek(hashes[i]);
    return sum;
  }

  /** Whether there is so much that a key is seldom in the CPU's cache. */
  get isLarge(): boolean {
    return this.arena.bytesLive > CACHE_BYTES;
  }

  /** The record of this key, or 0. Counts as no use of it. */
  find(domain: Domain, bytes: Uint8Array, start: number, length: number): number {
    if (length > KEY_LENGTH_MAX) return 0;
    const hash = this.hash.of(bytes, start, length);
    return this.#findLive(domain, hash, bytes, start, length);
  }

  /** The record of this key, or 0; counts a hit or a miss, and as a use. */
  read(domain: Domain, bytes: Uint8Array, start: number, length: number): number {
    const hash = this.hash.of(bytes, start, length);
    const ref = length > KEY_LENGTH_MAX ? 0 : this.#findLive(domain, hash, bytes, start, length);
    if (ref === 0) {
      domain.misses++;
      domain.ghost.read(hash, 0);
    } else {
      domain.hits++;
      domain.policy.accessed(ref, hash);
      domain.ghost.read(hash, this.arena.recordBytes(ref));
    }
    return ref;
  }

  /** Like `read`, but counts as no use of the key. */
  readUntouched(domain: Domain, bytes: Uint8Array, start: number, length: number): number {
    const ref = this.find(domain, bytes, start, length);
    if (ref === 0) domain.misses++;
    else domain.hits++;
    return ref;
  }

  /** Marks a record as used now. */
  touch(domain: Domain, ref: number): void {
    domain.policy.accessed(ref, this.#hashOf(ref));
  }

  /**
   * Stores a value. `valueBytes` must not be the engine's own memory.
   *
   * @param deadlineMs since 1970; 0: never
   * @returns false where there is no room for it
   */
  set(
    domain: Domain,
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueBytes: Uint8Array,
    valueStart: number,
    valueLength: number,
    deadlineMs: number,
  ): boolean {
    const hash = this.hash.of(keyBytes, keyStart, keyLength);
    const ref = this.#place(domain, hash, keyBytes, keyStart, keyLength, valueLength);
    if (ref === 0) return false;
    const arena = this.arena;
    copyBytes(valueBytes, valueStart, arena.octets(ref), arena.valueStart(ref), valueLength);
    this.setDeadline(domain, ref, deadlineMs);
    domain.ghost.wrote(hash, arena.recordBytes(ref), Math.floor(deadlineMs / 1000));
    return true;
  }

  /**
   * Gives the key's value a length: keeps what fits, fills the rest with zeros, keeps the deadline;
   * a missing key is created. Making room may evict the very key: `reserve` comes first, and then
   * whatever the caller reads of the old value.
   *
   * @returns the record, or 0 where there is no room for it
   */
  resize(
    domain: Domain,
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
  ): number {
    const hash = this.hash.of(keyBytes, keyStart, keyLength);
    const before = this.#findLive(domain, hash, keyBytes, keyStart, keyLength);
    const lengthBefore = before === 0 ? 0 : this.arena.valueLength(before);
    const ref = this.#place(domain, hash, keyBytes, keyStart, keyLength, valueLength);
    if (ref === 0) return 0;
    const deadlineSeconds = Math.floor(this.arena.deadline(ref) / 1000);
    domain.ghost.wrote(hash, this.arena.recordBytes(ref), deadlineSeconds);
    if (valueLength > lengthBefore) {
      const start = this.arena.valueStart(ref);
      this.arena.octets(ref).fill(0, start + lengthBefore, start + valueLength);
    }
    return ref;
  }

  /**
   * Makes room for a record of this size, evicting if need be. A `set` or `resize` up to that size
   * which follows at once evicts nothing.
   */
  reserve(domain: Domain, keyLength: number, valueLength: number): boolean {
    const bytes = Arena.bytesFor(keyLength, valueLength);
    return this.#makeRoom(domain, bytes) && this.#makeRoomInSegment(domain, bytes);
  }

  /** @param deadlineMs since 1970; 0: never */
  setDeadline(domain: Domain, ref: number, deadlineMs: number): void {
    const before = this.arena.deadline(ref);
    if (before === deadlineMs) return;
    if (before === 0) domain.volatileItems++;
    else if (deadlineMs === 0) domain.volatileItems--;
    this.arena.setDeadline(ref, deadlineMs);
  }

  /** Removes a record that `find` or `read` has returned. */
  remove(domain: Domain, ref: number): void {
    const hash = this.#hashOf(ref);
    domain.index.remove(hash, ref);
    this.#discard(domain, ref, hash);
  }

  /** Whether `bytes` more of records could be stored, by evicting if need be. */
  hasRoomFor(domain: Domain, bytes: number): boolean {
    if (bytes > this.#budget.liveBytesMax || bytes > domain.bytesMax) return false;
    if (domain.policyName !== 'noeviction') return true;
    return (
      this.arena.bytesLive + bytes <= this.#budget.liveBytesMax &&
      domain.bytes + bytes <= domain.bytesMax
    );
  }

  /** Visits the live records of one bucket; see `KeyIndex.scan` for the cursor. */
  scan(domain: Domain, cursor: number, visit: (ref: number) => void): number {
    return domain.index.scan(cursor, (ref) => {
      if (!this.#isExpired(ref)) visit(ref);
    });
  }

  /** A random live record, or 0 where there is none. */
  randomRecord(domain: Domain): number {
    while (domain.items > 0) {
      const ref = domain.index.sample(this.#random.uint32());
      if (ref === 0) continue;
      if (!this.#isExpired(ref)) return ref;
      this.#expire(domain, ref);
    }
    return 0;
  }

  /** The mean time to live, over a few records drawn at random; 0 where none of them has one. */
  averageTtlMs(domain: Domain): number {
    let total = 0;
    let count = 0;
    for (let draw = 0; draw < TTL_SAMPLES && domain.volatileItems > 0; draw++) {
      const ref = this.randomRecord(domain);
      const deadline = ref === 0 ? 0 : this.arena.deadline(ref);
      if (deadline === 0) continue;
      total += deadline - this.nowMs;
      count++;
    }
    return count === 0 ? 0 : Math.round(total / count);
  }

  /** Removes all of a domain's records. */
  flush(domain: Domain): void {
    if (this.arena.bytesLive === domain.bytes) {
      this.arena.clear();
      this.#cleaner.stop();
      this.#sweep.stop();
    } else {
      this.#forEach(domain, (ref) => this.arena.free(ref));
    }
    domain.index.clear();
    domain.policy.clear();
    domain.ghost.clear();
    domain.bytes = 0;
    domain.payloadBytes = 0;
    domain.volatileItems = 0;
    this.#moves++;
    this.#budget.refresh();
  }

  /**
   * Housekeeping, to be called about ten times a second: removes what has expired, evicts down to a
   * lowered limit, and cleans segments that are mostly dead. Looks at no more than `budgetBytes` of
   * records for each.
   *
   * @returns the share of the records looked at that had expired; above a quarter, call again soon
   */
  maintain(budgetBytes: number): number {
    this.#budget.refresh();
    for (const domain of this.#domains) {
      if (domain === undefined) continue;
      domain.policy.nowSeconds = Math.floor(this.nowMs / 1000);
      if (domain.policy.nowSeconds !== this.#ghostsAdjustedSeconds) this.#adjustGhost(domain);
      this.#shrinkDomain(domain, 0, EVICTIONS_A_TURN);
    }
    this.#ghostsAdjustedSeconds = Math.floor(this.nowMs / 1000);
    if (this.usedBytes > this.#budget.memoryBytes) this.#cleaner.clean(budgetBytes);
    else this.#cleaner.cleanWhenIdle(budgetBytes);
    return this.#sweep.run(this.nowMs, budgetBytes);
  }

  #adjustGhost(domain: Domain): void {
    const capacityBytes = Math.min(domain.bytesMax, this.#budget.liveBytesMax);
    const recordBytesMean = domain.items === 0 ? RECORD_BYTES_GUESS : domain.bytes / domain.items;
    domain.ghost.adjust(capacityBytes, recordBytesMean, Math.floor(this.nowMs / 1000));
  }

  report(): MemoryReport {
    this.#budget.refresh();
    let payloadBytes = 0;
    let items = 0;
    let indexBytes = 0;
    let policyBytes = 0;
    for (const domain of this.#domains) {
      if (domain === undefined) continue;
      payloadBytes += domain.payloadBytes;
      items += domain.items;
      indexBytes += domain.index.bytes;
      policyBytes += domain.policy.bytes + domain.ghost.bytes;
    }
    const usedBytes = this.usedBytes;
    return {
      limitBytes: this.#budget.memoryBytes,
      usedBytes,
      liveBytes: this.arena.bytesLive,
      payloadBytes,
      indexBytes,
      policyBytes,
      fragmentation:
        this.arena.bytesLive === 0 ? 1 : this.arena.bytesReserved / this.arena.bytesLive,
      overheadBytesPerItem: items === 0 ? 0 : (usedBytes - payloadBytes) / items,
    };
  }

  /** Memory held for records, index and policies. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /** Seconds since the record was used; see `EvictionPolicy.idleSeconds`. */
  idleSeconds(domain: Domain, ref: number): number {
    return domain.policy.idleSeconds(ref);
  }

  frequency(domain: Domain, ref: number): number | undefined {
    return domain.policy.frequency(ref);
  }

  #createPolicy(name: PolicyName): Domain['policy'] {
    const policy = createPolicy(name, this.arena, this.#random.uint32());
    policy.nowSeconds = Math.floor(this.nowMs / 1000);
    return policy;
  }

  #findLive(
    domain: Domain,
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number {
    const ref = domain.index.find(hash, bytes, start, length, domain.id);
    if (ref === 0 || !this.#isExpired(ref)) return ref;
    this.#expire(domain, ref);
    return 0;
  }

  #isExpired(ref: number): boolean {
    const deadline = this.arena.deadline(ref);
    return deadline !== 0 && deadline <= this.nowMs;
  }

  #hashOf(ref: number): number {
    const arena = this.arena;
    return this.hash.of(arena.octets(ref), arena.keyStart(ref), arena.keyLength(ref));
  }

  #forEach(domain: Domain, visit: (ref: number) => void): void {
    let cursor = 0;
    do cursor = domain.index.scan(cursor, visit);
    while (cursor !== 0);
  }

  /**
   * The record of this key with a value of this length: the one there is where the size is the
   * same, else a new one with the old value's beginning, queue position and deadline.
   */
  #place(
    domain: Domain,
    hash: number,
    keyBytes: Uint8Array,
    keyStart: number,
    keyLength: number,
    valueLength: number,
  ): number {
    const arena = this.arena;
    const bytes = Arena.bytesFor(keyLength, valueLength);
    let old = this.#findLive(domain, hash, keyBytes, keyStart, keyLength);
    if (old !== 0 && arena.recordBytes(old) === bytes) {
      domain.payloadBytes += valueLength - arena.valueLength(old);
      arena.setValueLength(old, valueLength);
      domain.policy.accessed(old, hash);
      return old;
    }
    const movesBefore = this.#moves;
    if (!this.#makeRoom(domain, bytes)) return 0;
    if (old !== 0 && movesBefore !== this.#moves) {
      old = domain.index.find(hash, keyBytes, keyStart, keyLength, domain.id);
    }
    const ref = arena.append(keyBytes, keyStart, keyLength, valueLength, domain.id, STREAM_WRITES);
    domain.bytes += bytes;
    domain.payloadBytes += keyLength + valueLength;
    if (old === 0) {
      domain.index.insert(hash, ref);
      domain.policy.inserted(ref, hash);
    } else {
      this.#supersede(domain, hash, old, ref);
    }
    return ref;
  }

  #supersede(domain: Domain, hash: number, old: number, ref: number): void {
    const arena = this.arena;
    const kept = Math.min(arena.valueLength(old), arena.valueLength(ref));
    copyBytes(
      arena.octets(old),
      arena.valueStart(old),
      arena.octets(ref),
      arena.valueStart(ref),
      kept,
    );
    const deadline = arena.deadline(old);
    if (deadline !== 0) arena.setDeadline(ref, deadline);
    domain.index.replace(hash, old, ref);
    arena.copyLinks(old, ref);
    domain.policy.relocated(old, ref);
    const oldBytes = arena.recordBytes(old);
    domain.policy.resized(ref, oldBytes, arena.recordBytes(ref));
    domain.policy.accessed(ref, hash);
    domain.bytes -= oldBytes;
    domain.payloadBytes -= arena.keyLength(old) + arena.valueLength(old);
    arena.free(old);
  }

  #expire(domain: Domain, ref: number): void {
    domain.expired++;
    this.#removeUnasked(domain, ref, 'expired');
  }

  #removeUnasked(domain: Domain, ref: number, reason: RemovalReason): void {
    const arena = this.arena;
    this.#onRemoval?.(domain, arena.octets(ref), arena.keyStart(ref), arena.keyLength(ref), reason);
    this.remove(domain, ref);
  }

  /** Takes an unindexed record out of the accounts and frees it. */
  #discard(domain: Domain, ref: number, hash: number): void {
    const arena = this.arena;
    domain.policy.removed(ref, hash);
    domain.bytes -= arena.recordBytes(ref);
    domain.payloadBytes -= arena.keyLength(ref) + arena.valueLength(ref);
    if (arena.deadline(ref) !== 0) domain.volatileItems--;
    arena.free(ref);
  }

  /**
   * Evicts until the domain and the node hold room for `bytes` more. Where the limit itself was
   * lowered there may be much to evict: it is then approached in turns of `countMax` records.
   */
  #shrinkDomain(domain: Domain, bytes: number, countMax: number): boolean {
    const { arena } = this;
    const liveBefore = arena.bytesLive;
    let count = 0;
    while (
      domain.bytes + bytes > domain.bytesMax ||
      arena.bytesLive + bytes > this.#budget.liveBytesMax
    ) {
      if (count++ >= countMax && liveBefore - arena.bytesLive >= bytes) return true;
      if (!this.#evictOne(domain)) return false;
    }
    return true;
  }

  /** Sees to it that a record of this size can be made for the domain. */
  #makeRoom(domain: Domain, bytes: number): boolean {
    if (bytes > this.#budget.liveBytesMax || bytes > domain.bytesMax) return false;
    if (!this.#shrinkDomain(domain, bytes, EVICTIONS_A_WRITE)) return false;
    return this.arena.hasHole(bytes) || this.#makeRoomInSegment(domain, bytes);
  }

  /** The same, and not by a hole: a record of any smaller size will do as well. */
  #makeRoomInSegment(domain: Domain, bytes: number): boolean {
    const { arena } = this;
    if (this.#budget.isShort) this.#cleaner.cleanAtPaceOf(bytes);
    let cleanedInVain = 0;
    while (!arena.fits(bytes, STREAM_WRITES)) {
      this.#budget.refresh();
      if (this.#budget.mayOpenSegmentFor(bytes) && arena.openSegment(bytes, STREAM_WRITES))
        return true;
      const reservedBefore = arena.bytesReserved;
      this.#cleaner.clean(arena.segmentBytes);
      if (arena.bytesReserved < reservedBefore || ++cleanedInVain < 2) continue;
      // Records of awkward sizes waste their segments' ends: fewer of them have to do.
      if (!this.#evictBytes(domain, arena.segmentBytes >>> 2)) return false;
    }
    return true;
  }

  #evictBytes(domain: Domain, bytes: number): boolean {
    const target = domain.bytes - bytes;
    while (domain.bytes > target && domain.items > 0) {
      if (!this.#evictOne(domain)) return false;
    }
    return domain.bytes <= target;
  }

  #evictOne(domain: Domain): boolean {
    const victim = domain.policy.victim();
    if (victim === 0) return false;
    domain.evicted++;
    this.#moves++;
    this.#removeUnasked(domain, victim, 'evicted');
    return true;
  }

  #relocate(ref: number): void {
    const arena = this.arena;
    const domain = this.#domainOf(ref);
    const bytes = arena.recordBytes(ref);
    if (!arena.hasHole(bytes) && !arena.fits(bytes, STREAM_SURVIVORS)) {
      arena.openSegment(bytes, STREAM_SURVIVORS);
    }
    const copy = arena.copyRecord(ref);
    domain.index.replace(this.#hashOf(ref), ref, copy);
    domain.policy.relocated(ref, copy);
    this.#moves++;
    this.relocations++;
    arena.free(ref);
  }

  #domainOf(ref: number): Domain {
    const domain = this.#domains[this.arena.domain(ref)];
    invariant(domain !== undefined, 'a live record belongs to a domain');
    return domain;
  }
}
