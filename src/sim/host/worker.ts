/** A worker thread that runs the seeds it is told to, one batch after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { seedResult, type SeedResult } from '../campaign.ts';
import { openTarget, type Target } from '../target.ts';
import { WORLDS } from '../worlds.ts';

export interface Batch {
  readonly from: number;
  readonly count: number;
}

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- set by `campaign-runner.ts`
const { run } = openTarget(workerData as Target, WORLDS);

parentPort?.on('message', ({ from, count }: Batch) => {
  const results: SeedResult[] = [];
  for (let seed = from; seed < from + count; seed += 1) results.push(seedResult(run(seed)));
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  parentPort?.postMessage(results);
});
