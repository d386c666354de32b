import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutputBuffer } from '../runtime/index.ts';
import {
  INCOMPLETE,
  PROTOCOL_ERROR,
  PUSH,
  type Reply,
  REPLY_LIMITS,
  ReplyError,
  type ReplyLimits,
  ReplyMap,
  ReplyParser,
  ReplySet,
  ReplySkimmer,
  SKIMMED_ERROR,
  SKIMMED_NULL,
  replyText,
  VerbatimText,
  writeArrayHeader,
  writeBigInteger,
  writeBigNumber,
  writeBoolean,
  writeBulk,
  writeDouble,
  writeError,
  writeInteger,
  writeMapHeader,
  writeNull,
  writePushHeader,
  writeSetHeader,
  writeSimpleString,
  writeVerbatim,
} from './index.ts';
import { cut, cuts, latin1 } from './test-support.ts';

/** Takes the pieces from one array that is overwritten after each, as a transport gives them. */
function replyStream(pieces: readonly Uint8Array[], limits: ReplyLimits = REPLY_LIMITS): string[] {
  const parser = new ReplyParser(limits);
  const shared = new Uint8Array(Math.max(0, ...pieces.map((piece) => piece.length)) + 16);
  const replies: Array<[prefix: string, value: Reply]> = [];
  let error: string | undefined;
  for (const [number, piece] of pieces.entries()) {
    const offset = (number * 5) % 16;
    shared.fill(0x0a);
    shared.set(piece, offset);
    parser.push(shared, offset, offset + piece.length);
    let code = parser.next();
    for (; code !== INCOMPLETE && code !== PROTOCOL_ERROR; code = parser.next()) {
      replies.push([code === PUSH ? '!push ' : '', parser.reply]);
    }
    shared.fill(0x24);
    if (code === PROTOCOL_ERROR) {
      error = `!${parser.errorText}`;
      break;
    }
  }
  const found = replies.map(([prefix, value]) => prefix + show(value));
  return error === undefined ? found : [...found, error];
}

/** One line of text that tells any two replies apart. */
function show(reply: Reply): string {
  if (reply instanceof Uint8Array) return `bytes ${Buffer.from(reply).toString('hex')}`;
  if (reply instanceof ReplyError) return `error ${JSON.stringify(reply.text)}`;
  if (reply instanceof VerbatimText) return `${reply.format} ${JSON.stringify(reply.text)}`;
  if (reply instanceof ReplySet) return `set [${reply.members.map(show).join(', ')}]`;
  if (reply instanceof ReplyMap) {
    return `map [${reply.pairs.map(([key, value]) => `${show(key)} => ${show(value)}`).join(', ')}]`;
  }
  if (typeof reply === 'bigint') return `${reply}n`;
  if (Object.is(reply, -0)) return '-0';
  if (typeof reply === 'number') return `${reply}`;
  if (typeof reply === 'string' || typeof reply === 'boolean' || reply === null) {
    return JSON.stringify(reply);
  }
  return `[${reply.map(show).join(', ')}]`;
}

function write(out: OutputBuffer, reply: Reply): void {
  if (reply === null) writeNull(out, 3);
  else if (typeof reply === 'string') writeSimpleString(out, reply);
  else if (typeof reply === 'boolean') writeBoolean(out, reply, 3);
  else if (typeof reply === 'bigint') writeBigNumber(out, reply, 3);
  else if (reply instanceof Uint8Array) writeBulk(out, reply);
  else if (reply instanceof ReplyError) writeError(out, reply.text);
  else if (reply instanceof VerbatimText) writeVerbatim(out, reply.format, reply.text, 3);
  else if (reply instanceof ReplySet) {
    writeSetHeader(out, reply.members.length, 3);
    for (const member of reply.members) write(out, member);
  } else if (reply instanceof ReplyMap) {
    writeMapHeader(out, reply.pairs.length, 3);
    for (const one of reply.pairs.flat()) write(out, one);
  } else if (typeof reply === 'number') {
    if (Number.isSafeInteger(reply) && !Object.is(reply, -0)) writeInteger(out, reply);
    else writeDouble(out, reply, 3);
  } else {
    writeArrayHeader(out, reply.length);
    for (const element of reply) write(out, element);
  }
}

const line = fc
  .string({ unit: 'binary', maxLength: 40 })
  .map((text) => text.toWellFormed().replaceAll(/[\r\n]/g, ' '));

const { reply } = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    line,
    fc.uint8Array({ maxLength: 60 }),
    fc.maxSafeInteger(),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constant(null),
    line.map((text) => new ReplyError(text)),
    fc
      .tuple(fc.constantFrom('txt', 'mkd'), line)
      .map(([format, text]) => new VerbatimText(format, text)),
    fc.array(tie('reply'), { maxLength: 5 }),
    fc.array(tie('reply'), { maxLength: 5 }).map((members) => new ReplySet(members)),
    fc
      .array(fc.tuple(tie('reply'), tie('reply')), { maxLength: 4 })
      .map((pairs) => new ReplyMap(pairs)),
  ),
}));

function encode(replies: readonly Reply[]): Uint8Array {
  const out = new OutputBuffer(16);
  for (const one of replies) write(out, one);
  return out.bytes.slice(0, out.length);
}

const telling = fc.constantFrom(...'+-:$*_#,(!=%~|>0123456789\r\ntfinOK.e'.split(''));

/** Replies with a few bytes changed, dropped or doubled, and noise in the protocol's own letters. */
const noise = fc.oneof(
  fc.string({ unit: telling, maxLength: 60 }).map(latin1),
  fc
    .array(fc.string({ unit: telling, maxLength: 4 }), { maxLength: 20 })
    .map((parts) => latin1(parts.join('\r\n'))),
  fc
    .tuple(fc.array(reply, { maxLength: 4 }), fc.nat(), fc.nat(2), telling)
    .map(([replies, place, kind, byte]) => {
      const text = Buffer.from(encode(replies)).toString('latin1');
      const at = place % (text.length + 1);
      const middle = [byte, '', text.slice(at, at + 1).repeat(2)][kind];
      return latin1(text.slice(0, at) + middle + text.slice(at + 1));
    }),
);

const SMALL_LIMITS: ReplyLimits = {
  depthMax: 3,
  elementCountMax: 20,
  replyBytesMax: 200,
  lineBytesMax: 30,
};

describe('replies', () => {
  test('that were written are read as what they were, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 6 }), cuts, (replies, fractions) => {
        expect(replyStream(cut(encode(replies), fractions))).toEqual(replies.map(show));
      }),
      { numRuns: 2000 },
    );
  });

  test('that are noise give the same values and errors, however they are cut', () => {
    fc.assert(
      fc.property(noise, cuts, (bytes, fractions) => {
        const whole = replyStream([bytes], SMALL_LIMITS);
        expect(replyStream(cut(bytes, fractions), SMALL_LIMITS)).toEqual(whole);
        const single = Array.from(bytes, (byte) => Uint8Array.of(byte));
        expect(replyStream(single, SMALL_LIMITS)).toEqual(whole);
      }),
      { numRuns: 3000 },
    );
  });

  test('are skimmed as they are parsed, with their errors and nulls, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 6 }), cuts, (replies, fractions) => {
        const pieces = cut(encode(replies), fractions);
        expect(skim(pieces)).toEqual(replies.map(kindOf));
      }),
      { numRuns: 1000 },
    );
  });
});

function kindOf(one: Reply): string {
  if (one instanceof ReplyError) return one.text.slice(0, 200).replaceAll(/[\r\n]/g, '');
  return one === null ? 'null' : 'value';
}

function skim(pieces: readonly Uint8Array[]): string[] {
  const skimmer = new ReplySkimmer();
  const found: string[] = [];
  for (const piece of pieces) {
    skimmer.push(piece, 0, piece.length);
    while (skimmer.next()) {
      if (skimmer.kind === SKIMMED_ERROR) {
        found.push(Buffer.from(skimmer.errorText, 'latin1').toString());
      } else {
        found.push(skimmer.kind === SKIMMED_NULL ? 'null' : 'value');
      }
    }
  }
  if (skimmer.hasFailed) found.push('failed');
  return found;
}

function read(text: string, limits: ReplyLimits = REPLY_LIMITS): string[] {
  return replyStream([latin1(text)], limits);
}

describe('a reply parser', () => {
  test('takes what RESP2 has for null', () => {
    expect(read('$-1\r\n*-1\r\n*2\r\n$-1\r\n:1\r\n')).toEqual(['null', 'null', '[null, 1]']);
  });

  test('keeps integers of 64 bits exact', () => {
    expect(read(':9223372036854775807\r\n:-9223372036854775808\r\n:9007199254740991\r\n')).toEqual([
      '9223372036854775807n',
      '-9223372036854775808n',
      '9007199254740991',
    ]);
    const out = new OutputBuffer(16);
    writeBigInteger(out, 2n ** 63n - 1n);
    expect(Buffer.from(out.view()).toString()).toBe(':9223372036854775807\r\n');
  });

  test('gives push messages apart from replies', () => {
    const out = new OutputBuffer(16);
    writePushHeader(out, 2, 3);
    writeSimpleString(out, 'invalidate');
    writeNull(out, 3);
    writeInteger(out, 7);
    expect(replyStream([out.view().slice()])).toEqual(['!push ["invalidate", null]', '7']);
  });

  test('passes over attributes, wherever they are', () => {
    const attribute = '|1\r\n+ttl\r\n*2\r\n:1\r\n_\r\n';
    const stream = `${attribute}*2\r\n${attribute}:1\r\n|0\r\n:2\r\n${attribute}>1\r\n:3\r\n`;
    expect(read(stream)).toEqual(['[1, 2]', '!push [3]']);
    expect(skim([latin1(stream)])).toEqual(['value']);
    const null3 = `${attribute}_\r\n${attribute}-ERR no\r\n${attribute}*1\r\n_\r\n`;
    expect(skim([latin1(null3)])).toEqual(['null', 'ERR no', 'value']);
  });

  test('takes errors and text in blocks', () => {
    expect(read('!8\r\nERR a\r\nb\r\n=5\r\ntxt:A\r\n')).toEqual([
      'error "ERR a\\r\\nb"',
      'txt "A"',
    ]);
  });

  test('refuses what no server sends, and stays refused', () => {
    const refused: ReadonlyArray<readonly [bytes: string, words: string]> = [
      ['HTTP/1.1 400\r\n', 'not a reply: "HTTP/1.1 400"'],
      ['+OK\n', 'line does not end with CRLF'],
      ['\r\n', 'line does not end with CRLF'],
      ['$x\r\n', 'invalid length "x"'],
      ['$-2\r\n', 'invalid length "-2"'],
      ['$?\r\n', 'invalid length "?"'],
      ['=-1\r\n', 'invalid length "-1"'],
      ['$1\r\nabc', 'expected CRLF after bulk'],
      ['%-1\r\n', 'invalid count "-1"'],
      ['*1.5\r\n', 'invalid count "1.5"'],
      ['*1\r\n>1\r\n', 'push message inside a reply'],
      ['*21\r\n', 'too many elements'],
      ['%11\r\n', 'too many elements'],
      ['*1\r\n'.repeat(4), 'nested too deeply'],
      [`+${'a'.repeat(31)}`, 'line is too long'],
      ['$500000000\r\n', 'reply exceeds the limit of 200 bytes'],
      [`*20\r\n${':1234567890\r\n'.repeat(20)}`, 'reply exceeds the limit of 200 bytes'],
      [':01\r\n', 'not a reply: ":01"'],
      [':9223372036854775808\r\n', 'not a reply: ":9223372036854775808"'],
      ['_x\r\n', 'not a reply: "_x"'],
      ['#y\r\n', 'not a reply: "#y"'],
      [',one\r\n', 'not a reply: ",one"'],
      ['(1.5\r\n', 'not a reply: "(1.5"'],
      ['=3\r\ntxt\r\n', 'invalid verbatim text'],
    ];
    const found = refused.map(([bytes]) => [bytes, read(`${bytes}+OK\r\n`, SMALL_LIMITS)]);
    expect(found).toEqual(refused.map(([bytes, words]) => [bytes, [`!Protocol error: ${words}`]]));
  });

  test('takes the next reply afresh after one at the limit', () => {
    const large = `$192\r\n${'a'.repeat(192)}\r\n`;
    expect(large).toHaveLength(SMALL_LIMITS.replyBytesMax);
    expect(read(large + large, SMALL_LIMITS)).toHaveLength(2);
    expect(read('$193\r\n', SMALL_LIMITS)).toEqual([
      '!Protocol error: reply exceeds the limit of 200 bytes',
    ]);
  });

  test('opens a hundred thousand arrays inside each other without a stack', () => {
    const depth = 100_000;
    const limits = { ...REPLY_LIMITS, depthMax: depth };
    const parser = new ReplyParser(limits);
    const bytes = latin1(`${'*1\r\n'.repeat(depth)}:1\r\n`);
    parser.push(bytes, 0, bytes.length);
    expect(parser.next()).toBe(1);
  });
});

test('an error tells its code', () => {
  expect(new ReplyError('MOVED 3999 127.0.0.1:6381').code).toBe('MOVED');
  expect(new ReplyError('OOM').code).toBe('OOM');
});

test('a map finds the value of a name, whatever kind of string it is', () => {
  const map = new ReplyMap([
    [1, 'one'],
    [latin1('role'), 'primary'],
    ['id', 7],
  ]);
  expect(map.get('role')).toBe('primary');
  expect(map.get('id')).toBe(7);
  expect(map.get('1')).toBeUndefined();
  expect(replyText(new VerbatimText('txt', 'words'))).toBe('words');
});
