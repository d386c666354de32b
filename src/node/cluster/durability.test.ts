import { describe, expect, test } from 'vitest';
import { FIRST_EPOCH, NodeWorld, type WorldOptions } from '../test-support.ts';

const SAFE: WorldOptions = { isReplicated: true, ack: 'replica' };
const REFUSED = '-NOREPLICAS Not enough good replicas to write.\r\n';

describe('a write of a tenant that asks for a replica', () => {
  test('is refused where none follows', () => {
    const world = new NodeWorld(SAFE);
    world.run(5000);
    world.ask('SET', 'key', 'value');
    world.run(1);
    expect(world.replies).toEqual([REFUSED]);
  });

  test('waits at a new primary for the replicas that are on their way', () => {
    const world = new NodeWorld(SAFE);
    world.run(5000);
    world.lead(3);
    world.run(1);
    world.ask('SET', 'key', 'value');
    world.run(500);
    expect(world.replies).toEqual([]);
    world.follow([0], FIRST_EPOCH);
    const [data] = world.told('DATA', 0);
    expect(world.replies).toEqual([]);
    world.ack(data);
    world.run(1);
    expect(world.replies).toEqual(['+OK\r\n']);
  });

  test('is refused at a new primary that they do not come to', () => {
    const world = new NodeWorld(SAFE);
    world.run(5000);
    world.lead(3);
    world.run(3000);
    world.ask('SET', 'key', 'value');
    world.run(1);
    expect(world.replies).toEqual([REFUSED]);
  });
});
