/**
 * No two nodes act as primary of one shard at one time, by the true time of the simulated world,
 * whatever happens to clocks, network, nodes and meta peers. The same worlds show the mistakes in the
 * rules that this rests on.
 */
import { describe, expect, test } from 'vitest';
import { Draws, Stream, type SimProcess } from '../sim/index.ts';
import type { ControllerRules } from './index.ts';
import { at, idOf, MetaWorld, StubNode } from './test-support.ts';

const NAMES = ['a', 'b', 'c'];
/** Clocks differ by up to the tenth that the margins are for. */
const DRIFT_PPM_MAX = 45_000;

interface Found {
  /** What was wrong, if anything. */
  readonly words: string | undefined;
  readonly isPromoted: boolean;
}

/** One world, in which the primary of a shard gets lost in some way. */
function play(seed: number, rules: Partial<ControllerRules> = {}): Found {
  const draws = new Draws(new Stream(seed, 'lease safety', () => undefined), 1, 1);
  const drift = (): number => draws.between(-DRIFT_PPM_MAX, DRIFT_PPM_MAX);
  const world = new MetaWorld({
    seed,
    // Elections within a lease: a leader that is lost has a successor before leases run out.
    options: { rules, raftLimits: { electionTimeoutMs: 200, heartbeatIntervalMs: 40 } },
    network: { loss: [1, 200], reset: [1, 2000] },
    driftPpm: [drift(), drift(), drift()],
  });
  const nodes = NAMES.map((name) => new StubNode(world, name, { driftPpm: drift() }));
  world.until('all register', () => nodes.every(({ registered }) => registered !== undefined));
  const [a, b, c] = NAMES.map(idOf);
  world.placeShards([{ primary: a, replicas: [b, c] }]);
  for (const node of nodes) node.positions = [at(0, 1)];
  world.until('the primary acts', () => isActing(nodes[0]));
  world.run(1000 + draws.below(500));

  let words: string | undefined;
  world.simulation.observer = {
    ended: () => undefined,
    afterStep: () => {
      const acting = nodes.filter(isActing).map(({ process }) => process.name);
      if (acting.length > 1) words ??= `${acting.join(' and ')} act as primaries of one shard`;
    },
  };
  disturb(world, nodes, draws);
  world.run(8000);
  const primary = world.leader.state.map.shards[0].primary;
  return { words, isPromoted: primary !== a };
}

function isActing(node: StubNode): boolean {
  return node.holdsLease && node.map?.map.shards.at(0)?.primary === node.id;
}

function disturb(world: MetaWorld, nodes: readonly StubNode[], draws: Draws): void {
  const { network } = world.simulation;
  const victim = nodes[0].process;
  const leader = world.processOf(world.leader);
  const others = world.processes.filter((process) => process !== leader);
  const cut = (from: SimProcess, to: SimProcess): void => {
    network.cut(network.link(from, to));
    network.cut(network.link(to, from));
  };
  switch (draws.below(5)) {
    case 0:
      for (const peer of world.processes) cut(victim, peer);
      break;
    case 1:
      victim.pause();
      world.run(500 + draws.below(3000));
      victim.resume();
      break;
    case 2:
      // The primary reaches the old leader alone, and that one nobody else.
      for (const peer of others) {
        cut(victim, peer);
        cut(leader, peer);
      }
      break;
    case 3:
      for (const peer of others) cut(victim, peer);
      leader.kill();
      break;
    default:
      for (const peer of others) cut(victim, peer);
      leader.pause();
      world.run(800 + draws.below(2000));
      leader.resume();
  }
}

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed);

describe('a shard', () => {
  test('has one primary that acts, at most', () => {
    const found = SEEDS.map((seed) => ({ seed, ...play(seed) }));
    expect(found.filter(({ words }) => words !== undefined)).toEqual([]);
    expect(found.filter(({ isPromoted }) => isPromoted).length).toBeGreaterThan(30);
  });

  const mistakes: Record<string, Partial<ControllerRules>> = {
    'leases without a margin': {
      grantedMs: ({ leaseMs }) => leaseMs,
      heldMs: ({ leaseMs }) => leaseMs,
      graceMs: ({ leaseMs }) => leaseMs,
    },
    'a new leader that declares death at once': { graceMs: () => 0 },
  };
  test.each(Object.entries(mistakes))('has two by %s', (_, rules) => {
    expect(SEEDS.some((seed) => play(seed, rules).words !== undefined)).toBe(true);
  });
});
