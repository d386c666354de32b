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
import { Arena, KEY_LENGTH_MAX, STREAM_SURVIVORS, STREAM_WRITES } from './arena.ts';
import { Cleaner } from './cleaner.ts';
import { DomainAccount } from './domain-account.ts';
import { DomainNumbers } from './domain-numbers.ts';
import { DomainPolicies } from './domain-policies.ts';
import { DomainRemoval } from './domain-removal.ts';
import { DomainUpkeep } from './domain-upkeep.ts';
import { Domain } from './domain.ts';
import type {
  EngineOptions,
  RecordObserver,
  RemovalListener,
  RemovalReason,
} from './engine-options.ts';
import { ExpirySweep } from './expiry-sweep.ts';
import { ForeseenKeys } from './foreseen-keys.ts';
import { KeyHash } from './hash.ts';
import { Housekeeping, WORK_BYTES_PER_RECORD, type HousekeepingState } from './housekeeping.ts';
import { KeyIndex } from './key-index.ts';
import { LimitEviction } from './limit-eviction.ts';
import { MemoryBudget, segmentBytesFor } from './memory-budget.ts';
import { reportMemory, type MemoryReport } from './memory-report.ts';
import { PolicyChanges } from './policy-changes.ts';
import type { PolicyName } from './policy/index.ts';
import { ReadyMemory } from './ready-memory.ts';
import { Slabs } from './slabs.ts';
import { TableMemory } from './table-memory.ts';

export const MEMORY_BYTES_MIN = 1024 * 1024;
/** What 31-bit refs can address, less the segments that are always being filled. */
export const MEMORY_BYTES_MAX = 15.5 * 1024 ** 3;

/** With a limit that was lowered. */
const EVICTIONS_A_WRITE = 4;
/** What is freed of a flushed domain before anything that lives is evicted, in turns of so much. */
const RECLAIM_WORK_BYTES = 16 * WORK_BYTES_PER_RECORD;
/** Memory that holds nothing is given back after so long: sooner it would often be got anew. */
const SLAB_IDLE_MS = 10_000;
/** About what a core's own cache holds. */
const CACHE_BYTES = 2 * 1024 * 1024;

export class Engine {
  /** Milliseconds since 1970, as the caller last said. */
  nowMs = 0;
  readonly arena: Arena;
  readonly hash: KeyHash;
  /** To be forgotten before any bytes with keys in them are overwritten. */
  readonly foreseen: ForeseenKeys;
  readonly #slabs: Slabs;
  readonly #tables: TableMemory;
  readonly readyMemory: ReadyMemory;
  /** Whether what is stored now is a copy. */
  isApplying = false;
  readonly #policies: DomainPolicies;
  readonly #random: Random;
  readonly #onRemoval: RemovalListener | undefined;
  readonly #records: RecordObserver | undefined;
  readonly #numbers = new DomainNumbers();
  readonly #domains = this.#numbers.domains;
  readonly #upkeep = new DomainUpkeep(this.#domains);
  readonly #removal: DomainRemoval;
  readonly #policyChanges = new PolicyChanges((ref) => this.hash.ofRecord(this.arena, ref));
  readonly #housekeeping: Housekeeping;
  readonly #cleaner: Cleaner;
  readonly #sweep: ExpirySweep;
  readonly #budget: MemoryBudget;
  /** Counts every eviction and relocation, so that a caller can see that its refs went stale. */
  #moves = 0;
  /** Records that cleaning has moved. */
  relocations = 0;

  constructor(options: EngineOptions) {
    invariant(options.memoryBytes >= MEMORY_BYTES_MIN, 'an engine has at least 1 MiB');
    invariant(options.memoryBytes <= MEMORY_BYTES_MAX, 'an engine has at most 15.5 GiB');
    this.#random = options.random;
    this.#onRemoval = options.onRemoval;
    this.#records = options.records;
    this.hash = new KeyHash(options.random.uint32(), options.random.uint32());
    this.#slabs = new Slabs(segmentBytesFor(options.memoryBytes), options.memoryBytes);
    this.#tables = new TableMemory(this.#slabs);
    this.arena = new Arena(this.#slabs, (segment) => this.#sweep.forget(segment));
    this.foreseen = new ForeseenKeys(this.arena, this.hash);
    this.#policies = new DomainPolicies(this.arena, this.#tables, this.hash, options);
    this.#cleaner = new Cleaner(this.arena, (ref) => this.#relocate(ref));
    this.#sweep = new ExpirySweep(this.arena, (ref) => this.#expire(this.#domainOf(ref), ref));
    this.#removal = new DomainRemoval(
      this.arena,
      this.#numbers,
      (domain, ref) => this.remove(domain, ref),
      (domain) => this.#forgetDomain(domain),
    );
    this.readyMemory = new ReadyMemory(this.#slabs, () => this.#budget.unusedBytes);
    this.#housekeeping = new Housekeeping([
      this.#removal,
      this.#policyChanges,
      new LimitEviction(this.#upkeep, (domain, countMax) => this.#shrinkSome(domain, countMax)),
      this.#cleaner.inTurns(() => this.#budget.isOver),
      this.#sweep,
      this.readyMemory,
    ]);
    this.#budget = new MemoryBudget(options.memoryBytes, this.arena, this.#tables, this.#domains);
  }

  get memoryBytes(): number {
    return this.#budget.memoryBytes;
  }

  /** A lower limit is reached by evicting in the calls that follow. */
  setMemoryBytes(bytes: number): void {
    invariant(bytes >= MEMORY_BYTES_MIN && bytes <= MEMORY_BYTES_MAX, '1 MiB to 15.5 GiB');
    this.#slabs.reserve(bytes);
    this.#budget.memoryBytes = bytes;
    this.#budget.refresh();
  }

  /**
   * @param id from 0 to `DOMAIN_MAX`, and free: that of a removed domain is once `isFree` says so
   * @param account whose bound it shares with others; by default one of its own, without a bound
   */
  addDomain(id: number, policyName: PolicyName, account = new DomainAccount()): Domain {
    this.#numbers.takeId(id);
    const index = new KeyIndex(this.arena, this.hash, this.#tables);
    const domain = new Domain(
      id,
      index,
      this.#policies.create(policyName, account, this.nowMs),
      policyName,
      account,
    );
    account.domains.add(domain);
    this.#numbers.assign(domain);
    return domain;
  }

  /**
   * Removes a domain and its records, a few thousand in each `maintain`. It is not to be used any
   * more; its bytes count until they are gone.
   */
  removeDomain(domain: Domain): void {
    invariant(this.#domains[domain.number] === domain, 'a domain is removed where it is');
    this.#removal.add(domain);
  }

  /** Whether no domain has this id, nor records of one that was removed. */
  isFree(id: number): boolean {
    return this.#numbers.isFree(id);
  }

  #forgetDomain(domain: Domain): void {
    invariant(domain.bytes === 0, 'a domain without records has no bytes');
    this.#policyChanges.settle(domain);
    domain.index.clear();
    domain.policy.clear();
    domain.account.domains.delete(domain);
    this.#budget.forget(domain.number);
    this.#numbers.release(domain);
  }

  /** Changes how a domain evicts, at once; its records go over to the new policy in each `maintain`. */
  setPolicy(domain: Domain, policyName: PolicyName): void {
    if (domain.policyName === policyName) return;
    const policy = this.#policies.create(policyName, domain.account, this.nowMs);
    this.#policyChanges.begin(domain, policy, policyName);
  }

  /** Whether there is so much that a key is seldom in the CPU's cache. */
  get isLarge(): boolean {
    return this.arena.bytesLive > CACHE_BYTES;
  }

  /** The record of this key, or 0. Counts as no use of it. */
  find(domain: Domain, bytes: Uint8Array, start: number, length: number): number {
    if (length > KEY_LENGTH_MAX) return 0;
    const hash = this.foreseen.hashOf(bytes, start, length);
    return this.#findLive(domain, hash, bytes, start, length);
  }

  /** The record of this key, or 0; counts a hit or a miss, and as a use. */
  read(domain: Domain, bytes: Uint8Array, start: number, length: number): number {
    const hash = this.foreseen.hashOf(bytes, start, length);
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
    domain.policy.accessed(ref, this.hash.ofRecord(this.arena, ref));
  }

  /**
   * Stores a value. `valueBytes` must not be the engine's own memory.
   *
   * @param deadlineMs since 1970; 0: never
   * @returns the record, or 0 where there is no room for it
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
  ): number {
    const hash = this.foreseen.hashOf(keyBytes, keyStart, keyLength);
    const ref = this.#place(domain, hash, keyBytes, keyStart, keyLength, valueLength);
    if (ref === 0) return 0;
    const arena = this.arena;
    copyBytes(valueBytes, valueStart, arena.octets(ref), arena.valueStart(ref), valueLength);
    this.setDeadline(domain, ref, deadlineMs);
    domain.ghost.wrote(hash, arena.recordBytes(ref), Math.floor(deadlineMs / 1000));
    return ref;
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
    const hash = this.foreseen.hashOf(keyBytes, keyStart, keyLength);
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
    const hash = this.hash.ofRecord(this.arena, ref);
    domain.index.remove(hash, ref);
    if (domain.isRemainder) {
      domain.addBytes(-this.arena.recordBytes(ref));
      this.arena.free(ref);
    } else {
      this.#discard(domain, ref, hash);
    }
  }

  /** Whether `bytes` more of records could be stored, by evicting if need be. */
  hasRoomFor(domain: Domain, bytes: number): boolean {
    if (bytes > this.#budget.liveBytesMax || bytes > domain.bytesLimit) return false;
    if (domain.policyName !== 'noeviction') return true;
    const isFull = this.#budget.isFullFor(bytes - this.#removal.bytes, this.isApplying);
    return !isFull && !domain.isFullFor(bytes);
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

  /**
   * Removes all of a domain's records, at once as far as anyone can see. Where there are others, the
   * memory is won back in each `maintain`, or sooner where it is needed.
   */
  flush(domain: Domain): void {
    this.#policyChanges.settle(domain);
    if (this.#records !== undefined) this.#records.cleared(domain);
    if (this.arena.bytesLive === domain.bytes) {
      this.arena.clear();
      this.#cleaner.stop();
      this.#sweep.stop();
      domain.index.clear();
      domain.reset();
    } else if (domain.items > 0) {
      this.#removal.takeRecords(domain, new KeyIndex(this.arena, this.hash, this.#tables));
    } else {
      domain.reset();
    }
    this.#moves++;
    this.#budget.refresh();
  }

  /**
   * Housekeeping, to be called about ten times a second, and sooner while there is more to do:
   * removes what has expired, been flushed or belongs to a removed domain, evicts down to a lowered
   * limit, hands records over to a new policy, and cleans segments that are mostly dead.
   *
   * @param budgetBytes of records are looked at, all in all
   */
  maintain(budgetBytes: number): HousekeepingState {
    this.#budget.adjustSlack();
    this.#budget.refresh();
    const { bytesMoved } = this.#budget;
    const allKnowTheTime = this.#upkeep.tellTime(this.nowMs, this.#budget.liveBytesMax);
    this.#sweep.nowMs = this.nowMs;
    const state = this.#housekeeping.run(budgetBytes);
    this.#budget.bytesMoved = bytesMoved;
    this.#slabs.giveBackIdle(this.nowMs, SLAB_IDLE_MS);
    return state === 'done' && !allKnowTheTime ? 'more' : state;
  }

  report(): MemoryReport {
    this.#budget.refresh();
    return reportMemory(this.#budget, this.#slabs, this.arena, this.#domains);
  }

  /** Memory held for records, index and policies. */
  get usedBytes(): number {
    return this.#budget.usedBytes;
  }

  /** The share of the memory that this node's own records may take where there are copies, too. */
  set ownShare(share: number) {
    this.#budget.ownShare = share;
    this.#budget.refresh();
  }

  #findLive(
    domain: Domain,
    hash: number,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): number {
    const ref = domain.index.find(hash, bytes, start, length, domain.number);
    if (ref === 0 || !this.#isExpired(ref)) return ref;
    this.#expire(domain, ref);
    return 0;
  }

  #isExpired(ref: number): boolean {
    const deadline = this.arena.deadline(ref);
    return deadline !== 0 && deadline <= this.nowMs;
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
      old = domain.index.find(hash, keyBytes, keyStart, keyLength, domain.number);
    }
    const { number: of } = domain;
    const ref = arena.append(keyBytes, keyStart, keyLength, valueLength, of, STREAM_WRITES);
    if (old === 0 ? this.isApplying : arena.isCopy(old)) arena.setCopy(ref, true);
    domain.addBytes(bytes);
    this.#budget.bytesWritten += bytes;
    domain.payloadBytes += keyLength + valueLength;
    if (this.#records !== undefined) this.#records.added(domain, ref);
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
    domain.addBytes(-oldBytes);
    domain.payloadBytes -= arena.keyLength(old) + arena.valueLength(old);
    if (this.#records !== undefined) this.#records.removed(domain, old);
    arena.free(old);
  }

  #expire(domain: Domain, ref: number): void {
    if (domain.isRemainder) {
      this.remove(domain, ref);
      return;
    }
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
    domain.addBytes(-arena.recordBytes(ref));
    domain.payloadBytes -= arena.keyLength(ref) + arena.valueLength(ref);
    if (arena.deadline(ref) !== 0) domain.volatileItems--;
    if (this.#records !== undefined) this.#records.removed(domain, ref);
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
      (!this.isApplying && domain.isFullFor(bytes)) ||
      this.#budget.isFullFor(bytes, this.isApplying)
    ) {
      if (count++ >= countMax && liveBefore - arena.bytesLive >= bytes) return true;
      if (this.#budget.isFullFor(bytes, this.isApplying) && this.#reclaim()) continue;
      if (!this.#evictOne(domain.domainToEvict(bytes))) return false;
    }
    return true;
  }

  /** A turn of the same after a limit was lowered; gives the number of evictions. */
  #shrinkSome(domain: Domain, countMax: number): number {
    // What is on its way out goes first, by a job of its own.
    if (this.#removal.isBehind) return 0;
    const movesBefore = this.#moves;
    this.#shrinkDomain(domain, 0, countMax);
    return this.#moves - movesBefore;
  }

  /** Frees some records of flushed or removed domains; false where there are none. */
  #reclaim(): boolean {
    return this.#removal.run(RECLAIM_WORK_BYTES) > 0;
  }

  /** Sees to it that a record of this size can be made for the domain. */
  #makeRoom(domain: Domain, bytes: number): boolean {
    if (bytes > this.#budget.liveBytesMax || bytes > domain.bytesLimit) return false;
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
      if (this.#reclaim()) continue;
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
    if (domain.policyName === 'noeviction') return false;
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
    if (domain.isRemainder) {
      this.remove(domain, ref);
      return;
    }
    const bytes = arena.recordBytes(ref);
    if (!arena.hasHole(bytes) && !arena.fits(bytes, STREAM_SURVIVORS)) {
      arena.openSegment(bytes, STREAM_SURVIVORS);
    }
    const copy = arena.copyRecord(ref);
    domain.index.replace(this.hash.ofRecord(this.arena, ref), ref, copy);
    domain.policy.relocated(ref, copy);
    this.#moves++;
    this.relocations++;
    this.#budget.bytesMoved += bytes;
    arena.free(ref);
  }

  #domainOf(ref: number): Domain {
    const domain = this.#domains[this.arena.domain(ref)];
    invariant(domain !== undefined, 'a live record belongs to a domain');
    return domain;
  }
}
