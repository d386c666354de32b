import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { exchange, startCachectl } from '../support/cachectl.ts';
import { freePort } from '../support/redis-server.ts';

const root = mkdtempSync(join(tmpdir(), 'cachectl-meta-start-'));
afterAll(() => rmSync(root, { recursive: true }));

let directories = 0;
const newDirectory = () => join(root, `d${directories++}`);

async function alone(directory: string, more: readonly string[] = []) {
  const port = await freePort();
  const peers = `m1=127.0.0.1:${port}`;
  const own = ['--listen', `127.0.0.1:${port}`, '--peers', peers, '--data-dir', directory];
  const started = startCachectl(['meta', 'start', ...own, ...more]);
  return { ...started, port };
}

describe('cachectl meta start', () => {
  test('serves, says what the port is for, and stops cleanly', async () => {
    await using peer = await alone(newDirectory());
    await peer.line(/^meta peer m1 serves 127\.0\.0\.1:\d+$/);
    expect(await exchange(peer.port, 'PING\r\n', 7)).toBe('+PONG\r\n');
    expect(await exchange(peer.port, 'GET / HTTP/1.1\r\n\r\n', 500)).toContain('not HTTP');
    expect(await exchange(peer.port, 'SET a b\r\n', 500)).toContain('CALL, AUTH and PING');
    peer.process.kill('SIGTERM');
    const { exit, words } = await peer.ended();
    expect(words).toContain('stopped');
    expect(exit).toBe(0);
  });

  test('refuses data of another cluster or peer, and a directory in use', async () => {
    const directory = newDirectory();
    const first = await alone(directory);
    await first.line(/serves/);
    await using second = await alone(directory);
    expect(await second.ended()).toMatchObject({ exit: 1, words: expect.stringContaining('use') });
    await first[Symbol.asyncDispose]();

    await using foreign = await alone(directory, ['--cluster', 'other']);
    const other = await foreign.ended();
    expect(other).toMatchObject({ exit: 1, words: expect.stringContaining('cachectl') });
    expect(other.words).toContain('other');

    const port = await freePort();
    const flags = ['--name', 'm2', '--peers', `m2=127.0.0.1:${port}`, '--data-dir', directory];
    await using renamed = startCachectl([
      'meta',
      'start',
      '--listen',
      `127.0.0.1:${port}`,
      ...flags,
    ]);
    const { exit, words } = await renamed.ended();
    expect(exit).toBe(1);
    expect(words).toContain('m1');
    expect(words).toContain('m2');
  });

  test.each([
    [['--listen', '0.0.0.0:7500'], 'loopback addresses only', 'CACHECTL_ADMIN_TOKEN'],
    [['--name', 'm9'], "--name is 'm9'", '--peers'],
    [['--peers', 'm1'], '--peers', 'each name and address once'],
    [['--peers', 'm1=127.0.0.1:1,m1=127.0.0.1:2'], '--peers', 'each name and address once'],
    [['--shards', '0'], '--shards', 'at least 1'],
    [['--replicas', '9'], '--replicas', 'at most 8'],
    [['--name', 'No Name'], '--name', 'a name of a to z'],
  ])('refuses %j with words, and makes no directory', async (flags, ...words) => {
    const directory = newDirectory();
    const given = new Set(flags);
    const peers = given.has('--peers') ? [] : ['--peers', 'm1=127.0.0.1:7500'];
    await using peer = startCachectl([
      'meta',
      'start',
      ...peers,
      '--data-dir',
      directory,
      ...flags,
    ]);
    const ended = await peer.ended();
    expect(ended.exit).toBe(2);
    for (const word of words) expect(ended.words).toContain(word);
    expect(existsSync(directory)).toBe(false);
  });

  test('refuses to go without a data directory, or with one that cannot be used', async () => {
    await using none = startCachectl(['meta', 'start', '--peers', 'm1=127.0.0.1:7500']);
    expect(await none.ended()).toMatchObject({
      exit: 2,
      words: expect.stringContaining('--data-dir is missing'),
    });
    const file = newDirectory();
    writeFileSync(file, '');
    await using taken = await alone(file);
    const { exit, words } = await taken.ended();
    expect(exit).toBe(1);
    expect(words).toContain(`the data directory '${file}' cannot be used`);
  });

  test('says that its port is taken, and leaves its data alone', async () => {
    await using first = await alone(newDirectory());
    await first.line(/serves/);
    const listen = `127.0.0.1:${first.port}`;
    const flags = ['--listen', listen, '--peers', `m1=${listen}`, '--data-dir', newDirectory()];
    await using second = startCachectl(['meta', 'start', ...flags]);
    const { exit, words } = await second.ended();
    expect(exit).toBe(1);
    expect(words).toContain('the port is in use');
  });

  test('asks for the token that it was given', async () => {
    const directory = newDirectory();
    const port = await freePort();
    const flags = ['--listen', `127.0.0.1:${port}`, '--peers', `m1=127.0.0.1:${port}`];
    await using peer = startCachectl(['meta', 'start', ...flags, '--data-dir', directory], {
      CACHECTL_ADMIN_TOKEN: 'sesame',
    });
    await peer.line(/serves/);
    const call = '*4\r\n$4\r\nCALL\r\n$1\r\n1\r\n$10\r\nnode.leave\r\n$2\r\n{}\r\n';
    expect(await exchange(port, call, 60)).toContain('ERR_CACHECTL_AUTH');
    const auth = '*2\r\n$4\r\nAUTH\r\n$6\r\nsesame\r\n';
    const answer = await exchange(port, auth + call, 80);
    expect(answer).toMatch(/^\+OK\r\n>4/);
    expect(answer).not.toContain('ERR_CACHECTL_AUTH');
  });
});
