import fc from 'fast-check';
import { expect, test } from 'vitest';
import { findViolation, TURNS, World, worldOf } from './world.ts';

test('a cluster keeps all of its promises through crashes, cuts and changes of membership', () => {
  for (let seed = 1; seed <= 100; seed++) {
    expect(findViolation(worldOf(seed), TURNS), `seed ${seed}`).toBeUndefined();
  }
}, 60_000);

test('and so with any mixture of troubles, which shrinks to the one that matters', () => {
  const troubles = fc.record({
    loss: fc.nat(200),
    repeat: fc.nat(300),
    reorder: fc.nat(500),
    crash: fc.nat(20),
    cut: fc.nat(10),
    change: fc.nat(30),
    transfer: fc.nat(20),
    snapshot: fc.nat(60),
    damage: fc.nat(500),
    pause: fc.nat(20),
    stall: fc.nat(20),
    slow: fc.nat(900),
    burst: fc.nat(40),
  });
  fc.assert(
    fc.property(troubles, fc.nat(), fc.integer({ min: 1, max: 5 }), (rough, seed, voters) => {
      const world = { seed, peers: 5, voters, roughness: rough };
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
