/** Reading and writing whole values. */
import { REPLIES, writeBulk, writeEncoded, writeInteger } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { deadlineFrom, type DeadlineUnit } from '../expiry.ts';
import { isUnit, parseValueOptions, type ValueOptions } from '../value-options.ts';

const group = 'string';

/** Writes a record's value as the reply. */
export function replyValue(call: Call, ref: number): void {
  const { arena } = call.engine;
  const start = arena.valueStart(ref);
  writeBulk(call.out, arena.octets(ref), start, start + arena.valueLength(ref));
}

function replyValueOrNull(call: Call, ref: number): void {
  if (ref === 0) call.null();
  else replyValue(call, ref);
}

function get(call: Call): void {
  replyValueOrNull(call, call.read(1));
}

function set(call: Call): void {
  if (call.count === 3) {
    if (call.storeArgument(1, 2, 0)) call.ok();
    return;
  }
  const options = parseValueOptions(call, 3, 'set');
  if (options === undefined) return;
  const deadlineMs = isUnit(options.ttl) ? deadlineFrom(call, options.timeIndex, options.ttl) : 0;
  if (!Number.isNaN(deadlineMs)) setWith(call, options, deadlineMs);
}

function setWith(call: Call, options: ValueOptions, deadlineMs: number): void {
  const old = options.repliesOld ? call.readToWrite(1) : call.find(1);
  const isRefused = options.onlyIfMissing ? old !== 0 : options.onlyIfPresent && old === 0;
  const replyStart = call.out.length;
  if (options.repliesOld) replyValueOrNull(call, old);
  if (isRefused) {
    if (!options.repliesOld) call.null();
    return;
  }
  const keepsTtl = options.ttl === 'keepttl' && old !== 0;
  const deadline = keepsTtl ? call.engine.arena.deadline(old) : deadlineMs;
  // An error takes the place of the old value as the reply.
  if (!call.storeArgument(1, 2, deadline, replyStart)) return;
  if (!options.repliesOld) call.ok();
}

function setnx(call: Call): void {
  if (call.find(1) !== 0) {
    writeEncoded(call.out, REPLIES.zero);
  } else if (call.storeArgument(1, 2, 0)) {
    writeEncoded(call.out, REPLIES.one);
  }
}

function setWithDeadline(call: Call, unit: DeadlineUnit): void {
  const deadlineMs = deadlineFrom(call, 2, unit);
  if (Number.isNaN(deadlineMs) || !call.storeArgument(1, 3, deadlineMs)) return;
  call.ok();
}

function getset(call: Call): void {
  const replyStart = call.out.length;
  replyValueOrNull(call, call.readToWrite(1));
  call.storeArgument(1, 2, 0, replyStart);
}

function getdel(call: Call): void {
  const ref = call.readToWrite(1);
  replyValueOrNull(call, ref);
  if (ref !== 0) call.remove(1, ref);
}

function getex(call: Call): void {
  const options = parseValueOptions(call, 2, 'getex');
  if (options === undefined) return;
  const ref = call.readToWrite(1);
  if (ref === 0) {
    call.null();
    return;
  }
  const deadlineMs = isUnit(options.ttl) ? deadlineFrom(call, options.timeIndex, options.ttl) : 0;
  if (Number.isNaN(deadlineMs)) return;
  replyValue(call, ref);
  if (options.ttl === undefined) return;
  if (deadlineMs !== 0 && deadlineMs <= call.nowMs) {
    call.remove(1, ref);
  } else if (deadlineMs !== call.engine.arena.deadline(ref)) {
    call.engine.setDeadline(call.domain, ref, deadlineMs);
    call.changed(1, ref);
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
    keys: [{ ...first, access: 'RO access' }],
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
    keys: [{ ...first, access: 'RW access update variable_flags' }],
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
    name: 'setnx',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [{ ...first, access: 'OW insert' }],
    group,
    summary: 'Sets the value of a key that does not exist.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key value',
    run: setnx,
  },
  {
    name: 'setex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [{ ...first, access: 'OW update' }],
    group,
    summary: 'Sets the value of a key and the seconds it has to live.',
    since: '2.0.0',
    complexity: 'O(1)',
    syntax: 'key seconds value',
    run: (call) => setWithDeadline(call, 'ex'),
  },
  {
    name: 'psetex',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [{ ...first, access: 'OW update' }],
    group,
    summary: 'Sets the value of a key and the milliseconds it has to live.',
    since: '2.6.0',
    complexity: 'O(1)',
    syntax: 'key milliseconds value',
    run: (call) => setWithDeadline(call, 'px'),
  },
  {
    name: 'getset',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [{ ...first, access: 'RW access update' }],
    group,
    summary: 'Sets the value of a key and returns the one before.',
    since: '1.0.0',
    complexity: 'O(1)',
    syntax: 'key value',
    run: getset,
  },
  {
    name: 'getdel',
    arity: 2,
    flags: ['write', 'fast'],
    keys: [{ ...first, access: 'RW access delete' }],
    group,
    summary: 'Returns the value of a key and removes the key.',
    since: '6.2.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: getdel,
  },
  {
    name: 'getex',
    arity: -2,
    flags: ['write', 'fast'],
    keys: [{ ...first, access: 'RW access update' }],
    group,
    summary: 'Returns the value of a key and sets or removes its deadline.',
    since: '6.2.0',
    complexity: 'O(1)',
    syntax:
      'key [EX seconds | PX milliseconds | EXAT unix-time-seconds | ' +
      'PXAT unix-time-milliseconds | PERSIST]',
    run: getex,
  },
  {
    name: 'strlen',
    arity: 2,
    flags: ['readonly', 'fast'],
    keys: [{ ...first, access: 'RO' }],
    group,
    summary: 'Returns the length of a value.',
    since: '2.2.0',
    complexity: 'O(1)',
    syntax: 'key',
    run: strlen,
  },
];
