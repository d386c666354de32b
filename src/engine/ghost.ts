/**
 * What the hit rate would be with another capacity: miniature caches, each for a multiple of the
 * present capacity, that are shown a sample of the keys and run the same policy.
 *
 * A miniature for capacity C at a sampling rate r holds r * C bytes of the sampled keys, so that it
 * hits them as often as a whole cache of C would (Waldspurger et al., "Cache modeling and
 * optimization using miniature simulations", USENIX ATC 2017). Each has the highest rate with which
 * its records stay below a bound. A key that is not sampled costs a multiplication and a compare.
 *
 * The few hottest keys make up much of the traffic, and whether they fall into the sample is luck.
 * They would hit at any size; so requests that the sample has too few or too many of are taken as
 * hits that it lacks or has too many of (the SHARDS-adj correction: Waldspurger et al., "Efficient
 * MRC construction with SHARDS", USENIX FAST 2015).
 *
 * Deadlines are kept, so that a larger cache is not credited with values that would have expired.
 */
import { MiniatureCache, type EvictionPolicy } from './policy/index.ts';

/** Multiples of the present capacity that are estimated. */
const CAPACITY_FACTORS = [0.25, 0.5, 1, 2, 4] as const;
const RECORDS_MAX = 1024;
/** A miniature is laid out for this share of its bound, since records differ in size. */
const RECORDS_SHARE = 0.75;
/** The more keys are sampled, the more a read costs: one key in 16 at the most. */
const SAMPLE_RATE_MAX = 1 / 16;
/** Earlier reads count half once there have been this many for each resident record. */
const READS_PER_RECORD = 8;
const READS_MIN = 65_536;
/** A miniature that is this many times emptier than it may be begins again with more keys. */
const TOO_EMPTY = 8;
/** A capacity so many times larger or smaller makes what was learnt worthless. */
const CAPACITY_CHANGE = 1.5;
/** No hash, as 32-bit integers go. */
const NO_HASH = 2 ** 32;

export interface GhostEstimate {
  /** Times the present capacity. */
  readonly capacityFactor: number;
  /** 0 to 1; undefined before the first sampled read. */
  readonly hitRate: number | undefined;
  /** How many sampled reads the estimate rests on. */
  readonly readsSampled: number;
}

interface Miniature {
  readonly capacityFactor: number;
  /** Of the cache. */
  capacityBytes: number;
  /** Made when the first key is sampled: of thousands of tenants, many are never used. */
  cache: MiniatureCache | undefined;
  /** A key is sampled if its hash, spread, is below this. */
  sampleBelow: number;
  /** Reads of sampled keys, and hits among them; older ones at their lesser weight. */
  readsSampled: number;
  hits: number;
  /** How many reads would have been sampled, did all keys get the same number of them. */
  readsExpected: number;
}

export class Ghost {
  readonly #policy: EvictionPolicy;
  readonly #miniatures: Miniature[];
  #nowSeconds = 0;
  /** The highest of the miniatures' bounds. */
  #sampleBelow = 0;
  /** Reads that are not yet in the miniatures' `readsExpected`. */
  #readsNew = 0;
  /** Reads since earlier ones were last halved, and how many there may be. */
  #reads = 0;
  #readsMax = READS_MIN;
  #capacityBytes = 0;
  /** The sampled key that was read last, and how often it was read again at once. */
  #hashLast = NO_HASH;
  #repeats = 0;

  /** @param policy the one to imitate */
  constructor(policy: EvictionPolicy) {
    this.#policy = policy;
    this.#miniatures = CAPACITY_FACTORS.map((capacityFactor) => ({
      capacityFactor,
      cache: undefined,
      capacityBytes: 0,
      sampleBelow: 0,
      readsSampled: 0,
      hits: 0,
      readsExpected: 0,
    }));
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const { cache } of this.#miniatures) bytes += cache?.memoryBytes ?? 0;
    return bytes;
  }

  /**
   * Brings the miniatures in line with what they stand for; to be called every second or so.
   *
   * @param capacityBytes the present capacity
   * @param recordBytesMean the mean size of the records it holds, or may be expected to hold
   */
  adjust(capacityBytes: number, recordBytesMean: number, nowSeconds: number): void {
    this.#countReads();
    const growth = capacityBytes / this.#capacityBytes;
    if (growth > CAPACITY_CHANGE || growth < 1 / CAPACITY_CHANGE) {
      this.#capacityBytes = capacityBytes;
      for (const miniature of this.#miniatures) forget(miniature, 0);
    }
    this.#readsMax = Math.max(READS_MIN, (READS_PER_RECORD * capacityBytes) / recordBytesMean);
    this.#sampleBelow = 0;
    this.#nowSeconds = nowSeconds;
    for (const miniature of this.#miniatures) {
      const bytes = capacityBytes * miniature.capacityFactor;
      setRate(miniature, bytes / recordBytesMean);
      miniature.capacityBytes = (bytes * miniature.sampleBelow) / 2 ** 32;
      if (miniature.cache !== undefined) {
        miniature.cache.nowSeconds = nowSeconds;
        miniature.cache.setCapacity(miniature.capacityBytes);
      }
      this.#sampleBelow = Math.max(this.#sampleBelow, miniature.sampleBelow);
    }
  }

  /** A key was read. @param recordBytes the size of its record; 0 where it missed */
  read(hash: number, recordBytes: number): void {
    this.#readsNew++;
    const spread = spreadOf(hash);
    if (spread >= this.#sampleBelow) return;
    if (hash === this.#hashLast) {
      this.#repeats++;
      return;
    }
    this.#countRepeats();
    this.#hashLast = hash;
    for (const miniature of this.#miniatures) {
      if (spread >= miniature.sampleBelow) continue;
      miniature.readsSampled++;
      const cache = miniature.cache ?? this.#begin(miniature);
      const isHit =
        recordBytes > 0 ? cache.request(hash, recordBytes) : cache.requestMissedElsewhere(hash);
      if (isHit) miniature.hits++;
    }
  }

  /** A key was written. @param deadlineSeconds 0: never expires */
  wrote(hash: number, recordBytes: number, deadlineSeconds: number): void {
    const spread = spreadOf(hash);
    if (spread >= this.#sampleBelow) return;
    this.#countRepeats();
    for (const miniature of this.#miniatures) {
      if (spread >= miniature.sampleBelow) continue;
      const cache = miniature.cache ?? this.#begin(miniature);
      cache.write(hash, recordBytes, deadlineSeconds);
    }
  }

  /** A key was deleted; not to be called for evictions. */
  removed(hash: number): void {
    const spread = spreadOf(hash);
    if (spread >= this.#sampleBelow) return;
    this.#countRepeats();
    for (const { cache } of this.#miniatures) cache?.remove(hash);
  }

  /** All records were deleted. What was learnt of hit rates stays. */
  clear(): void {
    this.#countRepeats();
    for (const { cache } of this.#miniatures) cache?.clear();
  }

  /** By increasing capacity. */
  estimates(): GhostEstimate[] {
    this.#countReads();
    return this.#miniatures.map((miniature) => ({
      capacityFactor: miniature.capacityFactor,
      hitRate: hitRateOf(miniature),
      readsSampled: Math.floor(miniature.readsSampled),
    }));
  }

  /**
   * A sampled key that is read over and over costs no more than one that is not: where the first
   * read has left it resident, the repeats have hit. Frequencies miss them, which is no matter for
   * a key as hot as that.
   */
  #countRepeats(): void {
    if (this.#repeats > 0) {
      const spread = spreadOf(this.#hashLast);
      for (const miniature of this.#miniatures) {
        if (spread >= miniature.sampleBelow) continue;
        miniature.readsSampled += this.#repeats;
        if (miniature.cache?.has(this.#hashLast) === true) miniature.hits += this.#repeats;
      }
      this.#repeats = 0;
    }
    this.#hashLast = NO_HASH;
  }

  #begin(miniature: Miniature): MiniatureCache {
    const cache = new MiniatureCache((links) => this.#policy.miniature(links), RECORDS_MAX);
    cache.nowSeconds = this.#nowSeconds;
    cache.setCapacity(miniature.capacityBytes);
    miniature.cache = cache;
    return cache;
  }

  #countReads(): void {
    this.#countRepeats();
    this.#reads += this.#readsNew;
    const forgets = this.#reads >= this.#readsMax;
    for (const miniature of this.#miniatures) {
      miniature.readsExpected += (this.#readsNew * miniature.sampleBelow) / 2 ** 32;
      if (forgets) forget(miniature, 0.5);
    }
    this.#readsNew = 0;
    if (forgets) this.#reads = 0;
  }
}

/** Which keys are sampled hangs on bits of the hash that nothing else in a miniature hangs on. */
function spreadOf(hash: number): number {
  return Math.imul(hash, 0x85eb_ca6b) >>> 0;
}

function hitRateOf({ hits, readsSampled, readsExpected }: Miniature): number | undefined {
  if (readsSampled === 0 || readsExpected === 0) return undefined;
  const hitsAdjusted = hits + readsExpected - readsSampled;
  return Math.min(1, Math.max(0, hitsAdjusted / readsExpected));
}

/** @param recordsWhole how many records a whole cache of that capacity would hold */
function setRate(miniature: Miniature, recordsWhole: number): void {
  const rateMax = Math.min(SAMPLE_RATE_MAX, (RECORDS_MAX * RECORDS_SHARE) / recordsWhole);
  const sampleBelow = 2 ** (32 + Math.floor(Math.log2(rateMax)));
  if (sampleBelow < miniature.sampleBelow) {
    miniature.cache?.removeWhere((hash) => spreadOf(hash) >= sampleBelow);
  } else if (sampleBelow >= miniature.sampleBelow * TOO_EMPTY) {
    miniature.cache?.clear();
    forget(miniature, 0);
  } else return;
  miniature.sampleBelow = sampleBelow;
}

function forget(miniature: Miniature, weight: number): void {
  miniature.readsSampled *= weight;
  miniature.hits *= weight;
  miniature.readsExpected *= weight;
}
