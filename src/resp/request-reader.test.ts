import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  INCOMPLETE,
  OVERSIZED,
  PROTOCOL_ERROR,
  REQUEST,
  REQUEST_LIMITS,
  RequestReader,
} from './index.ts';

import {
  argumentsOf,
  binaryRequest,
  cut,
  cuts,
  latin1,
  multibulk,
  mutatedStream,
  SMALL_LIMITS,
  stream,
  transcriptOf,
} from './test-support.ts';

describe('a stream of bytes', () => {
  test('gives the same requests and errors, however it is cut', () => {
    fc.assert(
      fc.property(fc.oneof(stream, mutatedStream), cuts, (bytes, fractions) => {
        const whole = transcriptOf([bytes], SMALL_LIMITS);
        expect(transcriptOf(cut(bytes, fractions), SMALL_LIMITS)).toEqual(whole);
      }),
      { numRuns: 3000 },
    );
  });

  test('gives the same requests and errors byte by byte', () => {
    fc.assert(
      fc.property(fc.oneof(stream, mutatedStream), (bytes) => {
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(transcriptOf(single, SMALL_LIMITS)).toEqual(transcriptOf([bytes], SMALL_LIMITS));
      }),
      { numRuns: 500 },
    );
  });

  test('gives the same requests where the connection takes only some of each piece', () => {
    fc.assert(
      fc.property(stream, cuts, fc.integer({ min: 0, max: 3 }), (bytes, fractions, most) => {
        const whole = transcriptOf([bytes], SMALL_LIMITS);
        expect(transcriptOf(cut(bytes, fractions), SMALL_LIMITS, most)).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });

  test('gives the same requests where much is left over from piece to piece', () => {
    const long = fc.array(binaryRequest, { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(long, cuts, fc.integer({ min: 1, max: 6 }), (requests, fractions, most) => {
        const bytes = latin1(requests.join(''));
        const whole = transcriptOf([bytes], SMALL_LIMITS);
        expect(transcriptOf(cut(bytes, fractions), SMALL_LIMITS, most)).toEqual(whole);
      }),
      { numRuns: 300 },
    );
  });

  test('of whole requests gives exactly those', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.string({ maxLength: 30 }), { minLength: 1 })),
        cuts,
        (requests, fractions) => {
          const ascii = requests.map((args) => args.map((arg) => arg.replaceAll(/[^\0-~]/g, '?')));
          const bytes = latin1(ascii.map((args) => multibulk(...args)).join(''));
          expect(transcriptOf(cut(bytes, fractions))).toEqual(ascii);
        },
      ),
    );
  });
});

/** Gives the reader a stream in pieces of a transport's size; tells the most memory it held. */
function mostAllocated(reader: RequestReader, pieces: Iterable<Uint8Array>): number {
  let most = 0;
  for (const piece of pieces) {
    reader.push(piece, 0, piece.length);
    let code = reader.next();
    while (code !== INCOMPLETE && code !== PROTOCOL_ERROR) code = reader.next();
    reader.finish();
    most = Math.max(most, reader.bytesAllocated);
  }
  return most;
}

/** `text`, again and again, in pieces of 64 KiB. */
function* repeated(text: string, times: number): Iterable<Uint8Array> {
  const period = latin1(text.repeat(Math.ceil((128 * 1024) / text.length)));
  let left = text.length * times;
  for (let at = 0; left > 0; at = (at + 64 * 1024) % text.length) {
    const size = Math.min(64 * 1024, left);
    yield period.subarray(at, at + size);
    left -= size;
  }
}

describe('memory', () => {
  test('stays small through a million pipelined requests', () => {
    const reader = new RequestReader();
    const request = multibulk('SET', 'key:000000012345', 'v'.repeat(40));
    expect(mostAllocated(reader, repeated(request, 1_000_000))).toBeLessThanOrEqual(4096);
    expect(reader.bytesCarried).toBe(0);
  });

  test('is what has arrived, not what was declared', () => {
    const reader = new RequestReader({ ...REQUEST_LIMITS, argumentBytesMax: 512 * 1024 * 1024 });
    const header = latin1('*1000000\r\n$60000000\r\n');
    expect(mostAllocated(reader, [header])).toBe(512);
    let arrived = header.length;
    for (const size of [1, 100, 1000, 10_000, 100_000, 1_000_000]) {
      arrived += size;
      const most = mostAllocated(reader, [new Uint8Array(size)]);
      expect(most).toBeLessThanOrEqual(Math.max(512, 2 * arrived));
      expect(reader.bytesCarried).toBe(arrived);
    }
    expect(reader.request.starts.length).toBe(16);
  });

  test('stays small while a request that is too large goes by', () => {
    const reader = new RequestReader();
    const size = 200 * 1024 * 1024;
    const filler = new Uint8Array(64 * 1024);
    function* pieces(): Iterable<Uint8Array> {
      yield latin1(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${size}\r\n`);
      for (let sent = 0; sent < size; sent += filler.length) yield filler;
    }
    expect(mostAllocated(reader, pieces())).toBeLessThanOrEqual(4096);
    const rest = latin1(`\r\n${multibulk('PING')}`);
    reader.push(rest, 0, rest.length);
    expect(reader.next()).toBe(OVERSIZED);
    expect(reader.next()).toBe(REQUEST);
    expect(argumentsOf(reader.request)).toEqual(['PING']);
  });

  test('is given back after a large request', () => {
    const reader = new RequestReader();
    const request = latin1(multibulk('SET', 'k', 'v'.repeat(1_000_000)) + multibulk('GET', 'k'));
    const beforeEnd = request.length - 10;
    expect(mostAllocated(reader, cut(request.subarray(0, beforeEnd), [0.3, 0.6]))).toBeLessThan(
      2 * request.length,
    );
    expect(reader.bytesAllocated).toBeLessThanOrEqual(4096);
    expect(mostAllocated(reader, [request.subarray(beforeEnd)])).toBeLessThanOrEqual(4096);
    expect(reader.bytesCarried).toBe(0);
  });

  test('is bounded by what a paused connection has left', () => {
    const reader = new RequestReader();
    const piece = latin1(multibulk('PING').repeat(4000));
    reader.push(piece, 0, piece.length);
    expect(reader.next()).toBe(REQUEST);
    reader.finish();
    expect(reader.bytesAllocated).toBeLessThanOrEqual(2 * piece.length);
    let requests = 1;
    while (reader.next() === REQUEST) requests++;
    reader.finish();
    expect(requests).toBe(4000);
    expect(reader.bytesAllocated).toBeLessThanOrEqual(4096);
  });
});

test('a request is unfinished from its first byte to its last, kept or passed over', () => {
  const limits = { ...REQUEST_LIMITS, argumentBytesMax: 1024 };
  for (const text of [multibulk('GET', 'k'), multibulk('SET', 'v'.repeat(5000), 'k'), 'PING\r\n']) {
    const reader = new RequestReader(limits);
    const bytes = latin1(text);
    expect(reader.hasUnfinished).toBe(false);
    const isUnfinished = Array.from(bytes, (_, at) => {
      mostAllocated(reader, [bytes.subarray(at, at + 1)]);
      return reader.hasUnfinished;
    });
    expect(isUnfinished.lastIndexOf(true)).toBe(bytes.length - 2);
    expect(isUnfinished.indexOf(false)).toBe(bytes.length - 1);
  }
});

test('a piece is finished before the next one comes', () => {
  const reader = new RequestReader();
  reader.push(latin1('*1\r\n'), 0, 4);
  expect(() => reader.push(latin1('$4\r\n'), 0, 4)).toThrow('finished');
});
