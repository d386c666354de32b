import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { FORESEEN_MAX, ForeseenKeys } from './foreseen-keys.ts';
import { KeyHash } from './hash.ts';
import { Slabs } from './slabs.ts';

const hash = new KeyHash(1, 2);
const range = fc.tuple(fc.nat(63), fc.nat(20));

function foreseenIn(bytes: Uint8Array, ranges: ReadonlyArray<readonly [number, number]>) {
  const arena = new Arena(new Slabs(4096, 1024 ** 2));
  const foreseen = new ForeseenKeys(arena, hash);
  foreseen.begin(bytes);
  for (const [start, length] of ranges) foreseen.add(start, length);
  return foreseen;
}

describe('foreseen keys', () => {
  it('have the hash that they have, in whatever order they are asked for', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 84, maxLength: 84 }),
        fc.array(range, { maxLength: FORESEEN_MAX }),
        fc.array(range, { maxLength: 80 }),
        (bytes, told, asked) => {
          const foreseen = foreseenIn(bytes, told);
          for (const [start, length] of [...told, ...asked, ...told]) {
            expect(foreseen.hashOf(bytes, start, length)).toBe(hash.of(bytes, start, length));
          }
        },
      ),
    );
  });

  it('are those of their bytes alone, and until they are forgotten', () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, index) => index);
    const others = bytes.map((byte) => byte ^ 1);
    const foreseen = foreseenIn(bytes, [[8, 16]]);
    expect(foreseen.hashOf(others, 8, 16)).toBe(hash.of(others, 8, 16));
    foreseen.forget();
    bytes.set(others);
    expect(foreseen.hashOf(bytes, 8, 16)).toBe(hash.of(bytes, 8, 16));
  });
});
