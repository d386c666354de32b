import { describe, expect, test } from 'vitest';
import { asShardId, SLOT_COUNT, slotOfKey } from '../../cluster/index.ts';
import { FIRST_EPOCH, NodeWorld } from '../test-support.ts';

/** Keys of the first and of the second of two shards. */
function keysOf(shard: 0 | 1, count: number): string[] {
  const keys: string[] = [];
  for (let number = 0; keys.length < count; number++) {
    const key = Buffer.from(`key:${number}`);
    const slot = slotOfKey(key, 0, key.length);
    if (slot < SLOT_COUNT / 2 === (shard === 0)) keys.push(String(key));
  }
  return keys;
}

/** Two shards with keys of which a follower has none. */
function worldToCopy(): NodeWorld {
  const world = new NodeWorld({ shards: 2, isReplicated: true, walkBuckets: 1 });
  for (const key of [...keysOf(0, 20), ...keysOf(1, 20)]) world.ask('SET', key, 'value');
  world.run(5);
  world.follow([0, 1], 0);
  expect(world.told('COPY').map(([, shard]) => shard)).toEqual(['0', '1']);
  return world;
}

/** The follower has made room for the copy of a shard. */
function cleared(world: NodeWorld, shard: number): void {
  const [[, , , copy]] = world.told('COPY', shard);
  world.say('CLEARED', shard, copy);
}

/** How many of these keys a follower was sent in copies, each time that it was. */
function copied(world: NodeWorld, keys: readonly string[]): number {
  const items = world
    .told('ITEMS')
    .map((heard) => heard[3])
    .join('');
  return keys.reduce((sum, key) => sum + items.split(`${key}value`).length - 1, 0);
}

describe('the stream', () => {
  test('brings in one frame what several turns wrote to a shard in a millisecond', () => {
    const world = new NodeWorld({ isReplicated: true });
    world.follow([0], FIRST_EPOCH);
    for (const value of ['a', 'b', 'c', 'd']) {
      world.ask('SET', 'key', value);
      world.run(0.15);
    }
    expect(world.replies).toHaveLength(3);
    expect(world.told('DATA')).toEqual([]);
    world.run(3);
    expect(world.replies).toHaveLength(4);
    expect(world.told('DATA')).toHaveLength(1);
    expect(world.told('ASK')).toEqual([]);
  });

  test('of several shards comes in one frame', () => {
    const world = new NodeWorld({ shards: 2, isReplicated: true });
    world.follow([0, 1], FIRST_EPOCH);
    const [first] = keysOf(0, 1);
    const [second] = keysOf(1, 1);
    for (const key of [first, second]) world.ask('SET', key, 'value');
    world.run(3);
    expect(world.told('DATA').map(([, shard]) => shard)).toEqual(['0', '1']);
    expect(world.dataFrames).toBe(1);
  });

  test('goes at once where somebody waits for the replica', () => {
    const world = new NodeWorld({ isReplicated: true, ack: 'replica' });
    world.follow([0], FIRST_EPOCH);
    for (const value of ['a', 'b', 'c', 'd']) {
      world.ask('SET', `key:${value}`, value);
      world.run(0.25);
      const data = world.told('DATA');
      expect(data).toHaveLength(world.replies.length + 1);
      expect(world.told('ASK')).toHaveLength(data.length);
      world.ack(data[data.length - 1]);
      world.run(0.25);
    }
    expect(world.replies).toEqual(Array.from({ length: 4 }, () => '+OK\r\n'));
  });
});

describe('a link', () => {
  test('tells where streams end, but not those of which it has just sent the end', () => {
    const world = new NodeWorld({ shards: 2, isReplicated: true });
    world.follow([0, 1], FIRST_EPOCH);
    const [key] = keysOf(0, 1);
    const shardsTold = (): string[] => {
      const ticks = world.told('TICK');
      world.heard.length = 0;
      return [...new Set(ticks.flatMap((tick) => tick.filter((_, at) => at % 5 === 1)))].sort();
    };
    world.run(300);
    expect(shardsTold()).toEqual(['0', '1']);
    for (let turn = 0; turn < 60; turn++) {
      world.ask('SET', key, 'value');
      world.run(5);
    }
    expect(world.told('DATA', 0).length).toBeGreaterThan(30);
    expect(shardsTold()).toEqual(['1']);
    world.run(300);
    expect(shardsTold()).toEqual(['0', '1']);
  });
});

describe('copies', () => {
  test('wait for others that room is made for, and go together', () => {
    const world = worldToCopy();
    cleared(world, 0);
    world.run(500);
    expect(world.told('ITEMS')).toEqual([]);
    cleared(world, 1);
    world.run(500);
    expect(world.told('COPIED')).toHaveLength(2);
    for (const shard of [0, 1] as const) expect(copied(world, keysOf(shard, 20))).toBe(20);
    // One walk: the second is not begun when the first is whole.
    const [firstWhole] = world.told('COPIED');
    const atFirstWhole = world.heard.indexOf(firstWhole);
    const lastItems = world.heard.findLastIndex(([name]) => name === 'ITEMS');
    expect(lastItems).toBeLessThan(atFirstWhole);
  });

  test('wait after each step until it is applied, or for some milliseconds', () => {
    const world = worldToCopy();
    for (const shard of [0, 1]) cleared(world, shard);
    while (world.told('STEP').length === 0) world.run(0.1);
    world.run(2);
    expect(world.told('STEP')).toEqual([['STEP', '1']]);
    world.run(4);
    expect(world.told('STEP')).toHaveLength(2);
    for (let step = 2; step < 5; step++) {
      world.say('STEPPED', step);
      world.run(0.5);
      expect(world.told('STEP')).toHaveLength(step + 1);
    }
    // Late: it was not waited for.
    world.say('STEPPED', 1);
    world.run(0.5);
    expect(world.told('STEP')).toHaveLength(5);
  });

  test('go on beside one that is paused, which goes on when it may', () => {
    const world = worldToCopy();
    cleared(world, 0);
    cleared(world, 1);
    // Its messages have not arrived: the walk has not begun.
    world.leader.push('throttle', { shard: asShardId(0), bytesPerSecond: 0 });
    world.run(500);
    expect(world.told('COPIED').map(([, shard]) => shard)).toEqual(['1']);
    expect(copied(world, keysOf(1, 20))).toBe(20);
    world.leader.push('throttle', { shard: asShardId(0) });
    world.run(500);
    expect(world.told('COPIED').map(([, shard]) => shard)).toEqual(['1', '0']);
    expect(copied(world, keysOf(0, 20))).toBe(20);
  });

  test('leave the walk when they are paused in the middle of it', () => {
    const world = worldToCopy();
    // The walk goes at the pace of this one.
    world.leader.push('throttle', { shard: asShardId(1), bytesPerSecond: 2000 });
    world.run(1);
    cleared(world, 0);
    cleared(world, 1);
    while (world.told('ITEMS', 0).length === 0) world.run(1);
    expect(world.told('COPIED')).toEqual([]);
    world.leader.push('throttle', { shard: asShardId(0), bytesPerSecond: 0 });
    world.run(2000);
    expect(world.told('COPIED').map(([, shard]) => shard)).toEqual(['1']);
    world.leader.push('throttle', { shard: asShardId(0) });
    world.run(500);
    expect(world.told('COPIED').map(([, shard]) => shard)).toEqual(['1', '0']);
    expect(copied(world, keysOf(0, 20))).toBeGreaterThan(20);
  });
});
