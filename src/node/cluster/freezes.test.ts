import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  asEpoch,
  asNodeId,
  asShardId,
  changeShards,
  shardSlots,
  type ShardMap,
} from '../../cluster/index.ts';
import { Freezes } from './freezes.ts';

const [SELF, OTHER] = ['a', 'b'].map((digit) => asNodeId(digit.repeat(40)));
const EPOCH = asEpoch(3);
const MOVED = asShardId(1);

const MAP: ShardMap = {
  epoch: EPOCH,
  shards: shardSlots(3).map((slots, index) => ({
    id: asShardId(index),
    ...slots,
    primary: SELF,
    replicas: [OTHER],
    learners: [],
    epoch: EPOCH,
  })),
};

const order = fc.record({
  kind: fc.constantFrom('freeze' as const, 'thaw' as const),
  id: fc.integer({ min: 1, max: 12 }),
});

test('whatever order they arrive in, what is in force once all came is what the youngest said', () => {
  // A leader gives each decision a revision of its own, and repeats it at will.
  const orders = fc.array(order, { minLength: 1, maxLength: 14 }).map((list) => {
    const byId = new Map(list.map((one) => [one.id, one]));
    return list.map(({ id }) => byId.get(id) ?? list[0]);
  });
  fc.assert(
    fc.property(orders, (list) => {
      const freezes = new Freezes();
      for (const { kind, id } of list) {
        if (kind === 'thaw') freezes.thaw({ id, shard: MOVED, epoch: EPOCH });
        else freezes.freeze({ id, shard: MOVED, epoch: EPOCH }, MAP, SELF);
      }
      const youngest = list.toSorted((one, other) => other.id - one.id)[0];
      const expected = youngest.kind === 'freeze' ? youngest.id : undefined;
      expect(freezes.frozenBy(MOVED)).toBe(expected);
    }),
  );
});

test('a freeze is obeyed again under its id, and by the primary of that epoch only', () => {
  const freezes = new Freezes();
  const push = { id: 5, shard: MOVED, epoch: EPOCH };
  expect(freezes.freeze({ ...push, epoch: asEpoch(2) }, MAP, SELF)).toBe(false);
  expect(freezes.freeze(push, MAP, OTHER)).toBe(false);
  expect(freezes.freeze({ ...push, shard: asShardId(9) }, MAP, SELF)).toBe(false);
  expect(freezes.freeze(push, MAP, SELF)).toBe(true);
  expect(freezes.freeze(push, MAP, SELF)).toBe(true);
});

test('a map that changes other shards ends no freeze, one that changes this shard does', () => {
  const freezes = new Freezes();
  freezes.freeze({ id: 5, shard: MOVED, epoch: EPOCH }, MAP, SELF);
  const elsewhere = changeShards(MAP, [{ id: asShardId(0), primary: OTHER, replicas: [] }]);
  expect(freezes.mapChanged(elsewhere)).toEqual([]);
  expect(freezes.frozenBy(MOVED)).toBe(5);
  const here = changeShards(elsewhere, [{ id: MOVED, primary: OTHER, replicas: [] }]);
  expect(freezes.mapChanged(here)).toEqual([MOVED]);
  expect(freezes.frozenBy(MOVED)).toBeUndefined();
});
