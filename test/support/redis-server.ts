/**
 * A real `redis-server` for tests to compare with. On a developer's machine without one, the tests
 * that need it say so and are passed over; under `CI=true` its absence is a failure.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
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
const PORT_FIRST = 11_000;
const PORTS = 11_000;

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
  const guard = endWithThisProcess(child.pid ?? 0, directory);
  const exited = once(child, 'exit').then(() => {
    guard.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  });
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

/**
 * Starts a process that ends another one, and removes its directory, when this process has ended,
 * however it did: the pipe from here is closed then.
 */
function endWithThisProcess(pid: number, directory: string): ChildProcess {
  const script = 'cat; kill -KILL "$1"; rm -rf "$2"';
  return spawn('sh', ['-c', script, 'guard', `${pid}`, directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Not to be reached by a signal that ends all processes of the tests at once.
    detached: true,
  });
}

/** Not to be given twice: whoever asked may not listen yet. */
const portsGiven = new Set<number>();

/**
 * Below the ports that the kernel gives to outgoing connections: one of those could take it before
 * it is listened on, or while its server is being started anew. With 10000 more it is below, too.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + Math.floor(Math.random() * PORTS);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    if (portsGiven.has(port)) continue;
    portsGiven.add(port);
    return port;
  }
}
