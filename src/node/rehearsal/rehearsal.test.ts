import { expect, test } from 'vitest';
import type { Runtime } from '../../runtime/index.ts';
import { CALM_NETWORK, Simulation } from '../../sim/index.ts';
import { Rehearsal } from './rehearsal.ts';

/** A process that does nothing else. */
function rehearsing(): { simulation: Simulation; rehearsal: Rehearsal; isOver: () => boolean } {
  const simulation = new Simulation({ seed: 1, network: CALM_NETWORK });
  let rehearsal: Rehearsal | undefined;
  let isOver = false;
  const begin = (runtime: Runtime): void => {
    // Of the process's own network nothing is to be used.
    const network = {
      listen: () => expect.unreachable(),
      connect: () => expect.unreachable(),
    };
    rehearsal = new Rehearsal({ ...runtime, network }, () => (isOver = true));
  };
  const process = simulation.addProcess({
    name: 'node',
    zone: 'z1',
    clock: { offsetUs: 0, driftPpm: 0, wallUs: 1_767_225_600_000_000 },
    timerLatenessUsMax: 0,
    decideDisk: () => ({ delayUs: 1 }),
    program: begin,
  });
  process.start();
  simulation.queue.runUntil(1000);
  if (rehearsal === undefined) throw new Error('the process has not started');
  return { simulation, rehearsal, isOver: () => isOver };
}

test('shards change hands six times under load, and nothing goes on afterwards', () => {
  const { simulation, rehearsal, isOver } = rehearsing();
  simulation.queue.runUntil(5_000_000);
  expect(rehearsal.rounds).toBe(6);
  expect(isOver()).toBe(true);
  // What is left of its nodes has no timer that calls for another.
  simulation.queue.runUntil(20_000_000);
  const { steps } = simulation;
  simulation.queue.runUntil(60_000_000);
  expect(simulation.steps).toBe(steps);
});

test('is stopped at any moment', () => {
  for (const atMs of [0, 15, 40, 150, 300, 500, 700]) {
    const { simulation, rehearsal, isOver } = rehearsing();
    simulation.queue.runUntil(1000 + atMs * 1000);
    rehearsal.stop();
    rehearsal.stop();
    simulation.queue.runUntil(10_000_000);
    expect(isOver()).toBe(true);
  }
});
