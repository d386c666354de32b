/**
 * Proves the simulator's oracles by historical mistakes of Raft implementations: each is made on
 * purpose, and must be caught. Prints a table: the mistake, the oracle that caught it, the seeds
 * that it took, and the size of the scenario once it is shrunk.
 *
 * node bench/mutants.ts [seeds at most, default 1000] [names, comma-separated]
 */
import { MUTANTS } from '../src/raft/testing/mutants.ts';
import { runScenario, shrinkScenario } from '../src/sim/index.ts';
import { raftWorldWith } from '../src/sim/raft/index.ts';

const SEEDS_MAX_DEFAULT = 1000;
const SHRINK_RUNS_MAX = 400;

const seedsMax = Number(process.argv[2] ?? SEEDS_MAX_DEFAULT);
const names = process.argv[3]?.split(',');
const rows: Record<string, Record<string, string | number>> = {};
let missed = 0;

for (const { name, seenIn, rules, sessionRules } of MUTANTS) {
  if (names !== undefined && !names.includes(name)) continue;
  const world = raftWorldWith({ rules: rules ?? {}, sessionRules: sessionRules ?? {} });
  const row: Record<string, string | number> = {
    'seen in': seenIn,
    oracle: 'none',
    seeds: seedsMax,
  };
  rows[name] = row;
  let isCaught = false;
  for (let seed = 1; seed <= seedsMax && !isCaught; seed += 1) {
    const scenario = world.draw(seed);
    const { failure } = runScenario(world, scenario);
    if (failure === undefined) continue;
    isCaught = true;
    const shrunk = shrinkScenario(world, scenario, failure.oracle, { runsMax: SHRINK_RUNS_MAX });
    row['oracle'] = failure.oracle;
    row['seeds'] = seed;
    row['peers'] = shrunk.scenario.peers.length;
    row['faults'] = shrunk.scenario.faults.length;
    row['operations'] = shrunk.scenario.operations.length;
    row['events'] = shrunk.result.steps;
  }
  if (!isCaught) missed += 1;
  console.error(`${name}: ${isCaught ? `${row['oracle']} at seed ${row['seeds']}` : 'not caught'}`);
}

console.table(rows);
console.log(`${Object.keys(rows).length - missed} of ${Object.keys(rows).length} mutants caught`);
