import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Stream } from './keyed-random.ts';

const key = fc.integer({ min: 0, max: 2 ** 40 });

test('a draw depends on seed, stream and key alone, not on the draws before it', () => {
  fc.assert(
    fc.property(key, fc.array(key), key, fc.nat(), (seed, others, a, b) => {
      const disturbed = new Stream(seed, 'network');
      for (const other of others) disturbed.uint32(other);
      expect(disturbed.uint32(a, b)).toBe(new Stream(seed, 'network').uint32(a, b));
    }),
  );
});

test('seeds, streams and keys that differ in one place give unrelated numbers', () => {
  const seen = new Set<number>();
  for (let i = 0; i < 1000; i += 1) {
    seen.add(new Stream(i, 'a').uint32(7));
    seen.add(new Stream(2 ** 32 + i, 'a').uint32(7));
    seen.add(new Stream(7, `a${i}`).uint32(7));
    seen.add(new Stream(7, 'a').uint32(2 ** 33, i));
    seen.add(new Stream(7, 'a').uint32(1, 2, i));
  }
  // Of 5,000 draws from 2^32, one pair in 300 runs is expected to agree; the seeds are fixed.
  expect(seen.size).toBeGreaterThan(4998);
});

test('draws in a range are whole, within it, and spread evenly', () => {
  const stream = new Stream(3, 'x');
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 10_000; i += 1) counts[stream.below(10, i)] += 1;
  for (const count of counts) expect(count).toBeGreaterThan(850);
  expect(new Set(Array.from({ length: 200 }, (_, i) => stream.between(-1, 1, i)))).toEqual(
    new Set([-1, 0, 1]),
  );
  expect(stream.between(5, 5 + 2 ** 30, 1)).toBeGreaterThanOrEqual(5);
});

test('a ratio is a chance: never, always, and in proportion', () => {
  const draws = new Stream(4, 'x').sequence(1);
  let hits = 0;
  for (let i = 0; i < 4000; i += 1) {
    expect(draws.chance([0, 4])).toBe(false);
    expect(draws.chance([4, 4])).toBe(true);
    if (draws.chance([1, 4])) hits += 1;
  }
  expect(hits).toBeGreaterThan(900);
  expect(hits).toBeLessThan(1100);
});

test('the numbers are these on every machine', () => {
  const stream = new Stream(17, 'network');
  expect([stream.uint32(1), stream.uint32(1, 2), stream.uint32(1, 2, 3)]).toMatchInlineSnapshot(`
    [
      649461942,
      2595507485,
      4116685261,
    ]
  `);
});
