/** Deadlines as clients give them, and as they are told. */
import { writeBigInteger, writeInteger } from '../resp/index.ts';
import type { Call } from './call.ts';
import { ERRORS } from './errors.ts';
import { INT64_MAX, INT64_MIN, parseInt64, parseSmallInteger } from './numbers.ts';

/** Seconds or milliseconds, from now or since 1970. */
export type DeadlineUnit = 'ex' | 'px' | 'exat' | 'pxat';

/** Times up to here, in the year 141,388, are exact in whole numbers, also in milliseconds. */
const EXACT_TIME_MAX = 2 ** 42;

/**
 * The deadline in argument `index`, in milliseconds since 1970; NaN after it has replied with an
 * error. It is any 64-bit number; past 2^53 it is cut to a multiple of 1024.
 */
export function anyDeadlineFrom(call: Call, index: number, unit: DeadlineUnit): number {
  const { bytes, starts, ends } = call;
  const small = parseSmallInteger(bytes, starts[index], ends[index]);
  const factor = unit === 'ex' || unit === 'exat' ? 1000 : 1;
  const base = unit === 'ex' || unit === 'px' ? call.nowMs : 0;
  if (Math.abs(small) < EXACT_TIME_MAX) return small * factor + base;
  const given = parseInt64(bytes, starts[index], ends[index]);
  if (given === undefined) {
    call.fail(ERRORS.notInteger);
    return NaN;
  }
  const time = given * BigInt(factor);
  const deadline = time + BigInt(base);
  if (time < INT64_MIN || deadline > INT64_MAX) return failDeadline(call);
  return Number(Number.isSafeInteger(Number(deadline)) ? deadline : deadline - (deadline % 1024n));
}

/** Like `anyDeadlineFrom`, for `SET`, `GETEX` and their kin: a time has to be positive. */
export function deadlineFrom(call: Call, index: number, unit: DeadlineUnit): number {
  const isNegative = call.bytes[call.starts[index]] === 0x2d || call.is(index, '0');
  const deadline = anyDeadlineFrom(call, index, unit);
  return isNegative && !Number.isNaN(deadline) ? failDeadline(call) : deadline;
}

function failDeadline(call: Call): number {
  call.fail(`ERR invalid expire time in '${call.commandName}' command`);
  return NaN;
}

/** Replies with a time that may be further away than any use has for it. */
export function replyTime(call: Call, milliseconds: number): void {
  if (Number.isSafeInteger(milliseconds)) writeInteger(call.out, milliseconds);
  else writeBigInteger(call.out, BigInt(milliseconds));
}
