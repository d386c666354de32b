/**
 * Published results for well-known traces, by the trace's name.
 *
 * Hit ratios of GLI: the README of dw-cache, for the trace of Caffeine's simulator. Miss counts of
 * CloudPhysics: the tests of libCacheSim. LOOP: any LRU.
 */
import type { Capacity } from './trace-options.ts';

interface PublishedTable {
  readonly unit: Capacity['unit'];
  readonly capacities: readonly number[];
  /** By the name of a policy, at each of the capacities: percent of hits, or counts of misses. */
  readonly hitPercents?: Readonly<Record<string, readonly number[]>>;
  readonly misses?: Readonly<Record<string, readonly number[]>>;
}

const MIB = 1024 * 1024;

export const PUBLISHED: Readonly<Record<string, PublishedTable>> = {
  gli: {
    unit: 'entries',
    capacities: [250, 500, 750, 1000, 1250, 1500, 1750, 2000],
    hitPercents: {
      lru: [0.91, 0.95, 1.15, 11.21, 21.25, 36.56, 45.04, 57.41],
      tinylfu: [15.15, 33.08, 43.11, 50.57, 51.87, 53.57, 55.61, 57.96],
      optimal: [17.71, 34.33, 46.13, 53.15, 57.31, 57.96, 57.96, 57.96],
    },
  },
  loop: {
    unit: 'entries',
    capacities: [250, 500, 1010, 1011],
    hitPercents: { lru: [0, 0, 0, 99.8] },
  },
  'cloudphysics-io': {
    unit: 'bytes',
    capacities: [128, 256, 384, 512, 640, 768, 896, 1024].map((mib) => mib * MIB),
    misses: {
      lru: [93374, 89783, 83572, 81722, 72494, 72104, 71972, 71704],
      lfu: [91699, 86720, 78578, 76707, 69945, 66221, 64445, 64376],
      's3-fifo': [89307, 82387, 77041, 76791, 71300, 70343, 70455, 70355],
      optimal: [79256, 70724, 65481, 61594, 59645, 57599, 50873, 48974],
    },
  },
};

/** What is published of a policy on a trace, as percent of hits; undefined where nothing is. */
export function publishedHitPercent(
  traceName: string,
  requests: number,
  policy: string,
  { amount, unit }: Capacity,
): number | undefined {
  const table = PUBLISHED[traceName];
  if (table === undefined || table.unit !== unit) return undefined;
  const at = table.capacities.indexOf(amount);
  const percent = table.hitPercents?.[policy]?.[at];
  if (percent !== undefined) return percent;
  const misses = table.misses?.[policy]?.[at];
  return misses === undefined ? undefined : 100 * (1 - misses / requests);
}
