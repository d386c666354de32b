/**
 * `npm run bench:meta`: writes of metadata, three peers as processes with a real fsync for each
 * group of commits, side by side with three members of etcd on the same disk, in one run.
 *
 * One process of clients drives either: over the RPC port of ours, over gRPC of etcd's, a
 * connection for each client, a write at a time, always to the leader. Rounds alternate between the
 * two, and begin anew with empty directories; the figures are medians of the rounds. The clients
 * share the two cores with the servers, so that their own cost counts: `client CPU` shows it.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { RpcClient } from '../src/rpc/index.ts';
import { createRuntime } from '../src/runtime/node/index.ts';
import { EtcdClient } from './meta-etcd-client.ts';
import { EtcdCluster, etcdVersion } from './meta-etcd.ts';
import { RealCluster } from './raft-real-cluster.ts';

const USAGE =
  'usage: npm run bench:meta -- [--clients 1,64] [--rounds N] [--seconds S] [--directory DIR]';
const PEERS = 3;
const HOST = '127.0.0.1';
const WARM_MS = 1500;
const KEYS_EACH = 1000;
const VALUE = 'x'.repeat(100);
const TIMEOUT_MS = 10_000;

interface Writer {
  put(key: string, value: string): Promise<void>;
  close(): void;
}

interface Target {
  readonly name: string;
  /** @returns what makes a client of the leader, and what ends it all */
  start(directory: string): Promise<{ client: () => Writer; stop: () => Promise<void> }>;
}

interface Round {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly clientCpuUs: number;
}

const { values: flags } = parseArgs({
  options: {
    clients: { type: 'string', default: '1,64' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const counts = flags.clients.split(',').map(Number);
const rounds = Number(flags.rounds);
const seconds = Number(flags.seconds);
if (![...counts, rounds, seconds].every((number) => Number.isSafeInteger(number) && number > 0)) {
  console.error(USAGE);
  process.exit(2);
}

const runtime = createRuntime({ log: { level: 'error' } });

const ours: Target = {
  name: 'cachectl',
  start: async (directory) => {
    const sizes = { snapshotEntries: 10_000, segmentBytesMax: 8 * 1024 * 1024 };
    const cluster = await RealCluster.start(PEERS, directory, sizes, 'meta-peer.ts');
    const port = await leaderPort(cluster.peers.map(({ clientPort }) => clientPort));
    return { client: () => rpcWriter(port), stop: () => cluster.stop() };
  },
};

const etcd: Target = {
  name: 'etcd',
  start: async (directory) => {
    const cluster = await EtcdCluster.start(PEERS, directory);
    const port = await cluster.leaderPort();
    return { client: () => new EtcdClient(HOST, port), stop: () => cluster.stop() };
  },
};

const version = etcdVersion();
const targets = version === undefined ? [ours] : [ours, etcd];
console.log(`Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0].model}`);
console.log(
  version === undefined
    ? 'etcd is not installed, so there is nothing to compare with: apt-get install etcd-server\n'
    : `against etcd ${version}; ${rounds} rounds of ${seconds} s each, values of 100 bytes\n`,
);
const directory = mkdtempSync(join(flags.directory, 'cachectl-meta-'));
try {
  for (const count of counts) await compare(count);
} finally {
  rmSync(directory, { recursive: true });
}

async function compare(count: number): Promise<void> {
  const measured = new Map<Target, Round[]>(targets.map((target) => [target, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [target, results] of measured) {
      const own = join(directory, `${target.name}-${count}-${round}`);
      mkdirSync(own);
      results.push(await measure(target, own, count));
      rmSync(own, { recursive: true });
    }
  }
  console.log(`${count} client${count === 1 ? '' : 's'}:`);
  for (const [{ name }, results] of measured) {
    const middle = (of: (round: Round) => number): number => median(results.map(of));
    const perSecond = middle((round) => round.perSecond);
    const each = results.map((round) => round.perSecond.toFixed(0)).join(' ');
    console.log(
      `  ${name.padEnd(9)} ${perSecond.toFixed(0).padStart(6)} writes/s   p50 ${ms(middle(({ p50Ms }) => p50Ms))}   p99 ${ms(middle(({ p99Ms }) => p99Ms))}   client CPU ${middle(({ clientCpuUs }) => clientCpuUs).toFixed(0)} µs a write   (${each})`,
    );
  }
  const [mine = [], other] = [...measured.values()];
  if (other === undefined) return;
  const ratio =
    median(mine.map(({ perSecond }) => perSecond)) /
    median(other.map(({ perSecond }) => perSecond));
  console.log(`  ratio     ${ratio.toFixed(2)}×\n`);
}

async function measure(target: Target, own: string, count: number): Promise<Round> {
  const { client, stop } = await target.start(own);
  const writers = Array.from({ length: count }, client);
  const latenciesMs: number[] = [];
  const fromMs = performance.now() + WARM_MS;
  const untilMs = fromMs + seconds * 1000;
  const running = writers.map(async (writer, index) => {
    for (let number = 0; performance.now() < untilMs; number++) {
      const sentAt = performance.now();
      await writer.put(`bench/${index}/${number % KEYS_EACH}`, VALUE);
      const now = performance.now();
      if (sentAt >= fromMs && now <= untilMs) latenciesMs.push(now - sentAt);
    }
  });
  await sleep(WARM_MS);
  const cpuBefore = process.cpuUsage();
  await Promise.all(running);
  const { user, system } = process.cpuUsage(cpuBefore);
  for (const writer of writers) writer.close();
  await stop();
  latenciesMs.sort((a, b) => a - b);
  return {
    perSecond: latenciesMs.length / seconds,
    p50Ms: latenciesMs[Math.floor(latenciesMs.length / 2)],
    p99Ms: latenciesMs[Math.floor(latenciesMs.length * 0.99)],
    clientCpuUs: (user + system) / latenciesMs.length,
  };
}

function rpcWriter(port: number): Writer {
  const client = rpcClient(port);
  return {
    put: async (key, value) => {
      await call(client, 'put', { key, value });
    },
    close: () => client.close(),
  };
}

function rpcClient(port: number): RpcClient {
  return new RpcClient(runtime, { addresses: [{ host: HOST, port }], connectTimeoutMs: 2000 });
}

async function call(client: RpcClient, method: string, body: unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.call(method, body, TIMEOUT_MS, (outcome) => {
      if (outcome.ok) resolve(outcome.body);
      else reject(outcome.error);
    });
  });
}

async function leaderPort(ports: readonly number[]): Promise<number> {
  for (;;) {
    for (const port of ports) {
      const client = rpcClient(port);
      const { role } = z.object({ role: z.string() }).parse(await call(client, 'role', {}));
      client.close();
      if (role === 'leader') return port;
    }
    await sleep(50);
  }
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

function ms(value: number): string {
  return `${value.toFixed(2)} ms`.padStart(9);
}
