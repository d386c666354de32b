/**
 * `npm run differential -- --runs N [--seed S] [--only data|server|cluster]`: random sequences of requests, put to a cache node
 * and to a real `redis-server`. Ends with 1 at the first difference, and prints the shortest
 * sequence that shows it, with the seed that finds it again.
 */
import { parseArgs } from 'node:util';
import { Pair } from '../test/differential/pair.ts';
import {
  checkSequences,
  clusterSequences,
  dataSequences,
  serverSequences,
} from '../test/differential/property.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '2000' },
    seed: { type: 'string', default: `${Math.floor(Math.random() * 2 ** 31)}` },
    path: { type: 'string' },
    only: { type: 'string' },
  },
});
const numRuns = Number(values.runs);
const seed = Number(values.seed);
if (!Number.isSafeInteger(numRuns) || numRuns < 1 || !Number.isSafeInteger(seed)) {
  console.error('differential: --runs takes a number from 1 on, --seed a whole number');
  process.exit(2);
}

for (const [name, arbitrary] of [
  ['data', dataSequences],
  ['server', serverSequences],
  ['cluster', clusterSequences],
] as const) {
  if (values.only !== undefined && values.only !== name) continue;
  await using pair = await Pair.start(name === 'cluster' ? 'cluster' : 'alone');
  const startedMs = performance.now();
  try {
    const path = values.path === undefined ? {} : { path: values.path };
    await checkSequences(pair, arbitrary, { numRuns, seed, ...path });
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
    console.log(`differential: ${numRuns} ${name} sequences agree (seed ${seed}, ${seconds} s)`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
