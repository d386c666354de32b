import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addExtended, formatExtended, parseExtended } from './extended.ts';

function sum(left: string, right: string): string | undefined {
  const one = parseExtended(left);
  const other = parseExtended(right);
  const total = one && other && addExtended(one, other);
  return total === undefined || total.infinity !== 0 ? undefined : formatExtended(total);
}

const int63 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n });

describe('extended precision', () => {
  it('adds whole numbers of 63 bits without loss', () => {
    fc.assert(
      fc.property(int63, int63, (left, right) => {
        expect(sum(`${left}`, `${right}`)).toBe(`${left + right}`);
      }),
    );
  });

  it('holds each double, and adds two of them no worse than doubles do', () => {
    const doubles = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 });
    fc.assert(
      fc.property(doubles, doubles, (left, right) => {
        expect(Number(sum(`${left}`, '0'))).toBeCloseTo(left, 15);
        const total = Number(sum(`${left}`, `${right}`));
        expect(Math.abs(total - (left + right))).toBeLessThanOrEqual(
          (Math.abs(left) + Math.abs(right)) * Number.EPSILON + 1e-17,
        );
      }),
    );
  });

  it('does not depend on the order of what is added', () => {
    const numbers = fc
      .tuple(fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }), fc.integer({ min: -40, max: 40 }))
      .map(([digits, power]) => `${digits}e${power}`);
    fc.assert(
      fc.property(numbers, numbers, (left, right) => {
        expect(sum(left, right)).toBe(sum(right, left));
      }),
    );
  });

  it.for([
    ['10.5', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['0.1', '0.2', '0.3'],
    ['3.0e3', '-3e3', '0'],
    ['-0', '0', '0'],
    ['0', '-1e-20', '0'],
    ['1', '1e-17', '1.00000000000000001'],
    ['18446744073709551615', '1', '18446744073709551616'],
    ['18446744073709551616', '1', '18446744073709551616'],
    ['0x1p-3', '0X.8', '0.625'],
    ['.5', '5.', '5.5'],
  ])('%s + %s = %s', ([left, right, total]) => {
    expect(sum(left, right)).toBe(total);
  });

  it.for(['', ' 1', '1 ', '1e', 'e1', '.', '+', '--1', '0x', '1_0', 'nan', '1e5000', '1e-5000'])(
    'does not take %j for a number',
    (text) => {
      expect(parseExtended(text)).toBeUndefined();
    },
  );

  it.for(['inf', '-INF', '+Infinity'])('takes %s for an infinity', (text) => {
    expect(parseExtended(text)?.infinity).toBe(text.startsWith('-') ? -1 : 1);
  });

  it('takes text of any kind without failing, and powers of any size in no time', () => {
    const characters = fc.constantFrom('0', '1', '9', '.', 'e', 'E', '+', '-', 'x', 'p', 'a', 'i');
    fc.assert(
      fc.property(fc.string({ unit: characters, maxLength: 12 }), (text) => {
        const value = parseExtended(text);
        if (value?.infinity === 0) expect(formatExtended(value)).toMatch(/^-?\d+(\.\d+)?$/);
      }),
      { numRuns: 2000 },
    );
    expect(parseExtended('1e999999999999')).toBeUndefined();
    expect(parseExtended('1e-999999999999')).toBeUndefined();
    expect(parseExtended(`0x1p${'9'.repeat(300)}`)).toBeUndefined();
    expect(parseExtended('9'.repeat(5120))).toBeUndefined();
  });
});
