/**
 * Inline requests: a line of words, as a person types it. Words are split and unquoted by the
 * rules of Redis: white space between words; "double quotes" with \n \r \t \b \a, \xHH, and a
 * backslash before any other byte standing for that byte; 'single quotes' with \' alone; a closing
 * quote must be followed by white space or the line's end.
 *
 * One rule is ours: a NUL byte is a byte as any other. Redis takes it for the end of its input
 * and then waits for a line end that it can never see.
 */

import {
  BACKSLASH,
  CR,
  DOUBLE_QUOTE,
  LF,
  SINGLE_QUOTE,
  SPACE,
  TAB,
  isWhiteSpace,
} from './characters.ts';

const LOWER_X = 0x78;
const WORDS_INITIAL = 16;

/** A backslash before one of these letters, inside double quotes, is the byte beside it. */
const ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x6e, LF],
  [0x72, CR],
  [0x74, TAB],
  [0x62, 0x08],
  [0x61, 0x07],
]);

export class InlineSplitter {
  /** The words, one after the other. Word `i` is `bytes[starts[i], ends[i])`. */
  bytes = new Uint8Array(0);
  starts = new Int32Array(WORDS_INITIAL);
  ends = new Int32Array(WORDS_INITIAL);
  wordCount = 0;
  #length = 0;

  /**
   * Splits `line[start, end)`, which has no line end.
   *
   * @returns false where quotes are unbalanced.
   */
  split(line: Uint8Array, start: number, end: number): boolean {
    if (this.bytes.length < end - start) this.bytes = new Uint8Array(2 * (end - start));
    this.wordCount = 0;
    this.#length = 0;
    let position = start;
    for (;;) {
      while (position < end && isWhiteSpace(line[position])) position++;
      if (position === end) return true;
      const wordStart = this.#length;
      position = this.#word(line, position, end);
      if (position < 0) return false;
      this.#add(wordStart, this.#length);
    }
  }

  /** Copies the word at `position`; returns the position after it, or -1. */
  #word(line: Uint8Array, position: number, end: number): number {
    while (position < end) {
      const byte = line[position];
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) {
        position = this.#quoted(line, position + 1, end, byte);
        if (position < 0 || position === end) return position;
        return isWhiteSpace(line[position]) ? position : -1;
      }
      if (byte === SPACE || byte === TAB || byte === CR) return position;
      this.bytes[this.#length++] = byte;
      position++;
    }
    return position;
  }

  /** Copies up to the closing quote; returns the position after it, or -1. */
  #quoted(line: Uint8Array, position: number, end: number, quote: number): number {
    while (position < end) {
      const byte = line[position];
      if (byte === quote) return position + 1;
      if (byte !== BACKSLASH || position + 1 === end) {
        this.bytes[this.#length++] = byte;
        position++;
      } else if (quote === SINGLE_QUOTE) {
        const escapesQuote = line[position + 1] === SINGLE_QUOTE;
        this.bytes[this.#length++] = escapesQuote ? SINGLE_QUOTE : BACKSLASH;
        position += escapesQuote ? 2 : 1;
      } else {
        position = this.#escape(line, position + 1, end);
      }
    }
    return -1;
  }

  /** Copies what a backslash before `position` stands for; returns the position after it. */
  #escape(line: Uint8Array, position: number, end: number): number {
    const letter = line[position];
    if (letter === LOWER_X && position + 2 < end) {
      const high = hexDigit(line[position + 1]);
      const low = hexDigit(line[position + 2]);
      if (high >= 0 && low >= 0) {
        this.bytes[this.#length++] = high * 16 + low;
        return position + 3;
      }
    }
    this.bytes[this.#length++] = ESCAPES.get(letter) ?? letter;
    return position + 1;
  }

  #add(start: number, end: number): void {
    if (this.wordCount === this.starts.length) {
      this.starts = doubled(this.starts);
      this.ends = doubled(this.ends);
    }
    this.starts[this.wordCount] = start;
    this.ends[this.wordCount] = end;
    this.wordCount++;
  }
}

/** A copy with room for twice as many. */
export function doubled(array: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** The digit's value, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
