/** Values that are numbers. */
import { writeBigInteger, writeBulk, writeInteger } from '../../resp/index.ts';
import { latin1, type Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { addExtended, formatExtended, parseExtended, type Extended } from '../extended.ts';
import {
  INT64_DIGITS_MAX,
  INT64_MAX,
  INT64_MIN,
  parseInt64,
  parseSmallInteger,
  putIntegerAtEnd,
} from '../numbers.ts';

const group = 'string';

/** Where new values are written out, one at a time. */
const digits = new Uint8Array(INT64_DIGITS_MAX);

/** Adds `sign` times the number in argument 2 to the value. */
function addArgument(call: Call, sign: 1 | -1): void {
  const small = parseSmallInteger(call.bytes, call.starts[2], call.ends[2]);
  if (!Number.isNaN(small)) {
    addSmall(call, sign * small);
    return;
  }
  const large = parseInt64(call.bytes, call.starts[2], call.ends[2]);
  if (large === undefined) call.fail(ERRORS.notInteger);
  else if (sign === -1 && large === INT64_MIN) call.fail('ERR decrement would overflow');
  else addLarge(call, BigInt(sign) * large);
}

/** Both numbers below 10 ** 15, which is nearly always so, makes their sum exact. */
function addSmall(call: Call, increment: number): void {
  const ref = call.find(1);
  const { arena } = call.engine;
  let value = 0;
  if (ref !== 0) {
    const start = arena.valueStart(ref);
    value = parseSmallInteger(arena.octets(ref), start, start + arena.valueLength(ref));
    if (Number.isNaN(value)) {
      addLarge(call, BigInt(increment));
      return;
    }
  }
  const sum = value + increment;
  if (storeDigits(call, ref, putIntegerAtEnd(digits, sum))) writeInteger(call.out, sum);
}

function addLarge(call: Call, increment: bigint): void {
  const ref = call.find(1);
  const { arena } = call.engine;
  let value: bigint | undefined = 0n;
  if (ref !== 0) {
    const start = arena.valueStart(ref);
    value = parseInt64(arena.octets(ref), start, start + arena.valueLength(ref));
  }
  if (value === undefined) {
    call.fail(ERRORS.notInteger);
    return;
  }
  const sum = value + increment;
  if (sum < INT64_MIN || sum > INT64_MAX) {
    call.fail(ERRORS.overflow);
    return;
  }
  const text = sum.toString();
  const start = digits.length - text.length;
  for (let i = 0; i < text.length; i++) digits[start + i] = text.charCodeAt(i);
  if (storeDigits(call, ref, start)) writeBigInteger(call.out, sum);
}

/** Stores `digits[start, end)` as the value; its deadline stays. */
function storeDigits(call: Call, ref: number, start: number): boolean {
  if (!call.fitsLimits(1, digits.length - start)) return false;
  const deadlineMs = ref === 0 ? 0 : call.engine.arena.deadline(ref);
  if (!call.store(1, digits, start, digits.length, deadlineMs)) {
    call.fail(ERRORS.noRoom);
    return false;
  }
  return true;
}

function incrbyfloat(call: Call): void {
  const ref = call.find(1);
  const { arena } = call.engine;
  let value: Extended | undefined = ZERO;
  if (ref !== 0) {
    const start = arena.valueStart(ref);
    value = parseExtended(latin1(arena.octets(ref), start, start + arena.valueLength(ref)));
  }
  const increment = parseExtended(call.text(2));
  if (value === undefined || increment === undefined) {
    call.fail(ERRORS.notFloat);
    return;
  }
  const sum = addExtended(value, increment);
  if (sum === undefined || sum.infinity !== 0) {
    call.fail(ERRORS.notFiniteSum);
    return;
  }
  const text = Buffer.from(formatExtended(sum), 'latin1');
  if (!call.fitsLimits(1, text.length)) return;
  const deadlineMs = ref === 0 ? 0 : arena.deadline(ref);
  if (!call.store(1, text, 0, text.length, deadlineMs)) {
    call.fail(ERRORS.noRoom);
    return;
  }
  writeBulk(call.out, text);
}

const ZERO: Extended = { mantissa: 0n, exponent: 0, infinity: 0 };

const keys = [{ first: 1, last: 1, step: 1, access: 'RW access update' }];
const flags = ['write', 'denyoom', 'fast'] as const;

export const COUNTER_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'incr',
    arity: 2,
    flags,
    keys,
    group,
    summary: 'Adds one to the integer in a value; a missing one counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => addSmall(call, 1),
  },
  {
    name: 'decr',
    arity: 2,
    flags,
    keys,
    group,
    summary: 'Takes one from the integer in a value; a missing one counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: (call) => addSmall(call, -1),
  },
  {
    name: 'incrby',
    arity: 3,
    flags,
    keys,
    group,
    summary: 'Adds to the integer in a value; a missing one counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key increment',
    run: (call) => addArgument(call, 1),
  },
  {
    name: 'decrby',
    arity: 3,
    flags,
    keys,
    group,
    summary: 'Takes from the integer in a value; a missing one counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key decrement',
    run: (call) => addArgument(call, -1),
  },
  {
    name: 'incrbyfloat',
    arity: 3,
    flags,
    keys,
    group,
    summary: 'Adds to the decimal number in a value; a missing one counts as 0.',
    since: '2.6.0',
    complexity: 'O(1)',
    syntax: 'key float',
    run: incrbyfloat,
  },
];
