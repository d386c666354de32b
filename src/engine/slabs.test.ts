import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { Slabs } from './slabs.ts';

const BLOCK = 16 * 1024;

it('hands each block out to one owner at a time, whatever is taken, given and reserved', () => {
  const step = fc.oneof(
    { arbitrary: fc.record({ do: fc.constantFrom('take', 'give'), number: fc.nat() }), weight: 20 },
    {
      arbitrary: fc.record({
        do: fc.constantFrom('reserve', 'idle', 'ready'),
        number: fc.nat(300),
      }),
      weight: 1,
    },
  );
  fc.assert(
    fc.property(fc.nat(200), fc.array(step, { maxLength: 600, size: 'max' }), (blocks, steps) => {
      const slabs = new Slabs(BLOCK, blocks * BLOCK);
      const held = new Map<number, Uint32Array>();
      let nowMs = 0;
      for (const { do: what, number } of steps) {
        nowMs += 10;
        if (what === 'take') {
          const block = slabs.take();
          expect(held.has(block)).toBe(false);
          const words = new Uint32Array(slabs.buffer(block), slabs.offset(block), BLOCK / 4);
          words.fill(block);
          held.set(block, words);
        } else if (what === 'give' && held.size > 0) {
          const block = [...held.keys()][number % held.size];
          slabs.give(block);
          held.delete(block);
        } else if (what === 'reserve') slabs.reserve(number * BLOCK);
        else if (what === 'idle') slabs.giveBackIdle(nowMs, 100);
        else if (what === 'ready') slabs.makeReady(number * BLOCK, number);
        expect(slabs.bytesTouched).toBeGreaterThanOrEqual(held.size * BLOCK);
      }
      for (const [block, words] of held) {
        expect(words[0]).toBe(block);
        expect(words[BLOCK / 4 - 1]).toBe(block);
      }
    }),
    { numRuns: 200 },
  );
});

it('gives back what has been empty for a while, and not what was used since', () => {
  const slabs = new Slabs(BLOCK, 4 * 64 * BLOCK);
  const blocks = Array.from({ length: 2 * 64 }, () => slabs.take());
  expect(slabs.bytesTouched).toBe(2 * 64 * BLOCK);
  for (const block of blocks) slabs.give(block);
  expect(slabs.giveBackIdle(1000, 500)).toBe(false);
  const again = slabs.take();
  slabs.give(again);
  expect(slabs.giveBackIdle(1600, 500)).toBe(true);
  expect(slabs.giveBackIdle(1700, 500)).toBe(false);
  expect(slabs.bytesTouched).toBe(64 * BLOCK);
  expect(slabs.giveBackIdle(2200, 500)).toBe(true);
  expect(slabs.bytesTouched).toBe(0);
});

it('makes memory ready in steps, up to what was asked for, and hands that out first', () => {
  const slabs = new Slabs(BLOCK, 2 * 64 * BLOCK);
  const pages = BLOCK / 4096;
  expect(slabs.makeReady(70 * BLOCK, 10)).toBe(10);
  expect(slabs.bytesTouched).toBe(10 * 4096);
  while (slabs.makeReady(70 * BLOCK, 10) > 0);
  expect(slabs.bytesTouched).toBe(70 * BLOCK);
  for (let count = 0; count < 70; count++) slabs.take();
  expect(slabs.bytesTouched).toBe(70 * BLOCK);
  expect(slabs.makeReady(2 * BLOCK, 100)).toBe(2 * pages);
  // No more than there is, and what has come back counts.
  expect(slabs.makeReady(1000 * BLOCK, 10_000)).toBe((2 * 64 - 72) * pages);
  const blocks = Array.from({ length: 58 }, () => slabs.take());
  for (const block of blocks) slabs.give(block);
  expect(slabs.makeReady(58 * BLOCK, 100)).toBe(0);
  expect(slabs.bytesTouched).toBe(2 * 64 * BLOCK);
});
