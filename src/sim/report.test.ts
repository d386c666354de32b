import { expect, test } from 'vitest';
import { Campaign, junit, seedResult } from './campaign.ts';
import { columns, reportFailure } from './report.ts';
import { runScenario } from './run.ts';
import { copyWorld } from './test-support.ts';

test('transitions stand in columns, one a peer, and what happened to the world across them', () => {
  const lines = columns(
    ['m1', 'm2'],
    [
      { timeUs: 1_234_567, process: 'm2', words: 'leader of term 4' },
      { timeUs: 2_000_000, process: undefined, words: 'fault 3: cut m1~m2' },
      { timeUs: 2_000_001, process: 'm1', words: 'a line that is too long to stand in one column' },
    ],
  );
  expect(lines).toMatchInlineSnapshot(`
    [
      "         ms │ m1                                 │ m2",
      "────────────┼────────────────────────────────────┼────────────────────────────────────",
      "   1234.567 │                                    │ leader of term 4",
      "   2000.000 ╪ fault 3: cut m1~m2",
      "   2000.001 │ a line that is too long to stand   │",
      "            │ in one column                      │",
    ]
  `);
});

test('a report says the oracle, the violation, what led to it, and how to see it again', () => {
  const world = copyWorld('ackBeforeSync');
  const scenario = world.draw(461);
  const report = reportFailure(scenario, runScenario(world, scenario), { replay: 'REPLAY IT' });
  expect(report).toContain('oracle    kept\n');
  expect(report).toMatch(/violated {2}write \d+ of \d+ was acknowledged, p1 has nothing\n/);
  expect(report).toContain('seed 461: 2 peers, 20 operations');
  expect(report).toMatch(/ ╪ fault \d+: the disk of p1 stalls/);
  expect(report.endsWith('replay    REPLAY IT')).toBe(true);
});

test('a campaign adds up to the same whatever the order of its seeds', () => {
  const world = copyWorld('ackBeforeSync');
  const seeds = [461, 1, 380, 2];
  const results = seeds.map((seed) => seedResult(runScenario(world, world.draw(seed))));
  const sum = (list: typeof results) => {
    const campaign = new Campaign(['never']);
    for (const result of list) campaign.add(structuredClone(result));
    const { failures, points, injected, missed, steps } = campaign;
    return { failures, points, injected, missed, steps };
  };
  expect(sum(results)).toEqual(sum(results.toReversed()));
  expect(sum(results).failures.map(({ seed }) => seed)).toEqual([380, 461]);
  expect(sum(results).missed).toEqual(['never']);
  expect(sum(results).points.find(([name]) => name === 'toy: finished')?.[1].firstSeed).toBe(1);
});

test('a JUnit file has a case for each failure and each point that was missed', () => {
  const campaign = new Campaign(['a & b']);
  const base = { traceHash: '', steps: 1, virtualUs: 1, points: [], injected: [] } as const;
  campaign.add({ ...base, seed: 1, failure: undefined });
  campaign.add({ ...base, seed: 2, failure: { oracle: 'o', sentence: 'x < "y"', timeUs: 1 } });
  expect(junit([{ target: 'copy', campaign, seconds: 2 }], true)).toMatchInlineSnapshot(`
    "<?xml version="1.0" encoding="UTF-8"?>
    <testsuites>
      <testsuite name="sim copy" tests="3" failures="2" time="2">
        <testcase classname="sim.copy" name="1 of 2 seeds pass"/>
        <testcase classname="sim.copy" name="seed 2"><failure type="o" message="x &lt; &quot;y&quot;"/></testcase>
        <testcase classname="sim.copy" name="reaches a &amp; b"><failure type="never reached" message="no seed came to it"/></testcase>
      </testsuite>
    </testsuites>
    "
  `);
});
