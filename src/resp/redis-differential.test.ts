/**
 * The parser against a real `redis-server`: what Redis takes for a request and its arguments, we
 * take for the same; where it speaks of a protocol error and closes, we use the same words.
 *
 * Each request is an `EVAL` that answers its arguments, so that Redis tells how it read them.
 * Where the two are meant to differ is in the last group of tests, a difference each.
 */

import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type RedisServer,
  redisServerIsMissing,
  startRedisServer,
} from '../../test/support/redis-server.ts';
import { OutputBuffer } from '../runtime/index.ts';
import { encodeRequest, REQUEST_LIMITS, writeError } from './index.ts';
import { argument, latin1, multibulk, transcriptOf } from './test-support.ts';

const SCRIPT = ['EVAL', 'return ARGV', '0'];
const INLINE_SCRIPT = 'EVAL "return ARGV" 0';

/** Sends all of it and then its end; returns what came back until the server closed. */
async function replyOf(server: RedisServer, bytes: Uint8Array): Promise<string> {
  const socket = connect(server.port, '127.0.0.1');
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'connect');
  socket.end(bytes);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString('latin1');
}

/** What Redis is to answer if it reads the stream as we do. */
function expectedReply(bytes: Uint8Array, isAuthenticated = true): string {
  const out = new OutputBuffer();
  for (const event of transcriptOf([bytes], REQUEST_LIMITS, Infinity, isAuthenticated)) {
    if (typeof event === 'string') writeError(out, `ERR ${event.replace('!error: ', '')}`);
    else encodeRequest(out, event.slice(SCRIPT.length).map(latin1));
  }
  return Buffer.from(out.view()).toString('latin1');
}

const binary = fc.array(argument, { maxLength: 5 }).map((args) => multibulk(...SCRIPT, ...args));

const blank = fc.constantFrom('\r\n', '\n', '*0\r\n', '*-1\r\n', ' \t\r\n', '*-7\r\n');

const word = fc.string({
  unit: fc.constantFrom(...' \t\v\f"\'\\xnrtbaAFf09g|\u00ff\r'.split('')),
  maxLength: 10,
});

const inline = fc
  .tuple(fc.array(word, { maxLength: 4 }), fc.constantFrom('\r\n', '\n'))
  .map(([words, lineEnd]) => `${INLINE_SCRIPT} ${words.join(' ')}${lineEnd}`);

const invalidNumber = fc.constantFrom(
  '',
  '01',
  '+1',
  '-0',
  '-',
  '1 ',
  ' 1',
  '1e1',
  'x',
  '2147483648',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775809',
  '99999999999999999999',
);

/** Streams end where Redis closes, and some end in the middle of something. */
const ending = fc.oneof(
  fc.constant(''),
  invalidNumber.map((count) => `*${count}\r\n`),
  invalidNumber.map((length) => `*1\r\n$${length}\r\n`),
  fc.constantFrom('-1', '536870913').map((length) => `*2\r\n$1\r\na\r\n$${length}\r\n`),
  fc.constantFrom(...'aZ*:+- \r\n%|'.split('')).map((type) => `*1\r\n${type}3\r\nabc\r\n`),
  fc.constantFrom(
    '*',
    '*2',
    '*2\r',
    '*2\r\n',
    '*1\r\n$',
    '*1\r\n$3',
    '*1\r\n$3\r\nab',
    '*-9223372036854775808\r\n',
  ),
  fc.constantFrom('GET "a', "GET 'a'b", 'GET "a\r\n', "GET 'a\r\n", 'GET "a"b\r\n', "GET 'a'b\r\n"),
);

const requestStream = fc
  .tuple(fc.array(fc.oneof(binary, blank, inline), { maxLength: 6 }), ending)
  .map(([parts, last]) => latin1(parts.join('') + last));

describe.skipIf(redisServerIsMissing())('redis-server', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedisServer();
  });
  afterAll(() => server.stop());

  test('reads the same requests and says the same of broken ones', async () => {
    await fc.assert(
      fc.asyncProperty(requestStream, async (bytes) => {
        expect(await replyOf(server, bytes)).toBe(expectedReply(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ['an inline request', 'a'.repeat(64 * 1024 + 1)],
    ['an argument count', `*${'1'.repeat(64 * 1024)}`],
    ['an argument length', `*1\r\n$${'1'.repeat(64 * 1024)}`],
  ])('gives up at the same byte where %s never ends', async (_, text) => {
    for (const bytes of [latin1(text), latin1(text.slice(0, -1))]) {
      expect(await replyOf(server, bytes)).toBe(expectedReply(bytes));
    }
    expect(expectedReply(latin1(text))).toContain('too big');
    expect(expectedReply(latin1(text.slice(0, -1)))).toBe('');
  });

  test('limits a client that has not authenticated in the same words', async () => {
    await using guarded = await startRedisServer('--requirepass', 'secret');
    const header = '*1\r\n$';
    for (const text of ['*11\r\n', '*10\r\n', `${header}16385\r\n`, `${header}16384\r\n`]) {
      const bytes = latin1(text);
      expect(await replyOf(guarded, bytes)).toBe(expectedReply(bytes, false));
    }
    expect(expectedReply(latin1('*11\r\n'), false)).toContain('unauthenticated multibulk length');
    expect(expectedReply(latin1(`${header}16385\r\n`), false)).toContain('unauthenticated bulk');
  });

  describe('differs where it is meant to:', () => {
    const echo = multibulk('ECHO', 'next');
    const answered = '$4\r\nnext\r\n';

    const bulk = 'v'.repeat(1024 * 1024 + 1);
    test.each([
      [
        'an argument over the limit is answered and passed over, not stored',
        multibulk('SET', 'k', bulk) + echo,
        `+OK\r\n${answered}`,
        [`!oversized: argument of ${bulk.length} bytes exceeds the limit of 1048576 bytes`, 'next'],
      ],
      [
        'more arguments than a million are refused, not awaited',
        '*1048577\r\n',
        '',
        ['!error: Protocol error: invalid multibulk length'],
      ],
      [
        'what follows an argument must be its line end, not any two bytes',
        `*2\r\n$4\r\nECHO\r\n$4\r\nnextXX${echo}`,
        answered + answered,
        ['!error: Protocol error: expected CRLF after bulk argument'],
      ],
      [
        'what follows the CR of a header must be an LF',
        `*2\rX$4\rXECHO\r\n$4\r\nnext\r\n`,
        answered,
        ['!error: Protocol error: invalid multibulk length'],
      ],
      [
        'a NUL in an inline request is a byte, not the end of what is looked at',
        'ECHO a\0b\r\n',
        '',
        ['a\0b'],
      ],
      [
        'HTTP is told what this port speaks, not closed without a word',
        'POST / HTTP/1.1\r\nHost: cache\r\n\r\n',
        '',
        ['!error: Protocol error: this port speaks RESP (the Redis protocol), not HTTP'],
      ],
      [
        'a byte that is not printable is named in hex, not sent back',
        '*1\r\n\u00ff\r\n',
        "-ERR Protocol error: expected '$', got '\u00ff'\r\n",
        [String.raw`!error: Protocol error: expected '$', got '\xff'`],
      ],
    ])('%s', async (_, text, theirs, ours) => {
      const bytes = latin1(text);
      expect(await replyOf(server, bytes)).toBe(theirs);
      const found = transcriptOf([bytes]);
      expect(found.map((event) => (typeof event === 'string' ? event : event[1]))).toEqual(ours);
    });
  });
});
