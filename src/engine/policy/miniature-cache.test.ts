import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPolicy, MiniatureCache } from './index.ts';

const RECORDS_MAX = 16;

type Step =
  | { readonly do: 'request' | 'write'; readonly hash: number; readonly bytes: number }
  | { readonly do: 'remove' | 'removeAbove' | 'missedElsewhere'; readonly hash: number }
  | { readonly do: 'capacity'; readonly bytes: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'clear' };

/** Many of them collide in a table of 32 slots, at its end above all. */
const hash = fc.oneof(
  fc.constantFrom(30, 31, 62, 63, 94, 95, -1, -2, -33, 0x7fff_ffff, 0),
  fc.integer(),
);

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 30,
      arbitrary: fc.record({
        do: fc.constantFrom('request' as const, 'request' as const, 'write' as const),
        hash,
        bytes: fc.integer({ min: 1, max: 40 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constantFrom('remove' as const, 'removeAbove' as const, 'missedElsewhere' as const),
        hash,
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('capacity' as const), bytes: fc.nat(200) }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  ),
  { maxLength: 300, size: 'max' },
);

/** A least-recently-used cache in the plainest form: a map, oldest first. */
class Model {
  readonly records = new Map<number, { bytes: number; deadline: number; fillDue: boolean }>();
  nowSeconds = 0;
  capacity = 100;

  get bytes(): number {
    return [...this.records.values()].reduce((sum, record) => sum + record.bytes, 0);
  }

  isHit(key: number): boolean {
    const record = this.records.get(key);
    if (record === undefined) return false;
    return record.deadline === 0 || record.deadline > this.nowSeconds;
  }

  request(key: number, bytes: number): boolean {
    if (this.use(key)) return true;
    this.insert(key, bytes, 0);
    return false;
  }

  /** Makes the record the newest, if it is there. */
  use(key: number): boolean {
    const isHit = this.isHit(key);
    const record = this.records.get(key);
    this.records.delete(key);
    if (isHit && record !== undefined) this.records.set(key, record);
    return isHit;
  }

  missedElsewhere(key: number): boolean {
    if (!this.use(key)) return false;
    const record = this.records.get(key);
    if (record !== undefined) record.fillDue = true;
    return true;
  }

  write(key: number, bytes: number, deadline: number): void {
    const record = this.records.get(key);
    if (!this.isHit(key) || record === undefined) {
      this.records.delete(key);
      this.insert(key, bytes, deadline);
      return;
    }
    if (!record.fillDue) this.use(key);
    record.bytes = bytes;
    record.deadline = deadline;
    record.fillDue = false;
    this.makeRoom(0);
  }

  insert(key: number, bytes: number, deadline: number): void {
    if (bytes > this.capacity) return;
    this.makeRoom(bytes);
    if (this.records.size === RECORDS_MAX) this.evict();
    this.records.set(key, { bytes, deadline, fillDue: false });
  }

  makeRoom(bytes: number): void {
    while (this.bytes + bytes > this.capacity) this.evict();
  }

  evict(): void {
    for (const oldest of this.records.keys()) {
      this.records.delete(oldest);
      return;
    }
  }
}

function run(cache: MiniatureCache, model: Model, step: Step): void {
  if (step.do === 'request') {
    expect(cache.request(step.hash, step.bytes)).toBe(model.request(step.hash, step.bytes));
  } else if (step.do === 'write') {
    const deadline = step.bytes % 3 === 0 ? model.nowSeconds + step.bytes : 0;
    cache.write(step.hash, step.bytes, deadline);
    model.write(step.hash, step.bytes, deadline);
  } else if (step.do === 'remove') {
    cache.remove(step.hash);
    model.records.delete(step.hash);
  } else if (step.do === 'missedElsewhere') {
    expect(cache.requestMissedElsewhere(step.hash)).toBe(model.missedElsewhere(step.hash));
  } else if (step.do === 'removeAbove') {
    cache.removeWhere((each) => each > step.hash);
    for (const each of model.records.keys()) if (each > step.hash) model.records.delete(each);
  } else if (step.do === 'capacity') {
    cache.setCapacity(step.bytes);
    model.capacity = step.bytes;
    model.makeRoom(0);
  } else if (step.do === 'wait') {
    model.nowSeconds += step.seconds;
    cache.nowSeconds = model.nowSeconds;
  } else {
    cache.clear();
    model.records.clear();
  }
}

/** What a cache holds once it has had so many records at once: memory grows, and is kept. */
function memoryBytesFor(records: number): number {
  const cache = new MiniatureCache((links) => createPolicy('lru', links, 0), RECORDS_MAX);
  cache.setCapacity(records);
  for (let each = 0; each < records; each++) cache.request(each, 1);
  return cache.memoryBytes;
}

/** As many records as there is room for, so that the tables have grown to their end. */
const FULL: Step[] = Array.from({ length: RECORDS_MAX }, (_, each) => ({
  do: 'request',
  hash: each,
  bytes: 1,
}));

describe('a miniature cache', () => {
  test('hits, expires and evicts as a plain model does', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const cache = new MiniatureCache((links) => createPolicy('lru', links, 0), RECORDS_MAX);
        const model = new Model();
        cache.setCapacity(model.capacity);
        let recordsMost = 0;
        for (const step of sequence) {
          run(cache, model, step);
          expect([cache.records, cache.bytes]).toEqual([model.records.size, model.bytes]);
          recordsMost = Math.max(recordsMost, cache.records);
          if (!('hash' in step)) continue;
          expect(cache.has(step.hash)).toBe(model.isHit(step.hash));
          if (!model.isHit(step.hash)) model.records.delete(step.hash);
        }
        expect(cache.memoryBytes).toBe(memoryBytesFor(recordsMost));
      }),
      { numRuns: 300, examples: [[FULL], [[...FULL, { do: 'clear' }]]] },
    );
  });
});
