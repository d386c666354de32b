/**
 * A process with one stock cluster client that sends requests at an even rate, and says how long
 * they took: each from when it was due, so that what a stall keeps waiting counts.
 *
 * Told over its channel when a phase ends; answers with what it saw in it. Counts in buckets: to sort
 * what each of them took would hold the next requests up.
 */
import { Cluster } from 'ioredis';
import { clientPlanSchema, type ClientPlan, type Phase } from './steady-plan.ts';

const TICK_MS = 1;
const BUCKET_MS = 0.05;
/** Up to 5 s; what takes longer counts as that, but for the longest of all. */
const BUCKETS = 100_000;

/** Runs in the process of its own. */
function serve(plan: ClientPlan, answer: (phase: Phase, isLast: boolean) => void): void {
  const client = new Cluster([{ host: '127.0.0.1', port: plan.port }], {
    slotsRefreshInterval: 1000,
  });
  client.on('error', () => {});
  const value = 'w'.repeat(plan.valueBytes);
  const took = new Uint32Array(BUCKETS);
  let count = 0;
  let max = 0;
  let errors = 0;
  let words: string | undefined;
  let phaseAtMs = performance.now();
  let sent = 0;
  const startedAtMs = performance.now();
  setInterval(() => {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - startedAtMs) / 1000) * plan.opsPerSecond);
    for (; sent < due; sent++) send(startedAtMs + (sent / plan.opsPerSecond) * 1000);
  }, TICK_MS);
  const send = (dueAtMs: number): void => {
    const key = `key:${Math.floor(Math.random() * plan.keys)}`;
    const reply = Math.random() < plan.reads ? client.get(key) : client.set(key, value);
    reply.then(
      () => {
        const ms = performance.now() - dueAtMs;
        took[Math.min(BUCKETS - 1, Math.floor(ms / BUCKET_MS))]++;
        count++;
        max = Math.max(max, ms);
      },
      (error: unknown) => {
        errors++;
        words ??= String(error);
      },
    );
  };
  process.on('message', (message) => {
    const at = (share: number): number => {
      let left = count * share;
      const bucket = took.findIndex((taken) => (left -= taken) <= 0);
      return (bucket + 1) * BUCKET_MS;
    };
    const phase: Phase = {
      operations: count,
      seconds: (performance.now() - phaseAtMs) / 1000,
      ...{ p50: at(0.5), p99: at(0.99), max, errors, words },
    };
    answer(phase, message === 'end');
    took.fill(0);
    count = 0;
    max = 0;
    errors = 0;
    words = undefined;
    phaseAtMs = performance.now();
  });
}

process.once('message', (plan) => {
  serve(clientPlanSchema.parse(plan), (phase, isLast) => {
    // The client may be in the middle of finding nodes that are about to go, and would not end.
    process.send?.(phase, () => isLast && process.exit());
  });
});
