import { expect, test } from 'vitest';
import { idOf, StubNode } from '../test-support.ts';
import { AdminWorld } from './test-support.ts';

const [a, b] = ['a', 'b'].map(idOf);

/** Two nodes with copies of all shards, of which one leads all. */
function lopsided(): AdminWorld {
  const world = new AdminWorld();
  const nodes = ['a', 'b'].map((name) => new StubNode(world, name));
  world.until('all register', () => nodes.every(({ registered }) => registered !== undefined));
  world.placeShards(Array.from({ length: 4 }, () => ({ primary: a, replicas: [b] })));
  world.until('the map is known', () => nodes.every(({ map }) => map !== undefined));
  return world;
}

test('a switch says from whom it takes the lead, in the plan and when it has been begun', () => {
  const world = lopsided();
  const { plan, moves: planned } = world.call('rebalance.plan', {});
  const begun = world.call('rebalance.apply', { plan }).moves;
  expect(planned).toHaveLength(2);
  for (const moves of [planned, begun]) {
    for (const move of moves) {
      expect(move).toMatchObject({
        ...{ reason: 'switch', from: null, fromName: null, to: b, toName: 'b' },
        ...{ oldPrimary: a, oldPrimaryName: 'a' },
      });
    }
  }
  const listed = world.call('move.list', { all: true }).moves;
  expect(listed.map(({ oldPrimaryName }) => oldPrimaryName)).toEqual(['a', 'a']);
});
