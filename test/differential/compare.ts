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
  'cluster|getkeysinslot': alikeKeysInSlot,
  scan: alikeScan,
  randomkey: bothOrNeitherNull,
  'object|idletime': (redis, ours) => near(redis, ours, 5),
  'memory|usage': bothOrNeitherNull,
};

/** Commands that tell about the server, where only the kind of reply can be the same. */
const SAME_KIND: ReadonlySet<string> = new Set([
  ...['hello', 'time', 'info', 'command', 'lastsave'],
  ...['client|id', 'client|info', 'client|list', 'client|help', 'config|get', 'config|help'],
  ...['command|count', 'command|docs', 'command|info', 'command|list', 'command|help'],
  ...['slowlog|get', 'slowlog|len', 'slowlog|help', 'latency|histogram', 'latency|doctor'],
  ...['cluster|slots', 'cluster|shards', 'cluster|nodes', 'cluster|info', 'cluster|links'],
  ...['cluster|myid', 'cluster|help'],
  ...['latency|help', 'memory|doctor', 'memory|stats', 'memory|help', 'object|help'],
]);

/** What to make of two replies. */
export type Verdict =
  | { readonly kind: 'alike' }
  /** Different as it is meant to be. */
  | { readonly kind: 'meant' }
  /** Different as it is meant to be, and what follows can't be compared. */
  | { readonly kind: 'states-part' }
  | { readonly kind: 'different'; readonly words: string };

const ALIKE: Verdict = { kind: 'alike' };

export function compareReplies(
  request: readonly Uint8Array[],
  redis: Buffer,
  ours: Buffer,
): Verdict {
  if (redis.equals(ours)) return ALIKE;
  const name = word(request[0]);
  const fullName = `${name}|${request.length > 1 ? word(request[1]) : ''}`;
  const rule = RULES[fullName] ?? RULES[name];
  const isRuled = rule !== undefined && !isError(redis) && !isError(ours);
  if (isRuled && rule(redis, ours, request)) return ALIKE;
  const isAbout = SAME_KIND.has(name) || SAME_KIND.has(fullName);
  if (isAbout && redis[0] === ours[0] && !isError(redis)) return ALIKE;
  const meant = meantDifference(fullName, redis, ours, request);
  if (meant !== undefined) return { kind: meant.statesPart ? 'states-part' : 'meant' };
  return { kind: 'different', words: `redis: ${show(redis)}\nours:  ${show(ours)}` };
}

function word(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').toLowerCase();
}

function isError(reply: Buffer): boolean {
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

/** Where not all were wanted, any will do. */
function alikeKeysInSlot(redis: Buffer, ours: Buffer, request: readonly Uint8Array[]): boolean {
  const wanted = Number(word(request[3]));
  const counts = [redis, ours].map((reply) => elementsOf(reply).length);
  return inAnyOrder(redis, ours) || (counts[0] === wanted && counts[1] === wanted);
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

function show(reply: Buffer): string {
  return JSON.stringify(reply.toString('latin1'));
}
