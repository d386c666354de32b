/**
 * Replication alone, over the simulated network: whatever happens to nodes and connections, copies
 * end up equal to their primary, and what a follower acknowledged it has.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asEpoch,
  asNodeId,
  asShardId,
  changeShards,
  shardSlots,
  slotOfKey,
  type NodeId,
  type Shard,
  type ShardMap,
} from '../../cluster/index.ts';
import { Engine, type Domain } from '../../engine/index.ts';
import { digestShards, Replication, type ReplicationRules } from '../../node/replication/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import { CALM_NETWORK, type NetworkSettings } from '../network.ts';
import type { SimProcess } from '../process.ts';
import { Simulation } from '../simulation.ts';

const SHARDS = 3;
const PORT = 17_400;
const NAMES = ['a', 'b', 'c', 'd'] as const;

const CALM: NetworkSettings = {
  ...CALM_NETWORK,
  latency: { shape: 'uniform', minUs: 100, spreadUs: 300 },
};

function idOf(name: string): NodeId {
  return asNodeId(name.repeat(40));
}

class TestNode {
  readonly name: string;
  readonly process: SimProcess;
  engine: Engine | undefined;
  domain: Domain | undefined;
  replication: Replication | undefined;
  readonly #world: TestWorld;

  constructor(world: TestWorld, name: string) {
    this.name = name;
    this.#world = world;
    this.process = world.simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm: 0, wallUs: 1_767_225_600_000_000 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program: (runtime) => this.#run(runtime),
    });
  }

  #run(runtime: Runtime): void {
    const now = (): number => Math.floor(runtime.clock.wallUs() / 1000);
    const engine = new Engine({
      memoryBytes: 4 * 1024 * 1024,
      random: runtime.random,
      onRemoval: (domain, octets, start, length) =>
        this.replication?.removed(domain, octets, start, length),
    });
    engine.nowMs = now();
    const domain = engine.addDomain(0, 'lru');
    this.engine = engine;
    this.domain = domain;
    this.replication = new Replication({
      runtime,
      spaces: {
        engine,
        all: () => [domain],
        numbered: (namespace) => (namespace === 0 ? domain : undefined),
        numberOf: () => 0,
        wasRemoved: () => false,
      },
      clusterId: () => 'test',
      nodeId: idOf(this.name),
      token: 'secret',
      backlogBytesMax: this.#world.backlogBytesMax,
      walkBuckets: 2,
      bytesOf: () => 0,
      itemsOf: () => 1,
      nowUs: () => runtime.clock.monotonicUs(),
      afterReplies: (callback) => runtime.timers.defer(callback),
      onBatch: () => {
        engine.nowMs = now();
      },
      onApplied: () => {},
      rules: this.#world.rules,
    });
    this.replication.listen({ host: this.name, port: PORT }, (error) => {
      if (error !== undefined) throw error;
    });
    this.learn();
  }

  /** Is told the map, as the leader would. */
  learn(): void {
    const { map, addresses } = this.#world;
    this.replication?.applyMap(map, addresses);
  }

  digests(): Map<number, { digest: number; items: number }> {
    const { engine, domain } = this;
    if (engine === undefined || domain === undefined) return new Map();
    engine.nowMs = Math.floor(this.process.clock.wallUs() / 1000);
    const { map } = this.#world;
    return digestShards(
      { engine, all: () => [domain], numbered: () => domain, numberOf: () => 0 },
      (slot) => map.shards.find((shard) => slot <= shard.slotLast)?.id,
    );
  }
}

class TestWorld {
  readonly simulation: Simulation;
  readonly nodes: TestNode[];
  readonly addresses = new Map(NAMES.map((name) => [idOf(name), { host: name, port: PORT }]));
  map: ShardMap;

  readonly backlogBytesMax: number;
  readonly rules: Partial<ReplicationRules>;

  constructor(
    seed: number,
    network: Partial<NetworkSettings>,
    backlogBytesMax = 1024 * 1024,
    rules: Partial<ReplicationRules> = {},
  ) {
    this.backlogBytesMax = backlogBytesMax;
    this.rules = rules;
    this.simulation = new Simulation({ seed, network: { ...CALM, ...network } });
    this.map = {
      epoch: asEpoch(1),
      shards: shardSlots(SHARDS).map((slots, index) => ({
        id: asShardId(index),
        ...slots,
        primary: idOf(NAMES[index % 3]),
        replicas: [idOf(NAMES[(index + 1) % 3])],
        learners: [],
        epoch: asEpoch(1),
      })),
    };
    this.nodes = NAMES.map((name) => new TestNode(this, name));
    for (const { process } of this.nodes) process.start();
    this.run(100);
  }

  run(milliseconds: number): void {
    this.simulation.queue.runUntil(this.simulation.queue.nowUs + milliseconds * 1000);
  }

  node(id: NodeId | null): TestNode | undefined {
    return this.nodes.find(({ name }) => idOf(name) === id);
  }

  change(shard: Shard, change: Partial<Pick<Shard, 'primary' | 'replicas' | 'learners'>>): void {
    this.map = changeShards(this.map, [{ id: shard.id, ...change }]);
    for (const node of this.nodes) if (node.process.status === 'running') node.learn();
  }

  shardOf(key: Uint8Array): Shard {
    const slot = slotOfKey(key, 0, key.length);
    const shard = this.map.shards.find(({ slotLast }) => slot <= slotLast);
    if (shard === undefined) throw new Error('each slot has a shard');
    return shard;
  }

  /** As a client's command would. An empty value deletes. */
  write(keyText: string, value: string, ttlMs: number): void {
    const key = Buffer.from(keyText);
    const { engine, domain, replication, process } = this.node(this.shardOf(key).primary) ?? {};
    if (engine === undefined || domain === undefined || replication === undefined) return;
    if (process?.status !== 'running') return;
    this.simulation.step(process, 'write', () => {
      engine.nowMs = Math.floor(process.clock.wallUs() / 1000);
      const bytes = Buffer.from(value);
      const slot = slotOfKey(key, 0, key.length);
      if (value === '') {
        const old = engine.find(domain, key, 0, key.length);
        if (old === 0) return;
        engine.remove(domain, old);
        replication.changed(domain, key, 0, key.length, slot, 0);
      } else {
        const deadlineMs = ttlMs === 0 ? 0 : engine.nowMs + ttlMs;
        const ref = engine.set(domain, key, 0, key.length, bytes, 0, bytes.length, deadlineMs);
        replication.changed(domain, key, 0, key.length, slot, ref);
      }
    });
  }

  read(node: TestNode | undefined, keyText: string): string | undefined {
    const { engine, domain } = node ?? {};
    const key = Buffer.from(keyText);
    if (engine === undefined || domain === undefined) return undefined;
    const ref = engine.find(domain, key, 0, key.length);
    if (ref === 0) return undefined;
    const start = engine.arena.valueStart(ref);
    const bytes = engine.arena.octets(ref).slice(start, start + engine.arena.valueLength(ref));
    return Buffer.from(bytes).toString();
  }

  /** The first copy that differs from its primary, in words. */
  difference(): string | undefined {
    for (const shard of this.map.shards) {
      const primary = this.node(shard.primary);
      if (primary === undefined) continue;
      const wanted = primary.digests().get(shard.id) ?? { digest: 0, items: 0 };
      for (const id of [...shard.replicas, ...shard.learners]) {
        const copy = this.node(id);
        const held = copy?.replication?.held(shard.id);
        if (copy === undefined || held?.isWhole !== true) return `shard ${shard.id} is not whole`;
        const found = copy.digests().get(shard.id) ?? { digest: 0, items: 0 };
        if (found.digest !== wanted.digest || found.items !== wanted.items) {
          return `shard ${shard.id} has ${found.items} items at ${copy.name}, ${wanted.items} at ${primary.name}`;
        }
        const follower = primary.replication?.held(shard.id)?.followers.get(id);
        if (follower?.ackedOffset !== held.backlog.end)
          return `shard ${shard.id}: acked too little`;
      }
    }
    return undefined;
  }
}

const key = fc.integer({ min: 0, max: 60 }).map((number) => `key:${number}`);
const shard = fc.integer({ min: 0, max: SHARDS - 1 });
const name = fc.integer({ min: 0, max: NAMES.length - 1 });

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      key,
      value: fc.oneof(
        fc.constant(''),
        fc.string({ minLength: 1, maxLength: 20 }),
        fc.integer({ min: 100, max: 9000 }).map((length) => 'x'.repeat(length)),
      ),
      ttlMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(400) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('promote' as const), shard }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('learner' as const), shard, name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop' as const), shard }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset' as const), name }) },
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function perform(world: TestWorld, of: Step): void {
  switch (of.kind) {
    case 'write':
      world.write(of.key, of.value, of.ttlMs);
      return;
    case 'wait':
      world.run(of.ms);
      return;
    case 'promote': {
      const { primary, replicas, id } = world.map.shards[of.shard];
      const [to] = replicas;
      const isWhole = world.node(to ?? null)?.replication?.held(id)?.isWhole === true;
      if (to === undefined || primary === null || !isWhole) return;
      const rest = [...replicas.slice(1), primary];
      world.change(world.map.shards[of.shard], { primary: to, replicas: rest });
      return;
    }
    case 'learner': {
      const target = world.map.shards[of.shard];
      const id = idOf(NAMES[of.name]);
      if (target.primary === id || target.replicas.includes(id)) return;
      world.change(target, { replicas: [...target.replicas, id] });
      return;
    }
    case 'drop': {
      const target = world.map.shards[of.shard];
      if (target.replicas.length > 1) world.change(target, { replicas: target.replicas.slice(1) });
      return;
    }
    case 'restart': {
      const { process } = world.nodes[of.name];
      // Its memory is gone: the controller would have promoted another one first.
      for (const target of world.map.shards) {
        if (target.primary === idOf(NAMES[of.name])) return;
      }
      if (process.status !== 'running') return;
      process.kill();
      process.start();
      return;
    }
    case 'reset': {
      const { network } = world.simulation;
      for (const other of world.nodes) {
        if (other.name !== NAMES[of.name]) {
          network.resetConnections(world.nodes[of.name].process, other.process);
        }
      }
    }
  }
}

const ROUGH = { loss: [1, 50], reset: [1, 400], split: [1, 3], bitFlip: [1, 400] } as const;

/** Copies end up equal to their primary, whatever happened. */
function convergence(rules: Partial<ReplicationRules>): fc.IProperty<unknown> {
  return fc.property(
    fc.array(step, { minLength: 5, maxLength: 120 }),
    fc.nat(1_000_000),
    fc.constantFrom(4096, 32 * 1024, 1024 * 1024),
    fc.boolean(),
    (steps, seed, backlogBytesMax, isRough) => {
      const world = new TestWorld(seed, isRough ? ROUGH : {}, backlogBytesMax, rules);
      // Each turn of the event loop takes a while, so that steps of a copy come between writes.
      for (const { process } of world.nodes) process.callbackUs = isRough ? 300 : 0;
      for (const of of steps) perform(world, of);
      for (const { process } of world.nodes) process.callbackUs = 0;
      world.simulation.network.settings = CALM;
      for (let tries = 0; tries < 40 && world.difference() !== undefined; tries++) world.run(500);
      expect(world.difference()).toBeUndefined();
    },
  );
}

describe('copies of a shard', () => {
  test('end up equal to their primary, whatever happened', () => {
    fc.assert(convergence({}), { numRuns: 200 });
  });

  test.each<[string, Partial<ReplicationRules>]>([
    ['resumes at a position of another history', { mayResume: () => true }],
    ['passes no removal on', { streamsRemoval: () => false }],
  ])('do not where replication %s', (_, rules) => {
    const found = fc.check(convergence(rules), { numRuns: 1000, endOnFailure: true });
    expect(found.failed).toBe(true);
  });

  test.each<[string, Partial<ReplicationRules>, boolean]>([
    ['are', {}, true],
    [
      'are not, where removals are not passed on meanwhile,',
      { streamsRemoval: (held) => [...held.followers.values()].every((of) => of.isCaughtUp) },
      false,
    ],
  ])('%s equal after keys were deleted while the copy was made', (_, rules, isEqual) => {
    const world = new TestWorld(1, {}, 1024 * 1024, rules);
    for (let i = 0; i < 300; i++) world.write(`key:${i}`, `value ${i}`, 0);
    world.run(100);
    const [target] = world.map.shards;
    const primary = world.node(target.primary);
    if (primary === undefined) throw new Error('it is there');
    primary.process.callbackUs = 500;
    world.change(target, { learners: [idOf('d')] });
    for (let i = 0; i < 300; i++) {
      if (world.shardOf(Buffer.from(`key:${i}`)).id !== target.id) continue;
      world.run(1);
      world.write(`key:${i}`, '', 0);
    }
    primary.process.callbackUs = 0;
    world.run(2000);
    expect(world.difference() === undefined).toBe(isEqual);
  });

  test('lose nothing that they acknowledged when one becomes primary', () => {
    const world = new TestWorld(1, {});
    for (let i = 0; i < 200; i++) world.write(`key:${i}`, `value ${i}`, 0);
    world.run(100);
    for (const target of world.map.shards) {
      const [to] = target.replicas;
      world.change(target, { primary: to, replicas: [] });
    }
    for (let i = 0; i < 200; i++) {
      const text = `key:${i}`;
      const primary = world.node(world.shardOf(Buffer.from(text)).primary);
      expect(world.read(primary, text)).toBe(`value ${i}`);
    }
  });

  test.each<[string, Partial<ReplicationRules>, string]>([
    ['nothing', {}, 'before'],
    ['all, where epochs are not compared,', { takesEpoch: () => true }, 'on its way'],
  ])('take %s of a primary that a seal shuts out', (_, rules, value) => {
    const world = new TestWorld(1, {}, 1024 * 1024, rules);
    world.write('key:1', 'before', 0);
    world.run(100);
    const { id, primary, replicas } = world.shardOf(Buffer.from('key:1'));
    const replica = world.node(replicas[0]);
    const held = world.node(primary)?.replication?.held(id);
    if (replica === undefined || held === undefined) throw new Error('both are there');
    world.write('key:1', 'on its way', 0);
    const [sealed] = replica.replication?.seal([id], asEpoch(2)) ?? [];
    world.run(1000);
    expect(world.read(replica, 'key:1')).toBe(value);
    // Who leads the shard next is chosen by where the seal found it.
    const isAcked = held.followers.get(replicas[0])?.ackedOffset === held.backlog.end;
    expect(isAcked).toBe(value !== 'before');
    expect(sealed.offset).toBeLessThan(held.backlog.end);
  });

  test('are cleared of what a deposed primary had not passed on', () => {
    const world = new TestWorld(1, {});
    world.write('key:1', 'kept', 0);
    world.run(100);
    const target = world.shardOf(Buffer.from('key:1'));
    const old = world.node(target.primary);
    const { network } = world.simulation;
    const other = world.node(target.replicas[0]);
    if (old === undefined || other === undefined) throw new Error('both are there');
    network.cut(network.link(old.process, other.process));
    network.cut(network.link(other.process, old.process));
    world.write('key:1', 'not passed on', 0);
    world.change(target, { primary: target.replicas[0], replicas: [idOf(old.name)] });
    world.write('key:1', 'new', 0);
    network.heal(network.link(old.process, other.process));
    network.heal(network.link(other.process, old.process));
    world.run(5000);
    expect(world.read(old, 'key:1')).toBe('new');
    expect(world.difference()).toBeUndefined();
  });
});

test('links last while nothing is written, be a copy paused or not', () => {
  const world = new TestWorld(1, {});
  world.write('key:1', 'value', 0);
  // Nothing but this copy goes from its primary to that node.
  const { id, primary } = world.shardOf(Buffer.from('key:1'));
  world.node(primary)?.replication?.setThrottle(id, 0);
  world.change(world.map.shards[id], { learners: [idOf('d')] });
  world.run(2000);
  const began = (): string =>
    JSON.stringify(
      world.nodes.map(({ replication }) =>
        (replication?.links() ?? []).map(({ node, direction, sinceMs }) => {
          return [node, direction, sinceMs];
        }),
      ),
    );
  const before = began();
  expect(before).toContain('"from"');
  world.run(30_000);
  expect(began()).toBe(before);
});

test('a replica acknowledges within milliseconds, and at once where somebody waits for it', () => {
  const world = new TestWorld(1, {});
  const { id, primary } = world.shardOf(Buffer.from('key:1'));
  const { replication, process } = world.node(primary) ?? {};
  const held = replication?.held(id);
  if (held === undefined || process === undefined) throw new Error('no primary leads the shard');
  const isAcked = (): boolean => held.isAckedBy(1, held.backlog.end);
  world.write('key:1', 'first', 0);
  world.run(3);
  expect(isAcked()).toBe(false);
  world.run(12);
  expect(isAcked()).toBe(true);
  world.write('key:1', 'second', 0);
  let isTold = false;
  world.simulation.step(process, 'wait', () =>
    replication?.whenAcked(held, held.backlog.end, 1, (isGood) => (isTold = isGood)),
  );
  world.run(2);
  expect(isTold).toBe(true);
});
