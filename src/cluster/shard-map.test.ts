import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asEpoch, asNodeId, asShardId } from './ids.ts';
import {
  changeShards,
  roleOf,
  shardBySlot,
  shardMapFault,
  shardSlots,
  type ShardMap,
} from './shard-map.ts';
import { SLOT_COUNT } from './slots.ts';

const NODES = ['a', 'b', 'c', 'd'].map((digit) => asNodeId(digit.repeat(40)));

function mapOf(shardCount: number): ShardMap {
  return {
    epoch: asEpoch(7),
    shards: shardSlots(shardCount).map((slots, index) => ({
      id: asShardId(index),
      ...slots,
      primary: NODES[0],
      replicas: [NODES[1]],
      learners: [],
      epoch: asEpoch(3),
    })),
  };
}

describe('the shards of a map', () => {
  it('cover every slot once, with sizes that differ by one at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: SLOT_COUNT }), (count) => {
        const slots = shardSlots(count);
        const sizes = slots.map(({ slotFirst, slotLast }) => slotLast - slotFirst + 1);
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(SLOT_COUNT);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(shardMapFault(mapOf(count))).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('are found by slot', () => {
    const map = mapOf(64);
    const bySlot = shardBySlot(map);
    for (const { id, slotFirst, slotLast } of map.shards) {
      expect([bySlot[slotFirst], bySlot[slotLast]]).toEqual([id, id]);
    }
    expect(bySlot.includes(-1)).toBe(false);
  });
});

describe('a changed map', () => {
  it('is one epoch later, which only shards with another primary carry', () => {
    const map = changeShards(mapOf(4), [
      { id: asShardId(1), primary: NODES[1], replicas: [NODES[2]] },
      { id: asShardId(2), learners: [NODES[3]] },
    ]);
    expect(map.epoch).toBe(8);
    expect(map.shards.map(({ epoch }) => epoch)).toEqual([3, 8, 3, 3]);
    expect(roleOf(map.shards[2], NODES[3])).toBe('learner');
  });

  it('is refused where a node would be in a shard twice', () => {
    const twice = { id: asShardId(0), replicas: [NODES[0]] };
    expect(() => changeShards(mapOf(4), [twice])).toThrow('has a node twice');
  });
});

describe('what is wrong with a map', () => {
  it('is said of each kind of fault', () => {
    const { epoch, shards } = mapOf(4);
    const faults: Array<[ShardMap, RegExp]> = [
      [{ epoch, shards: shards.slice(1) }, /shard 1 stands in the place of shard 0/],
      [{ epoch, shards: shards.slice(0, 3) }, /slots from 12288 on are missing/],
      [{ epoch: asEpoch(2), shards }, /shard 0 is of epoch 3, the map of 2/],
      [
        { epoch, shards: shards.map((shard) => ({ ...shard, slotFirst: 0 })) },
        /shard 1 has slots 0 to 8191, where 4096 comes next/,
      ],
    ];
    for (const [map, words] of faults) expect(shardMapFault(map)).toMatch(words);
  });
});
