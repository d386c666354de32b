import { describe, expect, test } from 'vitest';
import { runScenario } from './run.ts';
import type { Scenario } from './scenario.ts';
import { shrinkScenario } from './shrink.ts';
import { copyWorld } from './test-support.ts';

const world = copyWorld('ackBeforeSync');

/** Found by this bug: acknowledged before it was synced, lost by a full disk or a loss of power. */
const FAILING_SEED = 461;

describe('shrinking', () => {
  const failing = world.draw(FAILING_SEED);
  const { scenario, result, runs } = shrinkScenario(world, failing, 'kept');

  test('keeps the oracle, and makes it smaller in every way that it can', () => {
    expect(result.failure?.oracle).toBe('kept');
    expect(scenario.faults.length).toBeLessThanOrEqual(2);
    expect(scenario.operations.length).toBeLessThanOrEqual(4);
    expect(scenario.peers).toHaveLength(2);
    expect(scenario.network.bitFlip).toEqual([0, 1]);
    expect(runs).toBeLessThan(500);
  });

  test('comes to a point where nothing can be left out any more', () => {
    const fails = (candidate: Scenario): boolean =>
      world.oracles.some(({ name }) => name === 'kept') &&
      runScenario(world, { ...candidate, options: { bug: 'ackBeforeSync' } } as typeof failing)
        .failure?.oracle === 'kept';
    for (const list of ['faults', 'operations'] as const) {
      for (const item of scenario[list]) {
        const rest = { ...scenario, [list]: scenario[list].filter((each) => each !== item) };
        expect(fails(rest), `without ${JSON.stringify(item)}`).toBe(false);
      }
    }
    expect(shrinkScenario(world, scenario as typeof failing, 'kept').scenario).toEqual(scenario);
  });

  test('runs again as data: what was written down and read back is the same run', () => {
    const again = JSON.parse(JSON.stringify(scenario)) as typeof failing;
    expect(runScenario(world, again).traceHash).toBe(result.traceHash);
  });

  test('takes no other failure for it', () => {
    const throws = { ...failing, options: { bug: 'useDate' } as const };
    expect(() => shrinkScenario(world, throws, 'kept')).toThrow('it fails by no-exception');
    const passes = { ...failing, options: { bug: 'none' } as const };
    expect(() => shrinkScenario(world, passes, 'kept')).toThrow('it passes');
  });

  test('stops at its budget with the best that it has', () => {
    const little = shrinkScenario(world, failing, 'kept', { runsMax: 5 });
    expect(little.runs).toBe(5);
    expect(little.result.failure?.oracle).toBe('kept');
  });
});
