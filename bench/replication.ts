/**
 * What a replica of each shard costs: the throughput of three nodes with one, and without; and the
 * same of Redis Cluster.
 *
 *     npm run bench:replication -- [--rounds 3] [--seconds 3]
 *
 * All four clusters run all the time, and are loaded in alternating rounds by
 * `redis-benchmark --cluster` over all nodes. Everything shares the machine's cores, so CPU an
 * operation, of all nodes together, says more than the rate: a write is carried out twice where there
 * is a replica.
 */
import { spawnSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { median, readCpuTime } from '../src/load/index.ts';
import { ClusterProcesses } from '../test/support/cluster-processes.ts';
import { RedisCluster } from './redis-cluster.ts';

const NODES = 3;
const CONNECTIONS = 50;
/** Of each slot: `redis-benchmark --cluster` puts a tag for one of them into each key. */
const KEYS_A_SLOT = 12;
const VALUE_BYTES = 100;
const LOADS = [
  { command: 'set', pipeline: 1 },
  { command: 'get', pipeline: 1 },
  { command: 'set', pipeline: 16 },
  { command: 'get', pipeline: 16 },
] as const;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
  },
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

function run(cluster: Cluster, { command, pipeline }: Load, operations: number): Round {
  const before = cpuUsOf(cluster);
  const { stdout } = spawnSync(
    'redis-benchmark',
    [
      ...['--cluster', '-p', `${cluster.nodes[0].port}`, '-t', command, '-P', `${pipeline}`],
      ...['-c', `${CONNECTIONS}`, '-n', `${operations}`],
      ...['-r', `${KEYS_A_SLOT}`, '-d', `${VALUE_BYTES}`],
      '--csv',
    ],
    { encoding: 'utf8' },
  );
  const rate = new RegExp(`"${command}","([\\d.]+)"`, 'i').exec(stdout)?.[1];
  if (rate === undefined) throw new Error(`redis-benchmark said:\n${stdout}`);
  return { opsPerSecond: Number(rate), cpuUs: (cpuUsOf(cluster) - before) / operations };
}

/** As many as take the time of a round: redis-benchmark looks at its clock four times a second. */
function operationsFor(cluster: Cluster, load: Load): number {
  for (let operations = 20_000; ;) {
    const wanted = Math.round(run(cluster, load, operations).opsPerSecond * Number(values.seconds));
    if (wanted < operations * 1.5) return wanted;
    operations = wanted;
  }
}

const start = async (replicas: number): Promise<ClusterProcesses> =>
  ClusterProcesses.start({ nodes: NODES, replicas, nodeFlags: ['--memory', '256mb'] });

await using without = await start(0);
await using replicated = await start(1);
await using redis = await RedisCluster.start(NODES, 0);
await using redisReplicated = await RedisCluster.start(NODES, 1);
console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}\n`,
);
console.log('| | | ops/s without | with | ratio | CPU µs/op without | with | ratio |');
console.log('| --- | --- | --: | --: | --: | --: | --: | --: |');

/** Prints a row: medians of alternating rounds. */
function compare(name: string, pair: readonly [Cluster, Cluster], load: Load): void {
  const operations = operationsFor(pair[0], load);
  run(pair[1], load, operations);
  const rounds: Array<readonly [Round, Round]> = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    rounds.push([run(pair[0], load, operations), run(pair[1], load, operations)]);
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
  compare('cachectl', [without, replicated], load);
  compare('Redis', [redis, redisReplicated], load);
}
