import { describe, expect, test } from 'vitest';
import { METADATA_KEYS, replicaSet, type NodeRecord } from '../cluster/index.ts';
import { put } from './controller/map-commit.ts';
import { idOf, MetaWorld, StubNode } from './test-support.ts';

function worldOf(initialNodes: number, names: readonly string[]) {
  const world = new MetaWorld({ options: { initialNodes, shardCount: 12, replicas: 1 } });
  const nodes = names.map((name) => new StubNode(world, name));
  world.until('all register', () => nodes.every(({ registered }) => registered !== undefined));
  return { world, nodes };
}

describe('a new cluster', () => {
  test('places its shards once the nodes that it begins with are there', () => {
    const { world, nodes } = worldOf(3, ['a', 'b', 'c']);
    world.until('there is a map', () => world.leader.state.map.shards.length > 0, 1000);
    const { shards } = world.leader.state.map;
    expect(shards).toHaveLength(12);
    for (const { id } of nodes) {
      expect(shards.filter(({ primary }) => primary === id)).toHaveLength(4);
      expect(shards.filter((shard) => replicaSet(shard).includes(id))).toHaveLength(8);
    }
    world.until('all know', () => nodes.every(({ map }) => map?.map.shards.length === 12));
  });

  test('does with those that come within two seconds, and fills up when another comes', () => {
    const { world } = worldOf(3, ['a']);
    world.run(1000);
    expect(world.leader.state.map.shards).toEqual([]);
    world.until('there is a map', () => world.leader.state.map.shards.length > 0, 3000);
    expect(world.leader.state.map.shards.map(({ primary }) => primary)).toEqual(
      Array(12).fill(idOf('a')),
    );
    const late = new StubNode(world, 'b');
    world.until('copies are begun', () => {
      const learners = world.leader.state.map.shards.flatMap((shard) => shard.learners);
      return learners.length > 0 && learners.every((node) => node === late.id);
    });
    const { moves } = world.leader.state;
    expect(moves.size).toBe(12);
    expect([...moves.values()].every(({ reason }) => reason === 'repair')).toBe(true);
  });

  test('goes on with the moves of a drain under a new leader, and numbers none twice', () => {
    const { world } = worldOf(3, ['a', 'b', 'c']);
    world.until('there is a map', () => world.leader.state.map.shards.length > 0, 3000);
    const record = world.leader.state.nodes.get(idOf('a'));
    const draining: NodeRecord | undefined = record && { ...record, state: 'draining' };
    world.commit({ compares: [], changes: [put(METADATA_KEYS.node(idOf('a')), draining)] });
    const copying = () =>
      [...world.leader.state.moves.values()].filter(({ phase }) => phase === 'copying').length;
    world.until('moves are under way', () => copying() > 0);
    const begun = [...world.leader.state.moves.keys()];
    const old = world.leader;
    world.processOf(old).kill();
    world.until('another leads', () => world.leader !== old);
    world.run(3000);
    expect([...world.leader.state.moves.keys()]).toEqual(begun);
    expect(copying()).toBeGreaterThan(0);
  });
});
