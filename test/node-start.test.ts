import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { exchange, startCachectl } from './support/cachectl.ts';
import { freePort } from './support/redis-server.ts';

const READY = /^node (?<name>\S+) serves 127\.0\.0\.1:(?<port>\d+)$/;
const ANY_PORT = ['--listen', '127.0.0.1:0'];

async function startNode(args: readonly string[] = [], environment = {}) {
  const started = startCachectl(['node', 'start', ...ANY_PORT, ...args], environment);
  const ready = await started.line(READY);
  return { ...started, name: ready.groups?.['name'], port: Number(ready.groups?.['port']) };
}

/** Whether nobody listens there. */
async function isRefused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return false;
  } catch {
    return true;
  } finally {
    socket.destroy();
  }
}

describe('cachectl node start', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('serves, and stops cleanly at %s', async (signal) => {
    await using node = await startNode(['--name', 'n7']);
    expect(node.name).toBe('n7');
    const set = '*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n';
    expect(await exchange(node.port, set, 5)).toBe('+OK\r\n');
    expect(await exchange(node.port, 'GET k\r\n', 11)).toBe('$5\r\nvalue\r\n');
    node.process.kill(signal);
    const { exit, words } = await node.ended();
    expect(words).toContain('stopped');
    expect(exit).toBe(0);
  });

  test('waits at its stop for a client that reads slowly, and a second Ctrl-C ends it at once', async () => {
    await using node = await startNode(['--max-value-size', '64mb']);
    const value = Buffer.alloc(32 * 1024 * 1024);
    const reader = connect(node.port, '127.0.0.1').pause();
    reader.on('error', () => undefined);
    await once(reader, 'connect');
    reader.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n`);
    reader.write(value);
    reader.write('\r\nGET k\r\n');
    await expect.poll(() => exchange(node.port, 'STRLEN k\r\n', 3)).not.toBe(':0\r\n');

    node.process.kill('SIGINT');
    // It has heard the first one when it takes no more clients; a second one soon after would count as
    // the same.
    await expect.poll(() => isRefused(node.port), { timeout: 60_000 }).toBe(true);
    await sleep(400);
    expect(node.process.exitCode).toBeNull();
    node.process.kill('SIGINT');
    // Had it gone on waiting for the reader, it would end with 0.
    expect((await node.ended()).exit).toBe(130);
    reader.destroy();
  });

  test('a flag wins over the environment, and that over the file', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'cachectl-start-'));
    const file = join(directory, 'node.yaml');
    writeFileSync(file, 'name: from-file\nmax-request-size: 2kb\nmax-inline-size: 64\n');
    try {
      const environment = { CACHECTL_MAX_INLINE_SIZE: '96', CACHECTL_NAME: 'from-environment' };
      await using node = await startNode(['--config', file, '--name', 'from-flag'], environment);
      expect(node.name).toBe('from-flag');
      const set = (length: number) => exchange(node.port, `SET k ${'1'.repeat(length)}\r\n`, 5);
      expect(await set(80)).toBe('+OK\r\n');
      expect(await set(90)).toMatch(/^-ERR Protocol error/);
      const value = '1'.repeat(3000);
      const request = `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${value.length}\r\n${value}\r\n`;
      expect(await exchange(node.port, request, 5)).toMatch(/^-ERR /);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('takes no client without the secret, which is given in the environment only', async () => {
    await using node = await startNode([], { CACHECTL_SECRET: 'open-sesame' });
    expect(await exchange(node.port, 'GET k\r\n', 5)).toMatch(/^-NOAUTH /);
  });

  test('says which address is taken, and exits with 1', async () => {
    await using first = await startNode();
    await using second = startCachectl(['node', 'start', '--listen', `127.0.0.1:${first.port}`]);
    const { exit, out, words } = await second.ended();
    expect(words).toContain(`cannot listen on 127.0.0.1:${first.port}: the port is in use`);
    expect(out).toBe('');
    expect(exit).toBe(1);
  });

  test.each([
    [['--memory', '1kb'], "--memory is '1kb', which is not a size"],
    [['--memory', '64gb'], 'of at least 1mb and at most 15872mb'],
    [['--policy', 'fifo'], "--policy is 'fifo', which is not one of lru, lfu, tinylfu, noeviction"],
    [['--listen', 'here'], "--listen is 'here', which is not host:port"],
    [['--max-clients', '0'], "--max-clients is '0', which is not a whole number of at least 1"],
    [['--idle-timeout', '5'], "--idle-timeout is '5', which is not a duration"],
    [['--name', '../x'], "--name is '../x', which is not letters"],
    [['--secret', 'x'], 'Nonexistent flag: --secret'],
    [['--config', '/nonexistent.yaml'], '/nonexistent.yaml'],
  ])('%j is refused with exit code 2', async (args, message) => {
    await using run = startCachectl(['node', 'start', ...args]);
    const { exit, out, words } = await run.ended();
    expect(words).toContain(message);
    expect(out).toBe('');
    expect(exit).toBe(2);
  });
});

/** A port that leaves room for the ports of `dev` that are counted from it. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port <= 55_000) return port;
  }
}

describe('cachectl dev', () => {
  test('prints where to connect and what to try, serves there, and stops at Ctrl-C', async () => {
    const port = await freeBasePort();
    await using dev = startCachectl([
      ...['dev', '--base-port', `${port}`, '--memory', '32mb'],
      ...['--nodes', '2', '--meta', '1'],
    ]);
    await dev.line(/^n2 /);
    expect(await exchange(port, 'PING\r\n', 7)).toBe('+PONG\r\n');
    expect(await exchange(port + 1, 'PING\r\n', 7)).toBe('+PONG\r\n');
    dev.process.kill('SIGINT');
    const { exit, out, words } = await dev.ended();
    const rows = out
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ +/).slice(0, 4).join(' '));
    expect(rows).toEqual([
      'NAME ROLE ADDRESS HTTP',
      `m1 meta 127.0.0.1:${port + 100} 127.0.0.1:${port + 180}`,
      `n1 node 127.0.0.1:${port} -`,
      `n2 node 127.0.0.1:${port + 1} -`,
    ]);
    expect(words).toContain(`cachectl status --meta 127.0.0.1:${port + 100}`);
    expect(words).toContain('Stopped.');
    expect(exit).toBe(0);
    await expect(exchange(port, 'PING\r\n', 7)).rejects.toThrow('ECONNREFUSED');
  });

  test('takes its processes along, however it ends', async () => {
    const port = await freeBasePort();
    const dev = startCachectl([
      ...['dev', '--base-port', `${port}`, '--memory', '32mb'],
      ...['--nodes', '1', '--meta', '1'],
    ]);
    await dev.line(/^n1 /);
    await dev[Symbol.asyncDispose]();
    for (;;) {
      const isGone = await exchange(port, 'PING\r\n', 7).then(
        () => false,
        () => true,
      );
      if (isGone) break;
      await sleep(20);
    }
  });

  test.each([
    [['--base-port', '0']],
    [['--base-port', '65500']],
    [['--memory', 'lots']],
    [['--nodes', '-1']],
  ])('refuses %j with exit code 2', async (args) => {
    await using dev = startCachectl(['dev', ...args]);
    expect((await dev.ended()).exit).toBe(2);
  });
});
