import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createPolicy } from './index.ts';
import { events, hashOf, Owner } from './test-support.ts';

const evicting = ['lru', 'lfu', 'tinylfu'] as const;

describe.each(evicting)('%s', (name) => {
  test('offers each resident record once, after any sequence of events', () => {
    fc.assert(
      fc.property(events, fc.nat(), (sequence, seed) => {
        const owner = new Owner((links) => createPolicy(name, links, seed));
        for (const event of sequence) {
          owner.run(event);
          owner.checkLinks();
        }
        owner.drain();
        expect(owner.policy.victim()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  test('offers the same record again as long as nothing happens', () => {
    const owner = new Owner((links) => createPolicy(name, links, 1));
    for (let key = 0; key < 20; key++) owner.run({ do: 'insert', key });
    const victim = owner.policy.victim();
    expect(owner.refs.size).toBe(20);
    expect(owner.keyOf(victim)).toBe(owner.keyOf(owner.policy.victim()));
  });

  test('depends on its calls and its seed alone', () => {
    fc.assert(
      fc.property(events, fc.nat(), (sequence, seed) => {
        const outcome = (): unknown[] => {
          const owner = new Owner((links) => createPolicy(name, links, seed));
          return [sequence.map((event) => owner.run(event)), owner.drain()];
        };
        expect(outcome()).toEqual(outcome());
      }),
      { numRuns: 50 },
    );
  });

  test('starts anew after clear, as if it had never seen a key', () => {
    fc.assert(
      fc.property(events, events, (before, after) => {
        const used = new Owner((links) => createPolicy(name, links, 5));
        for (const event of before) used.run(event);
        used.run({ do: 'clear' });
        expect(used.policy.victim()).toBe(0);
        for (const event of after) used.run(event);
        used.drain();
      }),
      { numRuns: 50 },
    );
  });

  test('takes a bounded number of steps a call, however many records are resident', () => {
    for (const keys of [90, 900]) {
      const { worst, victims } = stepsOfACall(name, keys);
      expect(victims).toBeGreaterThan(0);
      expect(worst).toBeLessThanOrEqual(300);
    }
  });
});

/** The most reads and writes of records' fields in one call. */
function stepsOfACall(
  name: (typeof evicting)[number],
  keys: number,
): { worst: number; victims: number } {
  const owner = new Owner((links) => {
    const counted = new Proxy(links, {
      get(target, property) {
        const member: unknown = Reflect.get(target, property);
        if (typeof member !== 'function') return member;
        return (...args: unknown[]): unknown => {
          steps++;
          return Reflect.apply(member, target, args);
        };
      },
    });
    return createPolicy(name, counted, 1);
  });
  let steps = 0;
  let worst = 0;
  let victims = 0;
  const run = (event: Parameters<Owner['run']>[0]): void => {
    steps = 0;
    if (owner.run(event) !== undefined) victims++;
    worst = Math.max(worst, steps);
  };
  for (let key = 0; key < keys; key++) run({ do: 'insert', key });
  for (let turn = 0; turn < 30_000; turn++) {
    const key = turn < 15_000 ? turn % (keys + 50) : (hashOf(turn) % keys) >>> 1;
    if (turn % 5000 === 0) run({ do: 'wait', seconds: 20_000 });
    if (owner.refs.has(key)) run({ do: 'access', key });
    else {
      while (owner.refs.size >= keys - 1) run({ do: 'evict' });
      run({ do: 'insert', key });
    }
  }
  return { worst, victims };
}

describe('lru', () => {
  test('evicts in exact order of the last access', () => {
    fc.assert(
      fc.property(events, (sequence) => {
        const owner = new Owner((links) => createPolicy('lru', links, 0));
        let order: number[] = [];
        for (const event of sequence) {
          const evicted = owner.run(event);
          if (event.do === 'evict') expect(evicted).toBe(order.shift());
          else if (event.do === 'clear') order = [];
          else if (event.do === 'remove') order = order.filter((key) => key !== event.key);
          else if (event.do === 'insert' || (event.do === 'access' && order.includes(event.key))) {
            order = [...order.filter((key) => key !== event.key), event.key];
          }
        }
        expect(owner.drain()).toEqual(order);
      }),
      { numRuns: 300 },
    );
  });
});

describe('noeviction', () => {
  test('offers no victim', () => {
    const owner = new Owner((links) => createPolicy('noeviction', links, 0));
    owner.run({ do: 'insert', key: 1 });
    owner.run({ do: 'access', key: 1 });
    expect(owner.policy.victim()).toBe(0);
    expect(owner.policy.bytes).toBe(0);
  });
});

describe.each(['lru', 'tinylfu', 'noeviction'] as const)('%s', (name) => {
  test('tells for how many seconds a record has been idle', () => {
    const owner = new Owner((links) => createPolicy(name, links, 0));
    owner.policy.nowSeconds = 1_790_000_000;
    owner.run({ do: 'insert', key: 1 });
    owner.run({ do: 'insert', key: 2 });
    owner.policy.nowSeconds += 5;
    owner.run({ do: 'access', key: 2 });
    owner.policy.nowSeconds += 100_000;
    const idle = (key: number): number | undefined => {
      const ref = owner.refs.get(key);
      return ref === undefined ? undefined : owner.policy.idleSeconds(ref);
    };
    expect([idle(1), idle(2)]).toEqual([100_005, 100_000]);
  });
});
