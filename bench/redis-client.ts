/** One round of redis-benchmark against one server, and what the server spent on it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { readCpuTime } from '../src/load/index.ts';
import { CLIENT_CORE } from './redis-servers.ts';

export type Command = 'GET' | 'SET';

export interface Load {
  readonly command: Command;
  readonly pipeline: number;
  readonly connections: number;
  readonly valueBytes: number;
  readonly keyCount: number;
  readonly requests: number;
}

export interface Sample {
  readonly operationsPerSecond: number;
  /** CPU time of the server an operation, in its own code. */
  readonly userUs: number;
  /** The same, in the kernel. */
  readonly systemUs: number;
}

export async function measure(
  server: { readonly port: number; readonly pid: number },
  load: Load,
): Promise<Sample> {
  const requests = Math.ceil(load.requests / load.pipeline) * load.pipeline;
  const before = readCpuTime(server.pid);
  const output = await redisBenchmark(server.port, { ...load, requests });
  const after = readCpuTime(server.pid);
  if (before === undefined || after === undefined) {
    throw new Error(`the server on port ${server.port} (process ${server.pid}) has ended`);
  }
  return {
    operationsPerSecond: operationsPerSecond(output),
    userUs: ((after.userMs - before.userMs) * 1000) / requests,
    systemUs: ((after.systemMs - before.systemMs) * 1000) / requests,
  };
}

async function redisBenchmark(port: number, load: Load): Promise<string> {
  const flags: ReadonlyArray<readonly [string, string | number]> = [
    ['-h', '127.0.0.1'],
    ['-p', port],
    ['-t', load.command.toLowerCase()],
    ['-c', load.connections],
    ['-P', load.pipeline],
    ['-d', load.valueBytes],
    ['-r', load.keyCount],
    ['-n', load.requests],
  ];
  const command = ['-c', `${CLIENT_CORE}`, 'redis-benchmark', ...flags.flat().map(String), '--csv'];
  const child = spawn('taskset', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, words] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  if (child.exitCode !== 0) throw new Error(`redis-benchmark failed on port ${port}: ${words}`);
  return output;
}

/** The last line is `"GET","123456.78",...`: the test's name and its rate. */
function operationsPerSecond(csv: string): number {
  const line = csv.trim().split('\n').at(-1) ?? '';
  const rate = Number(line.split(',')[1]?.replaceAll('"', ''));
  if (!(rate > 0)) throw new Error(`redis-benchmark gave no rate: ${csv}`);
  return rate;
}
