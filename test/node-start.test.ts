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
    await sleep(400);
    expect(node.process.exitCode).toBeNull();
    const secondAtMs = performance.now();
    node.process.kill('SIGINT');
    expect((await node.ended()).exit).toBe(130);
    expect(performance.now() - secondAtMs).toBeLessThan(1000);
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

describe('cachectl dev', () => {
  test('prints where to connect and what to try, serves there, and stops at Ctrl-C', async () => {
    const port = await freePort();
    await using dev = startCachectl(['dev', '--base-port', `${port}`, '--memory', '64mb']);
    await dev.line(/^n1 .*64mb/);
    expect(await exchange(port, 'PING\r\n', 7)).toBe('+PONG\r\n');
    dev.process.kill('SIGINT');
    const { exit, out, words } = await dev.ended();
    expect(out).toBe(
      'NAME  ROLE  ADDRESS          MEMORY  POLICY\n' +
        `n1    node  127.0.0.1:${port}    64mb  tinylfu\n`,
    );
    expect(words).toContain(`redis-cli -p ${port} set greeting hello`);
    expect(words).toContain(`cachectl kv get greeting --address 127.0.0.1:${port}`);
    expect(words).toContain('Stopped.');
    expect(exit).toBe(0);
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
