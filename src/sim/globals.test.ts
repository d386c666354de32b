import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { SeamViolation, withBannedGlobals } from './globals.ts';

const USES: ReadonlyArray<readonly [string, () => unknown]> = [
  ['Date', () => Date.now()],
  ['Date', () => new Date()],
  ['Date', () => Date()],
  ['performance.now', () => performance.now()],
  ['process.hrtime', () => process.hrtime.bigint()],
  ['process.uptime', () => process.uptime()],
  ['process.memoryUsage', () => process.memoryUsage()],
  ['process.nextTick', () => process.nextTick(() => undefined)],
  ['setTimeout', () => setTimeout(() => undefined, 0)],
  ['setInterval', () => setInterval(() => undefined, 0)],
  ['setImmediate', () => setImmediate(() => undefined)],
  ['queueMicrotask', () => queueMicrotask(() => undefined)],
  ['Math.random', () => Math.random()],
  ['crypto.randomUUID', () => crypto.randomUUID()],
  ['crypto.getRandomValues', () => crypto.getRandomValues(new Uint8Array(1))],
  ['crypto.randomBytes', () => randomBytes(1)],
  ['fetch', () => fetch('http://127.0.0.1')],
  ['WeakRef', () => new WeakRef({})],
  ['FinalizationRegistry', () => new FinalizationRegistry(() => undefined)],
];

test.each(USES)('%s throws while a simulation runs, and says what to use', (name, use) => {
  expect(() => withBannedGlobals(use)).toThrow(SeamViolation);
  expect(() => withBannedGlobals(use)).toThrow(`${name} was used in a simulation: `);
});

test('all is as before afterwards, also after a failure, and inside nothing changes by nesting', () => {
  const before = [Date, setTimeout, Math.random, randomBytes, WeakRef, process.hrtime];
  expect(() =>
    withBannedGlobals(() => {
      withBannedGlobals(() => 1);
      expect(() => Math.random()).toThrow(SeamViolation);
      throw new Error('over');
    }),
  ).toThrow('over');
  expect([Date, setTimeout, Math.random, randomBytes, WeakRef, process.hrtime]).toEqual(before);
  expect(Date.now()).toBeGreaterThan(0);
  expect(Object.keys(globalThis)).not.toContain('Date');
});
