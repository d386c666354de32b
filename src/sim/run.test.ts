import { describe, expect, test } from 'vitest';
import { runScenario } from './run.ts';
import { copyWorld } from './test-support.ts';
import { Divergence } from './trace.ts';

const sound = copyWorld('none');

function seedsUntilFailure(bug: Parameters<typeof copyWorld>[0], seedsMax: number) {
  const world = copyWorld(bug);
  for (let seed = 0; seed < seedsMax; seed += 1) {
    const { failure } = runScenario(world, world.draw(seed));
    if (failure !== undefined) return { seed, ...failure };
  }
  return undefined;
}

describe('a run', () => {
  test('of a sound system breaks no promise and converges, whatever the faults', () => {
    const reached = new Set<string>();
    for (let seed = 0; seed < 150; seed += 1) {
      const { failure, points } = runScenario(sound, sound.draw(seed));
      expect(failure, `seed ${seed}`).toBeUndefined();
      for (const [name] of points.entries()) reached.add(name);
    }
    expect([...reached].sort()).toEqual([...sound.points].sort());
  });

  test('is the same run again: trace hash, events and virtual time follow from the seed', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const once = runScenario(sound, sound.draw(seed), { record: true });
      const again = runScenario(sound, sound.draw(seed), { against: once.drawLog });
      expect([again.traceHash, again.steps]).toEqual([once.traceHash, once.steps]);
    }
  });

  test('that leaves the run it is compared with is stopped at the first step that differs', () => {
    const { drawLog } = runScenario(sound, sound.draw(3), { record: true });
    const at = Math.floor(drawLog.length / 2);
    const other = drawLog.slice();
    other[at] ^= 1;
    expect(() => runScenario(sound, sound.draw(3), { against: other })).toThrow(Divergence);
    expect(() => runScenario(sound, sound.draw(3), { against: other })).toThrow(`at step ${at},`);
  });

  test('differs from that of another seed, and from that of a changed scenario', () => {
    const { traceHash } = runScenario(sound, sound.draw(7));
    expect(runScenario(sound, sound.draw(8)).traceHash).not.toBe(traceHash);
    const scenario = sound.draw(7);
    const shorter = { ...scenario, operations: scenario.operations.slice(1) };
    expect(runScenario(sound, shorter).traceHash).not.toBe(traceHash);
  });

  test.each([
    ['ackBeforeSync', 'kept', 1000],
    ['trustBytes', 'equal copies', 200],
    ['useDate', 'no-exception', 1],
    ['spin', 'bounded-work', 1],
  ] as const)('finds the bug %s by the oracle %s', (bug, oracle, seedsMax) => {
    expect(seedsUntilFailure(bug, seedsMax)?.oracle).toBe(oracle);
  });

  test('names the part of the seam that was bypassed, and where', () => {
    const failure = seedsUntilFailure('useDate', 1);
    expect(failure?.sentence).toContain('take the time from Runtime.clock');
    expect(failure?.stack).toContain('test-support.ts');
  });
});
