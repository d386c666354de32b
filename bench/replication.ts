/**
 * What a replica of each shard costs: the throughput of three nodes with one, and without; and the
 * same of Redis Cluster.
 *
 *     npm run bench:replication -- [--rounds 3] [--seconds 3] [--loads set:16,get:1] [--no-redis]
 *
 * All four clusters run all the time, and are loaded in alternating rounds by
 * `redis-benchmark --cluster` over all nodes. Everything shares the machine's cores, so CPU an
 * operation, of all nodes together, says more than the rate: a write is carried out twice where there
 * is a replica.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { median, readCpuTime } from '../src/load/index.ts';
import { ClusterProcesses } from '../test/support/cluster-processes.ts';
import { RedisCluster } from './redis-cluster.ts';

const NODES = 3;
const CONNECTIONS = 50;
/** Of each slot: `redis-benchmark --cluster` puts a tag for one of them into each key. */
const KEYS_A_SLOT = 12;
const VALUE_BYTES = 100;
/** More than any run carries out. */
const ENDLESS = 2_000_000_000;
const SETTLE_MS = 700;
const WARM_SECONDS = 3;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    loads: { type: 'string', default: 'set:1,get:1,set:16,get:16' },
    redis: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const LOADS = values.loads.split(',').map((load) => {
  const [command, pipeline] = load.split(':');
  return { command, pipeline: Number(pipeline) };
});

interface Round {
  readonly opsPerSecond: number;
  readonly cpuUs: number;
}

type Load = (typeof LOADS)[number];
type Cluster = ClusterProcesses | RedisCluster;

function cpuUsOf(cluster: Cluster): number {
  return cluster.nodes.reduce((sum, { child }) => {
    const time = readCpuTime(child?.pid ?? 0);
    return sum + (time === undefined ? 0 : (time.userMs + time.systemMs) * 1000);
  }, 0);
}

async function callsOf(clients: readonly Redis[], command: string): Promise<number> {
  const replies = await Promise.all(clients.map(async (client) => client.info('commandstats')));
  const calls = new RegExp(`cmdstat_${command}:calls=(\\d+)`);
  return replies.reduce((sum, text) => sum + Number(calls.exec(text)?.[1] ?? 0), 0);
}

/**
 * What the nodes have done in the middle of a run: redis-benchmark itself looks at its clock four
 * times a second, so that the rate it prints goes in steps.
 */
async function run(cluster: Cluster, { command, pipeline }: Load, seconds: number): Promise<Round> {
  const child = spawn(
    'redis-benchmark',
    [
      ...['--cluster', '-p', `${cluster.nodes[0].port}`, '-t', command, '-P', `${pipeline}`],
      ...['-c', `${CONNECTIONS}`, '-n', `${ENDLESS}`, '-r', `${KEYS_A_SLOT}`],
      ...['-d', `${VALUE_BYTES}`, '-q'],
    ],
    { stdio: 'ignore' },
  );
  const primaries = cluster.nodes.slice(0, NODES);
  const clients = primaries.map(({ port }) => new Redis(port, '127.0.0.1'));
  try {
    await sleep(SETTLE_MS);
    const callsBefore = await callsOf(clients, command);
    const cpuBefore = cpuUsOf(cluster);
    const beganMs = performance.now();
    await sleep(seconds * 1000);
    const calls = (await callsOf(clients, command)) - callsBefore;
    const elapsedMs = performance.now() - beganMs;
    if (child.exitCode !== null || calls === 0) throw new Error('redis-benchmark does not run');
    return {
      opsPerSecond: (calls * 1000) / elapsedMs,
      cpuUs: (cpuUsOf(cluster) - cpuBefore) / calls,
    };
  } finally {
    for (const client of clients) client.disconnect();
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
}

const start = async (replicas: number): Promise<ClusterProcesses> =>
  ClusterProcesses.start({ nodes: NODES, replicas, nodeFlags: ['--memory', '256mb'] });

await using without = await start(0);
await using replicated = await start(1);
const startRedis = async (replicas: number): Promise<RedisCluster | undefined> =>
  values.redis ? RedisCluster.start(NODES, replicas) : undefined;
await using redis = await startRedis(0);
await using redisReplicated = await startRedis(1);
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}\n`,
);
console.log('| | | ops/s without | with | ratio | CPU µs/op without | with | ratio |');
console.log('| --- | --- | --: | --: | --: | --: | --: | --: |');

/** Prints a row: medians of alternating rounds. */
async function compare(name: string, pair: readonly [Cluster, Cluster], load: Load): Promise<void> {
  // Until the keys are there and the code is compiled.
  for (const cluster of pair) await run(cluster, load, WARM_SECONDS);
  const rounds: Array<readonly [Round, Round]> = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    const seconds = Number(values.seconds);
    rounds.push([await run(pair[0], load, seconds), await run(pair[1], load, seconds)]);
  }
  const of = (index: 0 | 1, what: keyof Round): number =>
    median(rounds.map((round) => round[index][what]));
  const rates = [of(0, 'opsPerSecond'), of(1, 'opsPerSecond')];
  const costs = [of(0, 'cpuUs'), of(1, 'cpuUs')];
  const cells = [
    ...[rates[0].toFixed(0), rates[1].toFixed(0), `${(rates[1] / rates[0]).toFixed(2)}×`],
    ...[costs[0].toFixed(2), costs[1].toFixed(2), `${(costs[1] / costs[0]).toFixed(2)}×`],
  ];
  const what = `${load.command.toUpperCase()} -P ${load.pipeline}`;
  console.log(`| ${what} | ${name} | ${cells.join(' | ')} |`);
}

for (const load of LOADS) {
  await compare('cachectl', [without, replicated], load);
  if (redis === undefined || redisReplicated === undefined) continue;
  await compare('Redis', [redis, redisReplicated], load);
}
