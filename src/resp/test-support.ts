/** What the tests of this folder share: streams of requests, good and bad, and ways to cut them. */

import fc from 'fast-check';
import {
  INCOMPLETE,
  OVERSIZED,
  PROTOCOL_ERROR,
  REQUEST_LIMITS,
  type RequestLimits,
  type RequestParser,
  RequestReader,
} from './index.ts';

/** Small, so that short streams reach each of them. */
export const SMALL_LIMITS: RequestLimits = {
  argumentCountMax: 40,
  argumentBytesMax: 1024,
  requestBytesMax: 2048,
  lineBytesMax: 64,
};

export function latin1(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** A request in its binary form; lengths are those of the arguments. */
export function multibulk(...args: string[]): string {
  return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
}

/** The arguments that a parser has found, as text of one byte a character. */
export function argumentsOf(request: RequestParser): string[] {
  const found: string[] = [];
  for (let index = 0; index < request.argumentCount; index++) {
    const range = request.argumentBytes.subarray(request.starts[index], request.ends[index]);
    found.push(Buffer.from(range).toString('latin1'));
  }
  return found;
}

/** What became of a stream: each request's arguments, and errors as `!oversized: …` and so on. */
export type Transcript = Array<readonly string[] | string>;

/**
 * Reads the pieces as a connection does: each one lies somewhere in an array that all share and
 * that is overwritten once the piece is finished.
 */
export function transcriptOf(
  pieces: readonly Uint8Array[],
  limits: RequestLimits = REQUEST_LIMITS,
  requestsPerPieceMax = Infinity,
  isAuthenticated = true,
): Transcript {
  const reader = new RequestReader(limits);
  reader.request.setAuthenticated(isAuthenticated);
  const transcript: Transcript = [];
  const largest = Math.max(0, ...pieces.map((piece) => piece.length));
  const shared = new Uint8Array(largest + 64);
  for (const [number, piece] of pieces.entries()) {
    shared.fill(number % 2 === 0 ? 0x0d : 0x31);
    const offset = (number * 7) % 64;
    shared.set(piece, offset);
    reader.push(shared, offset, offset + piece.length);
    const isOver = drain(reader, transcript, requestsPerPieceMax);
    reader.finish();
    shared.fill(0x24);
    if (isOver) return transcript;
  }
  drain(reader, transcript, Infinity);
  return transcript;
}

function drain(reader: RequestReader, transcript: Transcript, requestsMax: number): boolean {
  for (let count = 0; count < requestsMax; count++) {
    const code = reader.next();
    if (code === INCOMPLETE) return false;
    if (code === PROTOCOL_ERROR) {
      transcript.push(`!error: ${reader.request.errorText}`);
      return true;
    }
    if (code === OVERSIZED) transcript.push(`!oversized: ${reader.request.errorText}`);
    else transcript.push(argumentsOf(reader.request));
  }
  return false;
}

/** Cuts `stream` at the given fractions of its length. */
export function cut(stream: Uint8Array, fractions: readonly number[]): Uint8Array[] {
  const ends = fractions.map((fraction) => Math.floor(fraction * stream.length));
  ends.push(stream.length);
  ends.sort((a, b) => a - b);
  let start = 0;
  return ends.map((end) => {
    const piece = stream.slice(start, end);
    start = end;
    return piece;
  });
}

export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

const byteText = (maxLength: number): fc.Arbitrary<string> =>
  fc.uint8Array({ maxLength }).map((bytes) => Buffer.from(bytes).toString('latin1'));

/** Bytes that mean something to the protocol come up more often than others. */
const telling = fc.constantFrom(...'*$+-:_,#=%~>(|!0123456789\r\n \t"\'\\xnrab\0\u00ff'.split(''));
const tellingText = fc.string({ unit: telling, maxLength: 24 });

export const argument = fc.oneof(
  { weight: 6, arbitrary: fc.string({ maxLength: 12 }).map((s) => s.replaceAll(/[^ -~]/g, '?')) },
  { weight: 3, arbitrary: byteText(12) },
  { weight: 2, arbitrary: tellingText },
  { weight: 1, arbitrary: fc.integer({ min: 90, max: 1100 }).map((size) => 'v'.repeat(size)) },
);

export const binaryRequest = fc
  .array(argument, { minLength: 1, maxLength: 12 })
  .map((args) => multibulk(...args));

const emptyRequest = fc.constantFrom('\r\n', '\n', '*0\r\n', '*-1\r\n', '  \r\n', '*-12\r\n');

const inlineRequest = fc
  .array(fc.oneof(tellingText, fc.constantFrom('GET', 'a', '"b c"', "'d'", '"\\x41\\n"')), {
    maxLength: 4,
  })
  .map((words) => `${words.join(' ').replaceAll('\n', '')}\r\n`);

const oversizedRequest = fc
  .tuple(fc.array(argument, { maxLength: 3 }), fc.integer({ min: 1025, max: 3000 }))
  .map(([args, size]) => multibulk('SET', ...args, 'w'.repeat(size), 'tail'));

const number = fc.oneof(
  fc.integer({ min: -2, max: 50 }).map(String),
  fc.constantFrom(
    '01',
    '+1',
    '',
    '-0',
    '1 ',
    ' 1',
    '1e1',
    '0x1',
    '2147483647',
    '2147483648',
    '536870912',
    '536870913',
    '9223372036854775807',
    '9223372036854775808',
    '-9223372036854775808',
    '-9223372036854775809',
    '99999999999999999999',
  ),
);

const brokenRequest = fc
  .tuple(number, number, fc.constantFrom('$', '*', ':', '', 'x'), tellingText)
  .map(([count, length, type, rest]) => `*${count}\r\n${type}${length}\r\n${rest}\r\n`);

const http = fc.constantFrom(
  'GET / HTTP/1.1\r\nHost: cache\r\n\r\n',
  'POST /key HTTP/1.1\r\n\r\n',
  'Host: cache\r\n',
);

/** Streams that a server must live through: mostly good, often bad somewhere, sometimes noise. */
export const stream: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.oneof(
      { weight: 8, arbitrary: binaryRequest },
      { weight: 2, arbitrary: emptyRequest },
      { weight: 3, arbitrary: inlineRequest },
      { weight: 2, arbitrary: oversizedRequest },
      { weight: 1, arbitrary: brokenRequest },
      { weight: 1, arbitrary: tellingText },
      { weight: 1, arbitrary: http },
    ),
    { maxLength: 8 },
  )
  .map((parts) => latin1(parts.join('')));

/** A stream in which some bytes were changed, dropped or doubled. */
export const mutatedStream: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    stream,
    fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2), telling), {
      maxLength: 4,
    }),
  )
  .map(([bytes, mutations]) => {
    let text = Buffer.from(bytes).toString('latin1');
    for (const [fraction, kind, byte] of mutations) {
      const at = Math.floor(fraction * text.length);
      const replacement = kind === 0 ? byte : kind === 1 ? '' : text.slice(at, at + 1).repeat(2);
      text = text.slice(0, at) + replacement + text.slice(at + 1);
    }
    return latin1(text);
  });
