import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALM, findViolation, roughness, TURNS, World, worldOf } from './world.ts';

test('a cluster keeps all of its promises through crashes, cuts and changes of membership', () => {
  for (let seed = 1; seed <= 100; seed++) {
    expect(findViolation(worldOf(seed), TURNS), `seed ${seed}`).toBeUndefined();
  }
}, 60_000);

test('and so with any mixture of troubles, which shrinks to the one that matters', () => {
  const troubles = fc.record({
    ...Object.fromEntries(
      Object.entries(roughness(4)).map(([name, worst]) => [name, fc.nat(worst + 5)]),
    ),
  });
  fc.assert(
    fc.property(troubles, fc.nat(), fc.integer({ min: 1, max: 5 }), (rough, seed, voters) => {
      const world = { seed, peers: 5, voters, roughness: { ...CALM, ...rough } };
      expect(findViolation(world, 600)).toBeUndefined();
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('the same seed tells the same story', () => {
  const [first, second] = [1, 2].map(() => {
    const world = new World(worldOf(7));
    world.run(TURNS);
    return { nowUs: world.nowUs, states: world.peers.map(({ machine }) => machine.commands) };
  });
  expect(second).toEqual(first);
});
