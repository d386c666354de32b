/**
 * Where this node means to answer otherwise than the redis-server that Debian ships, 7.0.15.
 *
 * `docs/differences.md` is made of this table, the comparison tolerates what is in it and nothing
 * else, and each entry's example is run to show that the difference is there.
 */
import { elementsOf } from '../support/wire-client.ts';

export interface MeantDifference {
  /** The commands it concerns, in lower case. */
  readonly commands: readonly string[];
  /** What Redis 7.0.15 answers. */
  readonly redis: string;
  /** What this node answers. */
  readonly ours: string;
  readonly reason: string;
  /** Requests of which the last one's replies differ. */
  readonly example: ReadonlyArray<readonly string[]>;
  /** Whether the two servers' states differ afterwards, so that there is no more to compare. */
  readonly statesPart?: boolean;
  /** Whether it shows in a cluster only. */
  readonly isOfCluster?: boolean;
  /** Whether the two replies, as text, differ in this way and no other. */
  covers(redis: string, ours: string, request: readonly string[]): boolean;
}

const NOT_INTEGER = '-ERR value is not an integer or out of range\r\n';
const SYNTAX_ERROR = '-ERR syntax error\r\n';

export const DIFFERENCES: readonly MeantDifference[] = [
  {
    commands: ['bitcount', 'bitpos'],
    redis: 'Where the key is missing, arguments are not looked at: the reply is `0` or `-1`.',
    ours: 'Arguments that are wrong are an error, whether the key is there or not.',
    reason: 'Redis 7.2 does so too.',
    example: [['BITCOUNT', 'missing', 'one', 'two']],
    covers: (redis, ours) =>
      /^:(0|-1)\r\n$/.test(redis) && (ours === NOT_INTEGER || ours === SYNTAX_ERROR),
  },
  {
    commands: ['cluster', 'readonly', 'readwrite', 'asking'],
    redis: 'A server without `cluster-enabled` refuses them.',
    ours: 'A node that stands alone answers as a cluster of one that owns all slots.',
    reason: 'Cluster clients work from the first node on, and go on working with more of them.',
    example: [['CLUSTER', 'KEYSLOT', 'key']],
    covers: (redis) => redis === '-ERR This instance has cluster support disabled\r\n',
  },
  {
    commands: ['client|setinfo', 'client|no-touch', 'cluster|myshardid'],
    redis: 'They are unknown.',
    ours: 'They are there.',
    reason: 'Redis 7.2 has them.',
    example: [['CLIENT', 'SETINFO', 'LIB-NAME', 'name']],
    covers: (redis) => redis.startsWith('-ERR unknown subcommand '),
  },
  {
    commands: ['command|getkeys', 'command|getkeysandflags'],
    redis: 'They take at least two words.',
    ours: 'They take one, the name of a command, which may need no more.',
    reason: 'Redis 7.2 does so too.',
    example: [['COMMAND', 'GETKEYS', 'GET']],
    covers: (redis, ours, request) =>
      request.length === 3 &&
      redis.startsWith("-ERR wrong number of arguments for 'command|getkeys") &&
      ours.startsWith('-ERR '),
  },
  {
    commands: ['client|tracking'],
    redis: 'In RESP2, or with `REDIRECT`, invalidation messages go by Pub/Sub, or nowhere.',
    ours: 'They are RESP3 pushes on the same connection; anything else is refused.',
    reason: 'There is no Pub/Sub, and a client that is told nothing would serve what is stale.',
    example: [['CLIENT', 'TRACKING', 'ON']],
    statesPart: true,
    covers: (redis, ours) =>
      ours.startsWith('-ERR CLIENT TRACKING needs RESP3') ||
      (ours.startsWith('-ERR REDIRECT is not supported') && redis !== ours),
  },
  {
    commands: ['object|encoding'],
    redis:
      'It depends on how the value came about: `raw` after `APPEND`, `SETRANGE` and `SETBIT`, ' +
      '`embstr` for a whole number that `INCRBYFLOAT` has left.',
    ours: 'It follows from the value: `int` for a 64-bit integer, `embstr` up to 44 bytes, else `raw`.',
    reason: 'All values are stored alike here; the answer is there for tools that ask.',
    example: [
      ['SET', 'key', 'a'],
      ['APPEND', 'key', 'b'],
      ['OBJECT', 'ENCODING', 'key'],
    ],
    covers: (redis, ours) => redis === '$3\r\nraw\r\n' || (isEmbedded(redis) && isInteger(ours)),
  },
  {
    commands: ['memory|usage'],
    redis: 'A key that has expired and was not met since has a size.',
    ours: 'There is no such key.',
    reason: 'An expired key is gone for every command.',
    example: [
      ['SET', 'key', 'value', 'PXAT', '1'],
      ['MEMORY', 'USAGE', 'key'],
    ],
    covers: (redis, ours) => redis.startsWith(':') && (ours === '$-1\r\n' || ours === '_\r\n'),
  },
  {
    commands: ['cluster|countkeysinslot', 'cluster|getkeysinslot'],
    redis: 'A key that has expired and was not met since is counted, and listed.',
    ours: 'There is no such key.',
    reason: 'An expired key is gone for every command.',
    example: [
      ['SET', '', 'in slot 0', 'PXAT', '1'],
      ['CLUSTER', 'COUNTKEYSINSLOT', '0'],
    ],
    isOfCluster: true,
    covers: (redis, ours) =>
      redis.startsWith(':')
        ? ours.startsWith(':') && Number(ours.slice(1)) < Number(redis.slice(1))
        : areSomeOf(redis, ours),
  },
  {
    commands: ['scan'],
    redis: 'A cursor, like every option, ends at its first NUL byte.',
    ours: 'Arguments count to their end.',
    reason: 'What follows a NUL is not dropped in silence.',
    example: [['SCAN', '0\0x']],
    covers: (redis, ours, request) =>
      request[1].includes('\0') && redis !== ours && ours === '-ERR invalid cursor\r\n',
  },
  {
    commands: ['config|set'],
    redis: 'It changes any of its parameters but a few.',
    ours: 'What this node has no use for, or derives from its own settings, takes its present value only: `hz`, `save`, `appendonly`, `databases`, `io-threads`, `tcp-keepalive`, `client-output-buffer-limit`, `latency-tracking` and their like.',
    reason: 'A setting that is taken and does nothing would be a promise that is not kept.',
    example: [['CONFIG', 'SET', 'hz', '20']],
    statesPart: true,
    covers: (redis, ours) =>
      redis === '+OK\r\n' && ours.endsWith(" - can't set immutable config\r\n"),
  },
  {
    commands: ['pexpiretime', 'pttl'],
    redis: 'Deadlines are exact to the millisecond as far as 64 bits go.',
    ours: 'Beyond 2^53 ms, in the year 287396, they are rounded to the nearest double.',
    reason: 'Times are doubles here, which hold every millisecond until then.',
    example: [
      ['SET', 'key', 'value', 'PXAT', '9007199254740993'],
      ['PEXPIRETIME', 'key'],
    ],
    covers: (redis, ours) =>
      redis !== ours &&
      Number(redis.slice(1)) > 2 ** 53 - 1 &&
      Math.abs(Number(redis.slice(1)) / Number(ours.slice(1)) - 1) < 2 ** -50,
  },
];

function isEmbedded(reply: string): boolean {
  return reply === '$6\r\nembstr\r\n';
}

function isInteger(reply: string): boolean {
  return reply === '$3\r\nint\r\n';
}

/** Whether both are arrays, and the second has some of what is in the first and nothing else. */
function areSomeOf(all: string, some: string): boolean {
  if (!all.startsWith('*') || !some.startsWith('*')) return false;
  const [more, fewer] = [all, some].map((reply) =>
    elementsOf(Buffer.from(reply, 'latin1')).map((element) => element.toString('latin1')),
  );
  return fewer.length < more.length && fewer.every((element) => more.includes(element));
}

/** The difference that explains two replies, if any does. */
export function meantDifference(
  command: string,
  redis: Buffer,
  ours: Buffer,
  request: readonly Uint8Array[],
): MeantDifference | undefined {
  const words = request.map((part) => Buffer.from(part).toString('latin1'));
  return DIFFERENCES.find(
    (difference) =>
      (difference.commands.includes(command) ||
        difference.commands.includes(command.split('|')[0])) &&
      difference.covers(redis.toString('latin1'), ours.toString('latin1'), words),
  );
}
