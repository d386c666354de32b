/** A thread of the fleet: does the tasks it is sent, one after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { createRuntime } from '../runtime/node/index.ts';
import { Driver, type Order } from './driver.ts';
import type { Report, Task, ThreadPlan } from './messages.ts';
import { RequestWriter } from './requests.ts';
import { FillSource, LoadSource } from './source.ts';
import { fillPipeline } from './workload.ts';

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `Fleet` has sent
const plan = workerData as ThreadPlan;
const { workload, stallMs } = plan;
const runtime = createRuntime({ log: { level: 'silent' } });
const writer = new RequestWriter(workload);
const depth = Math.max(plan.pipeline, fillPipeline(workload));
const drivers = plan.targets.map(
  (target) => new Driver(runtime, target, { connections: plan.connections, depth }),
);

function report(message: Report): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has none
  parentPort?.postMessage(message);
}

function openAll(next: number): void {
  if (next === drivers.length) {
    report({ kind: 'opened' });
    return;
  }
  drivers[next].open((error) => {
    if (error === undefined) openAll(next + 1);
    else report({ kind: 'failed', target: next, words: error.message });
  });
}

function orderOf(task: Task): Order {
  if (task.kind === 'fill') {
    return {
      source: new FillSource(workload, writer, task.end),
      pipeline: fillPipeline(workload),
      requests: task.end - task.first,
      durationMs: Infinity,
      ratePerSecond: undefined,
      stallMs,
    };
  }
  const stream = task.round * plan.threadCount + plan.thread;
  const { requests, durationMs, ratePerSecond } = task;
  const source = new LoadSource(workload, writer, stream);
  return { source, pipeline: plan.pipeline, requests, durationMs, ratePerSecond, stallMs };
}

parentPort?.on('message', (task: Task) => {
  drivers[task.target].run(orderOf(task), (tally) => report({ kind: 'done', tally }));
});
openAll(0);
