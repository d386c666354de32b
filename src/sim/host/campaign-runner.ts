/**
 * Runs campaigns in the real process: seeds in batches, on as many threads as asked for.
 *
 * A run is a function of its seed, so which thread runs it when makes no difference to its result.
 */
import { Worker } from 'node:worker_threads';
import { Campaign, seedResult, type SeedResult } from '../campaign.ts';
import { openTarget, type Target } from '../target.ts';
import { WORLDS } from '../worlds.ts';
import type { Batch } from './worker.ts';

export interface CampaignOptions {
  readonly target: Target;
  readonly seedFirst: number;
  /** At most so many seeds. */
  readonly seeds: number;
  /** No batch is begun after this long. */
  readonly milliseconds: number;
  readonly jobs: number;
  /** Called with each result, in no particular order. */
  readonly onResult: (result: SeedResult, campaign: Campaign) => void;
  readonly signal?: AbortSignal;
}

/** Small enough for progress to be seen, large enough not to be felt. */
const BATCH_SEEDS = 10;

export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { target, onResult } = options;
  const runnable = openTarget(target, WORLDS);
  const campaign = new Campaign(runnable.world.points);
  const batches = batchesOf(options);
  const take = (results: readonly SeedResult[]): void => {
    for (const result of results) {
      campaign.add(result);
      onResult(result, campaign);
    }
  };
  if (options.jobs <= 1) {
    for (const { from, count } of batches) {
      for (let seed = from; seed < from + count; seed += 1) take([seedResult(runnable.run(seed))]);
      await new Promise((resume) => void setImmediate(resume));
    }
  } else {
    const workers = Array.from({ length: options.jobs }, () => workThrough(target, batches, take));
    await Promise.all(workers);
  }
  return campaign;
}

function* batchesOf({ seedFirst, seeds, milliseconds, signal }: CampaignOptions): Generator<Batch> {
  const end = performance.now() + milliseconds;
  for (let done = 0; done < seeds; done += BATCH_SEEDS) {
    if (performance.now() >= end || signal?.aborted === true) return;
    yield { from: seedFirst + done, count: Math.min(BATCH_SEEDS, seeds - done) };
  }
}

function workThrough(
  target: Target,
  batches: Generator<Batch>,
  take: (results: readonly SeedResult[]) => void,
): Promise<void> {
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData: target });
  return new Promise((resolve, reject) => {
    const next = (): void => {
      const batch = batches.next();
      if (batch.done === true) {
        resolve(worker.terminate().then(() => undefined));
      } else {
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
        worker.postMessage(batch.value);
      }
    };
    worker.on('message', (results: SeedResult[]) => {
      take(results);
      next();
    });
    worker.on('error', reject);
    next();
  });
}
