/** What the fleet's main thread and its threads say to each other. */
import type { Target } from './lane.ts';
import type { Tally } from './tally.ts';
import type { Workload } from './workload.ts';

/** What a thread is started with. It holds connections to every target, and loads one at a time. */
export interface ThreadPlan {
  readonly targets: readonly Target[];
  readonly workload: Workload;
  /** To each target. */
  readonly connections: number;
  readonly pipeline: number;
  readonly thread: number;
  readonly threadCount: number;
  readonly stallMs: number;
}

export type Task = FillTask | LoadTask;

/** Write keys [first, end) once each. */
interface FillTask {
  readonly kind: 'fill';
  readonly target: number;
  readonly first: number;
  readonly end: number;
}

interface LoadTask {
  readonly kind: 'load';
  readonly target: number;
  /** Runs of the same round and thread draw the same requests, whatever their target. */
  readonly round: number;
  readonly requests: number;
  readonly durationMs: number;
  readonly ratePerSecond: number | undefined;
}

export type Report =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly target: number; readonly words: string }
  | { readonly kind: 'done'; readonly tally: Tally };
