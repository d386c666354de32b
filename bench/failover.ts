/**
 * How long writes stand still when a primary is killed: from `kill -9` to the first accepted write
 * on the slots that it served, side by side with a Redis Cluster of the same size.
 *
 *     npm run bench:failover -- [--kills 30] [--half-kills 10] [--redis-kills 6] [--redis-default-kills 2]
 *
 * Both have six nodes and a copy of everything. Ours spread their shards over all six; of Redis'
 * three are masters. `half` kills the three nodes of one of two zones at once, and with them half of
 * the primaries; a Redis Cluster loses its majority by that, and does not come back at all.
 */
import { parseArgs } from 'node:util';
import { cpus, release } from 'node:os';
import { z } from 'zod';
import { nodeIdOfName, slotOfKey } from '../src/cluster/index.ts';
import { ClusterProcesses, type Part } from '../test/support/cluster-processes.ts';
import { untilWritten } from './first-write.ts';
import { RedisCluster, type RedisNode } from './redis-cluster.ts';

const NODES = 6;
const KEYS_A_KILL = 8;
const LIMIT_MS = 60_000;

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    'half-kills': { type: 'string', default: '10' },
    'redis-kills': { type: 'string', default: '6' },
    'redis-default-kills': { type: 'string', default: '2' },
  },
});

interface Row {
  readonly what: string;
  /** Of each kill: until the first of the lost slots was written to, and until all were. */
  readonly first: readonly number[];
  readonly all: readonly number[];
}

const keyOfSlot = keysBySlot();

/** A key for each slot. */
function keysBySlot(): string[] {
  const keys: string[] = [];
  let found = 0;
  for (let number = 0; found < 16_384; number++) {
    const key = `probe:${number}`;
    const bytes = Buffer.from(key);
    const slot = slotOfKey(bytes, 0, bytes.length);
    if (keys[slot] !== undefined) continue;
    keys[slot] = key;
    found++;
  }
  return keys;
}

function some<T>(items: readonly T[], count: number): T[] {
  const step = Math.max(1, Math.floor(items.length / count));
  return items.filter((_, index) => index % step === 0).slice(0, count);
}

const shardsSchema = z.array(z.object({ slotFirst: z.number(), primary: z.string().nullable() }));

async function primariesOf(cluster: ClusterProcesses): Promise<z.infer<typeof shardsSchema>> {
  return shardsSchema.parse(await cluster.data('shard', 'list'));
}

async function killOurs(kills: number, isHalf: boolean): Promise<Row> {
  await using cluster = await ClusterProcesses.start({
    nodes: NODES,
    replicas: 1,
    zoneOf: (node) => (isHalf ? `z${node % 2}` : `z${node}`),
    nodeFlags: ['--memory', '64mb'],
  });
  const first: number[] = [];
  const all: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const victims = isHalf
      ? cluster.nodes.filter((_, index) => index % 2 === kill % 2)
      : [cluster.nodes[kill % NODES]];
    const names = new Set(victims.map(({ name }) => name));
    const ids = new Set<string>(victims.map(({ name }) => nodeIdOfName(name)));
    const lost = (await primariesOf(cluster)).filter(({ primary }) => ids.has(primary ?? ''));
    const keys = some(lost, KEYS_A_KILL).map(({ slotFirst }) => keyOfSlot[slotFirst]);
    if (keys.length === 0) throw new Error(`${[...names].join()} is the primary of nothing`);
    const ports = cluster.nodes.filter(({ name }) => !names.has(name)).map(({ port }) => port);
    const startMs = performance.now();
    await Promise.all(victims.map(async (victim) => cluster.kill(victim)));
    const took = await untilWritten(keys, ports, startMs, LIMIT_MS);
    first.push(Math.min(...took));
    all.push(Math.max(...took));
    await bringBack(cluster, victims);
    process.stderr.write(`kill ${kill + 1} of ${kills}: ${Math.round(all[kill])} ms\n`);
  }
  return { what: isHalf ? 'cachectl, half of the primaries' : 'cachectl', first, all };
}

async function bringBack(cluster: ClusterProcesses, victims: readonly Part[]): Promise<void> {
  for (const victim of victims) await cluster.start(victim);
  await cluster.untilHealthy();
  await cluster.cachectl('rebalance', '--wait', '--yes');
  await cluster.untilHealthy();
}

async function killRedis(kills: number, options: readonly string[], what: string): Promise<Row> {
  await using cluster = await RedisCluster.start(NODES / 2, 1, options);
  const first: number[] = [];
  const all: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    const masters = cluster.nodes.filter((node) => cluster.firstSlotsOf(node).length > 0);
    const victim: RedisNode = masters[kill % masters.length];
    const keys = some(cluster.firstSlotsOf(victim), KEYS_A_KILL).map((slot) => keyOfSlot[slot]);
    const ports = cluster.nodes.filter((node) => node !== victim).map(({ port }) => port);
    const startMs = performance.now();
    await cluster.kill(victim);
    const took = await untilWritten(keys, ports, startMs, LIMIT_MS);
    first.push(Math.min(...took));
    all.push(Math.max(...took));
    await cluster.restart(victim);
    await cluster.untilOk();
    process.stderr.write(`${what}, kill ${kill + 1} of ${kills}: ${Math.round(all[kill])} ms\n`);
  }
  return { what, first, all };
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((one, other) => one - other);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]);
}

const rows = [
  await killOurs(Number(values.kills), false),
  await killOurs(Number(values['half-kills']), true),
  await killRedis(
    Number(values['redis-kills']),
    ['--cluster-node-timeout', '1000'],
    'Redis Cluster, node timeout 1 s',
  ),
  await killRedis(Number(values['redis-default-kills']), [], 'Redis Cluster, defaults'),
].filter(({ all }) => all.length > 0);

console.log(
  `${cpus()[0].model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`,
);
console.log(`\nMilliseconds from kill -9 to the first accepted write, ${NODES} nodes.\n`);
console.log('| | kills | first slot p50 | all slots p50 | p99 | max |');
console.log('| --- | --: | --: | --: | --: | --: |');
for (const { what, first, all } of rows) {
  const cells = [
    percentile(first, 0.5),
    percentile(all, 0.5),
    percentile(all, 0.99),
    Math.max(...all),
  ];
  console.log(`| ${what} | ${all.length} | ${cells.map((cell) => Math.round(cell)).join(' | ')} |`);
}
