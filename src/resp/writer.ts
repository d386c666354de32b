/**
 * Replies, written straight into an output buffer. A reply in pieces (an array and its elements)
 * is written in order: its header with the count, then that many elements.
 *
 * Functions that take a `version` write what RESP3 has a type of its own for, and for RESP2 what
 * Redis writes in its place.
 *
 * Reference: "Redis serialization protocol specification"; for RESP2, `addReply*` as observed.
 */

import { copyBytes, invariant, type OutputBuffer } from '../runtime/index.ts';
import { CR, LF, MINUS, SPACE, ZERO } from './characters.ts';
import * as type from './reply-types.ts';

export type RespVersion = 2 | 3;

/** The type, a sign, 16 digits of 2^53, and the line end. */
const HEADER_BYTES_MAX = 20;
/** Of one UTF-16 code unit. */
const UTF8_BYTES_MAX = 3;
const BILLION = 1_000_000_000;

/** Up to here a loop is cheaper than the native write, which costs 60 ns for 24 bytes as for 128. */
const TEXT_LOOP_MAX = 24;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node types the prototype as any
const nativeWrite = (Buffer.prototype as Buffer).write;

const encoder = new TextEncoder();

/** Replies that are always the same, ready to send. */
export const REPLIES = Object.freeze({
  ok: encoder.encode('+OK\r\n'),
  pong: encoder.encode('+PONG\r\n'),
  zero: encoder.encode(':0\r\n'),
  one: encoder.encode(':1\r\n'),
  emptyBulk: encoder.encode('$0\r\n\r\n'),
  emptyArray: encoder.encode('*0\r\n'),
});

const NULL_BULK_RESP2 = encoder.encode('$-1\r\n');
const NULL_ARRAY_RESP2 = encoder.encode('*-1\r\n');
const NULL_RESP3 = encoder.encode('_\r\n');
const TRUE_RESP3 = encoder.encode('#t\r\n');
const FALSE_RESP3 = encoder.encode('#f\r\n');

/** Writes what is encoded already, such as one of `REPLIES`. */
export function writeEncoded(out: OutputBuffer, encoded: Uint8Array): void {
  const { length } = encoded;
  out.reserve(length);
  copyBytes(encoded, 0, out.bytes, out.length, length);
  out.length += length;
}

/** `text` is one line: a CR or LF in it becomes a space. */
export function writeSimpleString(out: OutputBuffer, text: string): void {
  writeLine(out, type.SIMPLE_STRING, text);
}

/** `text` begins with the error's code, such as `ERR`. A CR or LF in it becomes a space. */
export function writeError(out: OutputBuffer, text: string): void {
  writeLine(out, type.ERROR, text);
}

/** `value` is a safe integer. */
export function writeInteger(out: OutputBuffer, value: number): void {
  writeHeader(out, type.INTEGER, value);
}

/** For integers that a number can't hold exactly, up to 64 bits. */
export function writeBigInteger(out: OutputBuffer, value: bigint): void {
  writeLine(out, type.INTEGER, value.toString());
}

/** A copy of `bytes[start, end)`. */
export function writeBulk(
  out: OutputBuffer,
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): void {
  const length = end - start;
  out.reserve(HEADER_BYTES_MAX + length + 2);
  const target = out.bytes;
  const at = putHeader(target, out.length, type.BULK_STRING, length);
  copyBytes(bytes, start, target, at, length);
  out.length = putLineEnd(target, at + length);
}

/** `text` in UTF-8. */
export function writeBulkText(out: OutputBuffer, text: string): void {
  writeTextBlock(out, type.BULK_STRING, text);
}

/** Stands for a missing value. */
export function writeNull(out: OutputBuffer, version: RespVersion): void {
  writeEncoded(out, version === 2 ? NULL_BULK_RESP2 : NULL_RESP3);
}

/** Stands for a missing array. */
export function writeNullArray(out: OutputBuffer, version: RespVersion): void {
  writeEncoded(out, version === 2 ? NULL_ARRAY_RESP2 : NULL_RESP3);
}

export function writeArrayHeader(out: OutputBuffer, count: number): void {
  writeHeader(out, type.ARRAY, count);
}

/** `count` pairs of a key and a value follow. In RESP2 they are the elements of one array. */
export function writeMapHeader(out: OutputBuffer, count: number, version: RespVersion): void {
  if (version === 2) writeHeader(out, type.ARRAY, count * 2);
  else writeHeader(out, type.MAP, count);
}

export function writeSetHeader(out: OutputBuffer, count: number, version: RespVersion): void {
  writeHeader(out, version === 2 ? type.ARRAY : type.SET, count);
}

/** Out-of-band data. In RESP2 it is an array, which only a subscriber can tell from a reply. */
export function writePushHeader(out: OutputBuffer, count: number, version: RespVersion): void {
  writeHeader(out, version === 2 ? type.ARRAY : type.PUSH_MESSAGE, count);
}

/** The shortest digits that read back as the same number; `inf`, `-inf` and `nan`. */
export function writeDouble(out: OutputBuffer, value: number, version: RespVersion): void {
  const text = doubleText(value);
  if (version === 2) writeBulkText(out, text);
  else writeLine(out, type.DOUBLE, text);
}

export function writeBoolean(out: OutputBuffer, value: boolean, version: RespVersion): void {
  if (version === 2) writeInteger(out, value ? 1 : 0);
  else writeEncoded(out, value ? TRUE_RESP3 : FALSE_RESP3);
}

/** A whole number of any size. */
export function writeBigNumber(out: OutputBuffer, value: bigint, version: RespVersion): void {
  if (version === 2) writeBulkText(out, value.toString());
  else writeLine(out, type.BIG_NUMBER, value.toString());
}

/** Text for people. `format` is three ASCII letters, `txt` or `mkd`. */
export function writeVerbatim(
  out: OutputBuffer,
  format: string,
  text: string,
  version: RespVersion,
): void {
  invariant(/^[\x21-\x7e]{3}$/.test(format), 'a verbatim format is three ASCII letters');
  if (version === 2) {
    writeBulkText(out, text);
    return;
  }
  writeTextBlock(out, type.VERBATIM, `${format}:${text}`);
}

function writeHeader(out: OutputBuffer, firstByte: number, value: number): void {
  out.reserve(HEADER_BYTES_MAX);
  out.length = putHeader(out.bytes, out.length, firstByte, value);
}

function writeLine(out: OutputBuffer, firstByte: number, text: string): void {
  out.reserve(1 + text.length * UTF8_BYTES_MAX + 2);
  const target = out.bytes;
  const start = out.length + 1;
  target[out.length] = firstByte;
  const end = start + putText(target, start, text);
  for (let at = start; at < end; at++) {
    if (target[at] === CR || target[at] === LF) target[at] = SPACE;
  }
  out.length = putLineEnd(target, end);
}

/** A short text is tried as ASCII first, so that its length is known before it is written. */
function writeTextBlock(out: OutputBuffer, firstByte: number, text: string): void {
  if (text.length <= TEXT_LOOP_MAX) {
    out.reserve(HEADER_BYTES_MAX + text.length + 2);
    const at = putHeader(out.bytes, out.length, firstByte, text.length);
    if (putAscii(out.bytes, at, text)) {
      out.length = putLineEnd(out.bytes, at + text.length);
      return;
    }
  }
  const length = Buffer.byteLength(text);
  out.reserve(HEADER_BYTES_MAX + length + 2);
  const at = putHeader(out.bytes, out.length, firstByte, length);
  nativeWrite.call(out.bytes, text, at, length);
  out.length = putLineEnd(out.bytes, at + length);
}

function putHeader(target: Uint8Array, at: number, firstByte: number, value: number): number {
  target[at] = firstByte;
  return putLineEnd(target, putInteger(target, at + 1, value));
}

function putLineEnd(target: Uint8Array, at: number): number {
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}

/** Writes a safe integer's digits at `at`; returns the position after them. */
function putInteger(target: Uint8Array, at: number, value: number): number {
  if ((value | 0) !== value) return putLargeInteger(target, at, value);
  if (value < 0) {
    target[at++] = MINUS;
    value = -value;
  }
  if (value < 10) {
    target[at] = ZERO + value;
    return at + 1;
  }
  return putDigits(target, at, value, digitCount(value));
}

function putLargeInteger(target: Uint8Array, at: number, value: number): number {
  invariant(Number.isSafeInteger(value), 'an integer reply is exact');
  if (value < 0) target[at++] = MINUS;
  const magnitude = Math.abs(value);
  const high = Math.floor(magnitude / BILLION);
  const end = putDigits(target, at, high, digitCount(high));
  return putDigits(target, end, magnitude - high * BILLION, 9);
}

/** Writes the last `count` digits of `value`, at most 2^31. */
function putDigits(target: Uint8Array, at: number, value: number, count: number): number {
  const end = at + count;
  for (let index = end - 1; index >= at; index--) {
    const rest = (value / 10) >>> 0;
    target[index] = ZERO + value - rest * 10;
    value = rest;
  }
  return end;
}

function digitCount(value: number): number {
  let count = 1;
  for (let power = 10; value >= power; power *= 10) count++;
  return count;
}

/** Writes `text` in UTF-8; returns how many bytes it took. There must be room for the most. */
function putText(target: Uint8Array, at: number, text: string): number {
  if (text.length <= TEXT_LOOP_MAX && putAscii(target, at, text)) return text.length;
  return nativeWrite.call(target, text, at, text.length * UTF8_BYTES_MAX);
}

/** Writes `text`; gives up at the first character that is not ASCII. */
function putAscii(target: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code >= 0x80) return false;
    target[at + index] = code;
  }
  return true;
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (value === Infinity) return 'inf';
  if (value === -Infinity) return '-inf';
  return Object.is(value, -0) ? '-0' : value.toString();
}
