import { expect, test } from 'vitest';
import type { LeaseTimes } from '../../cluster/index.ts';
import { runScenario } from '../run.ts';
import { scenarioSchema } from '../scenario.ts';
import { controlPlaneWorld, controlPlaneWorldWith, type ControlMistakes } from './index.ts';

/** Runs are long where the machine is busy; they are bounded by events, not by time. */
const TIMEOUT_MS = 300_000;

test('what seeds draw is well-formed, with one node and with five', () => {
  const schema = scenarioSchema(
    'control-plane',
    controlPlaneWorld.options,
    controlPlaneWorld.operation,
  );
  for (let seed = 0; seed < 50; seed += 1) {
    for (const peers of [undefined, 4, 8]) {
      const scenario = controlPlaneWorld.draw(seed, peers);
      expect(schema.parse(scenario)).toEqual(scenario);
      expect(new Set(scenario.faults.map(({ id }) => id)).size).toBe(scenario.faults.length);
    }
  }
});

test(
  'no promise is broken in 100 seeds, and a run is the same run again',
  { timeout: TIMEOUT_MS },
  () => {
    for (let seed = 1; seed <= 100; seed += 1) {
      const scenario = controlPlaneWorld.draw(seed);
      const { failure, drawLog, traceHash } = runScenario(controlPlaneWorld, scenario, {
        record: true,
      });
      expect(failure, `seed ${seed}`).toBeUndefined();
      if (seed > 5) continue;
      const again = runScenario(controlPlaneWorld, scenario, { against: drawLog });
      expect(again.traceHash).toBe(traceHash);
    }
  },
);

const bare = ({ leaseMs }: LeaseTimes): number => leaseMs;

/** Mistakes, and within how many seeds from 1 on each must be caught. */
const CAUGHT_WITHIN: ReadonlyArray<readonly [string, number, ControlMistakes]> = [
  ['drops the margin', 20, { rules: { grantedMs: bare, heldMs: bare, graceMs: bare } }],
  ['lets a new leader declare death at once', 20, { rules: { graceMs: () => 0 } }],
];

test.each(CAUGHT_WITHIN)(
  'a control plane that %s is caught within %i seeds',
  { timeout: TIMEOUT_MS },
  (_mistake, max, mistakes) => {
    const world = controlPlaneWorldWith(mistakes);
    let caught: string | undefined;
    for (let seed = 1; seed <= max && caught === undefined; seed += 1) {
      caught = runScenario(world, world.draw(seed)).failure?.oracle;
    }
    expect(caught).toBe('one-leased-primary');
  },
);
