/**
 * Proves the oracles by historical mistakes, of Raft implementations and of replicated caches: each
 * is made on purpose, and must be caught. Prints a table, in Markdown: the mistake, the oracle that caught it, the seeds
 * that it took, the size of the scenario once it is shrunk, and the world that caught it.
 *
 * node bench/mutants.ts [--seeds 1000] [--jobs as many as there are cores] [--only NAME,NAME]
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { MUTANTS } from '../src/raft/testing/mutants.ts';
import { CLUSTER_MUTANTS } from '../src/sim/cluster/index.ts';
import type { Catch, Hunt } from './mutant-hunt.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    only: { type: 'string' },
  },
});
const mutants = [...MUTANTS, ...CLUSTER_MUTANTS];
const names = mutants.map(({ name }) => name);
const wanted = values.only?.split(',') ?? names;
const unknown = wanted.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`no such mutants: ${unknown.join(', ')}`);
const seedsMax = Number(values.seeds);
if (!Number.isSafeInteger(seedsMax) || seedsMax < 1) throw new Error('--seeds is a count from 1');

const caught = new Map<string, Catch>();
const waiting = [...wanted];
const startedMs = performance.now();

function work(): Promise<void> {
  const worker = new Worker(new URL('mutant-worker.ts', import.meta.url));
  return new Promise((resolve, reject) => {
    let name: string | undefined;
    const next = (): void => {
      name = waiting.shift();
      if (name === undefined) resolve(worker.terminate().then(() => undefined));
      else {
        const hunt: Hunt = { name, seedsMax };
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
        worker.postMessage(hunt);
      }
    };
    worker.on('message', (found: Catch) => {
      if (name !== undefined) caught.set(name, found);
      console.error(`${name}: ${found.oracle} (${found.world}) at seed ${found.seeds}`);
      next();
    });
    worker.on('error', reject);
    next();
  });
}

await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs)) }, work));

console.log(
  '| mistake | seen in | caught by | seeds | events | peers, faults, operations | world |',
);
console.log('| --- | --- | --- | ---: | ---: | --- | --- |');
let missed = 0;
for (const { name, seenIn } of mutants) {
  const found = caught.get(name);
  if (found === undefined) continue;
  if (found.world === 'none') missed += 1;
  const { oracle, seeds, events = '', peers, faults, operations, world } = found;
  const size = peers === undefined ? '' : `${peers}, ${faults}, ${operations}`;
  const cells = [name, seenIn, oracle, seeds, events, size, world];
  console.log(`| ${cells.join(' | ')} |`);
}
const seconds = Math.round((performance.now() - startedMs) / 1000);
console.log(`\n${caught.size - missed} of ${caught.size} mistakes caught, in ${seconds} s`);
if (missed > 0) process.exitCode = 1;
