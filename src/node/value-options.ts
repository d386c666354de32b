/** The options of `SET` and `GETEX`, in any order and case. */
import type { Call } from './call.ts';
import { ERRORS } from './errors.ts';
import type { DeadlineUnit } from './expiry.ts';

export interface ValueOptions {
  /** Which of the options about the deadline was given: each excludes the others. */
  ttl: DeadlineUnit | 'keepttl' | 'persist' | undefined;
  /** The argument with the time, where `ttl` is a unit. */
  timeIndex: number;
  onlyIfMissing: boolean;
  onlyIfPresent: boolean;
  repliesOld: boolean;
}

/** Reads the options from argument `from` on; undefined after it has replied with an error. */
export function parseValueOptions(
  call: Call,
  from: number,
  command: 'set' | 'getex',
): ValueOptions | undefined {
  const options: ValueOptions = {
    ttl: undefined,
    timeIndex: 0,
    onlyIfMissing: false,
    onlyIfPresent: false,
    repliesOld: false,
  };
  for (let i = from; i < call.count; i++) {
    const word = call.word(i);
    if (isUnit(word) && mayBe(options, word) && i + 1 < call.count) {
      options.ttl = word;
      options.timeIndex = ++i;
    } else if (!(command === 'set' ? takeSetWord(options, word) : takeGetexWord(options, word))) {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return options;
}

function takeSetWord(options: ValueOptions, word: string): boolean {
  if (word === 'nx' && !options.onlyIfPresent) options.onlyIfMissing = true;
  else if (word === 'xx' && !options.onlyIfMissing) options.onlyIfPresent = true;
  else if (word === 'get') options.repliesOld = true;
  else if (word === 'keepttl' && mayBe(options, word)) options.ttl = word;
  else return false;
  return true;
}

function takeGetexWord(options: ValueOptions, word: string): boolean {
  if (word !== 'persist' || !mayBe(options, word)) return false;
  options.ttl = word;
  return true;
}

/** The same option twice is allowed; the last one counts. */
function mayBe(options: ValueOptions, ttl: ValueOptions['ttl']): boolean {
  return options.ttl === undefined || options.ttl === ttl;
}

export function isUnit(word: string | undefined): word is DeadlineUnit {
  return word === 'ex' || word === 'px' || word === 'exat' || word === 'pxat';
}
