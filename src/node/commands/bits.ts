/** Values as rows of bits; bit 0 is the highest bit of the first byte. */
import { REPLIES, writeEncoded, writeInteger } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';

const group = 'bitmap';

/** The position in argument 2; NaN after it has replied with an error. */
function bitOffset(call: Call): number {
  const text = 'ERR bit offset is not an integer or out of range';
  const offset = call.integer(2, text);
  if (Number.isNaN(offset)) return NaN;
  if (offset >= 0 && Math.floor(offset / 8) < call.node.settings.valueBytesMax) return offset;
  call.fail(text);
  return NaN;
}

function getbit(call: Call): void {
  const offset = bitOffset(call);
  if (Number.isNaN(offset)) return;
  writeInteger(call.out, bitAt(call, call.read(1), offset));
}

function bitAt(call: Call, ref: number, offset: number): number {
  const byte = Math.floor(offset / 8);
  const { arena } = call.engine;
  if (ref === 0 || byte >= arena.valueLength(ref)) return 0;
  return (arena.octets(ref)[arena.valueStart(ref) + byte] >>> (7 - (offset % 8))) & 1;
}

function setbit(call: Call): void {
  const offset = bitOffset(call);
  if (Number.isNaN(offset)) return;
  if (!call.is(3, '0') && !call.is(3, '1')) {
    call.fail('ERR bit is not an integer or out of range');
    return;
  }
  const byte = Math.floor(offset / 8);
  if (!call.reserve(1, Math.max(byte + 1, valueLength(call, call.find(1))))) return;
  const old = call.find(1);
  const before = bitAt(call, old, offset);
  const ref = call.resize(1, Math.max(byte + 1, valueLength(call, old)));
  const { arena } = call.engine;
  const octets = arena.octets(ref);
  const at = arena.valueStart(ref) + byte;
  const mask = 0x80 >>> (offset % 8);
  if (call.is(3, '1')) octets[at] |= mask;
  else octets[at] &= ~mask;
  call.changed(1, ref);
  writeInteger(call.out, before);
}

function valueLength(call: Call, ref: number): number {
  return ref === 0 ? 0 : call.engine.arena.valueLength(ref);
}

/** A part of a value in bits: from `first` to `last`; empty where `last` is before `first`. */
interface BitRange {
  first: number;
  last: number;
}

interface RangeOptions {
  start: number;
  end: number;
  isEndGiven: boolean;
  inBits: boolean;
}

/** Whether the unit in an argument is bits; undefined after it has replied with an error. */
function parseUnit(call: Call, index: number): boolean | undefined {
  if (call.is(index, 'bit')) return true;
  if (call.is(index, 'byte')) return false;
  call.fail(ERRORS.syntax);
  return undefined;
}

function rangeWithin(valueBytes: number, options: RangeOptions): BitRange {
  const unit = options.inBits ? 1 : 8;
  const total = (valueBytes * 8) / unit;
  const { start, end } = options;
  const first = Math.max(0, start < 0 ? total + start : start);
  const last = Math.min(total - 1, Math.max(0, end < 0 ? total + end : end));
  return first > last
    ? { first: 0, last: -1 }
    : { first: first * unit, last: (last + 1) * unit - 1 };
}

function bitcount(call: Call): void {
  const options = parseCountRange(call);
  if (options === undefined) return;
  const ref = call.read(1);
  const { start, end } = options;
  if (ref === 0 || (start < 0 && end < 0 && start > end)) {
    writeEncoded(call.out, REPLIES.zero);
    return;
  }
  const { arena } = call.engine;
  const range = rangeWithin(arena.valueLength(ref), options);
  writeInteger(call.out, countOnes(arena.octets(ref), arena.valueStart(ref), range));
}

function parseCountRange(call: Call): RangeOptions | undefined {
  const options = { start: 0, end: -1, isEndGiven: false, inBits: false };
  if (call.count === 2) return options;
  if (call.count === 3 || call.count > 5) {
    call.fail(ERRORS.syntax);
    return undefined;
  }
  options.start = call.integer(2);
  if (Number.isNaN(options.start)) return undefined;
  options.end = call.integer(3);
  if (Number.isNaN(options.end)) return undefined;
  if (call.count === 4) return options;
  const inBits = parseUnit(call, 4);
  return inBits === undefined ? undefined : { ...options, inBits };
}

function countOnes(octets: Uint8Array, valueStart: number, { first, last }: BitRange): number {
  if (last < first) return 0;
  const firstByte = valueStart + Math.floor(first / 8);
  const lastByte = valueStart + Math.floor(last / 8);
  let count = 0;
  for (let at = firstByte; at <= lastByte; at++) count += ONES[octets[at]];
  count -= ONES[octets[firstByte] & ~(0xff >>> (first % 8))];
  return count - ONES[octets[lastByte] & (0x7f >>> (last % 8))];
}

/** How many bits are set in each byte. */
const ONES = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>>= 1) count += rest & 1;
  return count;
});

function bitpos(call: Call): void {
  const bit = call.integer(2);
  if (Number.isNaN(bit)) return;
  if (bit !== 0 && bit !== 1) {
    call.fail('ERR The bit argument must be 1 or 0.');
    return;
  }
  const options = parsePositionRange(call);
  if (options === undefined) return;
  const ref = call.read(1);
  if (ref === 0) {
    writeInteger(call.out, bit === 1 ? -1 : 0);
    return;
  }
  const { arena } = call.engine;
  const length = arena.valueLength(ref);
  const range = rangeWithin(length, options);
  const at = findBit(arena.octets(ref), arena.valueStart(ref), range, bit);
  // A value counts as followed by zeros, unless the client said where it ends.
  const isZeroBeyond = at === -1 && bit === 0 && !options.isEndGiven && range.last >= range.first;
  writeInteger(call.out, isZeroBeyond ? length * 8 : at);
}

/** Redis looks at the unit before it looks at the end. */
function parsePositionRange(call: Call): RangeOptions | undefined {
  const options = { start: 0, end: -1, isEndGiven: call.count >= 5, inBits: false };
  if (call.count === 3) return options;
  if (call.count > 6) {
    call.fail(ERRORS.syntax);
    return undefined;
  }
  options.start = call.integer(3);
  if (Number.isNaN(options.start)) return undefined;
  const inBits = call.count === 6 ? parseUnit(call, 5) : false;
  if (inBits === undefined) return undefined;
  if (call.count >= 5) options.end = call.integer(4);
  return Number.isNaN(options.end) ? undefined : { ...options, inBits };
}

/** The first position of `bit` in a range of bits, or -1. */
function findBit(octets: Uint8Array, start: number, range: BitRange, bit: number): number {
  const without = bit === 1 ? 0 : 0xff;
  const { first, last } = range;
  let at = first;
  while (at <= last) {
    const byte = octets[start + Math.floor(at / 8)];
    if (at % 8 === 0 && byte === without) at += 8;
    else if (((byte >>> (7 - (at % 8))) & 1) === bit) return at;
    else at++;
  }
  return -1;
}

const first = { first: 1, last: 1, step: 1 };

export const BIT_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'getbit',
    arity: 3,
    flags: ['readonly', 'fast'],
    keys: [{ ...first, access: 'RO access' }],
    group,
    summary: 'Returns one bit of a value.',
    since: '2.2.0',
    complexity: 'O(1)',
    syntax: 'key offset',
    run: getbit,
  },
  {
    name: 'setbit',
    arity: 4,
    flags: ['write', 'denyoom'],
    keys: [{ ...first, access: 'RW access update' }],
    group,
    summary: 'Sets one bit of a value, which grows if need be; returns what the bit was.',
    since: '2.2.0',
    complexity: 'O(1), or O(N) with N the length of a value that grows',
    syntax: 'key offset value',
    run: setbit,
  },
  {
    name: 'bitcount',
    arity: -2,
    flags: ['readonly'],
    keys: [{ ...first, access: 'RO access' }],
    group,
    summary: 'Returns how many bits are set in a value or a part of it.',
    since: '2.6.0',
    complexity: 'O(N) with N the length of the part',
    syntax: 'key [start end [BYTE | BIT]]',
    maySlow: true,
    run: bitcount,
  },
  {
    name: 'bitpos',
    arity: -3,
    flags: ['readonly'],
    keys: [{ ...first, access: 'RO access' }],
    group,
    summary: 'Returns where in a value, or a part of it, the first bit of a kind is.',
    since: '2.8.7',
    complexity: 'O(N) with N the length of the part',
    syntax: 'key bit [start [end [BYTE | BIT]]]',
    maySlow: true,
    run: bitpos,
  },
];
