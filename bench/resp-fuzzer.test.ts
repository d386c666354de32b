import { expect, test } from 'vitest';
import { collect } from './collect.ts';
import { RespFuzzer } from './resp-fuzzer.ts';

/** `npm run fuzz:resp` does twenty times as many. */
const INPUTS = 50_000;

test('random and mutated inputs crash nothing, depend on no cut, and leave nothing behind', () => {
  new RespFuzzer(2).run(INPUTS / 10);
  collect();
  const before = process.memoryUsage();
  const fuzzer = new RespFuzzer(1);
  fuzzer.run(INPUTS);
  collect();
  const after = process.memoryUsage();
  const { counts } = fuzzer;
  expect(counts.inputs).toBe(INPUTS);
  expect(counts.requests).toBeGreaterThan(INPUTS);
  expect(counts.oversized).toBeGreaterThan(INPUTS / 100);
  expect(counts.protocolErrors).toBeGreaterThan(INPUTS / 10);
  expect(counts.replies).toBeGreaterThan(INPUTS);
  expect(counts.carryBytesMax).toBeLessThan(32 * 1024);
  const grownBytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  expect(grownBytes).toBeLessThan(4 * 1024 * 1024);
});
