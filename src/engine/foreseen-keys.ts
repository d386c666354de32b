/**
 * The keys that come next, as far as they are known: they are fetched from memory all at once, and
 * hashed once each.
 *
 * A key is known by where it lies, not by what it is: whoever lets bytes be overwritten forgets
 * what was foreseen in them first. It is asked in about the order in which it was told.
 */
import type { Arena } from './arena.ts';
import type { Domain } from './domain.ts';
import type { KeyHash } from './hash.ts';

/** About as many misses as a core keeps under way, twice over. */
export const FORESEEN_MAX = 32;

export class ForeseenKeys {
  /** What `fetch` has read: of no meaning, kept so that the loads are not optimized away. */
  warmth = 0;
  readonly #arena: Arena;
  readonly #hash: KeyHash;
  #bytes: Uint8Array | undefined;
  #count = 0;
  readonly #starts = new Int32Array(FORESEEN_MAX);
  readonly #lengths = new Int32Array(FORESEEN_MAX);
  readonly #hashes = new Int32Array(FORESEEN_MAX);
  readonly #heads = new Int32Array(FORESEEN_MAX);
  readonly #domains: Domain[] = [];
  /** The key that was asked for last. */
  #at = 0;

  constructor(arena: Arena, hash: KeyHash) {
    this.#arena = arena;
    this.#hash = hash;
  }

  /** Forgets all, and takes keys in these bytes. */
  begin(bytes: Uint8Array): void {
    this.forget();
    this.#bytes = bytes;
  }

  /** Adds one to those in the bytes that it began with; at most `FORESEEN_MAX`. */
  add(domain: Domain, start: number, length: number): void {
    if (this.#bytes === undefined) return;
    this.#hashes[this.#count] = this.#hash.of(this.#bytes, start, length);
    this.#domains[this.#count] = domain;
    this.#starts[this.#count] = start;
    this.#lengths[this.#count] = length;
    this.#count++;
  }

  /** The bytes that it knows keys in may change from now on. */
  forget(): void {
    this.#count = 0;
    this.#at = 0;
    this.#bytes = undefined;
  }

  /**
   * Brings what is needed to find them into the CPU's cache. The loads for one key wait for each
   * other, those for different keys do not: so this takes little longer for many than for one. A
   * record is the first of its bucket, or else mostly the second.
   */
  fetch(): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const arena = this.#arena;
    const heads = this.#heads;
    const count = this.#count;
    for (let i = 0; i < count; i++) heads[i] = this.#domains[i].index.headOf(this.#hashes[i]);
    let sum = 0;
    for (let i = 0; i < count; i++) if (heads[i] !== 0) sum ^= arena.peek(heads[i]);
    for (let i = 0; i < count; i++) {
      if (heads[i] === 0) continue;
      const { number } = this.#domains[i];
      if (arena.hasKey(heads[i], bytes, this.#starts[i], this.#lengths[i], number)) continue;
      const next = arena.next(heads[i]);
      if (next !== 0) sum ^= arena.peek(next);
    }
    this.warmth = sum;
  }

  /** The hash of a key, foreseen or not. */
  hashOf(bytes: Uint8Array, start: number, length: number): number {
    if (bytes === this.#bytes) {
      const last = Math.min(this.#at + 1, this.#count - 1);
      for (let at = this.#at; at <= last; at++) {
        if (this.#starts[at] !== start || this.#lengths[at] !== length) continue;
        this.#at = at;
        return this.#hashes[at];
      }
    }
    return this.#hash.of(bytes, start, length);
  }
}
