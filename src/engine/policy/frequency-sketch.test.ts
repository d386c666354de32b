import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrequencySketch } from './frequency-sketch.ts';
import { hashOf } from './test-support.ts';

const MIB = 1024 * 1024;
const CHUNK_BYTES = 16 * 1024;

type Change =
  | { readonly do: 'raise'; readonly hash: number; readonly frequency: number }
  | { readonly do: 'halve' | 'double' | 'clear' };

const changes: fc.Arbitrary<Change[]> = fc.array(
  fc.oneof(
    {
      weight: 50,
      arbitrary: fc.record({
        do: fc.constant('raise' as const),
        hash: fc.nat(60).map(hashOf),
        frequency: fc.integer({ min: 1, max: 15 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('halve' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('double' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  ),
  { maxLength: 300, size: 'max' },
);

/** A sketch of `doublings` times its smallest size, and what it has of 1000 keys. */
function filled(doublings: number): { sketch: FrequencySketch; frequencies: () => number[] } {
  const sketch = new FrequencySketch();
  for (let doubling = 0; doubling < doublings; doubling++) sketch.double();
  for (let key = 0; key < 1000; key++) sketch.raise(hashOf(key), 1 + (key % 15));
  const frequencies = (): number[] =>
    Array.from({ length: 2000 }, (_, key) => sketch.frequency(hashOf(key)));
  return { sketch, frequencies };
}

describe('the frequency sketch', () => {
  test('never tells less than what was put in and halved since', () => {
    fc.assert(
      fc.property(changes, (sequence) => {
        const sketch = new FrequencySketch();
        let sizeBefore = sketch.counterBytes;
        const model = new Map<number, number>();
        for (const change of sequence) {
          if (change.do === 'raise') {
            sketch.raise(change.hash, change.frequency);
            model.set(change.hash, Math.max(change.frequency, model.get(change.hash) ?? 0));
          } else if (change.do === 'halve') {
            sketch.halve();
            for (const [hash, frequency] of model) model.set(hash, frequency >>> 1);
          } else if (change.do === 'double') {
            if (sketch.counterBytes >= 2 ** 20) continue;
            sketch.double();
            expect(sketch.counterBytes).toBe(sizeBefore * 2);
          } else {
            sketch.clear();
            model.clear();
          }
          sizeBefore = sketch.counterBytes;
          const tooLow = [...model].filter(
            ([hash, frequency]) => sketch.frequency(hash) < frequency,
          );
          expect(tooLow).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each([0, 2, 4, 6, 8])('at %d doublings, one more changes no frequency', (doublings) => {
    const { sketch, frequencies } = filled(doublings);
    const before = frequencies();
    sketch.double();
    expect(frequencies()).toEqual(before);
    sketch.double();
    sketch.halve();
    expect(frequencies()).toEqual(before.map((frequency) => frequency >>> 1));
  });

  test('tells keys exactly where it is large enough, and few of those that were never put in', () => {
    const { frequencies } = filled(8);
    const expected = Array.from({ length: 1000 }, (_, key) => 1 + (key % 15));
    expect(frequencies().slice(0, 1000)).toEqual(expected);
    expect(frequencies().slice(1000)).toEqual(Array.from({ length: 1000 }, () => 0));
  });

  test('keeps what differs after doubling apart', () => {
    const { sketch } = filled(6);
    const [key, buddy] = [0x1234, 0x1234 | (sketch.counterBytes / 64)];
    sketch.double();
    sketch.raise(buddy, 15);
    expect(sketch.frequency(key)).toBeLessThan(15);
    expect(sketch.frequency(buddy)).toBe(15);
  });

  test('forgets everything at the fourth halving, however late it catches up', () => {
    const { sketch, frequencies } = filled(8);
    for (const halvings of [1, 2]) {
      for (let halving = 0; halving < halvings; halving++) sketch.halve();
      expect(Math.max(...frequencies())).toBe([0, 7, 1][halvings]);
    }
    for (let halving = 0; halving < 100; halving++) sketch.halve();
    expect(Math.max(...frequencies())).toBe(0);
  });

  test('doubles without copying, and takes one chunk at a time as keys are written', () => {
    const { sketch } = filled(10);
    const start = process.memoryUsage().arrayBuffers;
    const taken = (): number => process.memoryUsage().arrayBuffers - start;
    for (let doubling = 0; doubling < 6; doubling++) sketch.double();
    expect(sketch.counterBytes).toBe(64 * MIB);
    expect(taken()).toBeLessThan(MIB);
    for (let key = 0; key < 100; key++) sketch.raise(hashOf(key), 3);
    expect(taken()).toBeLessThan(100 * CHUNK_BYTES + MIB);
    for (let key = 0; key < 60_000; key++) sketch.raise(hashOf(key), 3);
    expect(taken()).toBeGreaterThan(60 * MIB);
    expect(taken()).toBeLessThan(68 * MIB);
    expect(sketch.bytes).toBe(64 * MIB + (64 * MIB * 8) / CHUNK_BYTES);
    sketch.clear();
    expect(sketch.bytes).toBeLessThan(2048);
  });
});
