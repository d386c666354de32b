/**
 * `npm run bench:scale`: a large cluster in the store, over real processes, disks and the real RPC:
 * how fast tenants are created, how long the command line takes to show them, and whether a snapshot
 * brings all of it back.
 *
 * The nodes are registered, and send no heartbeats: what is measured is what the store holds. Where
 * the clients' own work counts, it shares the cores with the peers.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { nodeIdOfName, type NodeFacts } from '../src/cluster/index.ts';
import { decodeSnapshotFile } from '../src/meta/snapshot/index.ts';
import { RpcClient, type RpcOutcome } from '../src/rpc/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { ControlPlane, run } from '../test/support/control-plane.ts';

const { values: flags } = parseArgs({
  options: {
    tenants: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '1000' },
    callers: { type: 'string', default: '64' },
  },
});
const tenants = Number(flags.tenants);
const nodes = Number(flags.nodes);
const callers = Number(flags.callers);
if (![tenants, nodes, callers].every((number) => Number.isSafeInteger(number) && number > 0)) {
  console.error('usage: npm run bench:scale -- [--tenants N] [--nodes N] [--callers N]');
  process.exit(2);
}

const PEERS = ['m1', 'm2', 'm3'];
const RUNS = 10;
const CALL_TIMEOUT_MS = 60_000;
/** What must be the same after a restore: the rest names the cluster and its present life. */
const KEPT = ['tenants', 'namespaces', 'nodes'];

const runtime = createRuntime({ log: { level: 'silent' } });
await using cluster = new ControlPlane();
await cluster.start(...PEERS);
// Nodes are let in once the cluster has been created.
while ((await cluster.command('tenant', 'show', 'default')).exit !== 0);
const addresses = cluster.meta.split(',').map((address) => ({
  host: '127.0.0.1',
  port: Number(address.split(':')[1]),
}));

const nodesTookMs = await callAll(nodes, (number) => ({
  method: 'node.register',
  body: { facts: factsOf(number) },
}));
console.log(`${nodes} nodes registered: ${perSecond(nodes, nodesTookMs)} a second`);
const tenantsTookMs = await callAll(tenants, (number) => ({
  method: 'tenant.create',
  body: { name: `tenant-${number}`, maxMemoryBytes: 64 * 1024 ** 2, maxQps: 5000 },
}));
console.log(
  `${tenants} tenants created by ${callers} callers: ${perSecond(tenants, tenantsTookMs)} a second`,
);
// `status` says with its exit that nodes are silent.
await time('cachectl status', ['status'], [0, 5]);
await time('cachectl tenant list', ['tenant', 'list'], [0]);
await saveAndRestore();

/** Each caller makes one call after another, until all are made. */
async function callAll(
  count: number,
  callOf: (number: number) => { readonly method: string; readonly body: unknown },
): Promise<number> {
  const startedAtMs = performance.now();
  let next = 0;
  const caller = async (): Promise<void> => {
    const client = new RpcClient(runtime, { addresses, connectTimeoutMs: 2000 });
    while (next < count) {
      const { method, body } = callOf(next++);
      const outcome = await new Promise<RpcOutcome>((resolve) => {
        client.call(method, body, CALL_TIMEOUT_MS, resolve);
      });
      if (!outcome.ok) throw outcome.error;
    }
    client.close();
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return performance.now() - startedAtMs;
}

function factsOf(number: number): NodeFacts {
  const name = `node-${number}`;
  return {
    id: nodeIdOfName(name),
    name,
    host: `10.0.${number >> 8}.${number & 255}`,
    port: 7400,
    replicationPort: 17_400,
    zone: `zone-${number % 3}`,
    machine: name,
    weight: 1,
    memoryBytes: 1024 ** 3,
    bootId: number.toString(16).padStart(16, '0'),
    version: '0.1.0',
  };
}

function perSecond(count: number, tookMs: number): string {
  return (count / (tookMs / 1000)).toFixed(0);
}

async function time(name: string, args: string[], exits: readonly number[]): Promise<void> {
  const tookMs: number[] = [];
  for (let turn = 0; turn < RUNS; turn++) {
    const startedAtMs = performance.now();
    const { exit, words } = await cluster.command(...args);
    tookMs.push(performance.now() - startedAtMs);
    if (exit === null || !exits.includes(exit)) throw new Error(`${name}: exit ${exit}: ${words}`);
  }
  tookMs.sort((one, other) => one - other);
  const median = ((tookMs[RUNS / 2 - 1] ?? NaN) + (tookMs[RUNS / 2] ?? NaN)) / 2;
  const longest = Math.round(tookMs.at(-1) ?? NaN);
  console.log(`${name}: median ${Math.round(median)} ms of ${RUNS}, longest ${longest} ms`);
}

async function saveAndRestore(): Promise<void> {
  const before = join(cluster.directory, 'before.snapshot');
  const saveMs = await save(cluster, before);
  await using restored = new ControlPlane();
  await restored.reserve(...PEERS);
  for (const name of PEERS) {
    const args = ['--name', name, '--peers', restored.peers];
    const directory = ['--data-dir', join(restored.directory, name)];
    const made = await run(['meta', 'snapshot', 'restore', before, ...args, ...directory]);
    if (made.exit !== 0) throw new Error(`restore of ${name}: ${made.words}`);
  }
  await restored.start(...PEERS);
  const after = join(restored.directory, 'after.snapshot');
  await save(restored, after);
  const [one, other] = [digestOf(before), digestOf(after)];
  const verdict = one.digest === other.digest ? 'the same' : 'NOT the same';
  console.log(
    `snapshot saved in ${Math.round(saveMs)} ms: ${one.words}; restored: ${other.words}; ` +
      `digests ${one.digest.slice(0, 16)} and ${other.digest.slice(0, 16)}, ${verdict}`,
  );
  if (one.digest !== other.digest) process.exitCode = 1;
}

async function save(from: ControlPlane, file: string): Promise<number> {
  const startedAtMs = performance.now();
  const saved = await from.command('meta', 'snapshot', 'save', file, '--timeout', '60s');
  if (saved.exit !== 0) throw new Error(`snapshot: ${saved.words}`);
  return performance.now() - startedAtMs;
}

/** Of the records that a restore is to keep, by their keys and values. */
function digestOf(file: string): { readonly words: string; readonly digest: string } {
  const snapshot = decodeSnapshotFile(readFileSync(file, 'utf8'));
  if ('fault' in snapshot) throw new Error(`${file}: ${snapshot.fault}`);
  const hash = createHash('sha256');
  const counts = new Map<string, number>();
  for (const { key, value } of snapshot.entries) {
    const kind = key.split('/')[0];
    if (!KEPT.includes(kind)) continue;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    hash.update(`${key}\n${value}\n`);
  }
  const words = [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
  return { words, digest: hash.digest('hex') };
}
