/**
 * What it costs to add a node to a cluster under load: a fourth one beside three that hold all keys.
 *
 *     npm run bench:reshard -- [--keys 1000000] [--rate 20000] [--replicas 0] [--only ours|redis]
 *
 * Side by side with `redis-cli --cluster reshard` of a quarter of the slots, with the same keys under
 * the same load. A stock client, ioredis, sends four reads for each write at an even rate.
 */
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { SLOT_COUNT } from '../src/cluster/index.ts';
import { ClusterProcesses } from '../test/support/cluster-processes.ts';
import { fillCluster } from './cluster-fill.ts';
import { RedisCluster } from './redis-cluster.ts';
import { phaseSchema, type ClientPlan, type Phase } from './steady-plan.ts';

const VALUE_BYTES = 1024;
const READS = 0.8;
const NODES = 3;
const CATCH_UP_SECONDS_MAX = 30;
const CAUGHT_UP_MS = 20;

const { values } = parseArgs({
  options: {
    keys: { type: 'string', default: '1000000' },
    rate: { type: 'string', default: '20000' },
    replicas: { type: 'string', default: '0' },
    seconds: { type: 'string', default: '8' },
    only: { type: 'string' },
  },
});
const keys = Number(values.keys);
const phaseMs = Number(values.seconds) * 1000;

interface Outcome {
  readonly what: string;
  readonly movedBytes: number;
  readonly tookMs: number;
  readonly phases: readonly Phase[];
}

class SteadyClient {
  readonly #child = fork(join(import.meta.dirname, 'steady-client.ts'));

  constructor(plan: ClientPlan) {
    this.#child.send(plan);
  }

  /** What it saw since the last time. */
  async phase(isLast = false): Promise<Phase> {
    const answer = once(this.#child, 'message');
    this.#child.send(isLast ? 'end' : 'next');
    const messages: unknown[] = await answer;
    return phaseSchema.parse(messages[0]);
  }
}

/** Until it is compiled and connected, requests fall behind when they are due. */
async function untilCaughtUp(client: SteadyClient): Promise<void> {
  for (let second = 0; second < CATCH_UP_SECONDS_MAX; second++) {
    await sleep(1000);
    const { p50 } = await client.phase();
    if (second > 0 && p50 < CAUGHT_UP_MS) return;
  }
  say('The client has not caught up: this machine does not take so many operations a second.');
}

/** Runs `move` under load, and gives the phases before, during and after. */
async function underLoad(
  port: number,
  move: () => Promise<void>,
): Promise<Pick<Outcome, 'tookMs' | 'phases'>> {
  const plan = { port, keys, valueBytes: VALUE_BYTES, opsPerSecond: Number(values.rate) };
  const client = new SteadyClient({ ...plan, reads: READS });
  await untilCaughtUp(client);
  await sleep(phaseMs);
  const before = await client.phase();
  const startedAtMs = performance.now();
  await move();
  const tookMs = performance.now() - startedAtMs;
  const during = await client.phase();
  await sleep(phaseMs);
  return { tookMs, phases: [before, during, await client.phase(true)] };
}

function say(words: string): void {
  process.stderr.write(`${words}\n`);
}

async function ours(): Promise<Outcome> {
  const replicas = Number(values.replicas);
  await using cluster = await ClusterProcesses.start({
    nodes: NODES,
    replicas,
    nodeFlags: ['--memory', '2gb'],
  });
  const [{ port }] = cluster.nodes;
  await fillCluster(port, keys, VALUE_BYTES);
  say('ours: filled');
  const fourth = await cluster.addNode();
  const outcome = await underLoad(port, async () => {
    const { code, output } = await cluster.cachectl('rebalance', '--yes', '--wait');
    if (code !== 0) throw new Error(output);
  });
  const { slots, copies } = await heldBy(cluster, fourth.name);
  say(`ours: ${slots} slots are led by the fourth node, which has ${copies} copies of shards`);
  const movedBytes = (copies / 64) * keys * VALUE_BYTES;
  return { what: `cachectl, ${replicas} replicas`, movedBytes, ...outcome };
}

const shardsSchema = z.array(
  z.object({
    slotFirst: z.number(),
    slotLast: z.number(),
    copies: z.array(z.object({ name: z.string(), role: z.string() })),
  }),
);

async function heldBy(
  cluster: ClusterProcesses,
  name: string,
): Promise<{ readonly slots: number; readonly copies: number }> {
  const shards = shardsSchema.parse(await cluster.data('shard', 'list'));
  let slots = 0;
  let copies = 0;
  for (const shard of shards) {
    const own = shard.copies.find((copy) => copy.name === name);
    if (own === undefined) continue;
    copies++;
    if (own.role === 'primary') slots += shard.slotLast - shard.slotFirst + 1;
  }
  return { slots, copies };
}

async function redis(): Promise<Outcome> {
  await using cluster = await RedisCluster.start(NODES, 0);
  const [{ port }] = cluster.nodes;
  await fillCluster(port, keys, VALUE_BYTES);
  say('redis: filled');
  const fourth = await cluster.addNode();
  const at = `127.0.0.1:${port}`;
  cluster.cli('--cluster', 'add-node', `127.0.0.1:${fourth.port}`, at);
  await cluster.untilOk();
  const id = cluster.cli('-p', `${fourth.port}`, 'cluster', 'myid').trim();
  const slots = SLOT_COUNT / (NODES + 1);
  const outcome = await underLoad(port, async () => {
    const options = ['--cluster-from', 'all', '--cluster-to', id, '--cluster-slots', `${slots}`];
    const child = spawn('redis-cli', ['--cluster', 'reshard', at, ...options, '--cluster-yes'], {
      stdio: 'ignore',
    });
    await once(child, 'close');
  });
  const moved = Number(/\d+/.exec(cluster.cli('-p', `${fourth.port}`, 'dbsize'))?.[0]);
  return { what: 'Redis Cluster', movedBytes: moved * VALUE_BYTES, ...outcome };
}

const outcomes: Outcome[] = [];
if (values.only !== 'redis') outcomes.push(await ours());
if (values.only !== 'ours') outcomes.push(await redis());

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`,
);
console.log(`\n${keys} keys of ${VALUE_BYTES} B, ${values.rate} ops/s asked for.\n`);
console.log('| | MB moved | s | MB/s | phase | ops/s | p50 ms | p99 ms | max ms | errors |');
console.log('| --- | --: | --: | --: | --- | --: | --: | --: | --: | --: |');
for (const { what, movedBytes, tookMs, phases } of outcomes) {
  const rate = movedBytes / 1e6 / (tookMs / 1000);
  const cells = [(movedBytes / 1e6).toFixed(0), (tookMs / 1000).toFixed(1), rate.toFixed(1)];
  for (const [index, phase] of phases.entries()) {
    const lead = index === 0 ? [what, ...cells] : ['', '', '', ''];
    const name = ['before', 'during', 'after'][index];
    const { operations, seconds, p50, p99, max, errors, words } = phase;
    const figures = [p50, p99, max].map((ms) => ms.toFixed(1));
    const row = [...lead, name, Math.round(operations / seconds), ...figures, errors];
    console.log(`| ${row.join(' | ')} |${words === undefined ? '' : ` ${words}`}`);
  }
}
