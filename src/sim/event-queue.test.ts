import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EventQueue } from './event-queue.ts';

test('runs events by time, and those of one time in the order they were scheduled', () => {
  const plan = fc.array(fc.record({ delayUs: fc.nat(20), isCancelled: fc.boolean() }));
  fc.assert(
    fc.property(plan, (events) => {
      const queue = new EventQueue();
      const ran: number[] = [];
      const scheduled = events.map(({ delayUs }, i) => queue.schedule(delayUs, () => ran.push(i)));
      events.forEach(({ isCancelled }, i) => {
        if (isCancelled) scheduled[i].run = undefined;
      });
      while (queue.runNext());
      const expected = events
        .map(({ delayUs, isCancelled }, i) => ({ delayUs, isCancelled, i }))
        .filter(({ isCancelled }) => !isCancelled)
        .sort((a, b) => a.delayUs - b.delayUs || a.i - b.i);
      expect(ran).toEqual(expected.map(({ i }) => i));
    }),
  );
});

test('an event that is due now runs after those that were due before it', () => {
  const queue = new EventQueue();
  const ran: string[] = [];
  queue.schedule(5, () => {
    ran.push('first');
    queue.schedule(0, () => ran.push('third'));
  });
  queue.schedule(5, () => ran.push('second'));
  queue.runUntil(7);
  expect(ran).toEqual(['first', 'second', 'third']);
  expect(queue.nowUs).toBe(7);
});

test('refuses a time that is not a whole number of microseconds from now on', () => {
  const queue = new EventQueue();
  expect(() => queue.schedule(0.5, () => undefined)).toThrow('whole number');
  expect(() => queue.schedule(-1, () => undefined)).toThrow('whole number');
});
