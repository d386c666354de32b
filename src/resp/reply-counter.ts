/**
 * Counts replies without making values of them, for a client that sends as fast as it can and
 * needs to know how many answers came, and how many were errors or nulls. It allocates nothing,
 * looks at each byte of a header once, and at a block's bytes never.
 *
 * It trusts its server: what is not a reply is an error, but no limit is kept, since nothing
 * here grows with what arrives.
 */

import { CR, LF, MINUS, ZERO } from './characters.ts';
import * as type from './reply-types.ts';

/** Waits for the first byte of a reply or of a part of one. */
const AT_TYPE = 0;
/** In a line that has nothing to count. */
const IN_LINE = 1;
/** In the line with the length of a block or the count of an aggregate. */
const IN_NUMBER = 2;
/** In a block or its line end. */
const IN_BLOCK = 3;
/** After something that is not a reply. */
const FAILED = 4;

export class ReplyCounter {
  /** Complete replies since the beginning, errors and nulls among them; no push messages. */
  replies = 0;
  /** Errors, also those in arrays. */
  errors = 0;
  /** Nulls, also those in arrays: the misses of `GET` and `MGET`. */
  nulls = 0;

  #state = AT_TYPE;
  /** Of what is now being read. */
  #type = 0;
  #number = 0;
  #isNegative = false;
  #blockBytesLeft = 0;
  /** How many parts are to come until the reply is complete, with the one now being read. */
  #partsLeft = 0;
  #isPushMessage = false;

  /** True once the stream can't be understood any more. */
  get hasFailed(): boolean {
    return this.#state === FAILED;
  }

  /** Takes `bytes[start, end)`; returns how many replies became complete. */
  push(bytes: Uint8Array, start: number, end: number): number {
    const before = this.replies;
    let position = start;
    while (position < end) {
      switch (this.#state) {
        case AT_TYPE:
          this.#startPart(bytes[position]);
          position++;
          break;
        case IN_LINE:
          while (position < end && bytes[position] !== LF) position++;
          if (position < end) this.#endPart();
          position++;
          break;
        case IN_NUMBER:
          position = this.#readNumber(bytes, position, end);
          break;
        case IN_BLOCK: {
          const passed = Math.min(this.#blockBytesLeft, end - position);
          position += passed;
          this.#blockBytesLeft -= passed;
          if (this.#blockBytesLeft === 0) this.#endPart();
          break;
        }
        default:
          return this.replies - before;
      }
    }
    return this.replies - before;
  }

  #startPart(firstByte: number): void {
    if (this.#partsLeft === 0) {
      this.#partsLeft = 1;
      this.#isPushMessage = false;
    }
    if (firstByte === type.PUSH_MESSAGE) this.#isPushMessage = true;
    this.#type = firstByte;
    this.#number = 0;
    this.#isNegative = false;
    const form = type.formOf(firstByte);
    if (form === type.LINE) this.#state = IN_LINE;
    else this.#state = form === 0 ? FAILED : IN_NUMBER;
    if (this.#isPushMessage) return;
    if (firstByte === type.ERROR || firstByte === type.BULK_ERROR) this.errors++;
    else if (firstByte === type.NULL) this.nulls++;
  }

  #readNumber(bytes: Uint8Array, position: number, end: number): number {
    while (position < end) {
      const byte = bytes[position++];
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) {
        this.#number = this.#number * 10 + digit;
      } else if (byte === LF) {
        this.#endNumber();
        return position;
      } else if (byte === MINUS) {
        this.#isNegative = true;
      } else if (byte !== CR) {
        this.#state = FAILED;
        return position;
      }
    }
    return position;
  }

  #endNumber(): void {
    if (this.#isNegative) {
      if (!this.#isPushMessage) this.nulls++;
      this.#endPart();
    } else if (type.formOf(this.#type) === type.BLOCK) {
      this.#blockBytesLeft = this.#number + 2;
      this.#state = IN_BLOCK;
    } else {
      this.#partsLeft += type.elementsOf(this.#type, this.#number);
      if (this.#type === type.ATTRIBUTE) this.#partsLeft++;
      this.#endPart();
    }
  }

  #endPart(): void {
    this.#state = AT_TYPE;
    this.#partsLeft--;
    if (this.#partsLeft === 0 && !this.#isPushMessage) this.replies++;
  }
}
