import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';
import { freePort, redisServerIsMissing, startRedisServer } from './support/redis-server.ts';

const bin = join(import.meta.dirname, '../bin/cachectl.js');
/** A short one: fill 500 keys, no warm-up, 2,000 requests. */
const SHORT = ['--keys', '500', '--warm-up', '0', '--requests', '2000'];

let node: Started;
let address: string;

beforeAll(async () => {
  node = startCachectl(['node', 'start', '--listen', '127.0.0.1:0', '--max-value-size', '100kb']);
  address = (await node.line(/serves (?<address>\S+)$/)).groups?.['address'] ?? '';
});
afterAll(() => node[Symbol.asyncDispose]());

function bench(args: readonly string[]) {
  const run = spawnSync(process.execPath, [bin, 'bench', ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], CACHECTL_ADDRESS: address },
  });
  return { exit: run.status, out: run.stdout, words: run.stderr };
}

describe('cachectl bench', () => {
  test('measures one node: all keys are there, nothing fails, its process is looked at', () => {
    const { exit, out } = bench([...SHORT, '--reads', '0.8', '--zipf', '0.99', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      kind: 'Bench',
      data: {
        load: { keys: 500, reads: 0.8, zipf: 0.99, connections: 50, pipeline: 1, rounds: 1 },
        servers: [
          {
            address,
            server: 'cachectl',
            answered: 2000,
            hitRatio: 1,
            readLatencyUs: { p50: expect.any(Number), p999: expect.any(Number) },
            cpuUsPerOperation: { userUs: expect.any(Number) },
            errors: [],
            lost: 0,
            unanswered: 0,
            unsent: 0,
          },
        ],
        ratios: null,
      },
      warnings: [],
    });
    expect(exit).toBe(0);
  });

  test('shows a table, and says on stderr what it does', () => {
    const { exit, out, words } = bench([...SHORT, '--pipeline', '16', '--value-size', '1-2kb']);
    expect(out).toMatch(/^operations\/s +[\d,]+$/m);
    expect(out).toMatch(/^read p99 +[\d.]+ (µs|ms)$/m);
    expect(out).toMatch(/^hit ratio +100\.00 %$/m);
    expect(out).toMatch(/^errors +0$/m);
    expect(words).toContain(`Filling 500 keys of ${address} (cachectl)`);
    expect(exit).toBe(0);
  });

  test('counts the errors of a server and warns of them', () => {
    const { exit, out, words } = bench([
      ...SHORT,
      ...['--reads', '0.5', '--value-size', '1kb-200kb', '--no-prefill', '--json'],
    ]);
    const { data, warnings } = JSON.parse(out);
    const [server] = data.servers;
    expect(server.answered + server.errors[0].count).toBe(2000);
    expect(server.errors[0].count).toBeGreaterThan(300);
    expect(server.readLatencyUs.count + server.writeLatencyUs.count).toBe(server.answered);
    expect(warnings).toEqual([
      `${address}: ${server.errors[0].count} error replies ERR, such as: ${server.errors[0].example}`,
    ]);
    expect(words).toContain(`Warning: ${warnings[0]}`);
    expect(exit).toBe(0);
  });

  test('keeps to a rate', () => {
    const { out } = bench([
      ...['--keys', '500', '--warm-up', '0', '--duration', '500ms'],
      ...['--rate', '400', '--connections', '3', '--json'],
    ]);
    const [server] = JSON.parse(out).data.servers;
    expect(server.answered + server.unsent).toBeGreaterThanOrEqual(198);
    expect(server.answered + server.unsent).toBeLessThanOrEqual(220);
  });

  test.skipIf(redisServerIsMissing())('compares with another server, in turns', async () => {
    await using redis = await startRedisServer();
    const other = `127.0.0.1:${redis.port}`;
    const { exit, out, words } = bench([...SHORT, '--against', other, '--rounds', '2', '--json']);
    const { servers, ratios } = JSON.parse(out).data;
    expect(servers).toMatchObject([{ address }, { address: other }]);
    expect(servers[0].readLatencyUs.count).toBe(servers[1].readLatencyUs.count);
    expect(servers[1].server).toMatch(/^redis \d/);
    expect(ratios.operationsPerSecond).toBeCloseTo(
      servers[0].operationsPerSecond / servers[1].operationsPerSecond,
    );
    const rounds = [...words.matchAll(/^Round (\d) of 2: (\S+)/gm)].map(([, round, name]) => [
      round,
      name,
    ]);
    expect(rounds).toEqual([
      ['1', address],
      ['1', other],
      ['2', other],
      ['2', address],
    ]);
    expect(exit).toBe(0);
  });

  test('exits with 4 where nobody answers, and names the address', async () => {
    const nobody = `127.0.0.1:${await freePort()}`;
    const { exit, words } = bench([...SHORT, '--address', nobody]);
    expect(words).toContain(`Error: ${nobody}: cannot connect: ECONNREFUSED`);
    expect(exit).toBe(4);
    expect(bench([...SHORT, '--against', nobody]).exit).toBe(4);
  });

  test.each([
    [['--key-size', '2', '--keys', '5000'], "--key-size is '2', which is not enough to tell 5000"],
    [['--key-size', '9-3'], "--key-size is '9-3', which is not a size"],
    [['--value-size', '1tb'], "--value-size is '1tb', which is not a size"],
    [['--reads', '1.5'], "--reads is '1.5', which is not a number from 0 to 1"],
    [['--zipf', 'x'], "--zipf is 'x', which is not a number from 0 to 10"],
    [['--pipeline', '0'], "--pipeline is '0', which is not a whole number"],
    [['--rate', '-1'], "--rate is '-1', which is not a whole number"],
    [['--duration', '10'], "--duration is '10', which is not a duration"],
    [['--duration', '1s', '--requests', '5'], 'cannot also be provided when using'],
  ])('exits with 2 for %j', (args, words) => {
    const run = bench(args);
    expect(run.words).toContain(words);
    expect(run.exit).toBe(2);
  });
});
