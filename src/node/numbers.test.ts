import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  INT64_DIGITS_MAX,
  INT64_MAX,
  INT64_MIN,
  parseInt64,
  parseInteger,
  parseSmallInteger,
  putIntegerAtEnd,
} from './numbers.ts';

const padded = (text: string): [Uint8Array, number, number] => [
  Buffer.from(`9-${text}9`, 'latin1'),
  2,
  2 + text.length,
];

describe('whole numbers', () => {
  it('are read exactly up to 64 bits, and not beyond', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: INT64_MIN * 3n, max: INT64_MAX * 3n }), (value) => {
        const isIn = value >= INT64_MIN && value <= INT64_MAX;
        expect(parseInt64(...padded(`${value}`))).toBe(isIn ? value : undefined);
        expect(parseInteger(...padded(`${value}`))).toBe(isIn ? Number(value) : NaN);
      }),
    );
  });

  it('of up to 15 digits are read without a bigint', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }), (value) => {
        expect(parseSmallInteger(...padded(`${value}`))).toBe(value);
      }),
    );
    expect(parseSmallInteger(...padded('1000000000000000'))).toBeNaN();
  });

  it.for([
    '',
    '-',
    '-0',
    '00',
    '01',
    '+1',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '\0',
    '1\0',
    '--1',
    '١',
  ])('are not what %j is', (text) => {
    const bytes = Buffer.from(text);
    expect(parseInt64(bytes, 0, bytes.length)).toBeUndefined();
    expect(parseInteger(bytes, 0, bytes.length)).toBeNaN();
    expect(parseSmallInteger(bytes, 0, bytes.length)).toBeNaN();
  });

  it('are written as they are read', () => {
    const target = new Uint8Array(INT64_DIGITS_MAX);
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        const start = putIntegerAtEnd(target, value);
        expect(Buffer.from(target.slice(start)).toString()).toBe(`${value}`);
      }),
    );
  });
});
