import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Random } from '../runtime/index.ts';
import { DomainAccount } from './domain-account.ts';
import type { Domain } from './domain.ts';
import { Engine } from './engine.ts';
import { POLICY_NAMES } from './policy/index.ts';

const MIB = 1024 * 1024;

function sequence(seed: number): Random {
  let state = seed | 0;
  const uint32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 255) };
}

function newEngine(memoryBytes = 8 * MIB): Engine {
  const engine = new Engine({ memoryBytes, random: sequence(5) });
  engine.nowMs = 1_700_000_000_000;
  return engine;
}

function set(engine: Engine, domain: Domain, number: number, length: number): boolean {
  const key = Buffer.from(`key:${number}`);
  return engine.set(domain, key, 0, key.length, Buffer.alloc(length, 'v'), 0, length, 0) !== 0;
}

function has(engine: Engine, domain: Domain, number: number): boolean {
  const key = Buffer.from(`key:${number}`);
  return engine.find(domain, key, 0, key.length) !== 0;
}

function maintainUntilFree(engine: Engine, id: number): number {
  let turns = 0;
  while (!engine.isFree(id)) {
    engine.maintain(64 * 1024);
    if (++turns > 10_000) throw new Error(`domain ${id} is still there`);
  }
  return turns;
}

const step = fc.oneof(
  {
    arbitrary: fc.record({ do: fc.constant('set'), at: fc.nat(5), length: fc.nat(900) }),
    weight: 30,
  },
  {
    arbitrary: fc.record({
      do: fc.constantFrom('flush', 'replace'),
      at: fc.nat(5),
      length: fc.constant(0),
    }),
    weight: 1,
  },
  {
    arbitrary: fc.record({ do: fc.constant('maintain'), at: fc.nat(5), length: fc.constant(0) }),
    weight: 2,
  },
);

describe('domains that share an account', () => {
  it('never hold more than it allows together, nor one more than its own bound', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('lru' as const, 'lfu' as const, 'tinylfu' as const),
        fc.array(step, { minLength: 100, maxLength: 500, size: 'max' }),
        fc.array(fc.option(fc.integer({ min: 1024, max: 20_000 })), {
          minLength: 6,
          maxLength: 6,
        }),
        (policy, steps, bounds) => {
          const engine = newEngine();
          const accounts = [new DomainAccount(64 * 1024), new DomainAccount(16 * 1024)];
          let nextId = 0;
          const add = (at: number): Domain => {
            const domain = engine.addDomain(nextId++, policy, accounts[at % 2]);
            domain.bytesMax = bounds[at] ?? Infinity;
            return domain;
          };
          const domains = Array.from({ length: 6 }, (_, at) => add(at));
          for (const [number, each] of steps.entries()) {
            const domain = domains[each.at];
            if (each.do === 'set') expect(set(engine, domain, number % 97, each.length)).toBe(true);
            else if (each.do === 'flush') engine.flush(domain);
            else if (each.do === 'maintain') engine.maintain(64 * 1024);
            else {
              engine.removeDomain(domain);
              domains[each.at] = add(each.at);
            }
            for (const one of domains) expect(one.bytes).toBeLessThanOrEqual(one.bytesMax);
            for (const account of accounts) {
              let bytes = 0;
              for (const one of account.domains) bytes += one.bytes;
              expect(account.bytes).toBe(bytes);
              expect(account.bytes).toBeLessThanOrEqual(account.bytesMax);
            }
            const livingBytes = accounts[0].bytes + accounts[1].bytes;
            expect(engine.arena.bytesLive).toBeGreaterThanOrEqual(livingBytes);
            expect(engine.report().usedBytes).toBeLessThanOrEqual(engine.memoryBytes);
          }
          while (engine.maintain(64 * 1024) === 'behind');
          expect(engine.arena.bytesLive).toBe(accounts[0].bytes + accounts[1].bytes);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('gives way itself where its own bound is reached, and refuses where nothing may go', () => {
    const engine = newEngine();
    const account = new DomainAccount(64 * 1024);
    const bounded = engine.addDomain(0, 'lru', account);
    const other = engine.addDomain(1, 'lru', account);
    for (let i = 0; i < 300; i++) set(engine, other, i, 100);
    const otherBefore = other.items;
    bounded.bytesMax = 2000;
    for (let i = 0; i < 100; i++) expect(set(engine, bounded, i, 100)).toBe(true);
    expect(has(engine, bounded, 99)).toBe(true);
    expect(has(engine, bounded, 0)).toBe(false);
    expect(other.items).toBe(otherBefore);
    expect(set(engine, bounded, 1000, 3000)).toBe(false);
    engine.setPolicy(bounded, 'noeviction');
    expect(engine.hasRoomFor(bounded, 1000)).toBe(false);
    expect(set(engine, bounded, 1001, 1000)).toBe(false);
  });

  it('lets one without records in, at the cost of the one that holds most', () => {
    const engine = newEngine();
    const account = new DomainAccount(64 * 1024);
    const large = engine.addDomain(0, 'lru', account);
    const medium = engine.addDomain(1, 'lru', account);
    const late = engine.addDomain(2, 'lru', account);
    for (let i = 0; i < 100; i++) set(engine, medium, i, 100);
    for (let i = 0; i < 1000; i++) set(engine, large, i, 100);
    const mediumBefore = medium.items;
    expect(set(engine, late, 1, 5000)).toBe(true);
    expect(has(engine, late, 1)).toBe(true);
    expect(medium.items).toBe(mediumBefore);
  });
});

describe('a removed domain', () => {
  it.each(POLICY_NAMES)('goes in steps, touches no other, and frees its number (%s)', (policy) => {
    const engine = newEngine(16 * MIB);
    const account = new DomainAccount();
    const stays = engine.addDomain(0, policy, account);
    const goes = engine.addDomain(1, policy, account);
    for (let i = 0; i < 20_000; i++) {
      set(engine, stays, i, i % 200);
      set(engine, goes, i, i % 200);
    }
    const staysBytes = stays.bytes;
    engine.removeDomain(goes);
    expect(engine.isFree(1)).toBe(false);
    expect(account.bytes).toBe(staysBytes + goes.bytes);
    engine.maintain(64 * 1024);
    expect(goes.items).toBeGreaterThan(15_000);
    expect(maintainUntilFree(engine, 1)).toBeGreaterThan(5);
    expect(account.bytes).toBe(staysBytes);
    expect(stays.bytes).toBe(staysBytes);
    const again = engine.addDomain(1, policy, account);
    for (let i = 0; i < 20_000; i++) {
      expect(has(engine, stays, i)).toBe(true);
      expect(has(engine, again, i)).toBe(false);
    }
  });

  it('leaves nothing behind: memory in use is what it was', () => {
    const engine = newEngine(64 * MIB);
    const before = engine.report().usedBytes;
    const domain = engine.addDomain(7, 'tinylfu');
    for (let i = 0; i < 100_000; i++) set(engine, domain, i, 50);
    engine.removeDomain(domain);
    maintainUntilFree(engine, 7);
    for (let turn = 0; turn < 200; turn++) engine.maintain(MIB);
    // Two segments may be open, half filled; the arena's tables stay as large as they were.
    expect(engine.report().usedBytes - before).toBeLessThan(3 * engine.arena.segmentBytes);
  });
});

it('keeps 16,000 domains, which cost little while they are empty, and finds each one its records', () => {
  const engine = newEngine(256 * MIB);
  const before = engine.report().usedBytes;
  const domains = Array.from({ length: 16_000 }, (_, id) => engine.addDomain(id, 'tinylfu'));
  for (let turn = 0; turn < 100; turn++) engine.maintain(64 * 1024);
  expect((engine.report().usedBytes - before) / domains.length).toBeLessThan(4096);
  for (const domain of domains) set(engine, domain, 1, domain.id % 50);
  for (const domain of domains) {
    expect(domain.items).toBe(1);
    expect(has(engine, domain, 1)).toBe(true);
  }
});
