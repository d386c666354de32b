/** The share of the campaigns of the whole cluster that every run of the tests does. */
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { runCampaign } from '../src/sim/host/index.ts';

const SEEDS = 300;
/** It is bounded by events, not by time. */
const TIMEOUT_MS = 900_000;

test(
  `the cluster holds under all faults, with ${SEEDS} seeds`,
  { timeout: TIMEOUT_MS },
  async () => {
    const failures: string[] = [];
    const campaign = await runCampaign({
      target: { kind: 'world', name: 'cluster' },
      ...{ seedFirst: 1, seeds: SEEDS, milliseconds: Infinity, jobs: availableParallelism() },
      onResult: ({ seed, failure }) => {
        if (failure !== undefined) failures.push(`seed ${seed}: ${failure.oracle}`);
      },
    });
    expect(failures).toEqual([]);
    expect(campaign.missed).toEqual([]);
  },
);
