import { expect, test } from 'vitest';
import { findViolation, roughness } from './world.ts';

const TURNS = 1500;

/** Three voters and two others, or five voters: by turns. */
export function worldOf(seed: number) {
  return { seed, peers: 5, voters: seed % 2 === 0 ? 5 : 3, roughness: roughness(seed) };
}

test('a cluster keeps all of its promises through crashes, cuts and changes of membership', () => {
  for (let seed = 1; seed <= 150; seed++) {
    expect(findViolation(worldOf(seed), TURNS), `seed ${seed}`).toBeUndefined();
  }
}, 60_000);
