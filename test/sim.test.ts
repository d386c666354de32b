/** The simulator as its users start it: campaigns, files, and what is wrong with them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { startCachectl } from './support/cachectl.ts';

/** Bounded by what is to be done, however busy the machine is. */
const TIMEOUT_MS = 900_000;
const SEEDS = 500;
const SEEDS_TWICE = 200;

const directory = mkdtempSync(join(tmpdir(), 'cachectl-sim-'));
afterAll(() => rmSync(directory, { recursive: true }));
const regressions = join(import.meta.dirname, '../scenarios/regressions');
const regression = join(regressions, 'greeting-altered-on-its-way.json');

interface Campaign {
  readonly seeds: number;
  readonly failures: ReadonlyArray<{ readonly seed: number; readonly sentence: string }>;
  readonly missed: readonly string[];
  readonly traceHashes: Readonly<Record<string, string>>;
}

async function run(...args: string[]) {
  await using started = startCachectl(['sim', ...args]);
  return await started.ended();
}

async function campaign(...args: string[]): Promise<Campaign & { readonly exit: number | null }> {
  const { exit, out, words } = await run('run', ...args, '--json', '--failures', directory);
  expect(out, words).not.toBe('');
  const { data } = JSON.parse(out) as { data: readonly [Campaign] };
  return { ...data[0], exit };
}

test(
  'Raft keeps its promises in 500 seeds of all faults, and another process sees the same runs',
  { timeout: TIMEOUT_MS },
  async () => {
    const all = ['raft', '--seeds', String(SEEDS), '--jobs', '2', '--require-points'];
    const once = await campaign(...all);
    expect(once.failures).toEqual([]);
    expect(once.missed).toEqual([]);
    expect([once.seeds, once.exit]).toEqual([SEEDS, 0]);
    // On other threads, in another order.
    const again = await campaign('raft', '--seeds', String(SEEDS_TWICE), '--jobs', '3');
    expect(Object.keys(again.traceHashes)).toHaveLength(SEEDS_TWICE);
    expect(once.traceHashes).toMatchObject(again.traceHashes);
    expect(new Set(Object.values(once.traceHashes)).size).toBe(SEEDS);
  },
);

test('a failure that was mended is not found again, and the replay says so', async () => {
  const { exit, words, out } = await run('replay', regression);
  expect(out).toContain('The run passes: no-exception is not violated any more');
  expect(words).toContain('not the run of the file');
  expect(exit).toBe(1);
});

describe('a file that is not as it should be exits with 2, naming line and field', () => {
  const text = readFileSync(regression, 'utf8');

  test.each([
    ['run', 'a.yaml', 'version: 9\nworld: raft\n', /a\.yaml:1: version: is '9'/],
    ['run', 'b.yaml', 'version: 1\nworld: raft\npeers: many\n', /b\.yaml:3: peers: /],
    ['run', 'c.yaml', 'version: 1\nworld: [\n', /c\.yaml:\d+: /],
    ['replay', 'd.json', text.replace('"version": 1', '"version": 2'), /d\.json:3: version: /],
    ['replay', 'e.json', text.replace('"seed": ', '"seed": -'), /e\.json:\d+: scenario\.seed: /],
    ['shrink', 'f.json', text.slice(0, 200), /f\.json:\d+: /],
    ['shrink', 'g.json', '[]', /g\.json/],
  ])('sim %s %s', async (command, name, content, words) => {
    const path = join(directory, name);
    writeFileSync(path, content);
    const ended = await run(command, path);
    expect(ended.words).toMatch(words);
    expect(ended.exit).toBe(2);
    expect(ended.out).toBe('');
  });

  test.each([
    ['run', 'raftt', 'no such world; there are raft'],
    ['run', './missing.yaml', 'missing.yaml: cannot be read'],
    ['replay', './missing.json', 'missing.json: cannot be read'],
  ])('sim %s %s, which there is not', async (command, target, words) => {
    const ended = await run(command, target);
    expect(ended.words).toContain(words);
    expect(ended.exit).toBe(2);
  });
});

test('a campaign lasts as long as it is told to, and leaves a JUnit file', async () => {
  const path = join(directory, 'sim.xml');
  const { exit, out, words } = await run('run', 'raft', '--for', '1s', '--junit', path);
  expect(exit, words).toBe(0);
  expect(out).toContain('raft');
  expect(readFileSync(path, 'utf8')).toMatch(/<testsuite name="sim raft" tests="\d+" failures="0"/);
});
