/** Sequences that once showed a difference, and some that chance would rarely try. */
import type { Sequence, Token } from './requests.ts';

export const EXAMPLES: ReadonlyArray<readonly [name: string, ...requests: string[]]> = [
  ['the time of SET is looked at after its options', 'SET k v EX one FOO', 'SET k v EX one'],
  ['an option may come twice', 'SET k v EX 100 EX 200', 'GETEX k PERSIST PERSIST', 'TTL k'],
  ['GETEX looks at the time only where there is a key', 'GETEX k EX one', 'GETEX k EX'],
  [
    'BITPOS takes ends out of order, unlike BITCOUNT',
    'SET k a',
    'BITPOS k 0 -1 -9',
    'BITCOUNT k -1 -9',
  ],
  ['SELECT names the range of its number', 'SELECT 2147483648', 'SELECT one', 'SELECT 1'],
  ['CLIENT LIST takes any id', 'CLIENT LIST ID 0', 'CLIENT LIST ID x', 'CLIENT LIST TYPE x'],
  ['CLIENT KILL wants a positive id', 'CLIENT KILL ID 0', 'CLIENT KILL ID 9999', 'CLIENT KILL x'],
  ['CLIENT PAUSE names its modes', 'CLIENT PAUSE 0 x', 'CLIENT PAUSE x', 'CLIENT PAUSE -1'],
  ['SLOWLOG GET takes one number', 'SLOWLOG GET 1 1', 'SLOWLOG GET -2', 'SLOWLOG GET 0'],
  ['CONFIG SET wants pairs', 'CONFIG SET maxmemory 100mb timeout', 'CONFIG SET maxmemory'],
  ['CONFIG SET sets all or none', 'CONFIG SET timeout 7 maxmemory x', 'CONFIG GET timeout'],
  ['CONFIG SET says what is wrong', 'CONFIG SET timeout -1', 'CONFIG SET timeout x'],
  ['CONFIG SET takes no name twice', 'CONFIG SET timeout 7 timeout 8', 'CONFIG SET nosuch 1'],
  ['CONFIG SET takes a size in words', 'CONFIG SET maxmemory 1gb', 'CONFIG GET MAXmemory'],
  ['CONFIG SET takes what cannot be otherwise', 'CONFIG SET save ""', 'CONFIG SET appendonly no'],
  [
    "CONFIG SET knows Redis' policies",
    'CONFIG SET maxmemory-policy allkeys-lfu',
    'CONFIG GET maxmemory-policy',
  ],
  ['CONFIG GET takes several names', 'CONFIG GET save appendonly sav* nosuch', 'CONFIG GET'],
  [
    'LATENCY has nothing to tell at first',
    'LATENCY LATEST',
    'LATENCY HISTORY x',
    'LATENCY RESET x',
  ],
  ['prefixes are quoted up to a NUL', 'CLIENT TRACKING ON BCAST PREFIX \0 PREFIX ""'],
  ['WAIT without replicas', 'WAIT 0 0', 'WAIT x 0', 'WAIT 0 x', 'WAIT 0 -1', 'WAIT 1 5'],
  ['unknown words are quoted', 'NOSUCH a "" b', 'CLIENT NOSUCH', 'OBJECT', 'COMMAND LIST x'],
  [
    'COMMAND GETKEYS finds keys',
    'COMMAND GETKEYS MSET a b c d',
    'COMMAND GETKEYSANDFLAGS COPY a b',
  ],
  ['HELLO refuses what it does not know', 'HELLO 4', 'HELLO x', 'HELLO 3 SETNAME', 'HELLO 3 x'],
  [
    'a deadline at the end of time',
    'SET k v',
    'PEXPIREAT k 9223372036854775807',
    'EXPIRE k 9223372036854775807',
  ],
  ['RENAME onto itself', 'SET k v', 'RENAME k k', 'RENAMENX k k', 'RENAME nosuch nosuch', 'GET k'],
  [
    'COPY onto itself',
    'SET k v',
    'COPY k k',
    'COPY k l DB 1',
    'COPY k l DB 0',
    'COPY k l',
    'COPY k l REPLACE',
  ],
  ['INCRBYFLOAT keeps the deadline', 'SET k 1 EX 100', 'INCRBYFLOAT k 0.1', 'TTL k', 'GET k'],
  [
    'a value that grows keeps its deadline',
    'SET k 1 EX 100',
    'APPEND k x',
    'SETRANGE k 9 x',
    'SETBIT k 99 1',
    'TTL k',
    'GET k',
  ],
];

export function exampleSequences(requests: readonly string[]): Sequence[] {
  const steps = requests.map((line): Token[] =>
    line.split(' ').map((word) => (word === '""' ? '' : word)),
  );
  return [2, 3].map((version) => ({ version: version === 2 ? 2 : 3, isPipelined: true, steps }));
}
