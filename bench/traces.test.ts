import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTrace, type Trace } from './trace-file.ts';
import { parseOptions, UsageError } from './trace-options.ts';
import { PUBLISHED } from './trace-published.ts';
import { missesOf } from './trace-replay.ts';

const root = join(import.meta.dirname, '..');
const traces = join(root, '..', 'shared', 'traces');
const missing = ['gli', 'loop', 'cs', 'cloudphysics-io'].filter(
  (name) => !existsSync(join(traces, `${name}.txt.gz`)),
);
if (missing.length > 0) {
  console.warn(`Skipped: tests against published traces; missing in ${traces}: ${missing.join()}`);
}

const load = (name: string): Trace => readTrace(join(traces, `${name}.txt.gz`));

function hitPercents(trace: Trace, policy: 'lru' | 'lfu' | 'tinylfu', seed = 1): number[] {
  const { capacities, unit } = PUBLISHED[trace.name];
  return capacities.map(
    (amount) => 100 * (1 - missesOf(trace, policy, { amount, unit }, seed) / trace.hashes.length),
  );
}

function misses(trace: Trace, policy: 'lru' | 'lfu'): number[] {
  const { capacities, unit } = PUBLISHED[trace.name];
  return capacities.map((amount) => missesOf(trace, policy, { amount, unit }, 1));
}

describe.skipIf(missing.length > 0)('the policies on published traces', () => {
  test('lru hits exactly as published on GLI and LOOP', () => {
    for (const name of ['gli', 'loop']) {
      const published = PUBLISHED[name].hitPercents?.['lru'];
      expect(hitPercents(load(name), 'lru').map((percent) => +percent.toFixed(2))).toEqual(
        published,
      );
    }
  });

  test('lru and lfu miss exactly as published on CloudPhysics, by object bytes', () => {
    const trace = load('cloudphysics-io');
    const published = PUBLISHED[trace.name].misses;
    expect(misses(trace, 'lru')).toEqual(published?.['lru']);
    expect(misses(trace, 'lfu')).toEqual(published?.['lfu']);
  });

  test('tinylfu hits no less than published W-TinyLFU - 0.5 points on GLI, however it hashes', () => {
    const trace = load('gli');
    const published = PUBLISHED['gli'].hitPercents?.['tinylfu'] ?? [];
    expect(published).toHaveLength(8);
    for (const seed of [1, 2, 3, 4, 5]) {
      const hashes = trace.hashes.map((hash) => Math.imul(hash ^ (seed * 0x1234567), 0x9e3779b1));
      const hits = hitPercents({ ...trace, hashes }, 'tinylfu', seed);
      const shortfalls = hits.map((percent, at) => published[at] - percent);
      expect(Math.max(...shortfalls)).toBeLessThanOrEqual(0.5);
    }
  });

  test('tinylfu holds on to a part of a loop that does not fit, where lru hits nothing', () => {
    const trace = load('loop');
    const share = (amount: number): number =>
      1 - missesOf(trace, 'tinylfu', { amount, unit: 'entries' }, 1) / trace.hashes.length;
    for (const entries of [100, 250, 500, 1000]) {
      expect(share(entries)).toBeGreaterThan((0.7 * entries) / 1011);
    }
  });

  test('tinylfu beats lru on CS at every size below its working set', () => {
    const trace = load('cs');
    for (const amount of [250, 500, 750, 1000, 1250]) {
      const capacity = { amount, unit: 'entries' } as const;
      expect(missesOf(trace, 'tinylfu', capacity, 1)).toBeLessThan(
        missesOf(trace, 'lru', capacity, 1) * 0.9,
      );
    }
  });
});

describe('bench:traces', () => {
  let directory = '';
  const file = (name: string): string => join(directory, name);
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(import.meta.dirname, 'traces.ts'), ...args], {
      encoding: 'utf8',
    });

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'traces-'));
    writeFileSync(file('sized.txt.gz'), gzipSync('a 60\nb 60\na 60\nc 30\na 60\nb 60\n'));
    writeFileSync(file('plain.txt'), 'a\nb\na\nc\na\nb\n');
    writeFileSync(file('broken.txt'), 'a 1\nb c d\n');
    writeFileSync(file('empty.txt'), '');
    writeFileSync(file('torn.txt.gz'), gzipSync('a 60\nb 60\n').subarray(0, 20));
  });

  afterAll(() => rmSync(directory, { recursive: true }));

  test('counts capacity in entries, or with a unit in object bytes', () => {
    const { stdout, status } = run(
      '--trace',
      `${file('sized.txt.gz')},${file('plain.txt')}`,
      '--policy=lru',
      '--capacity=2',
    );
    expect(status).toBe(0);
    expect(stdout).toContain('sized: 6 requests of 3 keys');
    expect(stdout).toContain('plain: 6 requests of 3 keys');
    expect(stdout.match(/ 2 {2}lru +33\.33 +4\n?/g)).toHaveLength(2);
    const inBytes = run('--trace', file('sized.txt.gz'), '--policy=lru', '--capacity=100b,150b');
    expect(inBytes.stdout).toMatch(/100b {2}lru +16\.67 +5/);
    expect(inBytes.stdout).toMatch(/150b {2}lru +50\.00 +3/);
  });

  test.each([
    [['--trace', 'plain.txt', '--policy', 'arc'], "--policy 'arc' is none of lru, lfu, tinylfu"],
    [['--trace', 'plain.txt', '--capacity', '5q'], "--capacity '5q' is neither"],
    [['--trace', 'plain.txt', '--capacity', '0'], "--capacity '0' is neither"],
    [['--trace', 'plain.txt', '--capacity', '5,,6'], '--capacity has an empty part'],
    [['--trace', 'plain.txt', '--seed', '-1'], '--seed'],
    [['--trace', 'plain.txt', '--seed', '4294967296'], "--seed '4294967296' is no whole number"],
    [['--capacity', '5'], '--trace is missing'],
    [['--trcae', 'plain.txt'], '--trcae'],
    [['plain.txt'], 'plain.txt'],
  ])('refuses the flags %j', (args, words) => {
    expect(() => parseOptions(args)).toThrow(UsageError);
    expect(() => parseOptions(args)).toThrow(words);
  });

  test.each([
    ['absent.txt', "absent.txt' cannot be read: ENOENT"],
    ['broken.txt', 'line 2 is neither KEY nor KEY BYTES'],
    ['empty.txt', 'has no requests'],
    ['torn.txt.gz', "torn.txt.gz' cannot be read"],
  ])('refuses the trace %s', (name, words) => {
    expect(() => readTrace(file(name))).toThrow(UsageError);
    expect(() => readTrace(file(name))).toThrow(words);
  });

  test.each([
    [['--capacity', '5mb'], "--capacity '5mb' is in bytes, and 'plain' has no sizes"],
    [[], "--capacity is missing, and nothing is published for 'plain'"],
  ])('says what is wrong, how to use it, and exits with 2: %j', (args, words) => {
    const { stdout, stderr, status } = run('--trace', file('plain.txt'), ...args);
    expect(stderr).toContain(`bench:traces: ${words}\nusage: npm run bench:traces`);
    expect([status, stdout]).toEqual([2, '']);
  });
});
