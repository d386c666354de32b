/**
 * The server's side of the protocol: finds one request at a time in a range of bytes.
 *
 * It works in place. A request that lies in the range as a whole is found without an allocation,
 * a string, a closure or an exception: `starts` and `ends` say where its arguments are, and that
 * is all. A request of which a part is missing is remembered relative to its first byte, so that
 * the next call goes on where the last one stopped, however the bytes were moved in between.
 * Any stream of bytes cut into any pieces therefore gives the same requests and the same errors.
 *
 * The wording of errors is that of Redis 7. Where this parser is stricter, or says more, the
 * reason stands beside it.
 *
 * Reference: "Redis serialization protocol specification", sections on requests and inline
 * commands; the rest follows the observed behaviour of redis-server 7.0.
 */

import { CR, DOLLAR, LF, STAR, ZERO } from './characters.ts';
import { doubled, InlineSplitter } from './inline.ts';
import { looksLikeHttp } from './http.ts';
import { parseInteger } from './integer.ts';
import {
  ARGUMENT_BYTES_CEILING,
  checkRequestLimits,
  REQUEST_LIMITS,
  type RequestLimits,
  UNAUTHENTICATED_ARGUMENT_BYTES_MAX,
  UNAUTHENTICATED_ARGUMENT_COUNT_MAX,
} from './limits.ts';

/** The range ends inside a request, or is empty. */
export const INCOMPLETE = 0;
/** One request was found. */
export const REQUEST = 1;
/** The stream can't be understood any more. The connection is to say so and close. */
export const PROTOCOL_ERROR = 2;
/** One request was over a limit and has been skipped as a whole. Answer with `errorText`. */
export const OVERSIZED = 3;

export type ParseCode =
  typeof INCOMPLETE | typeof REQUEST | typeof PROTOCOL_ERROR | typeof OVERSIZED;

/** At the first byte of a request. */
const FRESH = 0;
/** The first line has begun but not ended. */
const FIRST_LINE = 1;
/** Inside of a request's arguments. */
const ARGUMENTS = 2;
/** Inside of a request that is over a limit, and is passed over. */
const SKIPPING = 3;
/** After a protocol error. */
const FAILED = 4;

/** What a header or line can be instead of whole. */
const PARTIAL = -1;
const TOO_LONG = -2;
const REFUSED = -3;

/** Small enough for V8 to keep these arrays in its own heap, beside the parser. */
const ARGUMENTS_INITIAL = 16;
const ARGUMENTS_KEPT = 1024;

const NO_BYTES = new Uint8Array(0);

export class RequestParser {
  /** After `REQUEST`: argument `i` is `argumentBytes[starts[i], ends[i])`. */
  argumentCount = 0;
  starts = new Int32Array(ARGUMENTS_INITIAL);
  ends = new Int32Array(ARGUMENTS_INITIAL);
  /**
   * After `REQUEST`: the array that holds the arguments. It is the one that was parsed, or, for an
   * inline request, a scratch array that is valid until the next call.
   */
  argumentBytes: Uint8Array = NO_BYTES;
  /**
   * The first byte after what was found. After `INCOMPLETE`: the first byte that is still
   * needed; the next range must begin with it. All before it may be dropped.
   */
  position = 0;
  /** After `PROTOCOL_ERROR` or `OVERSIZED`: the error reply, without `-ERR ` before it. */
  errorText = '';
  /** After `INCOMPLETE`: the fewest bytes, counted from `position`, that can end the request. */
  bytesNeeded = 0;

  readonly #limits: RequestLimits;
  readonly #requestBytesMax: number;
  #argumentCountMax: number;
  #argumentBytesMax: number;
  #isAuthenticated = true;
  #inline: InlineSplitter | undefined;

  #phase = FRESH;
  /** Arguments that the request has, found or not. */
  #argumentTotal = 0;
  /** Arguments found so far. */
  #argumentsFound = 0;
  /** Where `starts` and `ends` count from, in a request that is not whole yet. */
  #origin = 0;
  /** Relative to the request's first byte: where the argument begins that is not whole yet. */
  #offset = 0;
  /** Relative to the request's first byte: up to where a line end was looked for in vain. */
  #scanned = 0;
  /** Bytes of the argument now being skipped that have yet to pass, its line end left out. */
  #bytesToSkip = 0;
  /** True from an argument's skipped bytes to its line end. */
  #skipsLineEnd = false;
  /** Set by `#bulkHeader`: where the argument's bytes begin. */
  #contentStart = 0;

  /** @throws {InvariantError} where a limit is impossible. */
  constructor(limits: RequestLimits = REQUEST_LIMITS) {
    checkRequestLimits(limits);
    this.#limits = limits;
    this.#argumentCountMax = limits.argumentCountMax;
    this.#argumentBytesMax = limits.argumentBytesMax;
    this.#requestBytesMax = limits.requestBytesMax;
  }

  /** True where the first bytes of a request have come, but not its last, be they kept or not. */
  get isInsideRequest(): boolean {
    return this.#phase !== FRESH && this.#phase !== FAILED;
  }

  /** While false, a client may send only requests as small as those that authenticate. */
  setAuthenticated(isAuthenticated: boolean): void {
    const { argumentCountMax, argumentBytesMax } = this.#limits;
    this.#isAuthenticated = isAuthenticated;
    this.#argumentCountMax = isAuthenticated
      ? argumentCountMax
      : Math.min(argumentCountMax, UNAUTHENTICATED_ARGUMENT_COUNT_MAX);
    this.#argumentBytesMax = isAuthenticated
      ? argumentBytesMax
      : Math.min(argumentBytesMax, UNAUTHENTICATED_ARGUMENT_BYTES_MAX);
  }

  /** Forgets a request that is not whole, or an error: the next range begins a new one. */
  reset(): void {
    this.#startAfresh();
  }

  /** Gives back what a request with many arguments, or an inline one, took. It is over by now. */
  trim(): void {
    if (this.#inline !== undefined) {
      this.#inline = undefined;
      this.argumentBytes = NO_BYTES;
    }
    if (this.#phase === ARGUMENTS || this.starts.length <= ARGUMENTS_KEPT) return;
    this.starts = new Int32Array(ARGUMENTS_INITIAL);
    this.ends = new Int32Array(ARGUMENTS_INITIAL);
  }

  /**
   * Looks for one request in `bytes[start, end)`.
   *
   * After `INCOMPLETE` the next range must begin with the byte that `position` was at, wherever
   * it lies by then, and hold more bytes after those that this one held.
   */
  parse(bytes: Uint8Array, start: number, end: number): ParseCode {
    if (this.#phase !== FRESH) return this.#resume(bytes, start, end);
    if (end - start >= 4 && bytes[start] === STAR && bytes[start + 2] === CR) {
      const count = bytes[start + 1] - ZERO;
      if (count >= 1 && count <= 9 && bytes[start + 3] === LF) {
        return this.#arguments(bytes, start, end, start + 4, 0, count);
      }
    }
    return this.#firstLine(bytes, start, end);
  }

  #resume(bytes: Uint8Array, start: number, end: number): ParseCode {
    switch (this.#phase) {
      case FIRST_LINE:
        return this.#firstLine(bytes, start, end);
      case ARGUMENTS: {
        const found = this.#argumentsFound;
        const moved = start - this.#origin;
        if (moved !== 0) {
          for (let index = 0; index < found; index++) {
            this.starts[index] += moved;
            this.ends[index] += moved;
          }
          this.#origin = start;
        }
        const from = start + this.#offset;
        return this.#arguments(bytes, start, end, from, found, this.#argumentTotal);
      }
      case SKIPPING:
        return this.#skip(bytes, start, end);
      default:
        this.position = start;
        return PROTOCOL_ERROR;
    }
  }

  /**
   * Arguments from number `index`, which begins at `position`, to the last.
   *
   * Lengths of one to three digits, which nearly all have, are read here: a call for each costs
   * a fifth of the whole.
   */
  #arguments(
    bytes: Uint8Array,
    start: number,
    end: number,
    position: number,
    index: number,
    total: number,
  ): ParseCode {
    const endMax = Math.min(end, start + this.#requestBytesMax);
    const lengthMax = this.#argumentBytesMax;
    let starts = this.starts;
    let ends = this.ends;
    for (; index < total; index++) {
      let length = REFUSED;
      let contentStart = position + 4;
      if (end - position >= 6 && bytes[position] === DOLLAR) {
        let digit = bytes[position + 1] - ZERO;
        let next = bytes[position + 2];
        if (digit >= 0 && digit <= 9) {
          length = digit;
          if (next !== CR && digit !== 0) {
            digit = next - ZERO;
            next = bytes[++contentStart - 2];
            length = digit >= 0 && digit <= 9 ? length * 10 + digit : REFUSED;
            if (next !== CR && length >= 0) {
              digit = next - ZERO;
              next = bytes[++contentStart - 2];
              length = digit >= 0 && digit <= 9 ? length * 10 + digit : REFUSED;
            }
          }
          if (next !== CR || bytes[contentStart - 1] !== LF) length = REFUSED;
        }
      }
      if (length < 0) {
        length = this.#bulkHeader(bytes, start, end, position);
        if (length === PARTIAL) {
          return this.#wait(start, position, index, total, end + 1 - start);
        }
        if (length < 0) return this.#fail(position);
        contentStart = this.#contentStart;
      }
      const contentEnd = contentStart + length;
      if (length > lengthMax) {
        this.errorText = this.#oversizedArgument(length);
        return this.#startSkipping(bytes, end, contentStart, length, total - index);
      }
      if (contentEnd + 2 > endMax) {
        const needed = contentEnd + 2 - start;
        if (needed <= this.#requestBytesMax) {
          return this.#wait(start, position, index, total, needed);
        }
        this.errorText = `request exceeds the limit of ${this.#requestBytesMax} bytes`;
        return this.#startSkipping(bytes, end, contentStart, length, total - index);
      }
      if (bytes[contentEnd] !== CR || bytes[contentEnd + 1] !== LF) {
        return this.#failUnterminated(position);
      }
      if (index === starts.length) {
        starts = this.starts = doubled(starts);
        ends = this.ends = doubled(ends);
      }
      starts[index] = contentStart;
      ends[index] = contentEnd;
      position = contentEnd + 2;
    }
    this.argumentCount = total;
    this.argumentBytes = bytes;
    this.position = position;
    if (this.#phase !== FRESH) this.#startAfresh();
    return REQUEST;
  }

  /** Reads a first line in any form: empty requests are passed over, as Redis does. */
  #firstLine(bytes: Uint8Array, start: number, end: number): ParseCode {
    for (;;) {
      if (start === end) return this.#waitForLine(start, end);
      if (bytes[start] !== STAR) {
        const lineEnd = this.#find(LF, bytes, start, start, end);
        if (lineEnd === PARTIAL) return this.#waitForLine(start, end);
        if (lineEnd < 0) {
          return this.#failWith(start, 'Protocol error: too big inline request');
        }
        if (!this.#splitLine(bytes, start, lineEnd)) return this.#fail(start);
        start = lineEnd + 1;
        this.#startAfresh();
        if (this.argumentCount === 0) continue;
        this.position = start;
        return REQUEST;
      }
      const headerEnd = this.#findHeaderEnd(bytes, start, start, end);
      if (headerEnd === PARTIAL) return this.#waitForLine(start, end);
      if (headerEnd < 0) {
        return this.#failWith(start, 'Protocol error: too big mbulk count string');
      }
      const count = parseInteger(bytes, start + 1, headerEnd);
      if (Number.isNaN(count) || bytes[headerEnd + 1] !== LF) {
        return this.#failWith(start, 'Protocol error: invalid multibulk length');
      }
      if (count > this.#argumentCountMax) return this.#failWith(start, this.#tooMany(count));
      if (count > 0) {
        this.#scanned = 0;
        return this.#arguments(bytes, start, end, headerEnd + 2, 0, count);
      }
      start = headerEnd + 2;
      this.#startAfresh();
    }
  }

  /**
   * Reads an argument's header, at `position`, in any form; sets `#contentStart`.
   *
   * @returns the declared length, `PARTIAL`, or `REFUSED` with `errorText` set.
   */
  #bulkHeader(bytes: Uint8Array, start: number, end: number, position: number): number {
    const headerEnd = this.#findHeaderEnd(bytes, start, position, end);
    if (headerEnd === PARTIAL) return PARTIAL;
    if (headerEnd === TOO_LONG) {
      this.errorText = 'Protocol error: too big bulk count string';
      return REFUSED;
    }
    if (bytes[position] !== DOLLAR) {
      this.errorText = `Protocol error: expected '$', got '${printable(bytes[position])}'`;
      return REFUSED;
    }
    const length = parseInteger(bytes, position + 1, headerEnd);
    const isValid = length >= 0 && length <= ARGUMENT_BYTES_CEILING;
    if (!isValid || bytes[headerEnd + 1] !== LF) {
      this.errorText = 'Protocol error: invalid bulk length';
      return REFUSED;
    }
    if (length > UNAUTHENTICATED_ARGUMENT_BYTES_MAX && !this.#isAuthenticated) {
      this.errorText = 'Protocol error: unauthenticated bulk length';
      return REFUSED;
    }
    this.#contentStart = headerEnd + 2;
    return length;
  }

  /**
   * Looks for the CR that ends the header at `position`, and for a byte after it. Redis judges a
   * header only once that is there, and so does this.
   */
  #findHeaderEnd(bytes: Uint8Array, start: number, position: number, end: number): number {
    const headerEnd = this.#find(CR, bytes, start, position, end);
    return headerEnd === end - 1 ? PARTIAL : headerEnd;
  }

  /** Where the line at `position` has its first `byte`; `PARTIAL`, or `TOO_LONG` without one. */
  #find(byte: number, bytes: Uint8Array, start: number, position: number, end: number): number {
    const lineBytesMax = this.#limits.lineBytesMax;
    const stop = Math.min(end, position + lineBytesMax + 1);
    let index = Math.max(position, start + this.#scanned);
    while (index < stop && bytes[index] !== byte) index++;
    if (index < stop) return index;
    this.#scanned = index - start;
    return end - position > lineBytesMax ? TOO_LONG : PARTIAL;
  }

  /** Splits an inline request; false where it is an error, with `errorText` set. */
  #splitLine(bytes: Uint8Array, start: number, lineEnd: number): boolean {
    const inline = (this.#inline ??= new InlineSplitter());
    const end = lineEnd > start && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (looksLikeHttp(bytes, start, end)) {
      this.errorText = 'Protocol error: this port speaks RESP (the Redis protocol), not HTTP';
      return false;
    }
    if (!inline.split(bytes, start, end)) {
      this.errorText = 'Protocol error: unbalanced quotes in request';
      return false;
    }
    if (inline.wordCount > this.starts.length) {
      this.starts = new Int32Array(inline.starts.length);
      this.ends = new Int32Array(inline.ends.length);
    }
    for (let index = 0; index < inline.wordCount; index++) {
      this.starts[index] = inline.starts[index];
      this.ends[index] = inline.ends[index];
    }
    this.argumentCount = inline.wordCount;
    this.argumentBytes = inline.bytes;
    return true;
  }

  /** Passes over what is left of an oversized request, beginning with an argument's bytes. */
  #startSkipping(
    bytes: Uint8Array,
    end: number,
    contentStart: number,
    length: number,
    argumentsLeft: number,
  ): ParseCode {
    this.#phase = SKIPPING;
    this.#argumentTotal = argumentsLeft;
    this.#bytesToSkip = length;
    this.#skipsLineEnd = true;
    this.#scanned = 0;
    return this.#skip(bytes, contentStart, end);
  }

  #skip(bytes: Uint8Array, start: number, end: number): ParseCode {
    for (;;) {
      if (this.#skipsLineEnd) {
        const passed = Math.min(this.#bytesToSkip, end - start);
        start += passed;
        this.#bytesToSkip -= passed;
        if (end - start < 2) return this.#waitSkipping(start, this.#bytesToSkip + 2);
        if (bytes[start] !== CR || bytes[start + 1] !== LF) return this.#failUnterminated(start);
        start += 2;
        this.#skipsLineEnd = false;
        this.#argumentTotal--;
        if (this.#argumentTotal === 0) {
          this.position = start;
          this.#startAfresh();
          return OVERSIZED;
        }
      }
      const length = this.#bulkHeader(bytes, start, end, start);
      if (length === PARTIAL) return this.#waitSkipping(start, end + 1 - start);
      if (length < 0) return this.#fail(start);
      this.#scanned = 0;
      this.#bytesToSkip = length;
      this.#skipsLineEnd = true;
      start = this.#contentStart;
    }
  }

  #waitSkipping(position: number, bytesNeeded: number): ParseCode {
    this.position = position;
    this.bytesNeeded = bytesNeeded;
    return INCOMPLETE;
  }

  #waitForLine(start: number, end: number): ParseCode {
    this.#phase = start === end ? FRESH : FIRST_LINE;
    this.position = start;
    this.bytesNeeded = end + 1 - start;
    return INCOMPLETE;
  }

  #wait(
    start: number,
    position: number,
    index: number,
    total: number,
    bytesNeeded: number,
  ): ParseCode {
    this.#phase = ARGUMENTS;
    this.#argumentsFound = index;
    this.#argumentTotal = total;
    this.#origin = start;
    this.#offset = position - start;
    this.position = start;
    this.bytesNeeded = bytesNeeded;
    return INCOMPLETE;
  }

  #startAfresh(): void {
    this.#phase = FRESH;
    this.#scanned = 0;
  }

  #fail(position: number): ParseCode {
    this.#phase = FAILED;
    this.position = position;
    return PROTOCOL_ERROR;
  }

  #failWith(position: number, errorText: string): ParseCode {
    this.errorText = errorText;
    return this.#fail(position);
  }

  /**
   * Redis takes the two bytes after an argument for its line end without a look, and so reads a
   * request with a wrong length as another request. This is refused here: what was counted
   * wrong must not be stored.
   */
  #failUnterminated(position: number): ParseCode {
    return this.#failWith(position, 'Protocol error: expected CRLF after bulk argument');
  }

  #tooMany(count: number): string {
    return count <= this.#limits.argumentCountMax
      ? 'Protocol error: unauthenticated multibulk length'
      : 'Protocol error: invalid multibulk length';
  }

  #oversizedArgument(length: number): string {
    return `argument of ${length} bytes exceeds the limit of ${this.#argumentBytesMax} bytes`;
  }
}

/** How an error text shows a byte: as itself, a line end as a space, others in hex. */
function printable(byte: number): string {
  if (byte === CR || byte === LF) return ' ';
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
