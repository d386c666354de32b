import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainAccount } from './domain-account.ts';
import type { Domain } from './domain.ts';
import { Engine } from './engine.ts';
import { TURN_BYTES } from './housekeeping.ts';
import { POLICY_NAMES, type PolicyName } from './policy/index.ts';
import { sequence } from './test-support.ts';

const MIB = 1024 * 1024;
const DOMAINS = 3;
const KEYS = 60;

type Step =
  | { do: 'set'; at: number; key: number; length: number; ttl: number }
  | { do: 'remove'; at: number; key: number }
  | { do: 'flush'; at: number }
  | { do: 'replace'; at: number }
  | { do: 'policy'; at: number; policy: PolicyName }
  | { do: 'maintain'; budget: number }
  | { do: 'wait'; ms: number };

interface Held {
  readonly length: number;
  readonly fill: number;
  readonly deadlineMs: number;
}

/** Several domains, and for each of them what it should hold. */
class Model {
  readonly engine: Engine;
  readonly domains: Domain[] = [];
  readonly account = new DomainAccount();
  readonly held: Array<Map<string, Held>> = [];
  readonly #unasked: string[] = [];
  nowMs = 1_700_000_000_000;
  #nextId = 0;
  #fill = 0;

  constructor(memoryBytes: number, policy: PolicyName) {
    this.engine = new Engine({
      memoryBytes,
      random: sequence(11),
      onRemoval: (domain, octets, start, length) => {
        const at = this.domains.indexOf(domain);
        const key = Buffer.from(octets.subarray(start, start + length)).toString();
        if (at === -1 && domain.isRemainder) this.#unasked.push(key);
        if (at !== -1) expect(this.held[at].delete(key)).toBe(true);
      },
    });
    this.engine.nowMs = this.nowMs;
    for (let at = 0; at < DOMAINS; at++) this.add(at, policy);
  }

  add(at: number, policy: PolicyName): void {
    this.domains[at] = this.engine.addDomain(this.#nextId++, policy, this.account);
    this.held[at] = new Map();
  }

  run(step: Step): void {
    const { engine } = this;
    if (step.do === 'set') {
      const key = keyOf(step.key);
      const fill = ++this.#fill & 255;
      const value = Buffer.alloc(step.length, fill);
      const deadlineMs = step.ttl === 0 ? 0 : this.nowMs + step.ttl;
      const domain = this.domains[step.at];
      if (engine.set(domain, key, 0, key.length, value, 0, value.length, deadlineMs)) {
        this.held[step.at].set(key.toString(), { length: step.length, fill, deadlineMs });
      }
    } else if (step.do === 'remove') {
      const key = keyOf(step.key);
      const ref = engine.find(this.domains[step.at], key, 0, key.length);
      if (ref !== 0) engine.remove(this.domains[step.at], ref);
      this.held[step.at].delete(key.toString());
    } else if (step.do === 'flush') {
      engine.flush(this.domains[step.at]);
      this.held[step.at].clear();
    } else if (step.do === 'replace') {
      const { policyName } = this.domains[step.at];
      engine.removeDomain(this.domains[step.at]);
      this.add(step.at, policyName);
    } else if (step.do === 'policy') {
      engine.setPolicy(this.domains[step.at], step.policy);
    } else if (step.do === 'maintain') {
      engine.maintain(step.budget);
    } else {
      this.nowMs += step.ms;
      engine.nowMs = this.nowMs;
    }
  }

  check(): void {
    const { engine } = this;
    expect(this.#unasked.length).toBe(0);
    expect(engine.report().usedBytes).toBeLessThanOrEqual(engine.memoryBytes);
    let accountBytes = 0;
    for (const domain of this.account.domains) accountBytes += domain.bytes;
    expect(this.account.bytes).toBe(accountBytes);
    for (const [at, domain] of this.domains.entries()) {
      let bytes = 0;
      let volatileItems = 0;
      for (const [key, { length, deadlineMs }] of this.held[at]) {
        bytes += (28 + key.length + length + 7) & ~7;
        if (deadlineMs !== 0) volatileItems++;
      }
      const counted = [domain.items, domain.bytes, domain.volatileItems];
      expect(counted.join(' ')).toBe([this.held[at].size, bytes, volatileItems].join(' '));
    }
  }

  /** Looks at every key of every domain: nothing that was flushed or removed comes back. */
  checkAll(): void {
    const { arena } = this.engine;
    const wrong: string[] = [];
    for (const [at, domain] of this.domains.entries()) {
      for (let number = 0; number < KEYS; number++) {
        const key = keyOf(number);
        const ref = this.engine.find(domain, key, 0, key.length);
        const held = this.held[at].get(key.toString());
        if (held === undefined || ref === 0) {
          const isExpired =
            held !== undefined && held.deadlineMs !== 0 && held.deadlineMs <= this.nowMs;
          if ((ref !== 0) !== (held !== undefined) && !isExpired) wrong.push(`${at} ${number}`);
          continue;
        }
        const start = arena.valueStart(ref);
        const value = arena.octets(ref).subarray(start, start + arena.valueLength(ref));
        if (!Buffer.alloc(held.length, held.fill).equals(value))
          wrong.push(`${at} ${number} value`);
      }
    }
    expect(wrong).toEqual([]);
  }
}

function keyOf(number: number): Buffer {
  return Buffer.from(`key:${number}`.padEnd(4 + (number % 23), '*'));
}

function steps(lengthMax: number): fc.Arbitrary<Step[]> {
  const at = fc.nat(DOMAINS - 1);
  const key = fc.nat(KEYS - 1);
  const step = (weight: number, arbitrary: fc.Arbitrary<Step>) => ({ weight, arbitrary });
  return fc.array(
    fc.oneof(
      step(
        60,
        fc.record({
          do: fc.constant('set'),
          at,
          key,
          length: fc.nat(lengthMax),
          ttl: fc.constantFrom(0, 0, 500),
        }),
      ),
      step(15, fc.record({ do: fc.constant('remove'), at, key })),
      step(4, fc.record({ do: fc.constant('flush'), at })),
      step(1, fc.record({ do: fc.constant('replace'), at })),
      step(
        4,
        fc.record({ do: fc.constant('policy'), at, policy: fc.constantFrom(...POLICY_NAMES) }),
      ),
      step(8, fc.record({ do: fc.constant('maintain'), budget: fc.constantFrom(128, 1024, MIB) })),
      step(3, fc.record({ do: fc.constant('wait'), ms: fc.nat(400) })),
    ),
    { minLength: 100, maxLength: 400, size: 'max' },
  );
}

describe('flushing domains and changing policies in steps', () => {
  it('shows at once, brings nothing back, and keeps the accounts exact', () => {
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_NAMES), steps(300), (policy, sequenceOfSteps) => {
        const model = new Model(16 * MIB, policy);
        for (const step of sequenceOfSteps) {
          model.run(step);
          model.check();
        }
        model.checkAll();
        while (model.engine.maintain(TURN_BYTES) === 'behind');
        model.check();
        expect(model.engine.arena.bytesLive).toBe(model.account.bytes);
      }),
      { numRuns: 40 },
    );
  });

  it('the same where memory is short, and what was flushed makes way first', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('lru' as const, 'tinylfu' as const),
        steps(20_000),
        (policy, sequenceOfSteps) => {
          const model = new Model(MIB, policy);
          for (const step of sequenceOfSteps) {
            model.run(step);
            model.check();
          }
          model.checkAll();
        },
      ),
      { numRuns: 25 },
    );
  });

  it('refuses no write for the sake of what was flushed, even where nothing may be evicted', () => {
    const engine = new Engine({ memoryBytes: 8 * MIB, random: sequence(3) });
    const other = engine.addDomain(0, 'noeviction');
    const domain = engine.addDomain(1, 'noeviction');
    const value = Buffer.alloc(200, 'v');
    const set = (to: Domain, number: number): boolean => {
      const key = Buffer.from(`key:${number}`);
      return engine.set(to, key, 0, key.length, value, 0, value.length, 0) !== 0;
    };
    set(other, 0);
    let count = 0;
    while (set(domain, count)) count++;
    for (let round = 0; round < 20; round++) {
      engine.flush(domain);
      expect(engine.hasRoomFor(domain, 300)).toBe(true);
      let stored = 0;
      for (let number = 0; number < count * 0.9; number++) if (set(domain, number)) stored++;
      expect(stored).toBe(Math.ceil(count * 0.9));
    }
    expect(other.items).toBe(1);
  });

  it('flushes more often than there are numbers to spare', () => {
    const engine = new Engine({ memoryBytes: 8 * MIB, random: sequence(3) });
    const value = Buffer.alloc(10, 'v');
    const kept = engine.addDomain(0, 'lru');
    const flushed = engine.addDomain(1, 'lru');
    const key = Buffer.from('key');
    engine.set(kept, key, 0, key.length, value, 0, value.length, 0);
    const items = new Set<number>();
    for (let round = 0; round < 40_000; round++) {
      engine.set(flushed, key, 0, key.length, value, 0, value.length, 0);
      items.add(flushed.items);
      engine.flush(flushed);
    }
    expect([...items]).toEqual([1]);
    expect([kept.items, flushed.items]).toEqual([1, 0]);
    expect(engine.find(flushed, key, 0, key.length)).toBe(0);
    while (engine.maintain(TURN_BYTES) === 'behind');
    expect(engine.arena.bytesLive).toBe(kept.bytes);
  });

  it.each(POLICY_NAMES)('evicts by the new policy at once, and hands all over (%s)', (policy) => {
    const engine = new Engine({ memoryBytes: 2 * MIB, random: sequence(9) });
    const domain = engine.addDomain(0, policy === 'lru' ? 'lfu' : 'lru');
    const value = Buffer.alloc(100, 'v');
    const set = (number: number): boolean => {
      const key = Buffer.from(`key:${number}`);
      return engine.set(domain, key, 0, key.length, value, 0, value.length, 0) !== 0;
    };
    for (let number = 0; number < 30_000; number++) set(number);
    const { evicted } = domain;
    engine.setPolicy(domain, policy);
    let stored = 0;
    for (let number = 30_000; number < 31_000; number++) if (set(number)) stored++;
    expect(stored === 1000).toBe(policy !== 'noeviction');
    expect(domain.evicted > evicted).toBe(policy !== 'noeviction');
    let turns = 0;
    while (engine.maintain(16 * 1024) === 'behind') turns++;
    expect(turns).toBeGreaterThan(20);
    stored = 0;
    for (let number = 40_000; number < 70_000; number++) if (set(number)) stored++;
    expect(stored).toBe(policy === 'noeviction' ? 0 : 30_000);
  });

  it('goes through many changes of policy, one within the other, and loses no record', () => {
    const engine = new Engine({ memoryBytes: 8 * MIB, random: sequence(9) });
    const domain = engine.addDomain(0, 'lru');
    const value = Buffer.alloc(100, 'v');
    for (let number = 0; number < 5000; number++) {
      const key = Buffer.from(`key:${number}`);
      engine.set(domain, key, 0, key.length, value, 0, value.length, 0);
      if (number % 100 === 0) {
        engine.setPolicy(domain, POLICY_NAMES[(number / 100) % POLICY_NAMES.length]);
        engine.maintain(2048);
      }
    }
    engine.setPolicy(domain, 'lru');
    expect(domain.items).toBe(5000);
    while (engine.maintain(TURN_BYTES) === 'behind');
    // Every record is the policy's: all of them can be evicted.
    engine.setMemoryBytes(MIB);
    while (engine.maintain(TURN_BYTES) === 'behind');
    expect(domain.items).toBeLessThan(5000);
    let count = 0;
    for (let victim = domain.policy.victim(); victim !== 0; victim = domain.policy.victim()) {
      engine.remove(domain, victim);
      count++;
    }
    expect(count).toBeGreaterThan(1000);
    expect(domain.items).toBe(0);
  });
});
