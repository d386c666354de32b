/**
 * How much the simulator does in a minute: Raft with 3 peers, 3 clients of 40 operations, faults
 * and all oracles on. Prints a table and judges nothing.
 *
 * Seeds are run on as many threads as there are cores. Beside the wall clock stands the CPU time,
 * since whatever else runs on the machine slows the one and not the other.
 *
 * node bench/sim.ts [seeds]
 */
import { availableParallelism } from 'node:os';
import { runCampaign } from '../src/sim/host/index.ts';

const SEEDS_DEFAULT = 2000;
const PEERS = 3;

const scenario = `version: 1\nworld: raft\npeers: ${PEERS}\n`;
const seeds = Number(process.argv[2] ?? SEEDS_DEFAULT);
const jobs = availableParallelism();
const startedMs = performance.now();
const cpuBefore = process.cpuUsage();
const campaign = await runCampaign({
  target: { kind: 'file', name: 'bench', text: scenario },
  seedFirst: 1,
  seeds,
  milliseconds: Infinity,
  jobs,
  onResult: ({ seed, failure }) => {
    if (failure !== undefined) console.log(`seed ${seed}: ${failure.oracle}: ${failure.sentence}`);
  },
});
const seconds = (performance.now() - startedMs) / 1000;
const { user, system } = process.cpuUsage(cpuBefore);
const cpuSeconds = (user + system) / 1e6;
const perMinute = (amount: number, over: number): number => Math.round((amount * 60) / over);

console.table({
  'seeds a minute': perMinute(seeds, seconds),
  [`seeds a minute, ${jobs} cores for itself`]: perMinute(seeds * jobs, cpuSeconds),
  'events a second': Math.round(campaign.steps / seconds),
  'events a second of CPU': Math.round(campaign.steps / cpuSeconds),
  'events a seed': Math.round(campaign.steps / seeds),
  'virtual over real time': Math.round(campaign.virtualUs / 1e6 / seconds),
  'virtual seconds a seed': Math.round(campaign.virtualUs / 1e5 / seeds) / 10,
  'faults a seed': Math.round((campaign.faults * 10) / seeds) / 10,
  failures: campaign.failures.length,
});
