import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from './fifo.ts';

test('a queue gives back what it was given, in that order', () => {
  const step = fc.oneof(
    { weight: 20, arbitrary: fc.record({ push: fc.integer({ min: 1, max: 100 }) }) },
    { weight: 20, arbitrary: fc.record({ shift: fc.integer({ min: 1, max: 100 }) }) },
    { weight: 1, arbitrary: fc.constant({ takeAll: true }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new Fifo<number>();
      let model: number[] = [];
      let next = 0;
      for (const one of steps) {
        if ('push' in one) {
          for (let count = 0; count < one.push; count++) {
            queue.push(next);
            model.push(next++);
          }
        } else if ('shift' in one) {
          for (let count = 0; count < one.shift; count++) {
            expect(queue.shift()).toBe(model.shift());
          }
        } else {
          expect(queue.takeAll()).toEqual(model);
          model = [];
        }
        expect(queue.length).toBe(model.length);
        const seen: number[] = [];
        queue.forEach((item) => seen.push(item));
        expect(seen).toEqual(model);
      }
    }),
  );
});
