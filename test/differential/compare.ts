/** When two replies to the same request count as equal. */
import { elementsOf } from '../support/wire-client.ts';
import { meantDifference } from './differences.ts';

/** Whether two replies that are no errors are alike, for what was asked. */
type Rule = (redis: Buffer, ours: Buffer, request: readonly Uint8Array[]) => boolean;

const TIME_TOLERANCE_MS = 2000;

/** Commands whose right replies are not determined by what was asked before. */
const RULES: Readonly<Record<string, Rule>> = {
  ttl: (redis, ours) => near(redis, ours, 2),
  expiretime: (redis, ours) => near(redis, ours, 2),
  pttl: (redis, ours) => near(redis, ours, TIME_TOLERANCE_MS),
  pexpiretime: (redis, ours) => near(redis, ours, TIME_TOLERANCE_MS),
  keys: inAnyOrder,
  scan: alikeScan,
  randomkey: bothOrNeitherNull,
  'object|idletime': (redis, ours) => near(redis, ours, 5),
  'memory|usage': bothOrNeitherNull,
};

/** What differs, in words; undefined where nothing does, or nothing but what is meant to. */
export function difference(
  request: readonly Uint8Array[],
  redis: Buffer,
  ours: Buffer,
): string | undefined {
  if (redis.equals(ours)) return undefined;
  const name = word(request[0]);
  const fullName = `${name}|${request.length > 1 ? word(request[1]) : ''}`;
  const rule = RULES[fullName] ?? RULES[name];
  const isRuled = rule !== undefined && !isError(redis) && !isError(ours);
  if (isRuled && rule(redis, ours, request)) return undefined;
  if (meantDifference(name, redis, ours, request) !== undefined) return undefined;
  if (meantDifference(fullName, redis, ours, request) !== undefined) return undefined;
  return `redis: ${show(redis)}\nours:  ${show(ours)}`;
}

function word(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').toLowerCase();
}

export function isError(reply: Buffer): boolean {
  return reply[0] === 0x2d;
}

function isNull(reply: Buffer): boolean {
  return reply.equals(Buffer.from('$-1\r\n')) || reply.equals(Buffer.from('_\r\n'));
}

function integerIn(reply: Buffer): bigint | undefined {
  const text = reply.toString('latin1');
  return /^:-?\d+\r\n$/.test(text) ? BigInt(text.slice(1, -2)) : undefined;
}

function near(redis: Buffer, ours: Buffer, tolerance: number): boolean {
  const left = integerIn(redis);
  const right = integerIn(ours);
  if (left === undefined || right === undefined || left < 0n || right < 0n) return false;
  const distance = left > right ? left - right : right - left;
  return distance <= BigInt(tolerance);
}

function inAnyOrder(redis: Buffer, ours: Buffer): boolean {
  return sorted(redis) === sorted(ours);
}

function sorted(reply: Buffer): string {
  return elementsOf(reply)
    .map((element) => element.toString('latin1'))
    .toSorted()
    .join();
}

/** Where either begins or ends in the middle, the two may have been at different places. */
function alikeScan(redis: Buffer, ours: Buffer, request: readonly Uint8Array[]): boolean {
  const [redisCursor, redisKeys] = elementsOf(redis);
  const [ourCursor, ourKeys] = elementsOf(ours);
  const end = Buffer.from('$1\r\n0\r\n');
  if (Number(word(request[1])) !== 0) return true;
  if (!redisCursor.equals(end) || !ourCursor.equals(end)) return true;
  return inAnyOrder(redisKeys, ourKeys);
}

function bothOrNeitherNull(redis: Buffer, ours: Buffer): boolean {
  return isNull(redis) === isNull(ours);
}

export function show(reply: Buffer): string {
  return JSON.stringify(reply.toString('latin1'));
}
