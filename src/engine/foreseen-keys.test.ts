import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Engine } from './engine.ts';
import { FORESEEN_MAX } from './foreseen-keys.ts';

const engine = new Engine({
  memoryBytes: 1024 ** 2,
  random: { uint32: () => 7, bytes: (count) => new Uint8Array(count) },
});
const { hash } = engine;
const domain = engine.addDomain(0, 'lru');
const range = fc.tuple(fc.nat(63), fc.nat(20));

function foreseenIn(bytes: Uint8Array, ranges: ReadonlyArray<readonly [number, number]>) {
  const { foreseen } = engine;
  foreseen.begin(bytes);
  for (const [start, length] of ranges) foreseen.add(domain, start, length);
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
