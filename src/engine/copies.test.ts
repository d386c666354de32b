import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Engine, POLICY_NAMES, type PolicyName } from './index.ts';

/** Keys that end in an even digit are this node's own, until it is said otherwise. */
class TwoHalves {
  readonly evicted: string[] = [];
  ownsOdd = false;
  readonly engine: Engine;
  readonly domain;

  constructor(policy: PolicyName, memoryBytes = 1024 * 1024) {
    let state = 1;
    const random = {
      uint32: () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0),
      bytes: (length: number) => new Uint8Array(length),
    };
    this.engine = new Engine({
      memoryBytes,
      random,
      isOwn: (octets, start, length) => this.ownsOdd || octets[start + length - 1] % 2 === 0,
      onRemoval: (_, octets, start, length) =>
        this.evicted.push(Buffer.from(octets.slice(start, start + length)).toString()),
    });
    this.domain = this.engine.addDomain(0, policy);
  }

  set(key: string, bytes: number): boolean {
    const name = Buffer.from(key);
    this.engine.isApplying = !this.ownsOdd && Number(key.at(-1)) % 2 === 1;
    const value = new Uint8Array(bytes);
    const ref = this.engine.set(this.domain, name, 0, name.length, value, 0, bytes, 0);
    this.engine.isApplying = false;
    return ref !== 0;
  }

  ref(key: string): number {
    const name = Buffer.from(key);
    return this.engine.find(this.domain, name, 0, name.length);
  }
}

describe('copies', () => {
  test.each(POLICY_NAMES)('are never evicted to make room (%s)', (policy) => {
    const { engine, evicted, ...halves } = make(policy);
    for (let i = 1; i < 200; i += 2) expect(halves.set(`key:${i}`, 1000)).toBe(true);
    for (let i = 0; i < 4000; i += 2) halves.set(`key:${i}`, 1000);
    expect(evicted.filter((key) => Number(key.at(-1)) % 2 === 1)).toEqual([]);
    if (policy !== 'noeviction') expect(evicted.length).toBeGreaterThan(100);
    expect(engine.usedBytes).toBeLessThanOrEqual(engine.memoryBytes);
  });

  function make(policy: PolicyName) {
    const halves = new TwoHalves(policy);
    return {
      engine: halves.engine,
      evicted: halves.evicted,
      set: (key: string, bytes: number) => halves.set(key, bytes),
    };
  }

  test('go like any other once they were adopted', () => {
    const halves = new TwoHalves('lru');
    for (let i = 1; i < 200; i += 2) halves.set(`key:${i}`, 1000);
    halves.ownsOdd = true;
    for (let i = 1; i < 200; i += 2) halves.domain.policy.adopt?.(halves.ref(`key:${i}`));
    for (let i = 0; i < 4000; i += 2) halves.set(`key:${i}`, 1000);
    expect(halves.evicted.filter((key) => Number(key.at(-1)) % 2 === 1)).toHaveLength(100);
    expect(halves.domain.account.copyBytes).toBe(0);
    expect(halves.engine.arena.bytesOfCopies).toBe(0);
  });

  test('are counted exactly, whatever happens to them', () => {
    const step = fc.record({
      kind: fc.constantFrom(
        ...([
          'set',
          'set',
          'set',
          'remove',
          'adopt',
          'own',
          'policy',
          'maintain',
          'flush',
        ] as const),
      ),
      key: fc.integer({ min: 0, max: 60 }),
      bytes: fc.integer({ min: 0, max: 30_000 }),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...POLICY_NAMES),
        fc.array(step, { maxLength: 200 }),
        (policy, steps) => {
          const halves = new TwoHalves(policy);
          const { engine, domain } = halves;
          for (const { kind, key, bytes } of steps) {
            const ref = halves.ref(`key:${key}`);
            if (kind === 'set') halves.set(`key:${key}`, bytes);
            else if (kind === 'own') halves.ownsOdd = bytes % 2 === 0;
            else if (kind === 'policy') {
              engine.setPolicy(domain, POLICY_NAMES[bytes % POLICY_NAMES.length]);
            } else if (kind === 'maintain') engine.maintain(bytes);
            else if (kind === 'flush' && bytes % 8 === 0) engine.flush(domain);
            else if (ref !== 0 && kind === 'remove') engine.remove(domain, ref);
            else if (ref !== 0) domain.policy.adopt?.(ref);
            let copies = 0;
            let all = 0;
            let cursor = 0;
            do {
              cursor = engine.scan(domain, cursor, (found) => {
                all += engine.arena.recordBytes(found);
                if (engine.arena.isCopy(found)) copies += engine.arena.recordBytes(found);
              });
            } while (cursor !== 0);
            expect(domain.account.copyBytes).toBe(copies);
            expect(domain.account.bytes).toBe(all);
          }
          for (let turn = 0; turn < 100; turn++) engine.maintain(64 * 1024);
          expect(engine.arena.bytesOfCopies).toBe(domain.account.copyBytes);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('have a part of the memory to themselves', () => {
    const halves = new TwoHalves('lru');
    halves.engine.ownShare = 0.5;
    for (let i = 0; i < 4000; i += 2) halves.set(`key:${i}`, 1000);
    for (let i = 1; i < 600; i += 2) expect(halves.set(`key:${i}`, 1000)).toBe(true);
  });
});
