import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asEpoch, asRevision, LEASE_TIMES, type Push } from '../../cluster/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import {
  CALM_NETWORK,
  Simulation,
  type NetworkSettings,
  type SimProcess,
} from '../../sim/index.ts';
import { LEASE_RULES, type LeaseRules } from './lease.ts';
import { MetaLink, type MetaLinkHandler } from './meta-link.ts';
import { factsOf, idOf, mapOf, tenantOf, tenantsPush, TestLeader } from './test-support.ts';

const CALM: NetworkSettings = {
  ...CALM_NETWORK,
  latency: { shape: 'uniform', minUs: 200, spreadUs: 300 },
};
const META = { host: 'meta', port: 7500 };
const SELF = idOf('a');
const OTHER = idOf('b');

interface Clocks {
  nodePpm: number;
  leaderPpm: number;
}

/** One leader, one node with nothing but the link. */
class World {
  readonly simulation: Simulation;
  readonly meta: SimProcess;
  readonly node: SimProcess;
  readonly maps: Array<Push<'map'>> = [];
  readonly tenants: Array<Push<'tenants'>> = [];
  readonly seals: Array<Push<'seal'>> = [];
  #leader: TestLeader | undefined;
  #link: MetaLink | undefined;
  #runtimes: { node?: Runtime; leader?: Runtime } = {};

  constructor(
    seed = 1,
    network: Partial<NetworkSettings> = {},
    { nodePpm, leaderPpm }: Clocks = { nodePpm: 0, leaderPpm: 0 },
    leaseRules: LeaseRules = LEASE_RULES,
  ) {
    this.simulation = new Simulation({ seed, network: { ...CALM, ...network } });
    this.meta = this.#add('meta', leaderPpm, (runtime) => {
      this.#runtimes.leader = runtime;
      this.#leader = new TestLeader(runtime, META);
    });
    this.node = this.#add('node', nodePpm, (runtime) => {
      this.#runtimes.node = runtime;
      const options = { addresses: [META], facts: factsOf('a', 7400), leaseRules };
      this.#link = new MetaLink(runtime, options, this.#handler());
      this.#link.start();
    });
    this.meta.start();
    this.run(1);
    this.node.start();
    this.run(1);
  }

  get leader(): TestLeader {
    return defined(this.#leader);
  }

  get link(): MetaLink {
    return defined(this.#link);
  }

  get isHeld(): boolean {
    return this.link.lease.isHeld(this.node.clock.monotonicUs());
  }

  run(milliseconds: number): void {
    this.simulation.queue.runUntil(this.simulation.queue.nowUs + milliseconds * 1000);
  }

  #add(name: string, driftPpm: number, program: (runtime: Runtime) => void): SimProcess {
    return this.simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 5_000, driftPpm, wallUs: 0 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program,
    });
  }

  #handler(): MetaLinkHandler {
    return {
      report: () => ({ shards: [], tenants: [], usedBytes: 0, memoryBytes: 1 }),
      onLeased() {},
      onMap: (push) => this.maps.push(push),
      onTenants: (push) => this.tenants.push(push),
      onConfig() {},
      onQuotas() {},
      onSeal: (push, answer) => {
        this.seals.push(push);
        answer([]);
      },
      onFreeze() {},
      onThaw() {},
      onThrottle() {},
    };
  }
}

function defined<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the process has not started');
  return value;
}

describe('the line to the meta leader', () => {
  test('registers, and holds a lease while heartbeats are answered', () => {
    const world = new World();
    world.run(1000);
    expect(world.leader.nodes()).toEqual([factsOf('a', 7400)]);
    expect(world.link.clusterId).toBe('c1');
    expect(world.isHeld).toBe(true);
    expect(world.leader.heartbeats.length).toBeGreaterThanOrEqual(3);
    world.leader.answerHeartbeat = () => undefined;
    world.run(1200);
    expect(world.isHeld).toBe(false);
    world.leader.answerHeartbeat = () => ({ ok: true, body: { mapEpoch: 0 } });
    world.run(600);
    expect(world.isHeld).toBe(true);
  });

  test('registers anew when it is not known any more, and with a leader that was started anew', () => {
    const world = new World();
    world.run(500);
    world.leader.registered.clear();
    world.run(600);
    expect(world.leader.nodes()).toHaveLength(1);
    world.meta.kill();
    world.run(3000);
    expect(world.isHeld).toBe(false);
    world.meta.start();
    world.run(2500);
    expect(world.leader.nodes()).toHaveLength(1);
    expect(world.isHeld).toBe(true);
  });

  test('gets no lease by an answer that speaks of a map it does not have', () => {
    const world = new World();
    world.run(500);
    world.leader.map = mapOf(2, [OTHER]);
    world.run(1200);
    expect(world.isHeld).toBe(false);
    world.leader.pushMap(world.leader.map);
    world.run(600);
    expect(world.link.mapEpoch).toBe(2);
    expect(world.isHeld).toBe(true);
  });

  test('serves no second cluster', () => {
    const world = new World();
    world.run(500);
    world.leader.clusterId = 'c2';
    world.leader.registered.clear();
    world.run(2000);
    expect(world.isHeld).toBe(false);
    expect(world.link.clusterId).toBe('c1');
  });

  test('tells the leader when it stops, and has no lease from then on', () => {
    const world = new World();
    world.run(500);
    let isDone = false;
    world.link.stop(() => (isDone = true));
    expect(world.isHeld).toBe(false);
    world.run(1500);
    expect(isDone).toBe(true);
    expect(world.leader.left).toEqual([SELF]);
    expect(world.isHeld).toBe(false);
  });

  test('answers what asks for an answer, under its id', () => {
    const world = new World();
    world.run(500);
    world.leader.push('seal', { id: 77, epoch: asEpoch(4), shards: [] });
    world.run(10);
    expect(world.leader.reports).toEqual([{ id: 77, nodeId: SELF, positions: [] }]);
  });

  test('applies maps and tenants once, and never backwards or over a gap', () => {
    const push = fc.record({
      kind: fc.constantFrom('map', 'tenants'),
      at: fc.integer({ min: 1, max: 9 }),
      back: fc.integer({ min: 0, max: 9 }),
    });
    fc.assert(
      fc.property(fc.array(push, { maxLength: 25 }), (pushes) => {
        const world = new World();
        world.run(300);
        for (const { kind, at, back } of pushes) {
          if (kind === 'map') {
            world.leader.push('map', { map: { ...mapOf(at, [SELF]), shards: [] }, nodes: [] });
          } else {
            const since = asRevision(Math.max(0, at - back));
            world.leader.push('tenants', { ...tenantsPush(at, [tenantOf('t', 1)], []), since });
          }
          world.run(2);
        }
        const epochs = world.maps.map(({ map }) => map.epoch);
        expect(epochs).toEqual(epochs.toSorted((one, other) => one - other));
        const known = [asRevision(0), ...world.tenants.map(({ revision }) => revision)];
        for (const [index, { since, revision }] of world.tenants.entries()) {
          expect(revision).toBeGreaterThan(known[index]);
          expect(since).toBeLessThanOrEqual(known[index]);
        }
        expect(world.link.tenantsRevision).toBe(known.at(-1));
        expect(world.link.mapEpoch).toBe(epochs.at(-1) ?? 0);
      }),
      { numRuns: 40 },
    );
  });
});

/**
 * A leader that gives the node's shard away when it has not heard of it for lease and margin on its
 * own clock, under a bad network, pauses, and clocks a few per cent apart.
 *
 * @returns what went wrong: who held the shard when, in words
 */
function twoPrimaries(seed: number, rules: LeaseRules, { nodePpm, leaderPpm }: Clocks): string[] {
  const world = new World(
    seed,
    {
      // Late answers tempt a lease that counts from them, early ones one without a margin.
      latency: { shape: 'uniform', minUs: 200, spreadUs: seed % 2 === 0 ? 400_000 : 10_000 },
      loss: [1, 20],
      reset: [1, 40],
    },
    { nodePpm, leaderPpm },
    rules,
  );
  const { simulation, meta, node } = world;
  const patienceUs = (LEASE_TIMES.leaseMs + LEASE_TIMES.marginMs) * 1000;
  let epoch = 1;
  let isDead = false;
  let heardAtUs = 0;
  const answer = (): ReturnType<TestLeader['answerHeartbeat']> => {
    heardAtUs = meta.clock.monotonicUs();
    if (isDead) {
      // It has come back, as the holder of nothing, and gets its shard again later.
      isDead = false;
      epoch++;
      world.leader.pushMap(mapOf(epoch, [OTHER]));
      simulation.schedule(900_000, 'give back', () => {
        epoch++;
        world.leader.pushMap(mapOf(epoch, [SELF]));
      });
    }
    return { ok: true, body: { mapEpoch: world.leader.map.epoch } };
  };
  world.leader.answerHeartbeat = answer;
  world.leader.map = mapOf(1, [SELF]);
  const faults: string[] = [];
  const pauses = simulation.stream('pauses');
  for (let tick = 0; tick < 3000; tick++) {
    world.run(10);
    const draw = pauses.between(0, 400, tick);
    if (draw < 2) node.pause();
    if (draw > 385) node.resume();
    if (tick % 100 === 0) world.leader.pushMap(world.leader.map);
    const holder = world.leader.map.shards[0].primary;
    const isLost = meta.clock.monotonicUs() - heardAtUs >= patienceUs;
    if (holder === SELF && isLost && heardAtUs > 0) {
      isDead = true;
      epoch++;
      world.leader.map = mapOf(epoch, [OTHER]);
    }
    const own = world.maps.at(-1)?.map;
    const acts = world.isHeld && own?.shards[0].primary === SELF;
    if (acts && world.leader.map.shards[0].primary !== SELF) {
      faults.push(`at ${simulation.queue.nowUs} µs the node holds what epoch ${epoch} gave away`);
    }
  }
  return faults;
}

const CLOCKS: Clocks = { nodePpm: -90_000, leaderPpm: 90_000 };
const SEEDS = Array.from({ length: 24 }, (_, seed) => seed + 1);

describe('a leased primary', () => {
  test('is the only one, under a bad network, pauses and clocks that drift apart', () => {
    for (const seed of SEEDS) expect(twoPrimaries(seed, LEASE_RULES, CLOCKS)).toEqual([]);
  });

  test.each<[string, Partial<LeaseRules>]>([
    ['counts from the receipt of the answer', { countsFromUs: (it) => it.receivedAtUs }],
    ['takes no margin off', { countsFromUs: (it) => it.sentAtUs + LEASE_TIMES.marginMs * 1000 }],
    ['serves by an old map', { renews: () => true }],
    ['never looks at its lease', { isHeld: (untilUs) => untilUs > 0 }],
  ])('that %s is caught', (_, wrong) => {
    const rules = { ...LEASE_RULES, ...wrong };
    const caught = SEEDS.some((seed) => twoPrimaries(seed, rules, CLOCKS).length > 0);
    expect(caught).toBe(true);
  });
});
