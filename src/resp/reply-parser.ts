/**
 * The client's side of the protocol: the replies of one connection, in order, as values.
 *
 * For each piece that the transport delivers: `push` it, then call `next` until it says
 * `INCOMPLETE` or an error; after that the piece is not looked at again. Values are the caller's
 * to keep. A bulk string is copied once, from the piece to bytes of its own, also where it comes
 * in many pieces; those grow as they arrive, whatever length was declared. Arrays inside each
 * other cost no stack.
 *
 * Attributes are read and dropped: they tell about a reply, and are no part of it.
 *
 * Reference: "Redis serialization protocol specification", RESP2 and RESP3 without streamed types.
 */

import { copyBytes, invariant } from '../runtime/index.ts';
import { CR, LF } from './characters.ts';
import { parseInteger } from './integer.ts';
import { REPLY_LIMITS, type ReplyLimits } from './limits.ts';
import { type Reply, ReplyMap, ReplySet } from './reply.ts';
import { parseBlock, parseLine } from './reply-scalars.ts';
import * as type from './reply-types.ts';
import { INCOMPLETE, PROTOCOL_ERROR } from './request-parser.ts';

/** A reply was found. */
export const REPLY = 1;
/** A push message was found. It answers no request. */
export const PUSH = 4;

export type ReplyCode = typeof INCOMPLETE | typeof REPLY | typeof PROTOCOL_ERROR | typeof PUSH;

/** Within a reply: go on with its next part. */
const MORE = -1;

const BLOCK_BYTES_TRUSTED = 64 * 1024;
const LINE_BYTES_INITIAL = 64;
const LINE_BYTES_KEPT = 1024;

const SAMPLE_BYTES_MAX = 32;

const NO_BYTES = new Uint8Array(0);

/** An array, map, set, attribute or push message of which elements are still to come. */
interface Aggregate {
  readonly type: number;
  readonly elements: Reply[];
  elementsLeft: number;
}

export class ReplyParser {
  /** After `REPLY`: the reply. After `PUSH`: the message, an array. */
  reply: Reply = null;
  /** After `PROTOCOL_ERROR`: what was wrong. The connection is of no more use. */
  errorText = '';

  readonly #limits: ReplyLimits;

  /** What is left of the piece: `#piece[#position, #end)`. */
  #piece: Uint8Array = NO_BYTES;
  #position = 0;
  #end = 0;

  /** The beginning of a line whose end has not come: `#line[0, #lineLength)`. */
  #line = NO_BYTES;
  #lineLength = 0;

  /** The block whose end has not come, or type 0. */
  #blockType = 0;
  #block: Uint8Array = NO_BYTES;
  #blockLength = 0;
  /** Bytes of it that have come, of `#blockLength` and two for the line end. */
  #blockFilled = 0;

  /** The aggregates that are open, outermost first. */
  readonly #open: Aggregate[] = [];

  #bytesLeft: number;
  #hasFailed = false;

  constructor(limits: ReplyLimits = REPLY_LIMITS) {
    this.#limits = limits;
    this.#bytesLeft = limits.replyBytesMax;
  }

  /** Takes `bytes[start, end)`, which must stay as it is until `next` says `INCOMPLETE`. */
  push(bytes: Uint8Array, start: number, end: number): void {
    invariant(this.#position === this.#end, 'all replies of a piece are taken before the next');
    this.#piece = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Finds the next reply or push message. */
  next(): ReplyCode {
    if (this.#hasFailed) return PROTOCOL_ERROR;
    for (;;) {
      const code = this.#blockType === 0 ? this.#takeLine() : this.#fillBlock();
      if (code === MORE) continue;
      if (code === INCOMPLETE) this.#piece = NO_BYTES;
      if (code === REPLY || code === PUSH) this.#bytesLeft = this.#limits.replyBytesMax;
      return code;
    }
  }

  #takeLine(): ReplyCode | typeof MORE {
    const bytes = this.#piece;
    const start = this.#position;
    const end = this.#end;
    let index = start;
    while (index < end && bytes[index] !== LF) index++;
    const length = this.#lineLength + index - start;
    if (length > this.#limits.lineBytesMax) return this.#fail('line is too long');
    if (index === end) {
      this.#keepLine(start, end);
      return INCOMPLETE;
    }
    if (this.#lineLength === 0) {
      this.#position = index + 1;
      return this.#parseLine(bytes, start, index);
    }
    this.#keepLine(start, index + 1);
    this.#lineLength = 0;
    const line = this.#line;
    if (line.length > LINE_BYTES_KEPT) this.#line = NO_BYTES;
    return this.#parseLine(line, 0, length);
  }

  /** Copies `piece[start, end)` to the unfinished line. */
  #keepLine(start: number, end: number): void {
    const length = this.#lineLength + end - start;
    if (length > this.#line.length) {
      const larger = new Uint8Array(Math.max(LINE_BYTES_INITIAL, length * 2));
      copyBytes(this.#line, 0, larger, 0, this.#lineLength);
      this.#line = larger;
    }
    copyBytes(this.#piece, start, this.#line, this.#lineLength, end - start);
    this.#lineLength = length;
    this.#position = end;
  }

  /** `bytes[lineEnd]` is the LF. */
  #parseLine(bytes: Uint8Array, start: number, lineEnd: number): ReplyCode | typeof MORE {
    const end = lineEnd - 1;
    if (end <= start || bytes[end] !== CR) return this.#fail('line does not end with CRLF');
    this.#bytesLeft -= lineEnd + 1 - start;
    if (this.#bytesLeft < 0) return this.#failTooLarge();
    const lineType = bytes[start];
    const form = type.formOf(lineType);
    if (form === type.BLOCK) return this.#startBlock(lineType, bytes, start + 1, end);
    if (form === type.AGGREGATE) return this.#startAggregate(lineType, bytes, start + 1, end);
    const value = parseLine(lineType, bytes, start + 1, end);
    return value === undefined
      ? this.#fail(`not a reply: ${quoted(bytes, start, end)}`)
      : this.#add(value);
  }

  #startBlock(
    blockType: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ReplyCode | typeof MORE {
    const length = parseInteger(bytes, start, end);
    if (length === -1 && blockType === type.BULK_STRING) return this.#add(null);
    if (!(length >= 0)) return this.#fail(`invalid length ${quoted(bytes, start, end)}`);
    this.#bytesLeft -= length + 2;
    if (this.#bytesLeft < 0) return this.#failTooLarge();
    this.#blockType = blockType;
    this.#blockLength = length;
    this.#blockFilled = 0;
    return this.#fillBlock();
  }

  #fillBlock(): ReplyCode | typeof MORE {
    const length = this.#blockLength;
    const missing = Math.min(length - this.#blockFilled, this.#end - this.#position);
    if (missing > 0) {
      this.#growBlock(this.#blockFilled + missing);
      copyBytes(this.#piece, this.#position, this.#block, this.#blockFilled, missing);
      this.#blockFilled += missing;
      this.#position += missing;
    }
    while (this.#blockFilled < length + 2) {
      if (this.#position === this.#end) return INCOMPLETE;
      const expected = this.#blockFilled === length ? CR : LF;
      if (this.#piece[this.#position] !== expected) return this.#fail('expected CRLF after bulk');
      this.#blockFilled++;
      this.#position++;
    }
    const value = parseBlock(this.#blockType, this.#block);
    this.#blockType = 0;
    this.#block = NO_BYTES;
    return value === undefined ? this.#fail('invalid verbatim text') : this.#add(value);
  }

  /** Small blocks share memory that `Buffer` keeps for them: a tenth of the cost of their own. */
  #growBlock(needed: number): void {
    if (needed <= this.#block.length) return;
    const capacity = Math.max(BLOCK_BYTES_TRUSTED, needed * 2);
    const larger = Buffer.allocUnsafe(Math.min(this.#blockLength, capacity));
    copyBytes(this.#block, 0, larger, 0, this.#blockFilled);
    this.#block = larger;
  }

  #startAggregate(
    aggregateType: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): ReplyCode | typeof MORE {
    const count = parseInteger(bytes, start, end);
    if (count === -1 && aggregateType === type.ARRAY) return this.#add(null);
    if (!(count >= 0)) return this.#fail(`invalid count ${quoted(bytes, start, end)}`);
    const elementsLeft = type.elementsOf(aggregateType, count);
    if (elementsLeft > this.#limits.elementCountMax) return this.#fail('too many elements');
    if (aggregateType === type.PUSH_MESSAGE && this.#open.length > 0) {
      return this.#fail('push message inside a reply');
    }
    if (this.#open.length === this.#limits.depthMax) return this.#fail('nested too deeply');
    this.#open.push({ type: aggregateType, elements: [], elementsLeft });
    return this.#closeComplete();
  }

  /** Puts `value` where it belongs, which may complete what it is part of. */
  #add(value: Reply): ReplyCode | typeof MORE {
    const innermost = this.#open.at(-1);
    if (innermost === undefined) {
      this.reply = value;
      return REPLY;
    }
    innermost.elements.push(value);
    innermost.elementsLeft--;
    return this.#closeComplete();
  }

  #closeComplete(): ReplyCode | typeof MORE {
    for (;;) {
      const innermost = this.#open.at(-1);
      if (innermost === undefined || innermost.elementsLeft > 0) return MORE;
      this.#open.pop();
      if (innermost.type === type.ATTRIBUTE) return MORE;
      const value = aggregateOf(innermost);
      const outer = this.#open.at(-1);
      if (outer === undefined) {
        this.reply = value;
        return innermost.type === type.PUSH_MESSAGE ? PUSH : REPLY;
      }
      outer.elements.push(value);
      outer.elementsLeft--;
    }
  }

  #fail(words: string): ReplyCode {
    this.errorText = `Protocol error: ${words}`;
    this.#hasFailed = true;
    return PROTOCOL_ERROR;
  }

  #failTooLarge(): ReplyCode {
    return this.#fail(`reply exceeds the limit of ${this.#limits.replyBytesMax} bytes`);
  }
}

function aggregateOf(aggregate: Aggregate): Reply {
  if (aggregate.type === type.MAP) return new ReplyMap(pairsOf(aggregate.elements));
  if (aggregate.type === type.SET) return new ReplySet(aggregate.elements);
  return aggregate.elements;
}

function pairsOf(elements: readonly Reply[]): Array<readonly [Reply, Reply]> {
  const pairs: Array<readonly [Reply, Reply]> = [];
  for (let index = 0; index < elements.length; index += 2) {
    pairs.push([elements[index], elements[index + 1]]);
  }
  return pairs;
}

/** The first bytes of what was not understood, for an error text. */
function quoted(bytes: Uint8Array, start: number, end: number): string {
  const sample = bytes.subarray(start, Math.min(end, start + SAMPLE_BYTES_MAX));
  return JSON.stringify(String.fromCharCode(...sample));
}
