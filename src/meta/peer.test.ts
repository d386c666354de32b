import { describe, expect, test } from 'vitest';
import { METADATA_KEYS, receiptSchema, type Receipt, type Shard } from '../cluster/index.ts';
import type { RpcOutcome } from '../rpc/index.ts';
import { put } from './controller/map-commit.ts';
import type { CallTable } from './index.ts';
import { at, idOf, MetaWorld, StubNode } from './test-support.ts';

const [a, b, c] = ['a', 'b', 'c'].map(idOf);

function worldOfThree(settings: ConstructorParameters<typeof MetaWorld>[0] = {}) {
  const world = new MetaWorld(settings);
  const nodes = ['a', 'b', 'c'].map((name) => new StubNode(world, name));
  world.until('all register', () => nodes.every(({ registered }) => registered !== undefined));
  return { world, nodes };
}

const shardsOf = (world: MetaWorld): readonly Shard[] => world.leader.state.map.shards;

function receiptsOf(world: MetaWorld): Receipt[] {
  return world.leader.store
    .view()
    .list(METADATA_KEYS.receipts)
    .map(({ value }) => receiptSchema.parse(JSON.parse(value)));
}

describe('a group of meta peers', () => {
  test('creates the cluster once, with its default tenant', () => {
    const world = new MetaWorld();
    world.until('there are settings', () => world.leader.state.settings !== undefined);
    const { settings, tenants, namespaces } = world.leader.state;
    expect(settings).toMatchObject({ shardCount: 4, replicas: 1 });
    expect([...tenants.keys()]).toEqual(['default']);
    expect([...namespaces.keys()]).toEqual(['default/default']);
    const { leader } = world;
    world.processOf(leader).kill();
    world.until('another leads', () => world.leader !== leader);
    world.run(1000);
    expect(world.leader.state.settings).toEqual(settings);
  });

  test('of one alone carries out what it is asked before it leads, once it does', () => {
    const bootstrap = new Map([['m1', { host: 'm1', port: 7500 }]]);
    const makeCalls = (): CallTable =>
      new Map([['test.ask', (_body, answer) => answer({ ok: true, body: 'done' })]]);
    const world = new MetaWorld({ options: { bootstrap, makeCalls } });
    world.until('it is open', () => world.peers.get('m1') !== undefined);
    const outcomes: RpcOutcome[] = [];
    const ask = (): void =>
      world.peers.get('m1')?.call('test.ask', {}, 1000, (outcome) => {
        outcomes.push(outcome);
        if (!outcome.ok) ask();
      });
    expect(world.peers.get('m1')?.isLeading).toBe(false);
    ask();
    world.until('it is answered', () => outcomes.at(-1)?.ok === true);
    for (const outcome of outcomes.slice(0, -1)) {
      expect(outcome).toMatchObject({ error: { code: 'ERR_CACHECTL_NOT_LEADER' } });
    }
  });

  test('hands leadership over when its leader is stopped', () => {
    const world = new MetaWorld();
    const old = world.leader;
    let isStopped = false;
    old.stop(() => (isStopped = true));
    world.until('another leads', () => world.leader !== old, 300);
    world.until('it has stopped', () => isStopped);
  });

  test('is changed one peer at a time, and not beyond reason', () => {
    const world = new MetaWorld();
    const settled: Array<string | undefined> = [];
    const settle = (error: Error | undefined) => settled.push(error?.message);
    const { group } = world.leader;
    group.add('m1', { host: 'm1', port: 7500 }, settle);
    group.remove('m9', settle);
    group.transferLeader('m9', settle);
    expect(settled).toEqual([
      "there is a meta peer named 'm1' already",
      "there is no meta peer named 'm9'",
      "there is no meta peer named 'm9'",
    ]);
    const other = group.peers().find(({ role }) => role !== 'leader');
    group.remove(other?.name ?? '', settle);
    world.until('it is gone', () => world.leader.peers().length === 2);
    expect(settled.at(-1)).toBeUndefined();
  });

  test('answers a call that came to any of them by other means than the port', () => {
    const makeCalls = () =>
      new Map([
        [
          'test.echo',
          (body: unknown, answer: (outcome: RpcOutcome) => void) => answer({ ok: true, body }),
        ],
      ]);
    const world = new MetaWorld({ options: { makeCalls } });
    world.until('a peer leads', () => world.leader !== undefined);
    world.run(500);
    const outcomes: RpcOutcome[] = [];
    for (const peer of world.peers.values()) {
      peer.call('test.echo', peer.name, 2000, (outcome) => outcomes.push(outcome));
    }
    world.run(1000);
    const bodies = outcomes.map((outcome) => (outcome.ok ? outcome.body : outcome.error.message));
    expect(new Set(bodies)).toEqual(new Set(['m1', 'm2', 'm3']));
  });

  test('goes on after any one of them is killed, and after all are', () => {
    const world = new MetaWorld();
    for (let round = 0; round < 6; round++) {
      const process = world.processOf(world.leader);
      process.kill();
      world.until('another leads', () => world.leader.name !== process.name);
      const outcome = world.commit({ compares: [], changes: [put(`test/${round}`, round)] });
      expect(outcome.kind).toBe('committed');
      process.start();
      world.run(500);
    }
    for (const process of world.processes) process.kill();
    world.peers.clear();
    for (const process of world.processes) process.start();
    const { state, store } = world.leader;
    expect(state.settings).toBeDefined();
    expect(store.view().list('test/')).toHaveLength(6);
    expect([...world.failures]).toEqual([]);
  });
});

describe('nodes', () => {
  test('register, and are pushed tenants at once and map when there is one', () => {
    const { world, nodes } = worldOfThree();
    const [one] = nodes;
    world.until('tenants come', () => one.pushes.some(({ topic }) => topic === 'tenants'));
    world.placeShards([{ primary: a, replicas: [b] }]);
    world.until('the map comes', () => nodes.every(({ map }) => map?.map.epoch === 1));
    expect(one.map?.nodes.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
    expect(one.map?.replicas).toBe(1);

    const before = one.pushes.length;
    const tenant = { name: 'shop', number: 1, createdAtMs: 0, replicas: 1, policy: 'lru' };
    const record = { ...tenant, ack: 'primary', maxUnreplicated: {} };
    world.commit({ compares: [], changes: [put(METADATA_KEYS.tenant('shop'), record)] });
    world.run(20);
    expect(one.pushes.slice(before)).toMatchObject([
      { topic: 'tenants', body: { tenants: [{ name: 'shop' }], removedTenants: [] } },
    ]);
    world.commit({
      compares: [],
      changes: [{ kind: 'delete', key: METADATA_KEYS.tenant('shop') }],
    });
    world.run(20);
    expect(one.pushes.at(-1)).toMatchObject({ body: { tenants: [], removedTenants: ['shop'] } });
  });

  test('are pushed only what they do not have by a new leader', () => {
    const { world, nodes } = worldOfThree();
    world.placeShards([{ primary: a, replicas: [b] }]);
    world.run(1000);
    const tenantPushes = () =>
      nodes.map(({ pushes }) => pushes.filter(({ topic }) => topic === 'tenants').length);
    expect(tenantPushes()).toEqual([1, 1, 1]);
    const old = world.leader;
    world.processOf(old).kill();
    world.until('another leads', () => world.leader !== old);
    world.run(3000);
    expect(tenantPushes()).toEqual([1, 1, 1]);
    expect([...world.leader.state.nodes.values()].map(({ state }) => state)).toEqual([
      'up',
      'up',
      'up',
    ]);
  });

  test('of one name are let in one at a time', () => {
    const { world, nodes } = worldOfThree({ options: { replicas: 0 } });
    world.placeShards([{ primary: c, replicas: [] }]);
    const [one] = nodes;
    const twin = new StubNode(world, 'a');
    world.run(5000);
    expect(twin.registered).toBeUndefined();
    expect(twin.refusals[0]).toContain("a process named 'a' is in the cluster already");
    one.process.kill();
    world.until('the twin is in', () => twin.registered !== undefined);
    expect(world.leader.state.nodes.get(a)).toMatchObject({ bootId: twin.bootId, state: 'up' });
  });

  test('at the address of another are refused', () => {
    const { world, nodes } = worldOfThree();
    const facts = { host: world.leader.state.nodes.get(nodes[0].id)?.host ?? '' };
    const stray = new StubNode(world, 'd', { facts });
    world.run(2000);
    expect(stray.registered).toBeUndefined();
    expect(stray.refusals.at(-1)).toContain("is the address of node 'a'");
  });
});

describe('a dead primary', () => {
  test('is replaced, for all its shards in one epoch, by the replica that is furthest', () => {
    const { world, nodes } = worldOfThree({ options: { replicas: 2 } });
    const [one, two, three] = nodes;
    world.placeShards([
      { primary: a, replicas: [b, c] },
      { primary: a, replicas: [b, c] },
      { primary: b, replicas: [a, c] },
    ]);
    one.positions = [at(0, 900), at(1, 500)];
    two.positions = [at(0, 800), at(1, 300)];
    three.positions = [at(0, 700), at(1, 400)];
    world.run(1000);
    one.process.kill();
    world.until('it is promoted', () => world.leader.state.map.epoch > 1);
    const shards = shardsOf(world);
    expect(shards.map(({ primary }) => primary)).toEqual([b, c, b]);
    expect(shards.map(({ epoch }) => epoch)).toEqual([2, 2, 1]);
    expect(shards[0].replicas).toEqual([c]);
    expect(receiptsOf(world)).toMatchObject([
      { shard: 0, oldPrimary: a, newPrimary: b, offsetOld: 900, offsetNew: 800, bytesAtRisk: 100 },
      { shard: 1, oldPrimary: a, newPrimary: c, offsetOld: 500, offsetNew: 400, bytesAtRisk: 100 },
    ]);
    world.until('all know', () => two.map?.map.epoch === 2 && three.map?.map.epoch === 2);
  });

  test('does not act while its replica is promoted, however it was cut off', () => {
    const { world, nodes } = worldOfThree();
    const [one, two] = nodes;
    world.placeShards([{ primary: a, replicas: [b] }]);
    two.positions = [at(0, 1)];
    world.run(1000);
    one.process.pause();
    world.until('it is promoted', () => world.leader.state.map.epoch > 1);
    expect(one.holdsLease).toBe(false);
    one.process.resume();
    world.until('it is back', () => world.leader.state.nodes.get(a)?.state === 'up');
    expect(shardsOf(world)[0]).toMatchObject({ primary: b, replicas: [] });
  });

  test('is waited for where no replica lives, and goes on with its memory in a new epoch', () => {
    const { world, nodes } = worldOfThree({ options: { replicas: 0 } });
    const [one] = nodes;
    world.placeShards([{ primary: a, replicas: [] }]);
    world.run(500);
    one.process.pause();
    world.until('it is down', () => world.leader.state.nodes.get(a)?.state === 'down');
    world.run(1000);
    expect(shardsOf(world)[0].primary).toBe(a);
    one.process.resume();
    world.until('it is back', () => world.leader.state.nodes.get(a)?.state === 'up');
    expect(shardsOf(world)[0]).toMatchObject({ primary: a, epoch: 2 });
  });

  test('without a copy that lives leaves shards that begin empty elsewhere, after a while', () => {
    const { world, nodes } = worldOfThree({ options: { replicas: 0 } });
    world.placeShards([{ primary: a, replicas: [] }]);
    world.run(500);
    nodes[0].process.kill();
    world.run(5000);
    expect(shardsOf(world)[0].primary).toBe(a);
    world.until('it is given away', () => shardsOf(world)[0].primary !== a, 15_000);
    expect(shardsOf(world)[0]).toMatchObject({ primary: expect.stringMatching(/./), epoch: 2 });
  });

  test('that starts anew keeps no place but that of an empty copy', () => {
    const { world, nodes } = worldOfThree();
    const [one, two] = nodes;
    world.placeShards([
      { primary: a, replicas: [b] },
      { primary: b, replicas: [a] },
    ]);
    const both = [0, 1].map((shard) => at(shard, 5));
    one.positions = both;
    two.positions = both;
    world.run(500);
    one.process.kill();
    one.process.start();
    one.positions = [];
    world.run(10);
    world.until('it is in again', () => one.registered !== undefined);
    expect(shardsOf(world)).toMatchObject([
      { primary: b, replicas: [] },
      { primary: b, replicas: [] },
    ]);
  });

  test('and its dead leader are both replaced', () => {
    const { world, nodes } = worldOfThree();
    const [one, two] = nodes;
    world.placeShards([{ primary: a, replicas: [b] }]);
    two.positions = [at(0, 1)];
    world.run(500);
    one.process.kill();
    world.processOf(world.leader).kill();
    world.until('it is promoted', () => shardsOf(world)[0].primary === b);
    expect(world.leader.state.nodes.get(b)?.state).toBe('up');
    expect(world.leader.state.nodes.get(c)?.state).toBe('up');
  });
});

test('writes promised to a majority are waited for', () => {
  const { world, nodes } = worldOfThree({ options: { replicas: 2 } });
  const [one, two, three] = nodes;
  world.placeShards([{ primary: a, replicas: [b, c] }]);
  const tenant = { name: 'shop', number: 1, createdAtMs: 0, replicas: 2, policy: 'lru' };
  const record = { ...tenant, ack: 'quorum', maxUnreplicated: {} };
  world.commit({ compares: [], changes: [put(METADATA_KEYS.tenant('shop'), record)] });
  two.positions = [at(0, 10)];
  three.positions = [at(0, 20)];
  three.answersSeals = false;
  world.run(500);
  one.process.kill();
  world.run(5000);
  expect(shardsOf(world)[0].primary).toBe(a);
  three.answersSeals = true;
  world.until('it is promoted', () => shardsOf(world)[0].primary === c, 2000);
});
