/**
 * Steps over replies without making values of them, for a client that sends as fast as it can and
 * needs to know of each answer only whether it is an error or a null. It allocates nothing but the
 * texts of errors, looks at each byte of a header once, and at a block's bytes never.
 *
 * It trusts its server: what is not a reply is an error, but no limit is kept, since nothing
 * here grows with what arrives.
 */

import { CR, LF, MINUS, ZERO } from './characters.ts';
import * as type from './reply-types.ts';

/** What a reply is, as far as it is looked at. */
export const SKIMMED_VALUE = 1;
export const SKIMMED_NULL = 2;
export const SKIMMED_ERROR = 3;

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

const ERROR_TEXT_MAX = 200;

const NO_BYTES = new Uint8Array(0);

export class ReplySkimmer {
  /** After `next` was true: what the reply is itself, whatever an array holds. */
  kind = SKIMMED_VALUE;
  /** After `next` was true and found an error: its beginning, up to 200 bytes. */
  errorText = '';

  #piece: Uint8Array = NO_BYTES;
  #position = 0;
  #end = 0;

  #state = AT_TYPE;
  /** Of what is now being read. */
  #type = 0;
  #number = 0;
  #isNegative = false;
  #blockBytesLeft = 0;
  /** How many parts are to come until the reply is complete, with the one now being read. */
  #partsLeft = 0;
  #isPushMessage = false;
  /** Whether that which is now being read is the reply itself, and not a part of one. */
  #isTop = false;
  #topHasBegun = false;

  /** True once the stream can't be understood any more. */
  get hasFailed(): boolean {
    return this.#state === FAILED;
  }

  /** Takes `bytes[start, end)`, which must stay as it is until `next` is false. */
  push(bytes: Uint8Array, start: number, end: number): void {
    this.#piece = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Finds the next complete reply; push messages are passed over. False where there is none. */
  next(): boolean {
    const bytes = this.#piece;
    const end = this.#end;
    while (this.#position < end) {
      switch (this.#state) {
        case AT_TYPE:
          this.#startPart(bytes[this.#position++]);
          break;
        case IN_LINE:
          if (this.#passLine(bytes, end) && this.#endPart()) return true;
          break;
        case IN_NUMBER:
          if (this.#readNumber(bytes, end) && this.#endNumber()) return true;
          break;
        case IN_BLOCK:
          if (this.#passBlock(bytes, end) && this.#endPart()) return true;
          break;
        default:
          return false;
      }
    }
    return false;
  }

  #startPart(firstByte: number): void {
    if (this.#partsLeft === 0) {
      this.#partsLeft = 1;
      this.#topHasBegun = false;
    }
    // An attribute comes before the reply that it is about.
    this.#isTop = this.#partsLeft === 1 && !this.#topHasBegun;
    if (this.#isTop) this.#startTop(firstByte);
    this.#type = firstByte;
    this.#number = 0;
    this.#isNegative = false;
    const form = type.formOf(firstByte);
    if (form === type.LINE) this.#state = IN_LINE;
    else this.#state = form === 0 ? FAILED : IN_NUMBER;
  }

  #startTop(firstByte: number): void {
    this.#topHasBegun = firstByte !== type.ATTRIBUTE;
    this.#isPushMessage = firstByte === type.PUSH_MESSAGE;
    this.kind = firstByte === type.NULL ? SKIMMED_NULL : SKIMMED_VALUE;
    if (firstByte === type.ERROR || firstByte === type.BULK_ERROR) {
      this.kind = SKIMMED_ERROR;
      this.errorText = '';
    }
  }

  #passLine(bytes: Uint8Array, end: number): boolean {
    const start = this.#position;
    let position = start;
    while (position < end && bytes[position] !== LF) position++;
    if (this.kind === SKIMMED_ERROR) this.#keepText(bytes, start, position);
    this.#position = position + 1;
    return position < end;
  }

  #passBlock(bytes: Uint8Array, end: number): boolean {
    const passed = Math.min(this.#blockBytesLeft, end - this.#position);
    if (this.kind === SKIMMED_ERROR) this.#keepText(bytes, this.#position, this.#position + passed);
    this.#position += passed;
    this.#blockBytesLeft -= passed;
    return this.#blockBytesLeft === 0;
  }

  #readNumber(bytes: Uint8Array, end: number): boolean {
    while (this.#position < end) {
      const byte = bytes[this.#position++];
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) {
        this.#number = this.#number * 10 + digit;
      } else if (byte === LF) {
        return true;
      } else if (byte === MINUS) {
        this.#isNegative = true;
      } else if (byte !== CR) {
        this.#state = FAILED;
        return false;
      }
    }
    return false;
  }

  /** True where that was all of the reply. */
  #endNumber(): boolean {
    if (this.#isNegative) {
      if (this.#isTop) this.kind = SKIMMED_NULL;
      return this.#endPart();
    }
    if (type.formOf(this.#type) === type.BLOCK) {
      this.#blockBytesLeft = this.#number + 2;
      this.#state = IN_BLOCK;
      return false;
    }
    this.#partsLeft += type.elementsOf(this.#type, this.#number);
    if (this.#type === type.ATTRIBUTE) this.#partsLeft++;
    return this.#endPart();
  }

  /** True where the reply is complete with it. */
  #endPart(): boolean {
    this.#state = AT_TYPE;
    this.#partsLeft--;
    return this.#partsLeft === 0 && !this.#isPushMessage;
  }

  #keepText(bytes: Uint8Array, start: number, end: number): void {
    const kept = Math.min(end, start + ERROR_TEXT_MAX - this.errorText.length);
    for (let index = start; index < kept; index++) {
      if (bytes[index] !== CR && bytes[index] !== LF) {
        this.errorText += String.fromCharCode(bytes[index]);
      }
    }
  }
}
