import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';
import { freePort } from './support/redis-server.ts';

const bin = join(import.meta.dirname, '../bin/cachectl.js');

let node: Started;
let address: string;

beforeAll(async () => {
  node = startCachectl(['node', 'start', '--listen', '127.0.0.1:0']);
  address = (await node.line(/serves (?<address>\S+)$/)).groups?.['address'] ?? '';
});
afterAll(() => node[Symbol.asyncDispose]());

function kv(args: readonly string[], input: string | Uint8Array = '', environment = {}) {
  const run = spawnSync(process.execPath, [bin, 'kv', ...args], {
    input,
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      CACHECTL_ADDRESS: address,
      CACHECTL_TIMEOUT: '10s',
      ...environment,
    },
  });
  const parsed = (): unknown => JSON.parse(run.stdout.toString());
  return { exit: run.status, bytes: run.stdout, words: run.stderr.toString(), parsed };
}

describe('cachectl kv', () => {
  test('keeps the bytes of stdin, and gives them back as they were', () => {
    const value = Buffer.from([0, 255, 10, 13, 0, 128, 10]);
    expect(kv(['set', 'photo', '-'], value)).toMatchObject({ exit: 0, words: '' });
    expect(kv(['get', 'photo']).bytes.equals(value)).toBe(true);
    expect(kv(['get', 'photo', '--json']).parsed()).toMatchObject({
      kind: 'KvValue',
      data: { value: value.toString('base64'), encoding: 'base64', bytes: 7 },
    });
  });

  test('keeps text, and shows it as text in JSON', () => {
    kv(['set', 'grüße', 'schön']);
    expect(kv(['get', 'grüße', '--json']).parsed()).toMatchObject({
      data: { key: 'grüße', value: 'schön', encoding: 'utf8', bytes: 6 },
      error: null,
    });
    expect(kv(['get', 'grüße', '-o', 'name']).bytes.toString()).toBe('grüße\n');
  });

  test('ends keys when it is told, and says when', () => {
    kv(['set', 'session', 'x', '--ttl', '10m']);
    expect(kv(['ttl', 'session']).bytes.toString()).toMatch(/^5\d\ds\n$/);
    kv(['set', 'session', 'x']);
    expect(kv(['ttl', 'session']).bytes.toString()).toBe('never\n');
    expect(kv(['ttl', 'session', '--json']).parsed()).toMatchObject({ data: { ttlMs: null } });
  });

  test('counts up and down', () => {
    expect(kv(['incr', 'visits']).bytes.toString()).toBe('1\n');
    expect(kv(['incr', 'visits', '--by=-5']).bytes.toString()).toBe('-4\n');
    kv(['set', 'word', 'abc']);
    const refused = kv(['incr', 'word']);
    expect(refused.words).toContain(`${address}: ERR value is not an integer`);
    expect(refused.exit).toBe(1);
  });

  test('exits with 3 for a missing key, whatever it was to do', () => {
    for (const args of [
      ['get', 'gone'],
      ['del', 'gone'],
      ['ttl', 'gone'],
      ['set', 'gone', 'x', '--xx'],
    ]) {
      const { exit, words, bytes } = kv(args);
      expect(words).toContain("Error: no key 'gone'\n");
      expect([exit, bytes.length]).toEqual([3, 0]);
    }
  });

  test('sets with --nx once, and exits with 6 after that', () => {
    expect(kv(['set', 'lock', 'me', '--nx']).exit).toBe(0);
    const { exit, words } = kv(['set', 'lock', 'you', '--nx']);
    expect(words).toContain("key 'lock' is there already");
    expect(exit).toBe(6);
    expect(kv(['get', 'lock']).bytes.toString()).toBe('me');
    expect(kv(['del', 'lock']).exit).toBe(0);
  });

  test('exits with 4 where nobody answers, names the address, and says what to do', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const { exit, words } = kv(['get', 'k', '--address', nobody]);
    expect(words).toBe(
      `Error: ${nobody}: cannot connect: ECONNREFUSED\n` +
        '  Start a node there with `cachectl node start`, or name another with --address or CACHECTL_ADDRESS.\n',
    );
    expect(exit).toBe(4);
  });

  test('exits with 1 where the tenant is not let in', () => {
    const { exit, words } = kv(['get', 'k', '--tenant', 'shop'], '', { CACHECTL_SECRET: 'no' });
    expect(words).toContain(`${address}: tenant 'shop': WRONGPASS`);
    expect(exit).toBe(1);
  });

  test.each([
    [['set', 'k', 'v', '--ttl', '10'], "--ttl is '10', which is not a duration"],
    [['set', 'k', 'v', '--ttl', '0'], "--ttl is '0', which is not a duration"],
    [['set', 'k', 'v', '--nx', '--xx'], '--xx=true cannot also be provided when using --nx'],
    [['set', 'k'], 'Missing 1 required arg'],
    [['get'], 'Missing 1 required arg'],
    [['get', 'k', '--address', '7400'], "--address is '7400', which is not host:port"],
    [['get', 'k', '--timeout', 'soon'], "--timeout is 'soon', which is not a duration"],
    [['get', 'k', '--tenant', 'shop'], "--tenant is 'shop', without a secret"],
    [['incr', 'k', '--by', 'x'], "--by is 'x', which is not a whole number"],
  ])('exits with 2 for %j', (args, words) => {
    const run = kv(args, 'stdin is not an argument');
    expect(run.words).toContain(words);
    expect(run.exit).toBe(2);
  });
});
