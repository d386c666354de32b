/**
 * Looks for one mistake with one world after another, and makes what it finds small.
 *
 * The simulator comes first: it runs the whole peer. Where its transport or its leaders keep a
 * mistake from ever showing, the worlds of the core alone are tried, which allow all that the paper
 * allows.
 */
import { findDisagreement } from '../src/raft/testing/any-leader.ts';
import { MUTANTS } from '../src/raft/testing/mutants.ts';
import { findViolation, TURNS, worldOf } from '../src/raft/testing/world.ts';
import { CLUSTER_MUTANTS, clusterWorldWith } from '../src/sim/cluster/index.ts';
import {
  runScenario,
  shrinkScenario,
  type ScenarioOperation,
  type World,
} from '../src/sim/index.ts';
import { raftWorldWith } from '../src/sim/raft/index.ts';

export interface Hunt {
  readonly name: string;
  readonly seedsMax: number;
}

/** What caught the mistake, as plain data. */
export interface Catch {
  readonly world: 'simulator' | 'core' | 'any leader' | 'none';
  readonly oracle: string;
  /** From 1 to the one that caught it. */
  readonly seeds: number;
  /** Of the shrunk scenario, where there is one. */
  readonly events?: number;
  readonly peers?: number;
  readonly faults?: number;
  readonly operations?: number;
}

const SHRINK_RUNS_MAX = 150;
/** Seeds of the worlds of the core alone. */
const CORE_SEEDS_MAX = 150;

export function hunt({ name, seedsMax }: Hunt): Catch {
  const ofCluster = CLUSTER_MUTANTS.find((each) => each.name === name);
  if (ofCluster !== undefined) {
    const world = clusterWorldWith(ofCluster.mistakes);
    return huntIn(world, seedsMax) ?? { world: 'none', oracle: '', seeds: seedsMax };
  }
  const mutant = MUTANTS.find((each) => each.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant ${name}`);
  const { rules = {}, sessionRules = {} } = mutant;
  const found = huntIn(raftWorldWith({ rules, sessionRules }), seedsMax);
  if (found !== undefined) return found;
  for (let seed = 1; seed <= CORE_SEEDS_MAX; seed += 1) {
    const words = findDisagreement(seed, rules);
    if (words !== undefined) return { world: 'any leader', oracle: oracleOf(words), seeds: seed };
  }
  for (let seed = 1; seed <= CORE_SEEDS_MAX; seed += 1) {
    const words = findViolation({ ...worldOf(seed), rules, sessionRules }, TURNS);
    if (words !== undefined) return { world: 'core', oracle: oracleOf(words), seeds: seed };
  }
  return { world: 'none', oracle: '', seeds: seedsMax };
}

function huntIn<Options, Op extends ScenarioOperation>(
  world: World<Options, Op>,
  seedsMax: number,
): Catch | undefined {
  for (let seed = 1; seed <= seedsMax; seed += 1) {
    const scenario = world.draw(seed);
    const { failure } = runScenario(world, scenario);
    if (failure === undefined) continue;
    const shrunk = shrinkScenario(world, scenario, failure.oracle, { runsMax: SHRINK_RUNS_MAX });
    return {
      world: 'simulator',
      oracle: failure.oracle,
      seeds: seed,
      events: shrunk.result.steps,
      peers: shrunk.scenario.peers.length,
      faults: shrunk.scenario.faults.length,
      operations: shrunk.scenario.operations.length,
    };
  }
  return undefined;
}

function oracleOf(words: string): string {
  return words.slice(0, words.indexOf(':'));
}
