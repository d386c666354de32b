import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Arena, STREAM_WRITES } from './arena.ts';
import { KeyHash } from './hash.ts';
import { KeyIndex } from './key-index.ts';
import { UNPOOLED } from './policy/index.ts';
import { Slabs } from './slabs.ts';

const DOMAIN = 0;

/** An index over keys that are numbers. */
class NumberIndex {
  readonly #arena = new Arena(new Slabs(64 * 1024, 8 * 1024 * 1024));
  readonly #hash = new KeyHash(1, 2);
  readonly index = new KeyIndex(this.#arena, this.#hash, UNPOOLED);
  readonly #refs = new Map<number, number>();

  add(key: number): void {
    if (this.#refs.has(key)) return;
    const bytes = Buffer.from(`${key}`);
    const size = Arena.bytesFor(bytes.length, 0);
    if (!this.#arena.fits(size, STREAM_WRITES)) this.#arena.openSegment(size, STREAM_WRITES);
    const ref = this.#arena.append(bytes, 0, bytes.length, 0, DOMAIN, STREAM_WRITES);
    this.#refs.set(key, ref);
    this.index.insert(this.#hash.of(bytes, 0, bytes.length), ref);
  }

  remove(key: number): void {
    const ref = this.#refs.get(key);
    if (ref === undefined) return;
    const bytes = Buffer.from(`${key}`);
    this.#refs.delete(key);
    this.index.remove(this.#hash.of(bytes, 0, bytes.length), ref);
    this.#arena.free(ref);
  }

  keyOf(ref: number): number {
    const start = this.#arena.keyStart(ref);
    const octets = this.#arena.octets(ref);
    return Number(Buffer.from(octets.slice(start, start + this.#arena.keyLength(ref))).toString());
  }
}

it('visits every key that stays once, while the table grows and shrinks', () => {
  const sizes = fc.tuple(
    fc.integer({ min: 1, max: 200 }),
    fc.nat(2000),
    fc.integer({ min: 1, max: 9 }),
  );
  fc.assert(
    fc.property(sizes, ([count, extras, period]) => {
      const numbers = new NumberIndex();
      for (let key = 0; key < count; key++) numbers.add(key);
      const seen = new Map<number, number>();
      let cursor = 0;
      let turn = 0;
      do {
        const phase = turn++ % (2 * period);
        for (let key = count; key < count + extras; key++) {
          if (phase === 0) numbers.add(key);
          else if (phase === period) numbers.remove(key);
        }
        cursor = numbers.index.scan(cursor, (ref) => {
          const key = numbers.keyOf(ref);
          seen.set(key, (seen.get(key) ?? 0) + 1);
        });
      } while (cursor !== 0);
      for (let key = 0; key < count; key++) expect(seen.get(key)).toBe(1);
    }),
    { numRuns: 20 },
  );
});
