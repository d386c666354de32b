/** Deadlines as clients give them. */
import type { Call } from './call.ts';
import { ERRORS } from './errors.ts';
import { parseInteger } from './numbers.ts';

export const INVALID_DEADLINE = -1;

export type DeadlineUnit = 'ex' | 'px' | 'exat' | 'pxat';

/** Redis keeps deadlines as signed 64-bit milliseconds. */
const MILLISECONDS_MAX = Number(2n ** 63n - 1n);

/**
 * The deadline in argument `index`, in milliseconds since 1970; `INVALID_DEADLINE` after it has
 * replied with an error. For `SET`, `GETEX` and their kin: only a positive time is valid.
 */
export function deadlineFrom(call: Call, index: number, unit: DeadlineUnit): number {
  const given = parseInteger(call.bytes, call.starts[index], call.ends[index]);
  if (Number.isNaN(given)) {
    call.fail(ERRORS.notInteger);
    return INVALID_DEADLINE;
  }
  const inSeconds = unit === 'ex' || unit === 'exat';
  const isRelative = unit === 'ex' || unit === 'px';
  const milliseconds = inSeconds ? given * 1000 : given;
  const deadline = isRelative ? milliseconds + call.nowMs : milliseconds;
  if (given <= 0 || deadline >= MILLISECONDS_MAX) {
    call.fail(`ERR invalid expire time in '${call.commandName}' command`);
    return INVALID_DEADLINE;
  }
  return deadline;
}
