/** Reading and writing parts of values. */
import { REPLIES, writeBulk, writeEncoded, writeInteger } from '../../resp/index.ts';
import { copyBytes } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';

const group = 'string';

function append(call: Call): void {
  const added = call.length(2);
  if (!call.reserve(1, valueLengthOf(call) + added)) return;
  const lengthBefore = valueLengthOf(call);
  writePart(call, 2, lengthBefore, lengthBefore + added);
  writeInteger(call.out, lengthBefore + added);
}

function setrange(call: Call): void {
  const offset = call.integer(2);
  if (Number.isNaN(offset)) return;
  if (offset < 0) {
    call.fail(ERRORS.offset);
    return;
  }
  const added = call.length(3);
  if (added === 0) {
    writeInteger(call.out, valueLengthOf(call));
    return;
  }
  if (!call.reserve(1, Math.max(valueLengthOf(call), offset + added))) return;
  const length = Math.max(valueLengthOf(call), offset + added);
  writePart(call, 3, offset, length);
  writeInteger(call.out, length);
}

function valueLengthOf(call: Call): number {
  const ref = call.find(1);
  return ref === 0 ? 0 : call.engine.arena.valueLength(ref);
}

/** Copies argument `source` into the value, which gets `length` bytes. Room is reserved. */
function writePart(call: Call, source: number, offset: number, length: number): void {
  const ref = call.resize(1, length);
  const { arena } = call.engine;
  const target = arena.valueStart(ref) + offset;
  const start = call.starts[source];
  copyBytes(call.bytes, start, arena.octets(ref), target, call.ends[source] - start);
  call.changed(1, ref);
}

function getrange(call: Call): void {
  const from = call.integer(2);
  if (Number.isNaN(from)) return;
  const to = call.integer(3);
  if (Number.isNaN(to)) return;
  const ref = call.read(1);
  const { arena } = call.engine;
  const length = ref === 0 ? 0 : arena.valueLength(ref);
  const start = from < 0 ? Math.max(0, length + from) : from;
  const end = Math.min(length - 1, to < 0 ? Math.max(0, length + to) : to);
  if (start > end || (from < 0 && to < 0 && from > to)) {
    writeEncoded(call.out, REPLIES.emptyBulk);
    return;
  }
  const valueStart = arena.valueStart(ref);
  writeBulk(call.out, arena.octets(ref), valueStart + start, valueStart + end + 1);
}

const first = { first: 1, last: 1, step: 1 };

export const STRING_RANGE_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'append',
    arity: 3,
    flags: ['write', 'denyoom', 'fast'],
    keys: [{ ...first, access: 'RW insert' }],
    group,
    summary: 'Adds bytes to the end of a value; a key that does not exist is created.',
    since: '2.0.0',
    complexity: 'O(N) with N the length of the value',
    syntax: 'key value',
    run: append,
  },
  {
    name: 'getrange',
    arity: 4,
    flags: ['readonly'],
    keys: [{ ...first, access: 'RO access' }],
    group,
    summary: 'Returns a part of a value.',
    since: '2.4.0',
    complexity: 'O(N) with N the length of the part',
    syntax: 'key start end',
    run: getrange,
  },
  {
    name: 'substr',
    arity: 4,
    flags: ['readonly'],
    keys: [{ ...first, access: 'RO access' }],
    group,
    summary: 'Returns a part of a value; an older name of GETRANGE.',
    since: '1.0.0',
    complexity: 'O(N) with N the length of the part',
    syntax: 'key start end',
    run: getrange,
  },
  {
    name: 'setrange',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [{ ...first, access: 'RW update' }],
    group,
    summary: 'Overwrites a part of a value; where the value ends before it, zeros fill the gap.',
    since: '2.2.0',
    complexity: 'O(N) with N the length of the value',
    syntax: 'key offset value',
    run: setrange,
  },
];
