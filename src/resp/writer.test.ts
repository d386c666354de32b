import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutputBuffer } from '../runtime/index.ts';
import {
  encodeRequest,
  REPLIES,
  type RespVersion,
  writeArrayHeader,
  writeBigInteger,
  writeBigNumber,
  writeBoolean,
  writeBulk,
  writeBulkText,
  writeDouble,
  writeEncoded,
  writeError,
  writeInteger,
  writeMapHeader,
  writeNull,
  writeNullArray,
  writePushHeader,
  writeSetHeader,
  writeSimpleString,
  writeVerbatim,
} from './index.ts';
import { cut, cuts, transcriptOf } from './test-support.ts';

/** What a function writes, after bytes that were there before, into a buffer that is too small. */
function written(write: (out: OutputBuffer) => void): string {
  const out = new OutputBuffer(3);
  out.append(Uint8Array.of(0x21));
  write(out);
  const text = Buffer.from(out.view()).toString();
  expect(text[0]).toBe('!');
  return text.slice(1);
}

/** What it writes in RESP2 and in RESP3. */
function inBoth(write: (out: OutputBuffer, version: RespVersion) => void): [string, string] {
  return [written((out) => write(out, 2)), written((out) => write(out, 3))];
}

describe('a writer', () => {
  test('writes every safe integer exactly', () => {
    const edges = [0, -0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 999_999_999];
    edges.push(1e9, 1e9 + 1, 1e10, -1e9, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER);
    for (const edge of edges) {
      expect(written((out) => writeInteger(out, edge))).toBe(`:${edge}\r\n`);
    }
    fc.assert(
      fc.property(fc.oneof(fc.maxSafeInteger(), fc.integer()), (value) => {
        expect(written((out) => writeInteger(out, value))).toBe(`:${value}\r\n`);
      }),
      { numRuns: 3000 },
    );
  });

  test('refuses an integer that a number does not hold exactly', () => {
    for (const value of [2 ** 53, 1.5, NaN, Infinity]) {
      expect(() => written((out) => writeInteger(out, value))).toThrow('exact');
    }
    expect(written((out) => writeBigInteger(out, 2n ** 63n - 1n))).toBe(':9223372036854775807\r\n');
  });

  test('writes text of any length and alphabet in UTF-8', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (text) => {
        const bytes = Buffer.from(text);
        expect(written((out) => writeBulkText(out, text))).toBe(
          `$${bytes.length}\r\n${bytes.toString()}\r\n`,
        );
      }),
      { numRuns: 500 },
    );
  });

  test('writes any range of bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(80), fc.nat(80), (bytes, a, b) => {
        const start = Math.min(a, b, bytes.length);
        const end = Math.min(Math.max(a, b), bytes.length);
        const out = new OutputBuffer(3);
        writeBulk(out, bytes, start, end);
        const expected = [`$${end - start}\r\n`, bytes.slice(start, end), '\r\n'];
        expect(Buffer.from(out.view())).toEqual(
          Buffer.concat(expected.map((part) => Buffer.from(part as string))),
        );
      }),
    );
  });

  test('keeps a reply of one line on one line, whatever is in its text', () => {
    expect(written((out) => writeError(out, "ERR unknown command 'a\r\n+OK\r\nb'"))).toBe(
      "-ERR unknown command 'a  +OK  b'\r\n",
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
        const expected = text.toWellFormed().replaceAll(/[\r\n]/g, ' ');
        expect(written((out) => writeSimpleString(out, text))).toBe(`+${expected}\r\n`);
        expect(written((out) => writeError(out, text))).toBe(`-${expected}\r\n`);
      }),
      { numRuns: 1000 },
    );
  });

  test('writes for RESP2 what Redis has in the place of types of RESP3', () => {
    expect(inBoth((out, version) => writeNull(out, version))).toEqual(['$-1\r\n', '_\r\n']);
    expect(inBoth((out, version) => writeNullArray(out, version))).toEqual(['*-1\r\n', '_\r\n']);
    expect(inBoth((out, version) => writeMapHeader(out, 2, version))).toEqual(['*4\r\n', '%2\r\n']);
    expect(inBoth((out, version) => writeSetHeader(out, 2, version))).toEqual(['*2\r\n', '~2\r\n']);
    expect(inBoth((out, version) => writePushHeader(out, 2, version))).toEqual([
      '*2\r\n',
      '>2\r\n',
    ]);
    expect(inBoth((out, version) => writeBoolean(out, true, version))).toEqual([
      ':1\r\n',
      '#t\r\n',
    ]);
    expect(inBoth((out, version) => writeBoolean(out, false, version))).toEqual([
      ':0\r\n',
      '#f\r\n',
    ]);
    expect(inBoth((out, version) => writeBigNumber(out, -(2n ** 64n), version))).toEqual([
      '$21\r\n-18446744073709551616\r\n',
      '(-18446744073709551616\r\n',
    ]);
    expect(inBoth((out, version) => writeVerbatim(out, 'txt', 'é', version))).toEqual([
      '$2\r\né\r\n',
      '=6\r\ntxt:é\r\n',
    ]);
    expect(written((out) => writeArrayHeader(out, 1_000_000))).toBe('*1000000\r\n');
  });

  test('writes doubles in the shortest digits that read back', () => {
    const texts: ReadonlyArray<readonly [number, string]> = [
      [0.1, '0.1'],
      [3, '3'],
      [-0, '-0'],
      [1e21, '1e+21'],
      [5e-324, '5e-324'],
      [Infinity, 'inf'],
      [-Infinity, '-inf'],
      [NaN, 'nan'],
    ];
    for (const [value, text] of texts) {
      expect(inBoth((out, version) => writeDouble(out, value, version))).toEqual([
        `$${text.length}\r\n${text}\r\n`,
        `,${text}\r\n`,
      ]);
    }
  });

  test('refuses a verbatim format that is not three letters', () => {
    expect(() => written((out) => writeVerbatim(out, 'text', '', 3))).toThrow('format');
    expect(() => written((out) => writeVerbatim(out, 't\r\n', '', 3))).toThrow('format');
  });

  test('has the frequent replies ready', () => {
    const texts = Object.values(REPLIES).map((reply) => written((out) => writeEncoded(out, reply)));
    expect(texts).toEqual(['+OK\r\n', '+PONG\r\n', ':0\r\n', ':1\r\n', '$0\r\n\r\n', '*0\r\n']);
  });
});

test('an encoded request is read as what it was', () => {
  const arg = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.uint8Array());
  fc.assert(
    fc.property(fc.array(fc.array(arg, { minLength: 1 })), cuts, (requests, fractions) => {
      const out = new OutputBuffer(16);
      for (const args of requests) encodeRequest(out, args);
      const expected = requests.map((args) =>
        args.map((one) => Buffer.from(one as string).toString('latin1')),
      );
      expect(transcriptOf(cut(out.view().slice(), fractions))).toEqual(expected);
    }),
    { numRuns: 1000 },
  );
});
