/**
 * `npm run bench:leader-kill [KILLS]`: how long the next admin write takes after the leading meta
 * peer was killed without warning, over real processes and disks. Default: 50 kills.
 *
 * The clock runs from just before the kill to the answer of a write that was begun right after it,
 * by a client that was connected to the leader, as nodes and tools are.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { RpcClient, type RpcOutcome } from '../src/rpc/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { ControlPlane } from '../test/support/control-plane.ts';

const kills = Number(process.argv[2] ?? 50);
const runtime = createRuntime({ log: { level: 'silent' } });

await using cluster = new ControlPlane();
const names = ['m1', 'm2', 'm3'];
await cluster.start(...names);
const addresses = cluster.meta.split(',').map((address) => ({
  host: '127.0.0.1',
  port: Number(address.split(':')[1]),
}));
const client = new RpcClient(runtime, { addresses, connectTimeoutMs: 1000 });

function call(method: string, body: unknown): Promise<RpcOutcome> {
  return new Promise((resolve) => {
    client.call(method, body, 30_000, resolve);
  });
}

/** Namespaces: no secret has to be made for them. */
async function write(number: number): Promise<void> {
  const body = { tenant: 'default', name: `kill-${number}` };
  const outcome = await call('namespace.create', body);
  if (!outcome.ok) throw outcome.error;
}

async function leader(): Promise<string> {
  for (;;) {
    const outcome = await call('cluster.status', {});
    const { body } = outcome.ok ? outcome : { body: undefined };
    const isStatus = typeof body === 'object' && body !== null && 'leader' in body;
    if (isStatus && typeof body.leader === 'string') return body.leader;
    await sleep(20);
  }
}

// The cluster is created a moment after somebody leads.
while (!(await call('tenant.show', { name: 'default' })).ok) await sleep(20);
const tookMs: number[] = [];
for (let number = 0; number < kills; number++) {
  const name = await leader();
  const startedAtMs = performance.now();
  const killed = cluster.kill(name);
  await killed;
  await write(number);
  tookMs.push(performance.now() - startedAtMs);
  await cluster.start(name);
  // All three are up to date again before the next one dies.
  await sleep(500);
}
client.close();

tookMs.sort((one, other) => one - other);
const at = (share: number) =>
  Math.round(tookMs[Math.min(tookMs.length - 1, Math.ceil(share * tookMs.length) - 1)] ?? NaN);
console.log(
  `${kills} leaders killed; next admin write after: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, ` +
    `p99 ${at(0.99)} ms, longest ${at(1)} ms`,
);
