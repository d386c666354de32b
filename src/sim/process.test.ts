import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Runtime } from '../runtime/index.ts';
import { SimClock } from './clock.ts';
import { EventQueue } from './event-queue.ts';
import type { SimProcess } from './process.ts';
import { Simulation } from './simulation.ts';

const ppm = fc.integer({ min: -100_000, max: 100_000 });

describe('a clock', () => {
  test('never goes back, whatever its rate and its steps, and wall time steps as told', () => {
    const changes = fc.array(fc.record({ afterUs: fc.nat(5_000_000), driftPpm: ppm }));
    fc.assert(
      fc.property(changes, fc.nat(1_000_000), (list, offsetUs) => {
        const queue = new EventQueue();
        const clock = new SimClock(queue, { offsetUs, driftPpm: 0, wallUs: 50 });
        let before = clock.monotonicUs();
        expect(before).toBe(offsetUs);
        for (const { afterUs, driftPpm } of list) {
          const wallBefore = clock.wallUs();
          clock.stepWall(-77);
          expect(clock.wallUs()).toBe(wallBefore - 77);
          queue.runUntil(queue.nowUs + afterUs);
          clock.setDrift(driftPpm);
          expect(clock.monotonicUs()).toBeGreaterThanOrEqual(before);
          before = clock.monotonicUs();
        }
      }),
    );
  });

  test('says exactly how long a local delay takes: not a microsecond too short or too long', () => {
    fc.assert(
      fc.property(ppm, fc.nat(100_000_000), fc.nat(1_000_000), (driftPpm, localUs, afterUs) => {
        const queue = new EventQueue();
        const clock = new SimClock(queue, { offsetUs: 0, driftPpm, wallUs: 0 });
        queue.runUntil(afterUs);
        const from = clock.monotonicUs();
        const delayUs = clock.virtualDelayUs(localUs);
        queue.runUntil(afterUs + Math.max(0, delayUs - 1));
        const isShortBefore = clock.monotonicUs() - from < localUs;
        expect(isShortBefore).toBe(delayUs > 0);
        queue.runUntil(afterUs + delayUs);
        expect(clock.monotonicUs() - from).toBeGreaterThanOrEqual(localUs);
      }),
    );
  });
});

function makeProcess(program: (runtime: Runtime) => void, timerLatenessUsMax = 0) {
  const simulation = new Simulation({
    seed: 5,
    network: {
      latency: { shape: 'uniform', minUs: 1, spreadUs: 0 },
      loss: [0, 1],
      reset: [0, 1],
      split: [0, 1],
      bitFlip: [0, 1],
      replay: [0, 1],
      giveUpUs: 1,
    },
  });
  const process = simulation.addProcess({
    name: 'p',
    zone: 'z1',
    clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
    timerLatenessUsMax,
    decideDisk: () => ({ delayUs: 10 }),
    program,
  });
  const run = (milliseconds: number): void =>
    simulation.queue.runUntil(simulation.queue.nowUs + milliseconds * 1000);
  return { simulation, process, run };
}

/** Writes `a`, `b`, `c`, … one after another, each when the one before is there. */
function writer(runtime: Runtime): void {
  runtime.disk.openAppend('file', (_, file) => {
    const write = (letter: number): void =>
      file.append(Buffer.from(String.fromCharCode(letter)), () => write(letter + 1));
    write(97);
  });
}

function written(process: SimProcess): string {
  return Buffer.from(process.disk.image().files.get('file') ?? []).toString();
}

describe('a process', () => {
  test('can die at every effect: what came before it has happened, what comes after has not', () => {
    for (let effects = 1; effects < 8; effects += 1) {
      const { process, run } = makeProcess(writer);
      process.start();
      process.dieAtEffect(effects, () => process.kill());
      run(1);
      expect(process.status).toBe('down');
      expect(written(process)).toBe('abcdefgh'.slice(0, Math.max(0, effects - 2)));
    }
  });

  test('has no effect any more in the callback in which it died', () => {
    const { process, run } = makeProcess((runtime) => {
      runtime.disk.openAppend('one', () => expect.unreachable());
      runtime.disk.openAppend('two', () => expect.unreachable());
      runtime.timers.after(1, () => expect.unreachable());
    });
    process.start();
    process.dieAtEffect(2, () => process.losePower('keep'));
    run(10);
    expect([...process.disk.image().files.keys()]).toEqual(['one']);
  });

  test('starts anew after each death, with the random numbers of another life', () => {
    const draws: number[] = [];
    const { process, run } = makeProcess(({ random }) => draws.push(random.uint32()));
    for (let life = 0; life < 3; life += 1) {
      process.start();
      run(1);
      process.kill();
    }
    expect(new Set(draws).size).toBe(3);
  });

  test('that is paused is called later, in the same order, and its clock goes on', () => {
    const calls: string[] = [];
    const { process, run } = makeProcess(({ timers, clock }) => {
      for (const delayMs of [3, 1, 2, 30]) {
        timers.after(delayMs, () => calls.push(`${delayMs} at ${clock.monotonicUs()}`));
      }
    });
    process.start();
    run(0);
    process.pause();
    run(20);
    expect(calls).toEqual([]);
    process.resume();
    run(0);
    expect(calls).toEqual(['1 at 20000', '2 at 20000', '3 at 20000']);
    run(10);
    expect(calls).toHaveLength(4);
  });

  test('that is slow is called no sooner than its last callback is over, in order', () => {
    const calls: Array<[number, number]> = [];
    const { process, run } = makeProcess(({ timers, clock }) => {
      for (let i = 0; i < 5; i += 1) timers.after(1, () => calls.push([i, clock.monotonicUs()]));
    });
    process.start();
    run(0);
    process.callbackUs = 700;
    run(20);
    expect(calls.map(([i]) => i)).toEqual([0, 1, 2, 3, 4]);
    expect(calls.map(([, at]) => at)).toEqual([1000, 1700, 2400, 3100, 3800]);
  });

  test('has timers that are never early, and that are silent once cancelled', () => {
    const late: number[] = [];
    const { process, run } = makeProcess(({ timers, clock }) => {
      timers.after(5, () => expect.unreachable()).cancel();
      for (let i = 1; i <= 50; i += 1) {
        timers.after(i, () => late.push(clock.monotonicUs() - i * 1000));
      }
    }, 400);
    process.start();
    run(100);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...late)).toBeLessThanOrEqual(400);
    expect(new Set(late).size).toBeGreaterThan(10);
  });

  test('that loses power loses what it had not synced; killed, it keeps it', () => {
    for (const isKilled of [true, false]) {
      const { process, run } = makeProcess((runtime) => {
        runtime.disk.openAppend('file', () =>
          runtime.disk.syncDirectory('.', () => writer(runtime)),
        );
      });
      process.start();
      run(1);
      if (isKilled) process.kill();
      else process.losePower('drop');
      expect(written(process) === '').toBe(!isKilled);
      expect(process.hasPower).toBe(isKilled);
    }
  });
});
