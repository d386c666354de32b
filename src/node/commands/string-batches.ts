/** Reading and writing several values at once. */
import { REPLIES, writeArrayHeader, writeEncoded } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { replyValue } from './strings.ts';

const group = 'string';

function mget(call: Call): void {
  writeArrayHeader(call.out, call.count - 1);
  for (let i = 1; i < call.count; i++) {
    const ref = call.read(i);
    if (ref === 0) call.null();
    else replyValue(call, ref);
  }
}

function mset(call: Call): void {
  if (hasPairs(call) && storePairs(call)) call.ok();
}

function msetnx(call: Call): void {
  if (!hasPairs(call)) return;
  for (let i = 1; i < call.count; i += 2) {
    if (call.find(i) === 0) continue;
    writeEncoded(call.out, REPLIES.zero);
    return;
  }
  if (storePairs(call)) writeEncoded(call.out, REPLIES.one);
}

function hasPairs(call: Call): boolean {
  if (call.count % 2 === 1) return true;
  call.failArity();
  return false;
}

/** Stores nothing where a pair exceeds a limit, or where all together can have no room. */
function storePairs(call: Call): boolean {
  let bytes = 0;
  for (let i = 1; i < call.count; i += 2) {
    if (!call.fitsLimits(i, call.length(i + 1))) return false;
    bytes += call.length(i) + call.length(i + 1);
  }
  if (!call.hasRoomFor(bytes)) return false;
  for (let i = 1; i < call.count; i += 2) {
    if (!call.storeArgument(i, i + 1, 0)) return false;
  }
  return true;
}

const pairs = { first: 1, last: -1, step: 2 };

export const STRING_BATCH_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'mget',
    arity: -2,
    flags: ['readonly', 'fast'],
    keys: [{ first: 1, last: -1, step: 1, access: 'RO access' }],
    tips: ['request_policy:multi_shard'],
    group,
    summary: 'Returns the values of several keys.',
    since: '1.0.0',
    complexity: 'O(N) with N keys',
    syntax: 'key [key ...]',
    maySlow: true,
    run: mget,
  },
  {
    name: 'mset',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [{ ...pairs, access: 'OW update' }],
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    group,
    summary: 'Sets the values of several keys.',
    since: '1.0.1',
    complexity: 'O(N) with N keys',
    syntax: 'key value [key value ...]',
    maySlow: true,
    run: mset,
  },
  {
    name: 'msetnx',
    arity: -3,
    flags: ['write', 'denyoom'],
    keys: [{ ...pairs, access: 'OW insert' }],
    tips: ['request_policy:multi_shard', 'response_policy:agg_min'],
    group,
    summary: 'Sets the values of several keys, or of none where one of them exists.',
    since: '1.0.1',
    complexity: 'O(N) with N keys',
    syntax: 'key value [key value ...]',
    maySlow: true,
    run: msetnx,
  },
];
