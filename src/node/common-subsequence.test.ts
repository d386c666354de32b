import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CommonSubsequence } from './common-subsequence.ts';

const text = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.array(fc.constantFrom(1, 2, 3, 255), { maxLength }).map((bytes) => Buffer.from(bytes));

function run(a: Uint8Array, b: Uint8Array, isLengthOnly = false): CommonSubsequence {
  const common = new CommonSubsequence(a, b, isLengthOnly);
  while (!common.step());
  return common;
}

/** The textbook's recursion, with its results kept. */
function lengthByDefinition(a: Uint8Array, b: Uint8Array): number {
  const known = new Map<string, number>();
  const of = (i: number, j: number): number => {
    if (i === a.length || j === b.length) return 0;
    const name = `${i},${j}`;
    const value =
      known.get(name) ??
      (a[i] === b[j] ? 1 + of(i + 1, j + 1) : Math.max(of(i + 1, j), of(i, j + 1)));
    known.set(name, value);
    return value;
  };
  return of(0, 0);
}

function isSubsequence(part: Uint8Array, whole: Uint8Array): boolean {
  let at = 0;
  for (const byte of part) {
    while (at < whole.length && whole[at] !== byte) at++;
    if (at++ >= whole.length) return false;
  }
  return true;
}

describe('the longest common subsequence', () => {
  it('is in both, and none is longer', () => {
    fc.assert(
      fc.property(text(25), text(25), (a, b) => {
        const common = run(a, b);
        expect(common.length).toBe(lengthByDefinition(a, b));
        expect(common.result.length).toBe(common.length);
        expect(isSubsequence(common.result, a) && isSubsequence(common.result, b)).toBe(true);
        expect(run(a, b, true).length).toBe(common.length);
      }),
    );
  });

  it('is what its ranges hold, in both strings', () => {
    fc.assert(
      fc.property(text(40), text(40), (a, b) => {
        const common = run(a, b);
        const ranges = common.ranges.toReversed();
        const inA = ranges.map(({ aStart, aEnd }) => a.subarray(aStart, aEnd + 1));
        const inB = ranges.map(({ bStart, bEnd }) => b.subarray(bStart, bEnd + 1));
        expect(Buffer.concat(inA)).toEqual(Buffer.from(common.result));
        expect(Buffer.concat(inB)).toEqual(Buffer.from(common.result));
      }),
    );
  });

  it('takes more steps for longer strings, each of bounded work', () => {
    const a = Buffer.alloc(3000, 'ab');
    const b = Buffer.alloc(3000, 'ba');
    const common = new CommonSubsequence(a, b, false);
    let steps = 1;
    while (!common.step()) steps++;
    expect(steps).toBeGreaterThan(80);
    expect(common.length).toBe(2999);
  });

  it('is refused where it would take too much time or memory', () => {
    expect(CommonSubsequence.accepts(10_000, 10_000)).toBe(true);
    expect(CommonSubsequence.accepts(12_000, 12_000)).toBe(false);
    expect(CommonSubsequence.accepts(1, 60_000_000)).toBe(false);
    expect(CommonSubsequence.accepts(0, 0)).toBe(true);
  });
});
