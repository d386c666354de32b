/**
 * Looks ahead in what a primary has sent for the keys that come next, so that the engine can fetch
 * them from memory all at once, as `Turn` does in what clients have sent.
 */
import { FORESEEN_MAX, type Domain } from '../../engine/index.ts';
import { EffectReader } from './effects.ts';
import type { KeySpaces } from './shard-records.ts';

export class EffectScout {
  seenTo = 0;
  readonly #spaces: KeySpaces;
  readonly #reader = new EffectReader();

  constructor(spaces: KeySpaces) {
    this.#spaces = spaces;
  }

  /** What comes next is not what it has seen. */
  begin(): void {
    this.seenTo = 0;
  }

  /** Looks from `from` on, and beyond it whatever is there: up to `seenTo`. */
  scout(effects: Uint8Array, from: number): void {
    const { foreseen, isLarge } = this.#spaces.engine;
    if (!isLarge) {
      this.seenTo = effects.length;
      return;
    }
    const reader = this.#reader;
    foreseen.begin(effects);
    let namespace = -1;
    let domain: Domain | undefined;
    let at = from;
    for (let seen = 0; seen < FORESEEN_MAX && at < effects.length; seen++) {
      const next = reader.next(effects, at, effects.length);
      if (next === -1) break;
      if (reader.namespace !== namespace) {
        namespace = reader.namespace;
        domain = this.#spaces.numbered(namespace);
      }
      if (domain !== undefined) foreseen.add(domain, reader.keyStart, reader.keyLength);
      at = next;
    }
    foreseen.fetch();
    this.seenTo = Math.max(at, from + 1);
  }
}
