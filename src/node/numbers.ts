/** Numbers as clients write them, by Redis' rules. */

const MINUS = 0x2d;
const ZERO = 0x30;
const EXACT_DIGITS_MAX = 15;

export const INT32_MIN = -(2 ** 31);
export const INT32_MAX = 2 ** 31 - 1;
export const INT64_MIN = -(2n ** 63n);
export const INT64_MAX = 2n ** 63n - 1n;

/** As many bytes as any 64-bit integer takes in decimal form. */
export const INT64_DIGITS_MAX = 20;

/**
 * `bytes[start, end)` as a whole number in canonical decimal form: no plus sign, no leading zero,
 * no space. NaN where it is not one, or is beyond 15 digits: then `parseInt64` decides.
 */
export function parseSmallInteger(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  const negative = at < end && bytes[at] === MINUS;
  if (negative) at++;
  const digits = end - at;
  if (digits === 0 || digits > EXACT_DIGITS_MAX) return NaN;
  if (bytes[at] === ZERO && (digits > 1 || negative)) return NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return negative ? -value : value;
}

/** `bytes[start, end)` as a 64-bit integer in canonical decimal form, or undefined. */
export function parseInt64(bytes: Uint8Array, start: number, end: number): bigint | undefined {
  const small = parseSmallInteger(bytes, start, end);
  if (!Number.isNaN(small)) return BigInt(small);
  if (end - start > INT64_DIGITS_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  if (!/^-?[1-9][0-9]*$/.test(text)) return undefined;
  const value = BigInt(text);
  return value >= INT64_MIN && value <= INT64_MAX ? value : undefined;
}

/**
 * `bytes[start, end)` as a 64-bit integer, rounded to the nearest double beyond 2^53; NaN where it
 * is not one. For offsets, counts and times, where such a size is out of range anyway.
 */
export function parseInteger(bytes: Uint8Array, start: number, end: number): number {
  const small = parseSmallInteger(bytes, start, end);
  if (!Number.isNaN(small)) return small;
  const large = parseInt64(bytes, start, end);
  return large === undefined ? NaN : Number(large);
}

/**
 * Writes a safe integer's digits at the end of `target`, which has room for them.
 *
 * @returns where they begin
 */
export function putIntegerAtEnd(target: Uint8Array, value: number): number {
  let at = target.length;
  let rest = Math.abs(value);
  do {
    const higher = Math.floor(rest / 10);
    target[--at] = ZERO + (rest - higher * 10);
    rest = higher;
  } while (rest > 0);
  if (value < 0) target[--at] = MINUS;
  return at;
}
