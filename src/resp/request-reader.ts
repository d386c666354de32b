/**
 * The requests of one connection, in order, out of the pieces that its transport delivers.
 *
 * For each piece: `push` it, call `next` until it says `INCOMPLETE` or an error (or until the
 * connection has had enough for now), then `finish`. Requests are parsed where the transport put
 * them. Only a request that is cut by the end of a piece is copied, and only as much of it as is
 * there: what a client declares never makes this allocate, what it has sent does.
 *
 * Between pieces it holds memory for at most four times what is left to parse, or 4 KiB, or what it
 * was told to keep.
 */

import { invariant } from '../runtime/index.ts';
import { REQUEST_LIMITS, type RequestLimits } from './limits.ts';
import { INCOMPLETE, type ParseCode, RequestParser } from './request-parser.ts';

const CARRY_BYTES_MIN = 512;
const CARRY_BYTES_KEPT = 4096;
/** How much of the next piece is added to a cut request at first, where its length is unknown. */
const STEP_BYTES = 256;

const NO_BYTES = new Uint8Array(0);

/** Whoever wants to see requests before their turn. */
export interface RequestScout {
  scout(bytes: Uint8Array, start: number, end: number): number;
}

export class RequestReader {
  /** Where to find the arguments and errors of what `next` has found. */
  readonly request: RequestParser;

  /** The piece: what is left of it is `#piece[#position, #end)`. */
  #piece: Uint8Array = NO_BYTES;
  #position = 0;
  #end = 0;

  /** What earlier pieces left: `#carry[#carryStart, #carryEnd)`. It comes before the piece. */
  #carry = NO_BYTES;
  #carryStart = 0;
  #carryEnd = 0;
  /** The last bytes of the carry that are still before `#position` in the piece as well. */
  #borrowed = 0;

  readonly #bytesKept: number;

  /** @param bytesKept what it may hold though nothing is left to parse: for the next cut request */
  constructor(limits: RequestLimits = REQUEST_LIMITS, bytesKept = CARRY_BYTES_KEPT) {
    this.request = new RequestParser(limits);
    this.#bytesKept = bytesKept;
  }

  /** True where a request has begun and not ended, or whole ones wait to be parsed. */
  get hasUnfinished(): boolean {
    return this.bytesCarried > 0 || this.request.isInsideRequest;
  }

  /** Bytes that wait between pieces to be parsed. */
  get bytesCarried(): number {
    return this.#carryEnd - this.#carryStart;
  }

  /** Bytes of memory held for what waits. */
  get bytesAllocated(): number {
    return this.#carry.length;
  }

  /** Takes `bytes[start, end)`, which must stay as it is until `finish`. */
  push(bytes: Uint8Array, start: number, end: number): void {
    invariant(this.#position === this.#end, 'a piece is finished before the next is pushed');
    this.#piece = bytes;
    this.#position = start;
    this.#end = end;
  }

  /**
   * Finds the next request. Its arguments are valid until the next call of any method.
   *
   * May be called without a piece, to go on with what a connection had enough of before.
   */
  next(): ParseCode {
    if (this.#carryEnd !== 0) return this.#nextCarried();
    const code = this.request.parse(this.#piece, this.#position, this.#end);
    this.#position = this.request.position;
    return code;
  }

  /** Shows `look` what is left of the piece; gives what it says, and 0 where nothing is left. */
  lookAhead(look: RequestScout): number {
    if (this.#carryEnd !== 0 || this.#position === this.#end) return 0;
    return look.scout(this.#piece, this.#position, this.#end);
  }

  /** Ends the use of the piece: what was not parsed is copied. */
  finish(): void {
    if (this.#position < this.#end) this.#append(this.#end - this.#position);
    this.#piece = NO_BYTES;
    this.#position = 0;
    this.#end = 0;
    this.#borrowed = 0;
    this.#trim();
  }

  #nextCarried(): ParseCode {
    let step = STEP_BYTES;
    for (;;) {
      const code = this.request.parse(this.#carry, this.#carryStart, this.#carryEnd);
      this.#carryStart = this.request.position;
      const rest = this.#carryEnd - this.#carryStart;
      if (rest <= this.#borrowed) {
        this.#leaveCarry(rest);
        return code === INCOMPLETE ? this.next() : code;
      }
      const available = this.#end - this.#position;
      if (code !== INCOMPLETE || available === 0) return code;
      const wanted = Math.max(step, this.request.bytesNeeded - rest);
      this.#borrowed += this.#append(Math.min(wanted, available));
      step *= 2;
    }
  }

  /** Goes on in the piece, of which the last `rest` bytes were copied for nothing. */
  #leaveCarry(rest: number): void {
    this.#position -= rest;
    this.#carryStart = 0;
    this.#carryEnd = 0;
  }

  /** Copies `count` bytes of the piece to the carry's end. */
  #append(count: number): number {
    const needed = this.bytesCarried + count;
    if (this.#carryEnd + count > this.#carry.length) {
      if (needed * 2 <= this.#carry.length) {
        this.#carry.copyWithin(0, this.#carryStart, this.#carryEnd);
      } else {
        const larger = new Uint8Array(Math.max(CARRY_BYTES_MIN, needed * 2));
        larger.set(this.#carry.subarray(this.#carryStart, this.#carryEnd));
        this.#carry = larger;
      }
      this.#carryEnd -= this.#carryStart;
      this.#carryStart = 0;
    }
    const from = this.#position;
    this.#carry.set(this.#piece.subarray(from, from + count), this.#carryEnd);
    this.#carryEnd += count;
    this.#position += count;
    return count;
  }

  /** Gives back what a large request took. */
  #trim(): void {
    this.request.trim();
    const needed = this.bytesCarried;
    if (needed === 0) {
      this.#carryStart = 0;
      this.#carryEnd = 0;
    }
    if (this.#carry.length <= Math.max(this.#bytesKept, needed * 4)) return;
    this.#carry = needed === 0 ? NO_BYTES : this.#carry.slice(this.#carryStart, this.#carryEnd);
    this.#carryStart = 0;
    this.#carryEnd = needed;
  }
}
