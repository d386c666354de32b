import { expect, test } from 'vitest';
import { runScenario } from '../run.ts';
import { scenarioSchema } from '../scenario.ts';
import { CLUSTER_MUTANTS, clusterWorld, clusterWorldWith } from './index.ts';

/** Runs are long where the machine is busy; they are bounded by events, not by time. */
const TIMEOUT_MS = 300_000;

test('what seeds draw is well-formed, with three to nine nodes', () => {
  const schema = scenarioSchema('cluster', clusterWorld.options, clusterWorld.operation);
  const sizes = new Set<number>();
  for (let seed = 0; seed < 1000; seed += 1) {
    const scenario = clusterWorld.draw(seed);
    if (seed < 200) expect(schema.parse(scenario)).toEqual(scenario);
    sizes.add(scenario.peers.filter(({ name }) => name.startsWith('n')).length);
  }
  expect(sizes).toEqual(new Set([3, 4, 5, 6, 7, 8, 9]));
});

test('a run is the same run again, draw by draw', { timeout: TIMEOUT_MS }, () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    const scenario = clusterWorld.draw(seed);
    const { drawLog, traceHash } = runScenario(clusterWorld, scenario, { record: true });
    expect(runScenario(clusterWorld, scenario, { against: drawLog }).traceHash).toBe(traceHash);
  }
});

/** Mistakes, and within how many seeds from 1 on each must be caught. */
const CAUGHT_WITHIN = {
  'no-fencing': 20,
  'lease-from-receipt': 100,
  'learner-joins-early': 40,
  'promotes-whoever-answers': 200,
  'resumes-anywhere': 200,
  'copy-without-deletions': 40,
  'serves-while-frozen': 20,
} as const satisfies Record<string, number>;

test.each(Object.entries(CAUGHT_WITHIN))(
  'the mistake %s is caught within %i seeds',
  { timeout: TIMEOUT_MS },
  (name, max) => {
    const { mistakes = {} } = CLUSTER_MUTANTS.find((each) => each.name === name) ?? {};
    const world = clusterWorldWith(mistakes);
    let seed = 1;
    while (seed <= max && runScenario(world, world.draw(seed)).failure === undefined) seed += 1;
    expect(seed).toBeLessThanOrEqual(max);
  },
);
