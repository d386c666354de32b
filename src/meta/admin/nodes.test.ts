import { describe, expect, test } from 'vitest';
import { METADATA_KEYS } from '../../cluster/index.ts';
import type { NodeFacts } from '../../cluster/index.ts';
import { at, idOf, StubNode } from '../test-support.ts';
import { AdminWorld } from './test-support.ts';

const [a, b, c] = ['a', 'b', 'c'].map(idOf);

function worldOf(nodes: Readonly<Record<string, Partial<NodeFacts>>>) {
  const world = new AdminWorld();
  const stubs = Object.entries(nodes).map(([name, facts]) => new StubNode(world, name, { facts }));
  world.until('all register', () => stubs.every(({ registered }) => registered !== undefined));
  return { world, stubs };
}

describe('removing a node', () => {
  test('that holds shards is refused, and says how it can be done', () => {
    const { world, stubs } = worldOf({ a: {}, b: {} });
    world.placeShards([{ primary: a, replicas: [b] }]);
    stubs[1].process.kill();
    world.until('b is down', () => world.leader.state.nodes.get(b)?.state === 'down');
    const { revision } = world.leader.state;
    expect(() => world.call('node.remove', { node: 'b' })).toThrow("'b' still holds 1 shard");
    expect(world.codeOf('node.remove', { node: 'b' })).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.leader.state.revision).toBe(revision);
  });

  test('that runs is refused, forced or not', () => {
    const { world } = worldOf({ a: {}, b: {} });
    world.placeShards([{ primary: a, replicas: [] }]);
    for (const node of ['a', 'b']) {
      expect(() => world.call('node.remove', { node, force: true })).toThrow('is running');
    }
  });

  test('by force waits for the failover of its primaries, and gives its copies up', () => {
    const { world, stubs } = worldOf({ a: {}, b: {}, c: {} });
    const [, replica] = stubs;
    replica.positions = [at(0, 7)];
    replica.answersSeals = false;
    world.placeShards([
      { primary: a, replicas: [b] },
      { primary: c, replicas: [a] },
    ]);
    world.until('the map is known', () => stubs.every(({ map }) => map !== undefined));
    stubs[0].process.kill();
    world.until('a is down', () => world.leader.state.nodes.get(a)?.state === 'down');
    const forced = { node: 'a', force: true };
    expect(() => world.call('node.remove', forced)).toThrow('being given to their replicas');
    replica.answersSeals = true;
    world.until('b leads', () => world.leader.state.map.shards[0].primary === b);
    expect(world.call('node.remove', forced).warnings).toEqual([]);
    const { map, nodes } = world.leader.state;
    expect(nodes.has(a)).toBe(false);
    expect(map.shards.map(({ primary, replicas }) => [primary, replicas])).toEqual([
      [b, []],
      [c, []],
    ]);
  });

  test('by force says what is lost where it had the only copy, which begins empty elsewhere', () => {
    const { world, stubs } = worldOf({ a: {}, b: {} });
    world.placeShards([
      { primary: a, replicas: [] },
      { primary: b, replicas: [] },
    ]);
    stubs[0].process.kill();
    world.until('a is down', () => world.leader.state.nodes.get(a)?.state === 'down');
    const { warnings } = world.call('node.remove', { node: 'a', force: true });
    expect(warnings).toEqual([expect.stringMatching(/^1 shard \(0\) had no other copy: .* lost/)]);
    world.until('b has it', () => world.leader.state.map.shards[0].primary === b, 20_000);
    const events = world.leader.store.view().list(METADATA_KEYS.events);
    expect(events.map(({ value }) => value).join()).toContain(
      '2 copies given up, 1 of them the last',
    );
  });
});

describe('draining a node', () => {
  test('warns where its shards have nowhere to go, and is taken back', () => {
    const { world } = worldOf({ a: {}, b: {} });
    world.placeShards([
      { primary: a, replicas: [b] },
      { primary: b, replicas: [] },
    ]);
    const { node, warnings } = world.call('node.drain', { node: 'a' });
    expect(node.state).toBe('draining');
    expect(warnings).toEqual([expect.stringContaining('none of its 2 shards has another node')]);
    const back = world.call('node.undrain', { node: 'a' });
    expect([back.node.state, back.warnings]).toEqual(['up', []]);
    const moves = [...world.leader.state.moves.values()].filter(({ phase }) => phase !== 'done');
    expect(moves.filter(({ phase }) => phase !== 'aborted')).toEqual([]);
  });

  test('warns where a zone loses its last node, or the others have too little memory', () => {
    const { world } = worldOf({
      a: { zone: 'z1' },
      b: { zone: 'z2' },
      c: { zone: 'z2' },
    });
    world.placeShards([{ primary: a, replicas: [b] }]);
    const { warnings } = world.call('node.drain', { node: 'a' });
    expect(warnings).toEqual([expect.stringContaining("the last node of zone 'z1'")]);
    expect(world.call('node.undrain', { node: 'a' }).warnings).toEqual([]);
    expect(world.call('node.drain', { node: 'c' }).warnings).toEqual([]);
  });
});
