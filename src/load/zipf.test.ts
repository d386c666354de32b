import { describe, expect, test } from 'vitest';
import { SeededRandom } from './random.ts';
import { Zipf } from './zipf.ts';

const DRAWS = 400_000;

/** Chi-square over groups of ranks, in standard deviations from what the distribution expects. */
function deviation(theta: number, count: number, seed: number, law = theta): number {
  const weights = Float64Array.from({ length: count }, (_, rank) => (rank + 1) ** -law);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const zipf = new Zipf(count, theta);
  const random = new SeededRandom(seed);
  const seen = new Uint32Array(count);
  for (let draw = 0; draw < DRAWS; draw++) seen[zipf.draw(random)]++;
  let chi = 0;
  let groups = 0;
  let expected = 0;
  let found = 0;
  for (let rank = 0; rank < count; rank++) {
    expected += (weights[rank] / total) * DRAWS;
    found += seen[rank];
    if (expected < 20 && rank < count - 1) continue;
    chi += (found - expected) ** 2 / expected;
    groups++;
    expected = 0;
    found = 0;
  }
  const freedom = Math.max(groups - 1, 1);
  return (chi - freedom) / Math.sqrt(2 * freedom);
}

describe('Zipf', () => {
  test.each([0.2, 0.5, 0.99, 1, 1.01, 1.5, 3])('theta %f follows its law', (theta) => {
    for (const count of [2, 3, 10, 1_000, 20_000]) {
      expect(deviation(theta, count, count)).toBeLessThan(5);
    }
  });

  test('a theta off by three hundredths is told apart by the same measure', () => {
    expect(deviation(0.99, 1_000, 1, 1.02)).toBeGreaterThan(5);
  });

  test('a key space of four billion keys keeps its bounds and its most frequent rank', () => {
    const count = 2 ** 32;
    const zipf = new Zipf(count, 1);
    const random = new SeededRandom(7);
    let firsts = 0;
    let strays = 0;
    for (let draw = 0; draw < DRAWS; draw++) {
      const rank = zipf.draw(random);
      if (rank < 0 || rank >= count || !Number.isInteger(rank)) strays++;
      if (rank === 0) firsts++;
    }
    expect(strays).toBe(0);
    const harmonic = Math.log(count) + 0.5772156649;
    expect(firsts / DRAWS).toBeCloseTo(1 / harmonic, 2);
  });

  test('one key is always that key', () => {
    const zipf = new Zipf(1, 0.99);
    expect(zipf.draw(new SeededRandom(1))).toBe(0);
  });
});

describe('SeededRandom', () => {
  test('gives the same sequence for the same seed, and others for other seeds and streams', () => {
    const sequence = (seed: number, stream: number): number[] => {
      const random = new SeededRandom(seed, stream);
      return Array.from({ length: 8 }, () => random.uint32());
    };
    expect(sequence(1, 0)).toEqual(sequence(1, 0));
    const all = [sequence(1, 0), sequence(2, 0), sequence(1, 1), sequence(0, 0)].flat();
    expect(new Set(all).size).toBe(all.length);
  });

  test('is uniform over its range', () => {
    const random = new SeededRandom(3);
    const buckets = new Uint32Array(1_000);
    for (let draw = 0; draw < DRAWS; draw++) buckets[random.below(1_000)]++;
    const chi = buckets.reduce((sum, seen) => sum + (seen - 400) ** 2 / 400, 0);
    expect(Math.abs(chi - 999) / Math.sqrt(2 * 999)).toBeLessThan(5);
  });
});
