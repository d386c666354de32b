import fc from 'fast-check';
import { expect, test } from 'vitest';
import { scenarioArbitrary } from './arbitrary.ts';
import { runScenario } from './run.ts';
import { scenarioSchema } from './scenario.ts';
import { copyWorld } from './test-support.ts';

const sound = copyWorld('none');

test('all scenarios that are drawn are well-formed, and a sound system survives them', () => {
  const schema = scenarioSchema(sound.name, sound.options, sound.operation);
  fc.assert(
    fc.property(scenarioArbitrary(fc, sound), (scenario) => {
      expect(schema.parse(scenario)).toEqual(scenario);
      expect(runScenario(sound, scenario).failure).toBeUndefined();
    }),
    { numRuns: 100 },
  );
});

test('the scenarios that seeds draw are well-formed', () => {
  const schema = scenarioSchema(sound.name, sound.options, sound.operation);
  for (let seed = 0; seed < 300; seed += 1) {
    expect(schema.parse(sound.draw(seed))).toEqual(sound.draw(seed));
  }
});

test('a failure is shrunk by fast-check to the few faults and operations that it needs', () => {
  const world = copyWorld('ackBeforeSync');
  const { counterexample } = fc.check(
    fc.property(
      scenarioArbitrary(fc, world),
      (scenario) => runScenario(world, scenario).failure === undefined,
    ),
    { numRuns: 3000, seed: 3 },
  );
  const [smallest] = counterexample ?? [];
  expect(smallest).toBeDefined();
  expect(smallest?.faults.length).toBeLessThanOrEqual(2);
  expect(smallest?.operations.length).toBeLessThanOrEqual(3);
});
