import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortedMap, type SortedView } from './sorted-map.ts';

const key = fc.oneof(
  fc.integer({ min: 0, max: 1500 }).map((number) => `k/${number}`),
  fc.string({ maxLength: 3 }),
);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('set'), key, value: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('delete'), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('freeze') }) },
  // Long runs, so that chunks are split and joined.
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('setMany', 'deleteMany'),
      from: fc.integer({ min: 0, max: 1500 }),
      count: fc.integer({ min: 1, max: 800 }),
      stride: fc.constantFrom(1, -1, 7),
    }),
  },
);

interface Step {
  readonly kind: string;
  readonly key?: string;
  readonly value?: number;
  readonly from?: number;
  readonly count?: number;
  readonly stride?: number;
}

function run(map: SortedMap<number>, model: Map<string, number>, taken: Step): void {
  const { kind, key: one = '', value = 0, from = 0, count = 0, stride = 1 } = taken;
  const many = Array.from({ length: count }, (_, index) => `k/${from + index * stride}`);
  for (const each of kind.endsWith('Many') ? many : [one]) {
    if (kind.startsWith('set')) {
      map.set(each, value);
      model.set(each, value);
    } else {
      expect(map.delete(each)).toBe(model.delete(each));
    }
  }
}

function sorted(model: ReadonlyMap<string, number>, from: string): Array<[string, number]> {
  return [...model].filter(([each]) => each >= from).sort(([a], [b]) => (a < b ? -1 : 1));
}

function expectSame(view: SortedView<number>, model: ReadonlyMap<string, number>): void {
  expect(view.size).toBe(model.size);
  expect([...view.from('')]).toEqual(sorted(model, ''));
  expect([...view.from('k/5')]).toEqual(sorted(model, 'k/5'));
  for (const [each, value] of model) expect(view.get(each)).toBe(value);
  expect(view.get('k/none')).toBeUndefined();
}

test('it is a sorted map, and what was frozen never changes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps: readonly Step[]) => {
      const map = new SortedMap<number>();
      const model = new Map<string, number>();
      const frozen: Array<[SortedView<number>, ReadonlyMap<string, number>]> = [];
      for (const taken of steps) {
        if (taken.kind === 'freeze') frozen.push([map.freeze(), new Map(model)]);
        else run(map, model, taken);
      }
      expectSame(map, model);
      for (const [view, then] of frozen) expectSame(view, then);
    }),
    { numRuns: 150 },
  );
});
