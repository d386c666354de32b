/**
 * A process with one stock cluster client that sends requests at an even rate, and says how long
 * they took: each from when it was due, so that what a stall keeps waiting counts.
 *
 * Told over its channel when a phase ends; answers with what it saw in it.
 */
import { Cluster } from 'ioredis';
import { clientPlanSchema, type ClientPlan, type Phase } from './steady-plan.ts';

const TICK_MS = 1;

/** Runs in the process of its own. */
function serve(plan: ClientPlan, answer: (phase: Phase) => void): void {
  const client = new Cluster([{ host: '127.0.0.1', port: plan.port }], {
    slotsRefreshInterval: 1000,
  });
  client.on('error', () => {});
  const value = 'w'.repeat(plan.valueBytes);
  let took: number[] = [];
  let errors = 0;
  let words: string | undefined;
  let phaseAtMs = performance.now();
  let sent = 0;
  const startedAtMs = performance.now();
  const timer = setInterval(() => {
    const nowMs = performance.now();
    const due = Math.floor(((nowMs - startedAtMs) / 1000) * plan.opsPerSecond);
    for (; sent < due; sent++) send(startedAtMs + (sent / plan.opsPerSecond) * 1000);
  }, TICK_MS);
  const send = (dueAtMs: number): void => {
    const key = `key:${Math.floor(Math.random() * plan.keys)}`;
    const reply = Math.random() < plan.reads ? client.get(key) : client.set(key, value);
    reply.then(
      () => took.push(performance.now() - dueAtMs),
      (error: unknown) => {
        errors++;
        words ??= String(error);
      },
    );
  };
  process.on('message', (message) => {
    const sorted = Float64Array.from(took).sort();
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
    const phase: Phase = {
      operations: sorted.length,
      seconds: (performance.now() - phaseAtMs) / 1000,
      ...{ p50: at(0.5), p99: at(0.99), max: at(1), errors, words },
    };
    answer(phase);
    took = [];
    errors = 0;
    words = undefined;
    phaseAtMs = performance.now();
    if (message === 'end') {
      clearInterval(timer);
      client.disconnect();
      process.disconnect?.();
    }
  });
}

process.once('message', (plan) => {
  serve(clientPlanSchema.parse(plan), (phase) => process.send?.(phase));
});
