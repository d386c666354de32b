/** Replies that are one line, or one block of bytes, and hold no other: from bytes to a value. */

import { parseBigInteger, parseInteger } from './integer.ts';
import { type Reply, ReplyError, VerbatimText } from './reply.ts';
import * as type from './reply-types.ts';

const DOUBLE = /^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/;
const BIG_NUMBER = /^[+-]?\d+$/;
const LOWER_F = 0x66;
const LOWER_T = 0x74;
const UPPER_K = 0x4b;
const UPPER_O = 0x4f;
/** Of `txt:` and the like, before verbatim text. */
const FORMAT_BYTES = 4;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The value of a line of type `lineType` whose text is `bytes[start, end)`.
 *
 * @returns undefined where the text is not one of that type.
 */
export function parseLine(
  lineType: number,
  bytes: Uint8Array,
  start: number,
  end: number,
): Reply | undefined {
  switch (lineType) {
    case type.SIMPLE_STRING:
      return isOk(bytes, start, end) ? 'OK' : decode(bytes, start, end);
    case type.ERROR:
      return new ReplyError(decode(bytes, start, end));
    case type.INTEGER:
      return parseIntegerReply(bytes, start, end);
    case type.NULL:
      return start === end ? null : undefined;
    case type.BOOLEAN:
      return end - start === 1 ? parseBoolean(bytes[start]) : undefined;
    case type.DOUBLE:
      return parseDouble(decode(bytes, start, end));
    case type.BIG_NUMBER:
      return parseBigNumber(decode(bytes, start, end));
    default:
      return undefined;
  }
}

/**
 * The value of a block of type `blockType` with these contents, which become the value's own.
 *
 * @returns undefined where they are not of that type.
 */
export function parseBlock(blockType: number, content: Uint8Array): Reply | undefined {
  if (blockType === type.BULK_STRING) return content;
  const text = decode(content, 0, content.length);
  if (blockType === type.BULK_ERROR) return new ReplyError(text);
  if (text.indexOf(':') !== FORMAT_BYTES - 1) return undefined;
  return new VerbatimText(text.slice(0, FORMAT_BYTES - 1), text.slice(FORMAT_BYTES));
}

/** By far the most frequent line, so no string is made of it. */
function isOk(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === 2 && bytes[start] === UPPER_O && bytes[start + 1] === UPPER_K;
}

function decode(bytes: Uint8Array, start: number, end: number): string {
  return decoder.decode(bytes.subarray(start, end));
}

function parseIntegerReply(bytes: Uint8Array, start: number, end: number): Reply | undefined {
  const value = parseInteger(bytes, start, end);
  if (Number.isNaN(value)) return undefined;
  return Number.isSafeInteger(value) ? value : parseBigInteger(bytes, start, end);
}

function parseBoolean(letter: number): boolean | undefined {
  if (letter === LOWER_T) return true;
  return letter === LOWER_F ? false : undefined;
}

function parseDouble(text: string): number | undefined {
  switch (text) {
    case 'inf':
      return Infinity;
    case '-inf':
      return -Infinity;
    case 'nan':
      return NaN;
    default:
      return DOUBLE.test(text) ? Number(text) : undefined;
  }
}

function parseBigNumber(text: string): bigint | undefined {
  return BIG_NUMBER.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined;
}
