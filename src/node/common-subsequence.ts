/**
 * The longest common subsequence of two byte strings, by dynamic programming, in bounded steps.
 *
 * One row of lengths is kept, and for every pair of positions two bits: where the way back to the
 * beginning leads. So 2 ** 27 pairs, the most that is taken, need 32 MiB, and less than a second.
 */

/** Positions of a common stretch in both strings; the ends belong to it. */
export interface CommonRange {
  readonly aStart: number;
  readonly aEnd: number;
  readonly bStart: number;
  readonly bEnd: number;
}

const PAIRS_MAX = 2 ** 27;
const BYTES_MAX = 64 * 1024 * 1024;
const PAIRS_A_STEP = 100_000;

const MATCH = 1;
const BACK_IN_A = 2;
const BACK_IN_B = 0;

export class CommonSubsequence {
  /** Once done: the longest common subsequence, unless only its length was wanted. */
  result = new Uint8Array(0);
  /** Once done: where it lies, from the end to the beginning. */
  readonly ranges: CommonRange[] = [];
  readonly #a: Uint8Array;
  readonly #b: Uint8Array;
  /** Absent where only the length is wanted. */
  readonly #directions: Uint8Array | undefined;
  readonly #directionsPerRow: number;
  readonly #row: Uint32Array;
  #i = 0;
  #isWayBack = false;
  #backI: number;
  #backJ: number;
  #left = 0;
  #range: { aStart: number; aEnd: number; bStart: number; bEnd: number } | undefined;

  /** Whether two strings are short enough. */
  static accepts(aLength: number, bLength: number): boolean {
    const pairs = (aLength + 1) * (bLength + 1);
    return pairs <= PAIRS_MAX && aLength * (bLength / 4 + 1) + bLength * 4 <= BYTES_MAX;
  }

  constructor(a: Uint8Array, b: Uint8Array, isLengthOnly: boolean) {
    this.#a = a;
    this.#b = b;
    this.#directionsPerRow = (b.length >>> 2) + 1;
    this.#row = new Uint32Array(b.length + 1);
    this.#directions = isLengthOnly ? undefined : new Uint8Array(a.length * this.#directionsPerRow);
    this.#backI = a.length;
    this.#backJ = b.length;
  }

  get length(): number {
    return this.#row[this.#b.length];
  }

  /** Goes on for about half a millisecond; returns whether it is done. */
  step(): boolean {
    let pairs = 0;
    while (this.#i < this.#a.length) {
      this.#fillRow(this.#i++);
      pairs += this.#b.length + 1;
      if (pairs >= PAIRS_A_STEP) return false;
    }
    return this.#directions === undefined || this.#goBack(this.#directions);
  }

  #fillRow(i: number): void {
    const row = this.#row;
    const b = this.#b;
    const byte = this.#a[i];
    const directions = this.#directions;
    let position = i * this.#directionsPerRow;
    /** What the row before had at j, before this row overwrote it. */
    let diagonal = 0;
    let bits = 0;
    for (let j = 0; j < b.length; j++) {
      const above = row[j + 1];
      let direction = BACK_IN_B;
      if (b[j] === byte) {
        row[j + 1] = diagonal + 1;
        direction = MATCH;
      } else if (above > row[j]) {
        direction = BACK_IN_A;
      } else {
        row[j + 1] = row[j];
      }
      diagonal = above;
      bits |= direction << ((j & 3) * 2);
      if ((j & 3) === 3) {
        if (directions !== undefined) directions[position++] = bits;
        bits = 0;
      }
    }
    if (directions !== undefined) directions[position] = bits;
  }

  #goBack(directions: Uint8Array): boolean {
    if (!this.#isWayBack) {
      this.#isWayBack = true;
      this.#left = this.length;
      this.result = new Uint8Array(this.#left);
    }
    let i = this.#backI;
    let j = this.#backJ;
    for (let count = 0; i > 0 && j > 0 && count < PAIRS_A_STEP; count++) {
      const bits = directions[(i - 1) * this.#directionsPerRow + ((j - 1) >>> 2)];
      const direction = (bits >>> (((j - 1) & 3) * 2)) & 3;
      if (direction === MATCH) {
        this.#addMatch(--i, --j);
      } else {
        if (direction === BACK_IN_A) i--;
        else j--;
        this.#endRange();
      }
    }
    this.#backI = i;
    this.#backJ = j;
    if (i > 0 && j > 0) return false;
    this.#endRange();
    return true;
  }

  #addMatch(i: number, j: number): void {
    this.result[--this.#left] = this.#a[i];
    this.#range ??= { aStart: i, aEnd: i, bStart: j, bEnd: j };
    this.#range.aStart = i;
    this.#range.bStart = j;
  }

  #endRange(): void {
    if (this.#range !== undefined) this.ranges.push(this.#range);
    this.#range = undefined;
  }
}
