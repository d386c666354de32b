/**
 * Keyed randomness: a draw is a hash of (seed, stream, what it is about), never the next number of
 * a sequence. So a scenario that loses one operation or one fault draws the same numbers for all
 * that is left, which is what makes shrinking possible.
 *
 * Whole numbers only. Chances are ratios, since a rounding that differs between machines would
 * make two runs of one seed differ.
 */
import { invariant } from '../runtime/index.ts';

/** A chance of `of[0]` in `of[1]`. */
export type Ratio = readonly [of: number, outOf: number];

export const NEVER: Ratio = [0, 1];

/** Mixes one 32-bit word into a hash (the inner round of MurmurHash3). */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

/** Spreads every bit of a mixed hash over all 32 (the final round of MurmurHash3). */
function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit hash of a text, by its code units. */
function hashText(text: string): number {
  let hash = text.length;
  for (let i = 0; i < text.length; i += 1) hash = mix(hash, text.charCodeAt(i));
  return finish(hash);
}

/** A 32-bit hash of `bytes[start, end)`. */
export function hashBytes(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let hash = end - start;
  let i = start;
  for (; i + 3 < end; i += 4) {
    hash = mix(hash, bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
  }
  for (; i < end; i += 1) hash = mix(hash, bytes[i]);
  return finish(hash);
}

/** Is told of each draw, so that two runs can be compared draw by draw. */
export type DrawObserver = (stream: Stream, value: number) => void;

/**
 * The draws about one kind of thing. The same arguments give the same number, always.
 *
 * `a`, `b` and `c` say what the draw is about (ids, counters, times); only their low 32 bits and
 * the 21 bits above count.
 */
export class Stream {
  readonly name: string;
  readonly #base: number;
  readonly #observe: DrawObserver | undefined;

  constructor(seed: number, name: string, observe?: DrawObserver) {
    invariant(Number.isSafeInteger(seed) && seed >= 0, 'a seed is a whole number of 0 to 2^53-1');
    this.name = name;
    this.#base = mix(mix(mix(hashText(name), seed | 0), Math.floor(seed / 0x1_0000_0000)), 0x9e37);
    this.#observe = observe;
  }

  /** A whole number in [0, 2^32). */
  uint32(a: number, b = 0, c = 0): number {
    let hash = mix(this.#base, a | 0);
    if (a > 0xffffffff) hash = mix(hash, Math.floor(a / 0x1_0000_0000));
    hash = mix(hash, b | 0);
    hash = mix(hash, c | 0);
    const value = finish(hash);
    this.#observe?.(this, value);
    return value;
  }

  /** A whole number in [0, bound). */
  below(bound: number, a: number, b = 0, c = 0): number {
    // Both factors are whole and the product stays under 2^53, so this rounds nowhere.
    invariant(bound > 0 && bound <= 0x20_0000, 'a bound of 1 to 2^21');
    return Math.floor((this.uint32(a, b, c) * bound) / 0x1_0000_0000);
  }

  /** A whole number in [low, high], at most 2^32 apart. */
  between(low: number, high: number, a: number, b = 0, c = 0): number {
    const span = high - low + 1;
    if (span <= 0x20_0000) return low + this.below(span, a, b, c);
    return low + (this.uint32(a, b, c) % span);
  }

  chance(ratio: Ratio, a: number, b = 0, c = 0): boolean {
    return ratio[0] > 0 && this.below(ratio[1], a, b, c) < ratio[0];
  }

  pick<T>(from: readonly T[], a: number, b = 0, c = 0): T {
    return from[this.below(from.length, a, b, c)];
  }

  /** A sequence of draws about one thing, for code that makes a number of choices in a row. */
  sequence(a: number, b = 0): Draws {
    return new Draws(this, a, b);
  }
}

/** Draws in a row. Each is keyed by the thing and its place in the row. */
export class Draws {
  readonly #stream: Stream;
  readonly #a: number;
  readonly #b: number;
  #count = 0;

  constructor(stream: Stream, a: number, b: number) {
    this.#stream = stream;
    this.#a = a;
    this.#b = b;
  }

  uint32(): number {
    return this.#stream.uint32(this.#a, this.#b, (this.#count += 1));
  }

  below(bound: number): number {
    return this.#stream.below(bound, this.#a, this.#b, (this.#count += 1));
  }

  between(low: number, high: number): number {
    return this.#stream.between(low, high, this.#a, this.#b, (this.#count += 1));
  }

  chance(ratio: Ratio): boolean {
    return this.#stream.chance(ratio, this.#a, this.#b, (this.#count += 1));
  }

  pick<T>(from: readonly T[]): T {
    return this.#stream.pick(from, this.#a, this.#b, (this.#count += 1));
  }

  /** Some of `from`, each with the chance given, in the order of `from`. */
  some<T>(from: readonly T[], ratio: Ratio): T[] {
    return from.filter(() => this.chance(ratio));
  }
}
