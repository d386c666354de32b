/** The two servers of the comparison, both on the same core, filled with the same keys. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Fleet, type Workload } from '../src/load/index.ts';
import { freePort } from '../test/support/redis-server.ts';

export const SERVER_CORE = 0;
export const CLIENT_CORE = 1;

const READY_ATTEMPTS = 200;
const READY_GAP_MS = 50;
const MEMORY = '2gb';

export interface Contender {
  readonly name: string;
  readonly port: number;
  /** Of the process that serves, which need not be the one that was started. */
  readonly pid: number;
  stop(): Promise<void>;
}

/** Ours first. */
export async function startContenders(
  keyCount: number,
  valueBytes: number,
): Promise<readonly [Contender, Contender]> {
  const ours = await startNode('cachectl');
  const redis = await startPinned('redis', (port) => [
    'redis-server',
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    ...['--maxmemory', MEMORY],
  ]);
  for (const { port } of [ours, redis]) await fill(port, keyCount, valueBytes);
  return [ours, redis];
}

/** A node on the core of the servers. */
export function startNode(name: string, ...flags: readonly string[]): Promise<Contender> {
  const bin = join(import.meta.dirname, '../bin/cachectl.js');
  return startPinned(name, (port) => [
    process.execPath,
    ...[bin, 'node', 'start', '--memory', MEMORY, '--log-level', 'warn'],
    ...['--listen', `127.0.0.1:${port}`, ...flags],
  ]);
}

async function startPinned(
  name: string,
  command: (port: number) => readonly string[],
): Promise<Contender> {
  const port = await freePort();
  const child = spawn('taskset', ['-c', `${SERVER_CORE}`, ...command(port)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  for (let attempt = 1; ; attempt++) {
    try {
      const info = await askForInfo(port);
      const version = /^redis_version:(.+)$/m.exec(info)?.[1].trim() ?? '';
      const pid = Number(/^process_id:(\d+)/m.exec(info)?.[1]);
      return { name: name === 'redis' ? `redis ${version}` : name, port, pid, stop };
    } catch (error) {
      if (attempt < READY_ATTEMPTS && child.exitCode === null) {
        await sleep(READY_GAP_MS);
        continue;
      }
      await stop();
      throw new Error(`${name} did not start on port ${port}`, { cause: error });
    }
  }
}

async function askForInfo(port: number): Promise<string> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.info('server');
  } finally {
    client.disconnect();
  }
}

/** Keys as redis-benchmark names them, all present. */
export async function fill(port: number, keyCount: number, valueBytes: number): Promise<void> {
  const workload: Workload = {
    keyCount,
    keyBytes: { min: 16, max: 16 },
    valueBytes: { min: valueBytes, max: valueBytes },
    ttlMs: undefined,
    readFraction: 0,
    theta: 0,
    seed: 1,
  };
  const address = { host: '127.0.0.1', port };
  await using fleet = await Fleet.open({
    targets: [{ address, tenant: undefined, secret: undefined }],
    workload,
    connections: 8,
    pipeline: 1,
    threads: 1,
    stallMs: 30_000,
  });
  const { answered, errors } = await fleet.fill(0);
  if (answered < keyCount) {
    const [first] = errors.values();
    throw new Error(`port ${port} took ${answered} of ${keyCount} keys: ${first?.example}`);
  }
}

export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpu.model}, ${cpus().length} cores, Linux ${release()}, Node ${process.version}`;
}
