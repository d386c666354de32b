/** The threads of a load, as one: each task is divided among them, and their tallies are added. */
import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { CachectlError } from '../cluster/index.ts';
import type { Target } from './lane.ts';
import type { Report, Task, ThreadPlan } from './messages.ts';
import { type Tally, addParallel, createTally } from './tally.ts';
import type { Workload } from './workload.ts';

export interface FleetPlan {
  readonly targets: readonly Target[];
  readonly workload: Workload;
  /** To each target, over all threads. */
  readonly connections: number;
  readonly pipeline: number;
  /** At most as many as connections. */
  readonly threads: number;
  /** A task is given up when a thread has had no reply at all for so long. */
  readonly stallMs: number;
}

export interface LoadOrder {
  /** Runs of the same round send the same requests, whatever their target. */
  readonly round: number;
  readonly requests: number;
  readonly durationMs: number;
  readonly ratePerSecond: number | undefined;
}

/** The worker has the extension of this file: `.ts` in development, `.js` once it is compiled. */
const WORKER = new URL(`./worker${extname(import.meta.url)}`, import.meta.url);

export class Fleet implements AsyncDisposable {
  readonly #plan: FleetPlan;
  readonly #workers: readonly Worker[];

  private constructor(plan: FleetPlan, workers: readonly Worker[]) {
    this.#plan = plan;
    this.#workers = workers;
  }

  /**
   * Starts the threads and makes all connections.
   *
   * @throws {CachectlError} `ERR_CACHECTL_CONNECT`, naming the target that cannot be reached.
   */
  static async open(plan: FleetPlan): Promise<Fleet> {
    const workers = Array.from({ length: plan.threads }, (_, thread) => {
      const connections = share(plan.connections, thread, plan.threads);
      const { threads: threadCount, ...shared } = plan;
      const workerData: ThreadPlan = { ...shared, connections, thread, threadCount };
      return new Worker(WORKER, { workerData });
    });
    const fleet = new Fleet(plan, workers);
    try {
      await Promise.all(workers.map((worker) => fleet.#reportOf(worker)));
    } catch (error) {
      await fleet.close();
      throw error;
    }
    return fleet;
  }

  /** Writes every key once. */
  async fill(target: number): Promise<Tally> {
    const { keyCount } = this.#plan.workload;
    return this.#all((thread, threads) => ({
      kind: 'fill',
      target,
      first: Math.floor((keyCount * thread) / threads),
      end: Math.floor((keyCount * (thread + 1)) / threads),
    }));
  }

  async load(target: number, order: LoadOrder): Promise<Tally> {
    const { round, requests, durationMs, ratePerSecond } = order;
    return this.#all((thread, threads) => ({
      kind: 'load',
      target,
      round,
      durationMs,
      requests: requests === Infinity ? Infinity : share(requests, thread, threads),
      ratePerSecond: ratePerSecond === undefined ? undefined : ratePerSecond / threads,
    }));
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #all(taskOf: (thread: number, threads: number) => Task): Promise<Tally> {
    const workers = this.#workers;
    const reports = workers.map((worker, thread) => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
      worker.postMessage(taskOf(thread, workers.length));
      return this.#reportOf(worker);
    });
    const total = createTally();
    for (const report of await Promise.all(reports)) {
      if (report.kind === 'done') addParallel(total, report.tally);
    }
    return total;
  }

  async #reportOf(worker: Worker): Promise<Report> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `worker.ts` has sent
    const [report] = (await once(worker, 'message')) as [Report];
    if (report.kind !== 'failed') return report;
    const { host, port } = this.#plan.targets[report.target].address;
    throw new CachectlError('ERR_CACHECTL_CONNECT', `cannot load ${host}:${port}: ${report.words}`);
  }
}

/** Of `total`, the part of one of `count`: they differ by one at most and add up. */
function share(total: number, index: number, count: number): number {
  return Math.floor((total * (index + 1)) / count) - Math.floor((total * index) / count);
}
