import { expect, test } from 'vitest';
import { RAFT_LIMITS, type RaftLimits } from '../raft/index.ts';
import { idOf, MetaWorld, StubNode } from './test-support.ts';

const NAMES = ['a', 'b', 'c'];
const SEEDS = Array.from({ length: 100 }, (_, seed) => seed);

/** How many of three nodes were without a lease at some time after the leader of the peers was killed. */
function lapses(seed: number, raftLimits?: Partial<RaftLimits>): number {
  const world = new MetaWorld({
    seed,
    ...(raftLimits === undefined ? {} : { options: { raftLimits } }),
  });
  const nodes = NAMES.map((name) => new StubNode(world, name));
  world.until('all register', () => nodes.every(({ registered }) => registered !== undefined));
  world.placeShards([{ primary: idOf('a'), replicas: NAMES.slice(1).map(idOf) }]);
  world.until('all hold leases', () => nodes.every(({ holdsLease }) => holdsLease));
  world.run(2000 + seed * 37);
  const lapsed = new Set<string>();
  world.simulation.observer = {
    ended: () => undefined,
    afterStep: () => {
      for (const { holdsLease, process } of nodes) if (!holdsLease) lapsed.add(process.name);
    },
  };
  world.processOf(world.leader).kill();
  world.run(5000);
  expect(nodes.every(({ holdsLease }) => holdsLease)).toBe(true);
  return lapsed.size;
}

function slowSeeds(raftLimits?: Partial<RaftLimits>): number[] {
  return SEEDS.filter((seed) => lapses(seed, raftLimits) > 0);
}

test('a leader that dies has a successor before leases run out, but for votes that are split', () => {
  expect(slowSeeds().length).toBeLessThanOrEqual(3);
});

test('and would often have none in time at the pace that Raft is given elsewhere', () => {
  const { electionTimeoutMs, heartbeatIntervalMs } = RAFT_LIMITS;
  expect(slowSeeds({ electionTimeoutMs, heartbeatIntervalMs }).length).toBeGreaterThan(10);
});
