import { describe, expect, test } from 'vitest';
import { MiniatureCache } from './miniature-cache.ts';
import { hashOf, Owner } from './test-support.ts';
import { TinyLfuPolicy } from './tiny-lfu.ts';

const WINDOW = 0;

/** A cache of 1000 records of weight 1. */
function cacheOf(share?: number): MiniatureCache {
  const window = share === undefined ? undefined : { share };
  const cache = new MiniatureCache((links) => new TinyLfuPolicy(links, 1, window), 1000);
  cache.setCapacity(1000);
  return cache;
}

/** @returns the share of the requests that hit */
function hitShare(cache: MiniatureCache, requests: number, keyOf: (at: number) => number): number {
  let hits = 0;
  for (let at = 0; at < requests; at++) if (cache.request(hashOf(keyOf(at)), 1)) hits++;
  return hits / requests;
}

/** Each key twice, the second time 700 requests after the first: only recency helps. */
const twice = (at: number): number => {
  const round = Math.floor(at / 1400);
  return 1_000_000 + round * 700 + (at % 700);
};

/** A loop over more keys than fit: only to hold on to some helps. */
const loop = (at: number): number => 5_000_000 + (at % 1500);

describe('tinylfu', () => {
  test('lets a scan pass through without losing what is in use', () => {
    const cache = cacheOf();
    const inUse = (at: number): number => at % 800;
    hitShare(cache, 8000, inUse);
    expect(hitShare(cache, 20_000, (at) => 10_000 + at)).toBe(0);
    expect(hitShare(cache, 800, inUse)).toBeGreaterThan(0.95);
  });

  test('remembers how often a key was used that is no longer resident', () => {
    const share = { share: 0.01 };
    const owner = new Owner((links) => new TinyLfuPolicy(links, 1, share));
    const frequency = (key: number): number | undefined => {
      const ref = owner.refs.get(key);
      return ref === undefined ? undefined : owner.policy.frequency(ref);
    };
    owner.run({ do: 'insert', key: 1 });
    for (let time = 0; time < 6; time++) owner.run({ do: 'access', key: 1 });
    expect(frequency(1)).toBe(7);
    owner.run({ do: 'remove', key: 1 });
    owner.run({ do: 'insert', key: 1 });
    expect(frequency(1)).toBe(8);
    for (let time = 0; time < 20; time++) owner.run({ do: 'access', key: 1 });
    expect(frequency(1)).toBe(15);
  });

  test('halves frequencies with use, so that what was hot long ago makes room', () => {
    const cache = cacheOf(0.01);
    hitShare(cache, 20_000, (at) => at % 1000);
    const next = (at: number): number => 50_000 + (at % 1000);
    hitShare(cache, 60_000, next);
    expect(hitShare(cache, 1000, next)).toBeGreaterThan(0.95);
  });

  test('lets in a key that is used often, even against one that is used more', () => {
    const cache = cacheOf(0.01);
    hitShare(cache, 9500, (at) => at % 990);
    let isResident = false;
    for (let turn = 0; turn < 6000 && !isResident; turn++) {
      const at = turn * 30;
      isResident = hitShare(cache, 1, () => 777_777) === 1 && turn > 20;
      hitShare(cache, 29, (step) => 100_000 + at + step);
    }
    expect(isResident).toBe(true);
  });

  test('finds a large window where recency counts, and a small one where it does not', () => {
    const cache = cacheOf();
    const fixed = cacheOf(0.01);
    hitShare(cache, 100_000, twice);
    hitShare(fixed, 100_000, twice);
    const later = (at: number): number => twice(at + 100_800);
    expect(hitShare(cache, 42_000, later)).toBeGreaterThan(0.45);
    expect(hitShare(fixed, 42_000, later)).toBeLessThan(0.1);
    hitShare(cache, 200_000, loop);
    expect(hitShare(cache, 45_000, loop)).toBeGreaterThan(0.5);
  });

  test('brings the window to its share step by step, where there is room and where there is not', () => {
    const window = { share: 0.01 };
    const owner = new Owner((links) => new TinyLfuPolicy(links, 1, window));
    for (let key = 0; key < 900; key++) owner.run({ do: 'insert', key });
    const windowRecords = (): number =>
      [...owner.refs.values()].filter((ref) => owner.links.queue(ref) === WINDOW).length;
    const bytes = (): number =>
      [...owner.refs.values()].reduce((sum, ref) => sum + owner.links.recordBytes(ref), 0);
    const windowBytes = (): number =>
      [...owner.refs.values()]
        .filter((ref) => owner.links.queue(ref) === WINDOW)
        .reduce((sum, ref) => sum + owner.links.recordBytes(ref), 0);
    expect(windowBytes() / bytes()).toBeLessThan(0.02);

    window.share = 0.8;
    const before = windowRecords();
    owner.run({ do: 'access', key: 0 });
    expect(windowRecords() - before).toBeLessThanOrEqual(4);
    for (let turn = 0; turn < 900; turn++) owner.run({ do: 'access', key: turn % 900 });
    expect(windowBytes() / bytes()).toBeCloseTo(0.8, 1);

    window.share = 0.2;
    for (let key = 900; key < 2400; key++) {
      owner.evict();
      owner.run({ do: 'insert', key });
    }
    expect(owner.refs.size).toBe(900);
    expect(windowBytes() / bytes()).toBeCloseTo(0.2, 1);
    owner.checkLinks();
    owner.drain();
  });

  test('holds its sketch to 4 bytes a record and gives it back when records are few', () => {
    const policies: TinyLfuPolicy[] = [];
    const cache = new MiniatureCache((links) => {
      const policy = new TinyLfuPolicy(links, 1);
      policies.push(policy);
      return policy;
    }, 300_000);
    const [policy] = policies;
    const bytesEmpty = policy.bytes;
    cache.setCapacity(300_000);
    hitShare(cache, 700_000, (at) => at);
    expect((policy.bytes - bytesEmpty) / 300_000).toBeLessThan(4);
    cache.setCapacity(1000);
    hitShare(cache, 2000, (at) => 900_000 + at);
    expect(policy.bytes - bytesEmpty).toBeLessThan(200_000);
  });
});
