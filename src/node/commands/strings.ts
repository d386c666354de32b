/** Reading and writing whole values. */
import { writeArrayHeader, writeBulk, writeInteger } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { deadlineFrom, INVALID_DEADLINE } from '../expiry.ts';

const group = 'string';

/** Writes a record's value as the reply. */
export function replyValue(call: Call, ref: number): void {
  const { arena } = call.engine;
  const start = arena.valueStart(ref);
  writeBulk(call.out, arena.octets(ref), start, start + arena.valueLength(ref));
}

function get(call: Call): void {
  const ref = call.read(1);
  if (ref === 0) call.null();
  else replyValue(call, ref);
}

interface SetOptions {
  deadlineMs: number;
  keepsTtl: boolean;
  onlyIfMissing: boolean;
  onlyIfPresent: boolean;
  repliesOld: boolean;
}

function set(call: Call): void {
  if (call.count === 3) {
    if (call.storeArgument(1, 2, 0)) {
      call.changed(1);
      call.ok();
    }
    return;
  }
  const options = parseSetOptions(call);
  if (options !== undefined) setWith(call, options);
}

function parseSetOptions(call: Call): SetOptions | undefined {
  const options: SetOptions = {
    deadlineMs: 0,
    keepsTtl: false,
    onlyIfMissing: false,
    onlyIfPresent: false,
    repliesOld: false,
  };
  for (let i = 3; i < call.count; i++) {
    const word = call.word(i);
    const hasTtl = options.deadlineMs !== 0 || options.keepsTtl;
    if (word === 'nx' && !options.onlyIfPresent) options.onlyIfMissing = true;
    else if (word === 'xx' && !options.onlyIfMissing) options.onlyIfPresent = true;
    else if (word === 'get') options.repliesOld = true;
    else if (word === 'keepttl' && !hasTtl) options.keepsTtl = true;
    else if (isTtlWord(word) && !hasTtl && i + 1 < call.count) {
      options.deadlineMs = deadlineFrom(call, ++i, word);
      if (options.deadlineMs === INVALID_DEADLINE) return undefined;
    } else {
      call.fail(ERRORS.syntax);
      return undefined;
    }
  }
  return options;
}

function isTtlWord(word: string): word is 'ex' | 'px' | 'exat' | 'pxat' {
  return word === 'ex' || word === 'px' || word === 'exat' || word === 'pxat';
}

function setWith(call: Call, options: SetOptions): void {
  const old = options.repliesOld ? call.read(1) : call.find(1);
  const isRefused = options.onlyIfMissing ? old !== 0 : options.onlyIfPresent && old === 0;
  const replyStart = call.out.length;
  if (options.repliesOld) {
    if (old === 0) call.null();
    else replyValue(call, old);
  }
  if (isRefused) {
    if (!options.repliesOld) call.null();
    return;
  }
  const kept = options.keepsTtl && old !== 0 ? call.engine.arena.deadline(old) : 0;
  const deadlineMs = options.keepsTtl ? kept : options.deadlineMs;
  // An error takes the place of the old value as the reply.
  if (!call.storeArgument(1, 2, deadlineMs, replyStart)) return;
  call.changed(1);
  if (!options.repliesOld) call.ok();
}

function mget(call: Call): void {
  writeArrayHeader(call.out, call.count - 1);
  for (let i = 1; i < call.count; i++) {
    const ref = call.read(i);
    if (ref === 0) call.null();
    else replyValue(call, ref);
  }
}

function strlen(call: Call): void {
  const ref = call.read(1);
  writeInteger(call.out, ref === 0 ? 0 : call.engine.arena.valueLength(ref));
}

const first = { first: 1, last: 1, step: 1 };

export const STRING_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'get',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: first,
    group,
    summary: 'Returns the value of a key.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: get,
  },
  {
    name: 'set',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: first,
    group,
    summary: 'Sets the value of a key, whatever it was before, and removes its deadline.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax:
      'key value [NX | XX] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
      'PXAT unix-time-milliseconds | KEEPTTL]',
    run: set,
  },
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: { first: 1, last: -1, step: 1 },
    group,
    summary: 'Returns the values of several keys.',
    since: '1.0.0',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    maySlow: true,
    run: mget,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: first,
    group,
    summary: 'Returns the length of a value.',
    since: '2.2.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: strlen,
  },
];
