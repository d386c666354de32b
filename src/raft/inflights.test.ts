import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Inflights } from './inflights.ts';
import { asIndex } from './types.ts';

const operation = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), bytes: fc.integer({ min: 0, max: 50 }) }),
  fc.record({ kind: fc.constant('free' as const), index: fc.nat(60) }),
  fc.record({ kind: fc.constant('freeFirst' as const) }),
  fc.record({ kind: fc.constant('clear' as const) }),
);

test('a window holds what was added and not freed, and is full by count or by bytes', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const inflights = new Inflights(4, 100);
      let model: Array<{ last: number; bytes: number }> = [];
      let last = 0;
      for (const step of operations) {
        if (step.kind === 'add') {
          if (inflights.isFull) {
            expect(() => inflights.add(asIndex(last + 1), step.bytes)).toThrow('full window');
            continue;
          }
          last++;
          inflights.add(asIndex(last), step.bytes);
          model.push({ last, bytes: step.bytes });
        } else if (step.kind === 'free') {
          inflights.freeThrough(asIndex(step.index));
          model = model.filter((message) => message.last > step.index);
        } else if (step.kind === 'freeFirst') {
          inflights.freeFirst();
          model = model.slice(1);
        } else {
          inflights.clear();
          model = [];
        }
        const bytes = model.reduce((sum, message) => sum + message.bytes, 0);
        expect([inflights.count, inflights.bytes]).toEqual([model.length, bytes]);
        expect(inflights.isFull).toBe(model.length >= 4 || bytes >= 100);
      }
    }),
  );
});
