/**
 * Looks ahead in what a primary has sent for the keys that come next, so that the engine can fetch
 * them from memory all at once, as `Scout` does in a client's pipeline.
 */
import { warm } from '../../engine/index.ts';
import { EffectReader } from './effects.ts';
import type { KeySpaces } from './shard-records.ts';

/** Effects in one look: about as many misses as a core keeps under way, twice over. */
const EFFECTS_MAX = 32;

export class EffectScout {
  /** What `warm` gave last. */
  warmth = 0;
  seenTo = 0;
  readonly #spaces: KeySpaces;
  readonly #reader = new EffectReader();
  readonly #hashes = new Int32Array(EFFECTS_MAX);

  constructor(spaces: KeySpaces) {
    this.#spaces = spaces;
  }

  /** What comes next is not what it has seen. */
  begin(): void {
    this.seenTo = 0;
  }

  /** Looks from `from` on, and beyond it whatever is there: up to `seenTo`. */
  scout(effects: Uint8Array, from: number): void {
    const { arena, hash, isLarge } = this.#spaces.engine;
    if (!isLarge) {
      this.seenTo = effects.length;
      return;
    }
    const reader = this.#reader;
    let namespace = -1;
    let keys = 0;
    let at = from;
    for (let seen = 0; seen < EFFECTS_MAX && at < effects.length; seen++) {
      const next = reader.next(effects, at, effects.length);
      if (next === -1) break;
      if (seen === 0) namespace = reader.namespace;
      if (reader.namespace === namespace) {
        this.#hashes[keys++] = hash.of(effects, reader.keyStart, reader.keyLength);
      }
      at = next;
    }
    const domain = this.#spaces.numbered(namespace);
    if (domain !== undefined) this.warmth = warm(arena, domain, this.#hashes, keys);
    this.seenTo = Math.max(at, from + 1);
  }
}
