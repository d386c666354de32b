import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shardBySlot, slotOfKey } from '../../cluster/index.ts';
import { Engine, type Domain } from '../../engine/index.ts';
import { idOf, mapOf } from './test-support.ts';
import { ShardSizes } from './shard-sizes.ts';

const SHARDS = 8;
const BY_SLOT = shardBySlot(
  mapOf(
    1,
    Array.from({ length: SHARDS }, () => idOf('a')),
  ),
);

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      domain: fc.nat(1),
      key: fc.nat(60),
      length: fc.integer({ min: 0, max: 4000 }),
      ttlMs: fc.constantFrom(0, 0, 5, 50),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('remove' as const),
      domain: fc.nat(1),
      key: fc.nat(60),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const), domain: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(60) }) },
);

/** What there is, counted one by one. */
function counted(engine: Engine, domain: Domain, shard: number): { items: number; bytes: number } {
  const { arena } = engine;
  const found = { items: 0, bytes: 0 };
  let cursor = 0;
  do {
    cursor = domain.index.scan(cursor, (ref) => {
      const start = arena.keyStart(ref);
      const slot = slotOfKey(arena.octets(ref), start, start + arena.keyLength(ref));
      if (BY_SLOT[slot] !== shard) return;
      found.items++;
      found.bytes += arena.recordBytes(ref);
    });
  } while (cursor !== 0);
  return found;
}

test('counts are what there is, whatever comes, goes, expires, is evicted or flushed', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const sizes = new ShardSizes();
      let draws = 7;
      const uint32 = (): number => (draws = (Math.imul(draws, 1_664_525) + 1_013_904_223) >>> 0);
      const random = { uint32, bytes: (length: number) => new Uint8Array(length) };
      // So small that records are evicted.
      const engine = new Engine({ memoryBytes: 1024 ** 2, random, records: sizes });
      sizes.watch(engine.arena);
      sizes.divide(BY_SLOT, SHARDS);
      engine.nowMs = 1000;
      const domains = [engine.addDomain(0, 'lru'), engine.addDomain(1, 'tinylfu')];
      domains[0].account.bytesMax = 60_000;
      for (const one of steps) {
        if (one.kind === 'wait') {
          engine.nowMs += one.ms;
          engine.maintain(64 * 1024);
          continue;
        }
        const domain = domains[one.domain];
        if (one.kind === 'flush') {
          engine.flush(domain);
          continue;
        }
        const key = Buffer.from(`key ${one.key}`);
        if (one.kind === 'set') {
          const deadline = one.ttlMs === 0 ? 0 : engine.nowMs + one.ttlMs;
          const value = new Uint8Array(one.length);
          engine.set(domain, key, 0, key.length, value, 0, value.length, deadline);
        } else {
          const ref = engine.find(domain, key, 0, key.length);
          if (ref !== 0) engine.remove(domain, ref);
        }
      }
      for (let shard = 0; shard < SHARDS; shard++) {
        const [one, other] = domains.map((domain) => counted(engine, domain, shard));
        expect(sizes.items(shard)).toBe(one.items + other.items);
        expect(sizes.bytes(shard)).toBe(one.bytes + other.bytes);
        expect(sizes.itemsOf(domains[1], shard)).toBe(other.items);
      }
    }),
    { numRuns: 60 },
  );
});
