/** What the tests of the policies share: an owner of records that runs any sequence of events. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { invariant } from '../../runtime/index.ts';
import { ArrayLinks } from './array-links.ts';
import type { EvictionPolicy } from './policy.ts';

export type Event =
  | { readonly do: 'insert' | 'access' | 'remove' | 'relocate'; readonly key: number }
  | { readonly do: 'resize'; readonly key: number; readonly bytes: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'evict' | 'clear' };

const key = fc.nat(30);
const about = (
  ...events: ReadonlyArray<'insert' | 'access' | 'remove' | 'relocate'>
): fc.Arbitrary<Event> => fc.record({ do: fc.constantFrom(...events), key });

export const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    { weight: 40, arbitrary: about('insert') },
    { weight: 40, arbitrary: about('access') },
    { weight: 20, arbitrary: about('remove', 'relocate', 'relocate') },
    {
      weight: 10,
      arbitrary: fc.record({
        do: fc.constant('resize' as const),
        key,
        bytes: fc.integer({ min: 1, max: 5000 }),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('wait' as const),
        seconds: fc.oneof(fc.nat(90), fc.nat(40_000)),
      }),
    },
    { weight: 25, arbitrary: fc.record({ do: fc.constant('evict' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  ),
  { maxLength: 400, size: 'max' },
);

/** Well mixed, and the same for the same key. */
export function hashOf(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}

/** Owns records as an engine does, and keeps a plain account of them. */
export class Owner {
  readonly links = new ArrayLinks(1000);
  readonly policy: EvictionPolicy;
  /** By key. */
  readonly refs = new Map<number, number>();

  constructor(makePolicy: (links: ArrayLinks) => EvictionPolicy) {
    this.policy = makePolicy(this.links);
  }

  /** @returns the key that an eviction took, if there was one */
  run(event: Event): number | undefined {
    if (event.do === 'wait') {
      this.policy.nowSeconds += event.seconds;
    } else if (event.do === 'clear') {
      this.policy.clear();
      this.refs.clear();
      this.links.clear();
    } else if ('key' in event) {
      this.#runOn(event, this.refs.get(event.key));
    } else {
      return this.evict();
    }
    return undefined;
  }

  evict(): number | undefined {
    const victim = this.policy.victim();
    if (victim === 0) {
      expect(this.refs.size).toBe(0);
      return undefined;
    }
    const evicted = this.keyOf(victim);
    this.#runOn({ do: 'remove', key: evicted }, victim);
    return evicted;
  }

  /** Evicts until nothing is left: each resident key once, and none else. */
  drain(): number[] {
    const residents = new Set(this.refs.keys());
    const order: number[] = [];
    for (let evicted = this.evict(); evicted !== undefined; evicted = this.evict()) {
      order.push(evicted);
    }
    expect(new Set(order)).toEqual(residents);
    expect(order).toHaveLength(residents.size);
    return order;
  }

  keyOf(ref: number): number {
    for (const [each, itsRef] of this.refs) if (itsRef === ref) return each;
    throw new Error(`${ref} is no resident record`);
  }

  #runOn(event: Extract<Event, { key: number }>, ref: number | undefined): void {
    const { links, policy, refs } = this;
    const hash = hashOf(event.key);
    if (ref === undefined) {
      if (event.do !== 'insert') return;
      const added = links.add(hash, 10 + ((event.key * 37) % 300));
      refs.set(event.key, added);
      policy.inserted(added, hash);
    } else if (event.do === 'remove') {
      policy.removed(ref, hash);
      refs.delete(event.key);
      links.free(ref);
    } else if (event.do === 'relocate') {
      const copy = links.add(hash, links.recordBytes(ref));
      links.setOlder(copy, links.older(ref));
      links.setNewer(copy, links.newer(ref));
      links.setQueue(copy, links.queue(ref));
      links.setAccessBits(copy, links.accessBits(ref));
      refs.set(event.key, copy);
      policy.relocated(ref, copy);
      poison(links, ref);
      links.free(ref);
    } else if (event.do === 'resize') {
      const before = links.recordBytes(ref);
      links.setRecordBytes(ref, event.bytes);
      policy.resized(ref, before, event.bytes);
    } else {
      policy.accessed(ref, hash);
    }
  }

  /** Every link leads to a resident record of the same queue that leads back. */
  checkLinks(): void {
    const { links } = this;
    const residents = new Set(this.refs.values());
    for (const ref of residents) {
      const older = links.older(ref);
      const newer = links.newer(ref);
      const olderLeadsBack = older === 0 || (residents.has(older) && links.newer(older) === ref);
      const newerLeadsBack = newer === 0 || (residents.has(newer) && links.older(newer) === ref);
      for (const other of [older, newer]) {
        invariant(other === 0 || links.queue(other) === links.queue(ref), 'a queue is not mixed');
      }
      invariant(olderLeadsBack && newerLeadsBack, `the links of ${ref} are whole`);
    }
  }
}

/** Whoever still uses the old place of a record will be found out. */
function poison(links: ArrayLinks, ref: number): void {
  links.setOlder(ref, 999);
  links.setNewer(ref, 998);
  links.setAccessBits(ref, 0x1f_ffff);
  links.setQueue(ref, 3);
}
