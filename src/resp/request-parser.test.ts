import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INCOMPLETE,
  OVERSIZED,
  PROTOCOL_ERROR,
  REQUEST,
  REQUEST_LIMITS,
  type RequestLimits,
  RequestParser,
} from './index.ts';
import {
  argumentsOf,
  latin1,
  multibulk,
  mutatedStream,
  SMALL_LIMITS,
  stream,
  transcriptOf,
} from './test-support.ts';

function parse(
  text: string,
  limits: RequestLimits = SMALL_LIMITS,
): ReturnType<typeof transcriptOf> {
  return transcriptOf([latin1(text)], limits);
}

describe('a request parser', () => {
  test('goes on where it stopped, wherever the bytes lie by then', () => {
    const steps = fc.infiniteStream(fc.tuple(fc.nat(40), fc.nat(200)));
    fc.assert(
      fc.property(fc.oneof(stream, mutatedStream), steps, (bytes, moves) => {
        const parser = new RequestParser(SMALL_LIMITS);
        const found: Array<string[] | string> = [];
        let first = 0;
        let arrived = 0;
        for (const [more, offset] of moves) {
          const end = offset + arrived - first;
          const moved = new Uint8Array(end + 8).fill(0x0d);
          moved.set(bytes.subarray(first, arrived), offset);
          const code = parser.parse(moved, offset, end);
          if (parser.position < offset || parser.position > end) found.push('!outside');
          first += parser.position - offset;
          if (code === PROTOCOL_ERROR) found.push(`!error: ${parser.errorText}`);
          if (code === OVERSIZED) found.push(`!oversized: ${parser.errorText}`);
          if (code === REQUEST) found.push(argumentsOf(parser));
          if (code === PROTOCOL_ERROR) break;
          if (code !== INCOMPLETE) continue;
          if (arrived === bytes.length) break;
          arrived = Math.min(bytes.length, arrived + more);
        }
        expect(found).toEqual(transcriptOf([bytes], SMALL_LIMITS));
      }),
      { numRuns: 2000 },
    );
  });

  test('needs as many bytes as it says, at the least', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        const parser = new RequestParser(SMALL_LIMITS);
        let first = 0;
        let needed = 0;
        for (let end = 0; end <= bytes.length; end++) {
          const code = parser.parse(bytes, first, end);
          first = parser.position;
          if (code === PROTOCOL_ERROR) return true;
          if (code === INCOMPLETE) {
            needed = first + parser.bytesNeeded;
            if (needed <= end) return false;
          } else {
            if (end < needed) return false;
            end = first - 1;
          }
        }
        return true;
      }),
      { numRuns: 1000 },
    );
  });

  test('knows the rest of a long argument at once', () => {
    const parser = new RequestParser();
    const bytes = latin1('*2\r\n$3\r\nGET\r\n$500000\r\nabc');
    expect(parser.parse(bytes, 0, bytes.length)).toBe(INCOMPLETE);
    expect(parser.bytesNeeded).toBe(bytes.length - 3 + 500_000 + 2);
  });

  test.each([
    ['an inline request', 'x'.repeat(60_000)],
    ['a header', `*${'1'.repeat(60_000)}`],
    ['many arguments', multibulk(...new Array<string>(6000).fill('a'))],
    ['a long argument', multibulk('SET', 'key', 'v'.repeat(60_000))],
    ['an argument that is passed over', multibulk('SET', 'k', 'v'.repeat(60_000))],
  ])('looks at each byte a few times only, as %s comes byte by byte', (name, text) => {
    const limits = { ...REQUEST_LIMITS, argumentBytesMax: name.includes('over') ? 1024 : 2 ** 20 };
    const bytes = latin1(text);
    let reads = 0;
    const counted = new Proxy(bytes, {
      get(target, property) {
        reads++;
        return Reflect.get(target, property) as unknown;
      },
    });
    const parser = new RequestParser(limits);
    let first = 0;
    for (let end = 1; end <= bytes.length; end++) {
      parser.parse(counted, first, end);
      first = parser.position;
    }
    expect(reads).toBeGreaterThan(0);
    expect(reads / bytes.length).toBeLessThan(20);
  });

  test('takes any bytes as an argument', () => {
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    expect(parse(multibulk('SET', 'a\0b\u00ff\u00c0', bytes))).toEqual([
      ['SET', 'a\0b\u00ff\u00c0', bytes],
    ]);
    expect(parse(multibulk('', ''))).toEqual([['', '']]);
  });

  test('passes over requests without arguments', () => {
    expect(parse(`\r\n*0\r\n*-1\r\n \t \r\n\n${multibulk('PING')}\r\n`)).toEqual([['PING']]);
    expect(parse('*0\r\n'.repeat(100_000))).toEqual([]);
  });

  test('takes inline requests, quoted as in redis-cli', () => {
    const lines: ReadonlyArray<readonly [line: string, words: readonly string[]]> = [
      ['PING', ['PING']],
      ['  SET  a\tb ', ['SET', 'a', 'b']],
      [String.raw`SET "a b" 'c "d"'`, ['SET', 'a b', 'c "d"']],
      [String.raw`"\x41\xfF\n\r\t\b\a\"\\\q"`, ['A\u00ff\n\r\t\b\u0007"\\q']],
      [String.raw`'\'\n' "\xg1" "\x4"`, ["'\\n", 'xg1', 'x4']],
      [`"" ''`, ['', '']],
      ['a"b c"', ['ab c']],
      ['GET /key', ['GET', '/key']],
      ['GET HTTP', ['GET', 'HTTP']],
      ['get / HTTP/1.1', ['get', '/', 'HTTP/1.1']],
      [`MGET ${'k '.repeat(25)}`, ['MGET', ...new Array<string>(25).fill('k')]],
    ];
    const found = lines.map(([line]) => parse(`${line}\r\n${line}\n`));
    expect(found).toEqual(lines.map(([, words]) => [words, words]));
  });

  test.each(['"', "'", '"a', "a'b", '"a"b', `'a'b`, `"a"'b'`, String.raw`"a\"`, String.raw`'a\'`])(
    'refuses unbalanced quotes: %s',
    (line) => {
      expect(parse(`${line}\r\nPING\r\n`)).toEqual([
        '!error: Protocol error: unbalanced quotes in request',
      ]);
    },
  );

  test.each([
    'GET / HTTP/1.1\r\nHost: a\r\n',
    'HEAD /healthz HTTP/1.0\r\n',
    'GET /metrics HTTP/1.1\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'POST /\r\n',
    'post x\r\n',
    'Host: cache\r\n',
    'host:\r\n',
    `CONNECT ${'a'.repeat(40)} HTTP/1.1\r\n`,
  ])('tells HTTP what this port speaks: %j', (text) => {
    expect(parse(text)).toEqual([
      '!error: Protocol error: this port speaks RESP (the Redis protocol), not HTTP',
    ]);
  });

  test('refuses numbers in any form but the canonical one', () => {
    const numbers = ['', '-', '+1', '01', '-0', ' 1', '1 ', '1.0', '1e1', '0x1', 'a', '\0'];
    const counts = numbers.map((number) => parse(`*${number}\r\n`));
    const content = `${'x'.repeat(300)}\r\n`;
    const lengths = [...numbers, '/', ':', 'x', '1/', '1:', '10/', '10:'].map((number) =>
      parse(`*1\r\n$${number}\r\n${content}`),
    );
    expect(counts).toEqual(numbers.map(() => ['!error: Protocol error: invalid multibulk length']));
    expect(lengths).toEqual(lengths.map(() => ['!error: Protocol error: invalid bulk length']));
  });

  test('refuses a header whose CR has no LF', () => {
    for (const length of ['4', '04', '11', '111', '1111']) {
      expect(parse(`*1\r\n$${length}\rX${'a'.repeat(Number(length))}\r\n`)).toEqual([
        '!error: Protocol error: invalid bulk length',
      ]);
      expect(parse(`*${length}\rX$1\r\na\r\n`)).toEqual([
        '!error: Protocol error: invalid multibulk length',
      ]);
    }
  });

  test('forgets how far it looked once a request is whole', () => {
    const pieces = ['*', '1', `\r\n$1\r\na\r\n`, `*\r\n`].map(latin1);
    expect(transcriptOf(pieces)).toEqual([
      ['a'],
      '!error: Protocol error: invalid multibulk length',
    ]);
  });

  test('refuses negative lengths, and lengths beyond the ceiling', () => {
    for (const length of ['-1', '-9223372036854775808', '536870913', '9223372036854775808']) {
      expect(parse(`*1\r\n$${length}\r\n`)).toEqual([
        '!error: Protocol error: invalid bulk length',
      ]);
    }
    expect(parse('*1\r\n$536870912\r\n')).toEqual([]);
  });

  test('refuses headers that never end', () => {
    expect(parse(`*${'1'.repeat(63)}`)).toEqual([]);
    expect(parse(`*${'1'.repeat(64)}`)).toEqual([
      '!error: Protocol error: too big mbulk count string',
    ]);
    expect(parse(`*1\r\n$${'1'.repeat(64)}`)).toEqual([
      '!error: Protocol error: too big bulk count string',
    ]);
    expect(parse('x'.repeat(64))).toEqual([]);
    expect(parse('x'.repeat(65))).toEqual(['!error: Protocol error: too big inline request']);
    expect(parse(`${'x'.repeat(64)}\n`)).toEqual([['x'.repeat(64)]]);
    expect(parse(`${'x'.repeat(65)}\n`)).toEqual([
      '!error: Protocol error: too big inline request',
    ]);
  });

  test('has nesting for nothing but an error', () => {
    expect(parse('*1\r\n*1\r\n$4\r\nPING\r\n')).toEqual([
      "!error: Protocol error: expected '$', got '*'",
    ]);
    expect(parse('*1\r\n'.repeat(100_000))).toHaveLength(1);
  });

  test('keeps to its limit of arguments', () => {
    const most = new Array<string>(SMALL_LIMITS.argumentCountMax).fill('a');
    expect(parse(multibulk(...most))).toEqual([most]);
    expect(parse(multibulk(...most, 'a'))).toEqual([
      '!error: Protocol error: invalid multibulk length',
    ]);
  });

  test('passes over requests with an argument over the limit, and lives on', () => {
    const most = 'v'.repeat(1024);
    const over = multibulk('SET', 'k', `${most}v`, '', `${most}${most}`);
    expect(parse(multibulk('SET', 'k', most) + over + multibulk('PING'))).toEqual([
      ['SET', 'k', most],
      '!oversized: argument of 1025 bytes exceeds the limit of 1024 bytes',
      ['PING'],
    ]);
  });

  test('passes over requests that are over the limit as a whole', () => {
    const [a, b] = ['a'.repeat(1000), 'b'.repeat(1019)];
    const largest = multibulk('G', a, b);
    expect(largest).toHaveLength(SMALL_LIMITS.requestBytesMax);
    const byteByByte = Array.from(latin1(largest), (byte) => Uint8Array.of(byte));
    expect(transcriptOf(byteByByte, SMALL_LIMITS)).toEqual([['G', a, b]]);
    expect(parse(largest + multibulk('G', a, `${b}b`) + multibulk('PING'))).toEqual([
      ['G', a, b],
      '!oversized: request exceeds the limit of 2048 bytes',
      ['PING'],
    ]);
  });

  test('refuses a broken request also while it passes over it', () => {
    const over = '*3\r\n$3\r\nSET\r\n$1025\r\n';
    expect(parse(`${over}${'v'.repeat(1025)}XX`)).toEqual([
      '!error: Protocol error: expected CRLF after bulk argument',
    ]);
    expect(parse(`${over}${'v'.repeat(1025)}\r\n:`)).toEqual([]);
    expect(parse(`${over}${'v'.repeat(1025)}\r\n:1\r\n`)).toEqual([
      "!error: Protocol error: expected '$', got ':'",
    ]);
    expect(parse(`${over}${'v'.repeat(1025)}\r\n$536870913\r\n`)).toEqual([
      '!error: Protocol error: invalid bulk length',
    ]);
  });

  test('says the same again after an error, whatever comes', () => {
    const parser = new RequestParser();
    const bytes = latin1(`*x\r\n${multibulk('PING')}`);
    expect(parser.parse(bytes, 0, bytes.length)).toBe(PROTOCOL_ERROR);
    expect(parser.parse(bytes, 4, bytes.length)).toBe(PROTOCOL_ERROR);
    expect(parser.errorText).toBe('Protocol error: invalid multibulk length');
  });

  test('lets a client that has not authenticated do no more than that', () => {
    const auth = multibulk('AUTH', 'tenant', 's'.repeat(16 * 1024));
    const largest = `*10\r\n${'$1\r\na\r\n'.repeat(10)}`;
    const unauthenticated = (text: string): unknown =>
      transcriptOf([latin1(text)], REQUEST_LIMITS, Infinity, false);
    expect(unauthenticated(auth + largest)).toHaveLength(2);
    expect(unauthenticated('*11\r\n')).toEqual([
      '!error: Protocol error: unauthenticated multibulk length',
    ]);
    expect(unauthenticated('*1048576\r\n')).toEqual([
      '!error: Protocol error: unauthenticated multibulk length',
    ]);
    expect(unauthenticated('*1048577\r\n')).toEqual([
      '!error: Protocol error: invalid multibulk length',
    ]);
    expect(unauthenticated('*1\r\n$16385\r\n')).toEqual([
      '!error: Protocol error: unauthenticated bulk length',
    ]);
    const parser = new RequestParser();
    parser.setAuthenticated(false);
    parser.setAuthenticated(true);
    const eleven = latin1(`*11\r\n${'$1\r\na\r\n'.repeat(11)}`);
    expect(parser.parse(eleven, 0, eleven.length)).toBe(REQUEST);
  });

  test('gives back what a request with many arguments took', () => {
    const parser = new RequestParser();
    const bytes = latin1(multibulk(...new Array<string>(100_000).fill('a')));
    expect(parser.parse(bytes, 0, bytes.length)).toBe(REQUEST);
    expect(parser.argumentCount).toBe(100_000);
    parser.trim();
    expect(parser.starts.length + parser.ends.length).toBeLessThan(100);
  });

  test('keeps what it has found of a request that is not whole yet', () => {
    const parser = new RequestParser();
    const args = Array.from({ length: 5000 }, (_, index) => `${index}`);
    const bytes = latin1(multibulk(...args));
    expect(parser.parse(bytes, 0, bytes.length - 1)).toBe(INCOMPLETE);
    parser.trim();
    expect(parser.parse(bytes, 0, bytes.length)).toBe(REQUEST);
    expect(argumentsOf(parser)).toEqual(args);
  });

  test.each([
    [{ argumentCountMax: 15 }, 'argumentCountMax'],
    [{ argumentCountMax: 2 ** 31 }, 'argumentCountMax'],
    [{ argumentBytesMax: 1023 }, 'argumentBytesMax'],
    [{ argumentBytesMax: 512 * 1024 * 1024 + 1 }, 'argumentBytesMax'],
    [{ requestBytesMax: 1024.5 }, 'requestBytesMax'],
    [{ requestBytesMax: 1024 ** 3 + 1 }, 'requestBytesMax'],
    [{ lineBytesMax: NaN }, 'lineBytesMax'],
  ])('refuses the impossible limit %j', (limit, name) => {
    expect(() => new RequestParser({ ...REQUEST_LIMITS, ...limit })).toThrow(name);
  });
});
