/**
 * A real `redis-server` for tests to compare with. On a developer's machine without one, the tests
 * that need it say so and are passed over; under `CI=true` its absence is a failure.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface RedisServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

const START_ATTEMPTS = 5;

/** True where `redis-server` is missing, after saying so. Throws instead under `CI=true`. */
export function redisServerIsMissing(): boolean {
  if (spawnSync('redis-server', ['--version']).status === 0) return false;
  const words = 'redis-server is not installed (Debian: apt-get install redis-server)';
  if (process.env['CI'] === 'true') throw new Error(words);
  process.stderr.write(`${words}: tests that compare with it are passed over\n`);
  return true;
}

/** Starts one without persistence on a free port of 127.0.0.1, and waits until it serves. */
export async function startRedisServer(...options: string[]): Promise<RedisServer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(options);
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
    }
  }
}

/** The port was free a moment ago: another process may take it first, so callers try again. */
async function startOnce(options: string[]): Promise<RedisServer> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'cachectl-redis-'));
  const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory];
  const child = spawn('redis-server', [...args, '--save', '', '--appendonly', 'no', ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(child, 'exit').then(() => rmSync(directory, { recursive: true }));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  let printed = '';
  for await (const chunk of child.stdout) {
    printed += String(chunk);
    if (printed.includes('Ready to accept connections')) {
      child.stdout.on('data', () => {});
      return { port, pid: child.pid ?? 0, stop, [Symbol.asyncDispose]: stop };
    }
  }
  await exited;
  throw new Error(`redis-server did not start on port ${port}:\n${printed}`);
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}
