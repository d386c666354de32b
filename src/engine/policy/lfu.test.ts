import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LfuPolicy } from './lfu.ts';
import { events, Owner } from './test-support.ts';

const ownerOf = (seed = 1): Owner => new Owner((links) => new LfuPolicy(links, seed));

function frequency(owner: Owner, key: number): number {
  const ref = owner.refs.get(key);
  return ref === undefined ? -1 : (owner.policy.frequency(ref) ?? -1);
}

function accessed(owner: Owner, key: number, times: number): void {
  owner.run({ do: 'insert', key });
  for (let time = 0; time < times; time++) owner.run({ do: 'access', key });
}

describe('lfu', () => {
  test('counts, decays and evicts as its definition says, after any sequence of events', () => {
    fc.assert(
      fc.property(events, fc.nat(), (sequence, seed) => {
        const owner = ownerOf(seed);
        /** By key: the counter at the last access, and the minute of it. */
        const model = new Map<number, { counter: number; minute: number }>();
        const minute = (): number => Math.floor(owner.policy.nowSeconds / 60);
        const now = (key: number): number => {
          const { counter, minute: at } = model.get(key) ?? { counter: -1, minute: 0 };
          return Math.max(0, counter - (minute() - at));
        };
        for (const event of sequence) {
          const wasResident = 'key' in event && owner.refs.has(event.key);
          if (event.do === 'evict' && model.size > 0) {
            const least = Math.min(...[...model.keys()].map(now));
            const evicted = owner.run(event) ?? -1;
            expect(now(evicted)).toBe(least);
            model.delete(evicted);
            continue;
          }
          owner.run(event);
          if (event.do === 'clear') model.clear();
          else if (event.do === 'remove') model.delete(event.key);
          else if (event.do === 'insert' && !wasResident) {
            model.set(event.key, { counter: 5, minute: minute() });
          } else if ((event.do === 'access' || event.do === 'insert') && wasResident) {
            const before = now(event.key);
            const after = frequency(owner, event.key);
            expect(after - before).toBeOneOf(before <= 5 ? [1] : [0, 1]);
            model.set(event.key, { counter: after, minute: minute() });
          }
          expect([...model.keys()].filter((key) => frequency(owner, key) !== now(key))).toEqual([]);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    [100, 10],
    [1000, 18],
    [100_000, 142],
    [1_000_000, 255],
  ])('counts about %d accesses as %d', (times, counter) => {
    const counters = [1, 2, 3, 4, 5].map((seed) => {
      const owner = ownerOf(seed);
      accessed(owner, 1, times);
      return frequency(owner, 1);
    });
    const mean = counters.reduce((sum, each) => sum + each, 0) / counters.length;
    expect(Math.abs(mean - counter)).toBeLessThanOrEqual(2 + counter * 0.12);
  });

  test('among equals, the one that reached that frequency first goes first', () => {
    const owner = ownerOf();
    for (const key of [3, 1, 2]) owner.run({ do: 'insert', key });
    expect(owner.drain()).toEqual([3, 1, 2]);
  });

  test('forgets at one count a minute, and lets what was hot long ago go first', () => {
    const owner = ownerOf();
    accessed(owner, 1, 10_000);
    const hot = frequency(owner, 1);
    owner.run({ do: 'wait', seconds: 60 * 10 });
    expect(frequency(owner, 1)).toBe(hot - 10);
    owner.run({ do: 'wait', seconds: 60 * hot });
    owner.run({ do: 'insert', key: 2 });
    expect(frequency(owner, 1)).toBe(0);
    expect(owner.drain()).toEqual([1, 2]);
  });

  test('stays whole when nothing happens for weeks', () => {
    const owner = ownerOf();
    for (let key = 0; key < 20; key++) accessed(owner, key, key * 20);
    for (let week = 0; week < 6; week++) {
      owner.run({ do: 'wait', seconds: 7 * 86_400 + 60 * week });
      for (const key of [week, week + 10]) owner.run({ do: 'relocate', key });
      owner.run({ do: 'access', key: week });
      owner.run({ do: 'remove', key: 19 - week });
      owner.checkLinks();
    }
    expect(owner.drain()).toHaveLength(14);
  });
});
