import { describe, expect, test } from 'vitest';
import { slotOfKey } from '../cluster/index.ts';
import { Caller, allSlotsAt, answering, codeOf, createWorld, scripted } from './test-support.ts';

describe('a router, in a simulated world', () => {
  test('says which seed could not be reached', () => {
    const world = createWorld();
    const caller = new Caller(world, { seeds: ['node:7401'] });
    world.run(10);
    expect(caller.opened).toMatchObject({
      code: 'ERR_CACHECTL_CONNECT',
      message: 'node:7401: cannot connect: ECONNREFUSED',
    });
    const silent = createWorld();
    silent.simulation.network.cut(silent.simulation.network.link(silent.client, silent.node));
    const waiting = new Caller(silent, { connectTimeout: '300ms' });
    silent.run(301);
    expect(waiting.opened).toMatchObject({ message: 'node:7400: no connection within 300 ms' });
  });

  test('opens with the seeds that are there', () => {
    const world = createWorld();
    const caller = new Caller(world, { seeds: ['node:7401', 'node:7400', 'nowhere:1'] });
    world.run(10);
    expect(caller.opened).toBe('open');
  });

  test('does not run in a circle', () => {
    const { seen, program } = scripted(answering('-MOVED 1 node:7400\r\n'));
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const call = caller.call(['GET', 'k']);
    const before = seen.requests;
    world.run(50);
    expect(call.result).toMatchObject({
      code: 'ERR_CACHECTL_SERVER',
      message: 'node:7400: MOVED 1 node:7400',
    });
    expect(caller.router.redirections).toBe(5);
    expect(seen.requests - before).toBeLessThanOrEqual(7);
  });

  test('reads the map once a second at most, however many calls are redirected', () => {
    let maps = 0;
    const { program } = scripted(([name]) => {
      if (name !== 'CLUSTER') return '-MOVED 1 node:7400\r\n';
      maps++;
      return allSlotsAt(7400);
    });
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    for (let round = 0; round < 100; round++) {
      for (let call = 0; call < 10; call++) caller.call(['GET', `k${call}`]);
      world.run(50);
    }
    expect(maps).toBeGreaterThan(3);
    expect(maps).toBeLessThanOrEqual(7);
  });

  test('takes no map that makes no sense for one', () => {
    const { program } = scripted(() => '*1\r\n*3\r\n:0\r\n:99999\r\n*0\r\n');
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    expect(caller.opened).toMatchObject({ code: 'ERR_CACHECTL_SERVER' });
  });

  test('asks the node that a slot has moved to, also while the map is still the old one', () => {
    const { seen, program } = scripted(
      ([name], port) => {
        if (name === 'CLUSTER') return allSlotsAt(7400);
        return port === 7400
          ? `-MOVED ${slotOfKey(Buffer.from('k0'), 0, 2)} node:7401\r\n`
          : ':7401\r\n';
      },
      { ports: [7400, 7401] },
    );
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(1_500);
    // The first redirection has the map read anew, which brings the old owner back; the next one
    // comes too soon for that.
    const calls = [1, 2, 3, 4].map(() => {
      const call = caller.call(['GET', 'k0']);
      world.run(5);
      return call.result;
    });
    expect(calls).toEqual([7401, 7401, 7401, 7401]);
    expect(caller.router.redirections).toBe(2);
    expect(seen.open.get(7401)?.size).toBe(1);
  });

  test('learns from the others who has taken over for a node that is lost', () => {
    let owner = 7401;
    const { seen, program } = scripted(
      ([name], port) => (name === 'CLUSTER' ? allSlotsAt(owner) : `:${port}\r\n`),
      { ports: [7400, 7401] },
    );
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(1_500);
    const before = caller.call(['GET', 'k']);
    world.run(5);
    expect(before.result).toBe(7401);
    owner = 7400;
    for (const connection of seen.open.get(7401) ?? []) connection.destroy();
    world.run(1_500);
    const after = caller.call(['GET', 'k']);
    world.run(5);
    expect(after.result).toBe(7400);
    expect(caller.router.redirections).toBe(0);
  });

  test.each([
    ['says that it serves nothing now', '-CLUSTERDOWN The cluster is down\r\n'],
    ['does not answer', ''],
  ])('learns from others who has taken over for a node that %s', (_, words) => {
    let isCutOff = false;
    const { program } = scripted(
      ([name], port) => {
        if (name === 'CLUSTER') return allSlotsAt(port === 7400 || !isCutOff ? 7400 : 7401);
        return port === 7400 && isCutOff ? words : `:${port}\r\n`;
      },
      { ports: [7400, 7401] },
    );
    for (let seed = 1; seed <= 10; seed++) {
      isCutOff = false;
      const world = createWorld({ program, seed });
      const caller = new Caller(world, { seeds: ['node:7400', 'node:7401'] });
      world.run(1_500);
      isCutOff = true;
      const lost = caller.call(['GET', 'k']);
      world.run(600);
      expect(lost.result).toBeInstanceOf(Error);
      const after = caller.call(['GET', 'k']);
      world.run(5);
      expect(after.result).toBe(7401);
    }
  });

  test('closes the connections to nodes that serve nothing any more', () => {
    let owner = 7400;
    const { seen, program } = scripted(
      ([name], port) => {
        if (name === 'CLUSTER') return allSlotsAt(owner);
        return port === owner ? `:${port}\r\n` : `-MOVED 1 node:${owner}\r\n`;
      },
      { ports: [7400, 7401] },
    );
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(1_500);
    expect(seen.open.get(7400)?.size).toBe(1);
    owner = 7401;
    const moved = caller.call(['GET', 'k']);
    world.run(1_500);
    expect(moved.result).toBe(7401);
    expect([seen.open.get(7400)?.size, seen.open.get(7401)?.size]).toEqual([0, 1]);
  });

  test('says so where no node serves a slot', () => {
    const map = '*1\r\n*3\r\n:0\r\n:5\r\n*2\r\n$4\r\nnode\r\n:7400\r\n';
    const other = '*3\r\n:6\r\n:9\r\n*2\r\n$4\r\nnode\r\n:7401\r\n';
    const { program } = scripted(() => `*2${map.slice(2)}${other}`);
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const call = caller.call(['GET', 'k']);
    expect(call.result).toMatchObject({ message: 'no node serves the slot of this key' });
    expect(codeOf(call)).toBe('ERR_CACHECTL_CONNECT');
  });
});
