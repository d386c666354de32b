import { describe, expect, test } from 'vitest';
import { Ghost, type GhostEstimate } from './ghost.ts';
import { ArrayLinks } from './policy/array-links.ts';
import { createPolicy, MiniatureCache, type PolicyName } from './policy/index.ts';
import { hashOf } from './policy/test-support.ts';

const FACTORS = [0.25, 0.5, 1, 2, 4];
const REQUESTS = 400_000;
const ADJUST_EVERY = 2000;
/** About as far as an estimate's memory goes, for the caches below. */
const READS_OF_LATE = 200_000;

/** Keys from 0, of which the k-th is asked for in proportion to 1 / (k + 1) ** exponent. */
function zipf(keys: number, exponent: number, requests: number): Int32Array {
  const cumulative = new Float64Array(keys);
  let sum = 0;
  for (let key = 0; key < keys; key++) cumulative[key] = sum += (key + 1) ** -exponent;
  let state = 88_172_645;
  return Int32Array.from({ length: requests }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const wanted = ((state >>> 0) / 2 ** 32) * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (cumulative[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  });
}

const sizeOf = (key: number): number => 100 + ((key * 7919) % 400);
const SIZE_MEAN = 300;

function cacheOf(policyName: PolicyName, capacity: number, records: number): MiniatureCache {
  const cache = new MiniatureCache((links) => createPolicy(policyName, links, 3), records);
  cache.setCapacity(capacity);
  return cache;
}

/** What the ghost of a cache says, and what caches of those sizes have really hit of late. */
function estimateAndTruth(
  policyName: PolicyName,
  capacity: number,
  requests: Int32Array,
): { estimates: GhostEstimate[]; truth: number[] } {
  const ghost = new Ghost(createPolicy(policyName, new ArrayLinks(1), 3));
  const caches = FACTORS.map((factor) => cacheOf(policyName, capacity * factor, 200_000));
  const hits = caches.map(() => 0);
  const counted = requests.length - READS_OF_LATE;
  for (const [at, key] of requests.entries()) {
    if (at % ADJUST_EVERY === 0) ghost.adjust(capacity, SIZE_MEAN, at / 10_000);
    const hash = hashOf(key);
    const hitNow = caches.map((cache) => cache.request(hash, sizeOf(key)));
    for (const [which, hit] of hitNow.entries()) if (hit && at >= counted) hits[which]++;
    ghost.read(hash, hitNow[2] ? sizeOf(key) : 0);
    if (!hitNow[2]) ghost.wrote(hash, sizeOf(key), 0);
  }
  return { estimates: ghost.estimates(), truth: hits.map((count) => count / READS_OF_LATE) };
}

const ghostOf = (policyName: PolicyName = 'lru'): Ghost =>
  new Ghost(createPolicy(policyName, new ArrayLinks(1), 3));

const hitRates = (ghost: Ghost): Array<number | undefined> =>
  ghost.estimates().map(({ hitRate }) => hitRate);

/** A capacity for which a ghost samples one key in 16 at every size. */
const SMALL = 1000 * SIZE_MEAN;

/** Keys that such a ghost samples. */
function sampledKeys(count: number): number[] {
  const ghost = ghostOf();
  ghost.adjust(SMALL, SIZE_MEAN, 0);
  const keys: number[] = [];
  for (let key = 0; keys.length < count; key++) {
    const before = ghost.estimates()[0].readsSampled;
    ghost.read(hashOf(key), SIZE_MEAN);
    if (ghost.estimates()[0].readsSampled > before) keys.push(key);
  }
  return keys;
}

/** Reads a sampled key, and as many others as are read besides when all are read as often. */
function readAmongOthers(ghost: Ghost, key: number, recordBytes: number): void {
  ghost.read(hashOf(key), recordBytes);
  for (let other = 0; other < 15; other++) ghost.read(unsampledHash, 0);
}

const unsampledHash = unsampled();

function unsampled(): number {
  const sampled = new Set(sampledKeys(100));
  for (let key = 0; ; key++) if (!sampled.has(key)) return hashOf(key);
}

/** By size: hits, reckoned back from what the ghost tells. */
function hitsOf(ghost: Ghost): number[] {
  return ghost
    .estimates()
    .map(({ hitRate = 0, readsSampled }) => Math.round(hitRate * readsSampled));
}

describe('a ghost', () => {
  const requests = zipf(300_000, 0.9, REQUESTS);

  test.each(['lru', 'lfu', 'tinylfu'] as const)(
    'tells the hit rates of other sizes under %s within 3 points, and 1.5 on average',
    (policyName) => {
      const { estimates, truth } = estimateAndTruth(policyName, 10_000 * SIZE_MEAN, requests);
      expect(estimates.map(({ capacityFactor }) => capacityFactor)).toEqual(FACTORS);
      const errors = estimates.map(({ hitRate = -1 }, at) => Math.abs(hitRate - truth[at]));
      expect(Math.max(...errors)).toBeLessThan(0.03);
      expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.015);
    },
  );

  test('knows nothing before a sampled key was read', () => {
    const ghost = ghostOf();
    expect(hitRates(ghost)).toEqual(FACTORS.map(() => undefined));
    ghost.read(hashOf(1), 100);
    ghost.adjust(1e6, SIZE_MEAN, 0);
    expect(hitRates(ghost)).toEqual(FACTORS.map(() => undefined));
  });

  test('takes no more memory, whatever it is shown', () => {
    const ghost = ghostOf('tinylfu');
    for (let round = 0; round < 40; round++) {
      ghost.adjust(10_000 * 1.4 ** round, round % 7 === 0 ? 1 : SIZE_MEAN, round);
      for (let key = 0; key < 5000; key++) {
        ghost.read(hashOf(round * 2500 + key), 1 + (key % 900));
        ghost.wrote(hashOf(round * 2500 + key), 1, 0);
      }
      expect(ghost.bytes).toBeLessThan(300 * 1024);
      for (const rate of hitRates(ghost)) {
        expect(rate ?? 0).toBeGreaterThanOrEqual(0);
        expect(rate ?? 0).toBeLessThanOrEqual(1);
      }
    }
  });

  test('goes on when the cache has grown a hundred times, and when it has shrunk again', () => {
    const ghost = ghostOf();
    const steady = zipf(20_000, 1, 200_000);
    for (const items of [1000, 100_000, 1000]) {
      ghost.adjust(items * SIZE_MEAN, SIZE_MEAN, 0);
      const cache = cacheOf('lru', items * SIZE_MEAN, 100_000);
      let hits = 0;
      for (const [at, key] of steady.entries()) {
        if (at % ADJUST_EVERY === 0) ghost.adjust(items * SIZE_MEAN, SIZE_MEAN, 0);
        if (cache.request(hashOf(key), SIZE_MEAN) && at >= 100_000) hits++;
        ghost.read(hashOf(key), SIZE_MEAN);
      }
      expect(Math.abs((hitRates(ghost)[2] ?? -1) - hits / 100_000)).toBeLessThan(0.06);
    }
  });

  test('does not credit a larger cache with values that would have expired', () => {
    const keys = sampledKeys(12);
    const ghost = ghostOf();
    for (let second = 0; second < 100; second += 10) {
      ghost.adjust(SMALL, SIZE_MEAN, second);
      for (const key of keys) {
        readAmongOthers(ghost, key, 0);
        ghost.wrote(hashOf(key), SIZE_MEAN, second + 10);
      }
    }
    expect(ghost.estimates().map(({ readsSampled }) => readsSampled)).toEqual(
      FACTORS.map(() => 120),
    );
    expect(hitsOf(ghost)).toEqual([0, 0, 0, 0, 0]);
    ghost.adjust(SMALL, SIZE_MEAN, 99);
    for (const key of keys) readAmongOthers(ghost, key, SIZE_MEAN);
    expect(hitsOf(ghost)).toEqual([12, 12, 12, 12, 12]);
  });

  test('does not count a deleted key as a hit', () => {
    const keys = sampledKeys(12);
    const ghost = ghostOf();
    ghost.adjust(SMALL, SIZE_MEAN, 0);
    for (const key of keys) ghost.wrote(hashOf(key), SIZE_MEAN, 0);
    for (const key of keys.slice(0, 5)) ghost.removed(hashOf(key));
    for (const key of keys) readAmongOthers(ghost, key, 0);
    expect(hitsOf(ghost)).toEqual([7, 7, 7, 7, 7]);
    ghost.clear();
    for (const key of keys) readAmongOthers(ghost, key, 0);
    expect(hitsOf(ghost)).toEqual([7, 7, 7, 7, 7]);
  });

  test('counts a key that is read over and over at each read', () => {
    const [key, other] = sampledKeys(2);
    const ghost = ghostOf();
    ghost.adjust(SMALL, SIZE_MEAN, 0);
    for (let time = 0; time < 300; time++) readAmongOthers(ghost, key, SIZE_MEAN);
    for (let time = 0; time < 10; time++) readAmongOthers(ghost, other, SIZE_MEAN);
    expect(ghost.estimates()[2].readsSampled).toBe(310);
    expect(hitsOf(ghost)[2]).toBe(308);
    readAmongOthers(ghost, key, SIZE_MEAN);
    readAmongOthers(ghost, key, SIZE_MEAN);
    ghost.removed(hashOf(key));
    readAmongOthers(ghost, key, SIZE_MEAN);
    expect(hitsOf(ghost)[2]).toBe(310);
  });

  test('sees no fill of the real cache as a use where its own read has hit', () => {
    const [key, other] = sampledKeys(2);
    const ghost = ghostOf();
    ghost.adjust(2 * 16 * SIZE_MEAN, SIZE_MEAN, 0);
    for (const each of [key, other]) ghost.wrote(hashOf(each), SIZE_MEAN, 0);
    ghost.read(hashOf(key), 0);
    ghost.read(hashOf(other), SIZE_MEAN);
    ghost.wrote(hashOf(key), SIZE_MEAN, 0);
    const [, , third] = sampledKeys(3);
    ghost.wrote(hashOf(third), SIZE_MEAN, 0);
    readAmongOthers(ghost, other, SIZE_MEAN);
    expect(hitsOf(ghost)[2]).toBe(3);
  });
});
