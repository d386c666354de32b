/**
 * The 80-bit extended precision in which Redis on x86-64 adds for `INCRBYFLOAT`: 64 bits of
 * mantissa, 15 of exponent, rounding to nearest with ties to even. Computed with exact integers, so
 * that every digit of every sum is the same.
 *
 * Reference: "double extended" in IEEE 754-1985, as Intel's x87 has it.
 */

/** A finite number, `mantissa * 2 ** exponent` with |mantissa| < 2 ** 64, or an infinity. */
export interface Extended {
  readonly mantissa: bigint;
  readonly exponent: number;
  /** 1 or -1 for an infinity, else 0. */
  readonly infinity: -1 | 0 | 1;
}

const MANTISSA_BITS = 64;
const EXPONENT_MIN = -16_445;
const EXPONENT_MAX = 16_320;
/** Beyond these powers of ten all is infinite or zero, whatever the digits. */
const DECIMAL_EXPONENT_MAX = 5_000;
const DECIMAL_EXPONENT_MIN = -10_100;
const FRACTION_DIGITS = 17;
/** Redis parses in a buffer of 5 KiB. */
const TEXT_LENGTH_MAX = 5 * 1024 - 1;

const INFINITY: Extended = { mantissa: 0n, exponent: 0, infinity: 1 };
const NEGATIVE_INFINITY: Extended = { mantissa: 0n, exponent: 0, infinity: -1 };

const DECIMAL = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i;
const HEXADECIMAL = /^([+-]?)0x([\da-f]*)\.?([\da-f]*)(?:p([+-]?\d+))?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** What C's `strtold` reads, if it reads all of `text`; undefined where out of range, or NaN. */
export function parseExtended(text: string): Extended | undefined {
  if (text.length > TEXT_LENGTH_MAX) return undefined;
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? NEGATIVE_INFINITY : INFINITY;
  const hexadecimal = HEXADECIMAL.exec(text);
  const match = hexadecimal ?? DECIMAL.exec(text);
  if (match === null) return undefined;
  const [, sign, whole, fraction, power = '0'] = match;
  const digits = whole + fraction;
  if (digits === '') return undefined;
  const magnitude = BigInt(hexadecimal === null ? digits : `0x${digits}`);
  if (magnitude === 0n) return round(0n, 0, false);
  const signed = sign === '-' ? -magnitude : magnitude;
  const value =
    hexadecimal === null
      ? fromDecimal(signed, Number(power) - fraction.length, digits.length)
      : fromBinary(signed, Number(power) - fraction.length * 4);
  const isOutOfRange = value.infinity !== 0 || value.mantissa === 0n;
  return isOutOfRange ? undefined : value;
}

function fromDecimal(digits: bigint, power: number, digitCount: number): Extended {
  if (power + digitCount > DECIMAL_EXPONENT_MAX) return INFINITY;
  if (power < DECIMAL_EXPONENT_MIN) return round(0n, 0, false);
  if (power >= 0) return round(digits * 10n ** BigInt(power), 0, false);
  const divisor = 10n ** BigInt(-power);
  const shift = Math.max(0, MANTISSA_BITS + 2 + bitLength(divisor) - bitLength(digits));
  const scaled = digits << BigInt(shift);
  return round(scaled / divisor, -shift, scaled % divisor !== 0n);
}

function fromBinary(digits: bigint, power: number): Extended {
  const magnitude = power + bitLength(digits);
  if (magnitude > EXPONENT_MAX + MANTISSA_BITS) return INFINITY;
  if (magnitude < EXPONENT_MIN - 1) return round(0n, 0, false);
  return round(digits, power, false);
}

/** The sum; undefined for an infinity less an infinity. */
export function addExtended(left: Extended, right: Extended): Extended | undefined {
  if (left.infinity !== 0 || right.infinity !== 0) {
    if (left.infinity === -right.infinity) return undefined;
    return left.infinity === 0 ? right : left;
  }
  const exponent = Math.min(left.exponent, right.exponent);
  const sum =
    (left.mantissa << BigInt(left.exponent - exponent)) +
    (right.mantissa << BigInt(right.exponent - exponent));
  return round(sum, exponent, false);
}

/** With up to 17 digits after the point, rounded from the exact value, without ending zeros. */
export function formatExtended(value: Extended): string {
  const scaled = value.mantissa * 10n ** BigInt(FRACTION_DIGITS);
  const units =
    value.exponent >= 0
      ? scaled << BigInt(value.exponent)
      : shiftRight(scaled, -value.exponent, false);
  const digits = abs(units)
    .toString()
    .padStart(FRACTION_DIGITS + 1, '0');
  const point = digits.length - FRACTION_DIGITS;
  const fraction = digits.slice(point).replace(/0+$/, '');
  const text = fraction === '' ? digits.slice(0, point) : `${digits.slice(0, point)}.${fraction}`;
  return units < 0n ? `-${text}` : text;
}

/** The nearest number to `mantissa * 2 ** exponent`, which `isInexact` says is a little larger. */
function round(mantissa: bigint, exponent: number, isInexact: boolean): Extended {
  const excess = Math.max(bitLength(mantissa) - MANTISSA_BITS, EXPONENT_MIN - exponent);
  if (excess <= 0) return within(mantissa, exponent);
  const rounded = shiftRight(mantissa, excess, isInexact);
  return within(rounded, exponent + excess);
}

function within(mantissa: bigint, exponent: number): Extended {
  if (mantissa === 0n) return { mantissa, exponent: 0, infinity: 0 };
  if (bitLength(mantissa) + exponent > EXPONENT_MAX + MANTISSA_BITS) {
    return mantissa < 0n ? NEGATIVE_INFINITY : INFINITY;
  }
  return { mantissa, exponent, infinity: 0 };
}

/** `value / 2 ** count` to the nearest integer, ties to even; `isInexact`: |value| is larger. */
function shiftRight(value: bigint, count: number, isInexact: boolean): bigint {
  const magnitude = abs(value);
  const shift = BigInt(count);
  const floor = magnitude >> shift;
  const twice = (magnitude - (floor << shift)) * 2n;
  const one = 1n << shift;
  const isUp = twice > one || (twice === one && (isInexact || (floor & 1n) === 1n));
  const rounded = isUp ? floor + 1n : floor;
  return value < 0n ? -rounded : rounded;
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : abs(value).toString(2).length;
}
