/**
 * Whole numbers as the protocol's headers write them: decimal, an optional minus sign, no plus
 * sign, no leading zero, no white space, within 64 bits. Redis refuses every other form.
 */

import { MINUS, ZERO } from './characters.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const DIGITS_EXACT_MAX = 15;
const DIGITS_MAX = 19;

/**
 * Reads `bytes[start, end)` as a number. Beyond 2^53 the result is the nearest double.
 *
 * @returns `NaN` where it is not the canonical form of a 64-bit number.
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  const negative = start < end && bytes[start] === MINUS;
  const first = negative ? start + 1 : start;
  const digits = end - first;
  if (digits === 0 || digits > DIGITS_MAX) return NaN;
  if (bytes[first] === ZERO) return digits === 1 && !negative ? 0 : NaN;
  let value = 0;
  for (let index = first; index < end; index++) {
    const digit = bytes[index] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  if (digits > DIGITS_EXACT_MAX && !isInt64(parseBigInteger(bytes, start, end))) return NaN;
  return negative ? -value : value;
}

/** Reads `bytes[start, end)`, which must be digits after an optional minus sign. */
export function parseBigInteger(bytes: Uint8Array, start: number, end: number): bigint {
  const negative = bytes[start] === MINUS;
  let text = '';
  for (let index = negative ? start + 1 : start; index < end; index++) {
    text += String.fromCharCode(bytes[index]);
  }
  return negative ? -BigInt(text) : BigInt(text);
}

function isInt64(value: bigint): boolean {
  return value >= INT64_MIN && value <= INT64_MAX;
}
