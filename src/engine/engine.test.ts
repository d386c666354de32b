import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Random } from '../runtime/index.ts';
import type { Domain } from './domain.ts';
import type { RemovalReason } from './engine-options.ts';
import { Engine } from './engine.ts';
import { POLICY_NAMES, type PolicyName } from './policy/index.ts';

const MIB = 1024 * 1024;

/** A fixed sequence of numbers: the engine's only source of chance. */
function sequence(seed: number): Random {
  let state = seed | 0;
  const uint32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 255) };
}

interface ModelItem {
  value: Buffer;
  deadlineMs: number;
}

type Step =
  | { do: 'set'; key: number; length: number; fill: number; ttl: number }
  | { do: 'resize'; key: number; length: number }
  | { do: 'read' | 'find' | 'remove'; key: number }
  | { do: 'expire'; key: number; ttl: number }
  | { do: 'wait'; ms: number }
  | { do: 'maintain' | 'flush' | 'scan' }
  | { do: 'limit'; mib: number }
  | { do: 'policy'; name: PolicyName };

/** What the engine should hold, told of evictions and expiries by the engine itself. */
class Model {
  readonly items = new Map<string, ModelItem>();
  nowMs = 1_700_000_000_000;
  readonly engine: Engine;
  readonly domain: Domain;
  evictions = 0;

  constructor(policy: PolicyName, memoryBytes: number) {
    this.engine = new Engine({
      memoryBytes,
      random: sequence(7),
      onRemoval: (_domain, octets, start, length, reason) =>
        this.#removed(octets.slice(start, start + length), reason),
    });
    this.engine.nowMs = this.nowMs;
    this.domain = this.engine.addDomain(0, policy);
  }

  #removed(key: Uint8Array, reason: RemovalReason): void {
    const name = Buffer.from(key).toString('latin1');
    const item = this.items.get(name);
    if (item === undefined) throw new Error(`${reason} what was not there: ${name}`);
    if (reason === 'expired' && !this.#hasExpired(item)) throw new Error(`expired early: ${name}`);
    if (reason === 'evicted') this.evictions++;
    this.items.delete(name);
  }

  #hasExpired(item: ModelItem): boolean {
    return item.deadlineMs !== 0 && item.deadlineMs <= this.nowMs;
  }

  #live(name: string): ModelItem | undefined {
    const item = this.items.get(name);
    return item === undefined || this.#hasExpired(item) ? undefined : item;
  }

  run(step: Step): void {
    const { engine, domain } = this;
    switch (step.do) {
      case 'set': {
        const key = keyOf(step.key);
        const value = Buffer.alloc(step.length, step.fill);
        const deadlineMs = step.ttl === 0 ? 0 : this.nowMs + step.ttl;
        const ref = engine.set(domain, key, 0, key.length, value, 0, value.length, deadlineMs);
        if (ref !== 0) this.items.set(key.toString('latin1'), { value, deadlineMs });
        else this.#mayRefuse(key.length + value.length);
        return;
      }
      case 'resize':
        this.#resize(step.key, step.length);
        return;
      case 'read':
      case 'find': {
        this.#expectItem(step.key, step.do);
        return;
      }
      case 'remove': {
        const ref = this.#expectItem(step.key, 'find');
        if (ref !== 0) engine.remove(domain, ref);
        this.items.delete(keyOf(step.key).toString('latin1'));
        return;
      }
      case 'expire': {
        const ref = this.#expectItem(step.key, 'find');
        const item = this.items.get(keyOf(step.key).toString('latin1'));
        if (ref === 0 || item === undefined) return;
        item.deadlineMs = step.ttl === 0 ? 0 : this.nowMs + step.ttl;
        engine.setDeadline(domain, ref, item.deadlineMs);
        return;
      }
      case 'wait':
        this.nowMs += step.ms;
        engine.nowMs = this.nowMs;
        return;
      case 'maintain':
        engine.maintain(MIB);
        return;
      case 'flush':
        engine.flush(domain);
        this.items.clear();
        return;
      case 'scan':
        this.#scanAll();
        return;
      case 'limit':
        engine.setMemoryBytes(step.mib * MIB);
        return;
      case 'policy':
        engine.setPolicy(domain, step.name);
        return;
    }
  }

  /** Only what is too large for the memory, or for what `noeviction` has left, may be refused. */
  #mayRefuse(bytes: number): void {
    const { engine, domain } = this;
    const share = (engine.arena.bytesLive + bytes) / engine.memoryBytes;
    if (domain.policyName === 'noeviction') expect(share).toBeGreaterThan(0.5);
    else expect(bytes / engine.memoryBytes).toBeGreaterThan(0.3);
  }

  #resize(keyNumber: number, length: number): void {
    const { engine, domain } = this;
    const key = keyOf(keyNumber);
    const name = key.toString('latin1');
    if (!engine.reserve(domain, key.length, length)) return;
    const before = this.#live(name);
    const ref = engine.resize(domain, key, 0, key.length, length);
    expect(ref).not.toBe(0);
    const value = Buffer.alloc(length);
    before?.value.copy(value);
    this.items.set(name, { value, deadlineMs: before?.deadlineMs ?? 0 });
  }

  #expectItem(keyNumber: number, how: 'read' | 'find'): number {
    const { engine, domain } = this;
    const key = keyOf(keyNumber);
    const item = this.#live(key.toString('latin1'));
    const ref = engine[how](domain, key, 0, key.length);
    if (item === undefined) {
      expect(ref).toBe(0);
    } else {
      expect(ref).not.toBe(0);
      this.#expectEqual(ref, item);
    }
    return ref;
  }

  #expectEqual(ref: number, item: ModelItem): void {
    const { arena } = this.engine;
    const start = arena.valueStart(ref);
    const value = arena.octets(ref).subarray(start, start + arena.valueLength(ref));
    expect(item.value.equals(value)).toBe(true);
    expect(arena.deadline(ref)).toBe(item.deadlineMs);
  }

  #scanAll(): void {
    const { engine, domain } = this;
    const seen = new Set<string>();
    let cursor = 0;
    do {
      cursor = engine.scan(domain, cursor, (ref) => {
        const { arena } = engine;
        const start = arena.keyStart(ref);
        const key = arena.octets(ref).slice(start, start + arena.keyLength(ref));
        seen.add(Buffer.from(key).toString('latin1'));
      });
    } while (cursor !== 0);
    const live = [...this.items].filter(([, item]) => !this.#hasExpired(item)).map(([key]) => key);
    expect([...seen].sort()).toEqual(live.sort());
  }

  /** The accounts, which hold after every call. */
  check(): void {
    const { engine, domain } = this;
    let payloadBytes = 0;
    let volatileItems = 0;
    let bytes = 0;
    for (const [key, item] of this.items) {
      payloadBytes += key.length + item.value.length;
      bytes += (28 + key.length + item.value.length + 7) & ~7;
      if (item.deadlineMs !== 0) volatileItems++;
    }
    expect(domain.items).toBe(this.items.size);
    expect(domain.payloadBytes).toBe(payloadBytes);
    expect(domain.volatileItems).toBe(volatileItems);
    expect(domain.bytes).toBe(bytes);
    expect(engine.arena.bytesLive).toBe(bytes);
    expect(engine.report().usedBytes).toBeLessThanOrEqual(engine.memoryBytes);
  }
}

function keyOf(number: number): Buffer {
  return Buffer.from(`key:${number}`.padEnd(4 + (number % 37), '*'));
}

function steps(keys: number, lengthMax: number): fc.Arbitrary<Step> {
  const key = fc.nat(keys - 1);
  const length = fc.oneof(
    { arbitrary: fc.nat(200), weight: 4 },
    { arbitrary: fc.nat(lengthMax), weight: 1 },
  );
  const ttl = fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 5000 }),
    fc.constantFrom(1, 2 ** 43, 2 ** 45),
  );
  const step = (arbitrary: fc.Arbitrary<Step>, weight: number) => ({ arbitrary, weight });
  return fc.oneof(
    step(fc.record({ do: fc.constant('set'), key, length, fill: fc.nat(255), ttl }), 40),
    step(fc.record({ do: fc.constant('resize'), key, length }), 8),
    step(fc.record({ do: fc.constantFrom('read', 'find', 'remove'), key }), 30),
    step(fc.record({ do: fc.constant('expire'), key, ttl }), 8),
    step(fc.record({ do: fc.constant('wait'), ms: fc.nat(3000) }), 5),
    step(fc.record({ do: fc.constantFrom('maintain', 'maintain', 'scan', 'flush') }), 4),
    step(fc.record({ do: fc.constant('policy'), name: fc.constantFrom(...POLICY_NAMES) }), 1),
  );
}

function runAll(model: Model, sequenceOfSteps: readonly Step[]): void {
  for (const step of sequenceOfSteps) {
    model.run(step);
    model.check();
  }
  model.run({ do: 'scan' });
}

describe('the engine against a plain model', () => {
  it('holds the same values, deadlines and accounts after any sequence', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...POLICY_NAMES),
        fc.array(steps(40, 3000), { maxLength: 300, size: 'max' }),
        (policy, sequenceOfSteps) => runAll(new Model(policy, 16 * MIB), sequenceOfSteps),
      ),
      { numRuns: 150 },
    );
  });

  it('never exceeds its memory, and never answers wrongly, while it evicts and cleans', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...POLICY_NAMES),
        fc.array(steps(400, 60_000), { minLength: 200, maxLength: 600, size: 'max' }),
        (policy, sequenceOfSteps) => runAll(new Model(policy, MIB), sequenceOfSteps),
      ),
      { numRuns: 40 },
    );
  });

  it('cleans under long mixed churn, and what it moves keeps value, deadline and order', () => {
    let relocations = 0;
    fc.assert(
      fc.property(fc.constantFrom(...POLICY_NAMES), fc.nat(), (policy, seed) => {
        const model = new Model(policy, 2 * MIB);
        const random = sequence(seed);
        const below = (limit: number): number => random.uint32() % limit;
        const largest = 20 + below(9000);
        for (let turn = 0; turn < 12_000; turn++) {
          const key = below(9000);
          const what = below(100);
          if (what < 60) {
            const length = below(8) === 0 ? below(largest) : below(120);
            const ttl = [0, 0, 1 + below(60_000), 2 ** 44][below(4)];
            model.run({ do: 'set', key, length, fill: turn & 255, ttl });
          } else if (what < 85) {
            model.run({ do: 'remove', key });
          } else if (what < 95) {
            model.run({ do: 'read', key });
          } else {
            model.run({ do: 'wait', ms: below(100) });
            if (what === 99) model.run({ do: 'maintain' });
          }
          const used = model.engine.usedBytes;
          expect(used).toBeLessThanOrEqual(model.engine.memoryBytes);
          if (turn % 1000 === 0) model.check();
        }
        model.check();
        model.run({ do: 'scan' });
        relocations += model.engine.relocations;
        model.run({ do: 'wait', ms: 60_001 });
        for (let turn = 0; turn < 30; turn++) model.run({ do: 'maintain' });
        for (const item of model.items.values()) {
          expect(item.deadlineMs === 0 || item.deadlineMs > model.nowMs).toBe(true);
        }
      }),
      { numRuns: 16 },
    );
    expect(relocations).toBeGreaterThan(0);
  });

  it('moves no large record, though its segment be as large as those of small ones', () => {
    const model = new Model('lru', MIB);
    for (let key = 0; key < 600; key++) {
      const length = key % 3 === 0 ? 100 : 12_000 + ((key * 37) % 4500);
      model.run({ do: 'set', key: key % 90, length, fill: key & 255, ttl: 0 });
      if (key % 7 === 0) model.engine.maintain(1024);
      model.check();
    }
    for (let key = 0; key < 90; key++) model.run({ do: 'find', key });
  });

  it('stays within a limit that was lowered, once it has been maintained', () => {
    const model = new Model('lru', 8 * MIB);
    for (let key = 0; key < 60_000; key++) {
      model.run({ do: 'set', key, length: 60, fill: 1, ttl: 0 });
    }
    model.engine.setMemoryBytes(4 * MIB);
    for (let turn = 0; turn < 1000; turn++) model.engine.maintain(MIB);
    model.check();
  });

  it('evicts in true recency order with lru', () => {
    const model = new Model('lru', MIB);
    const { engine, domain } = model;
    for (let key = 0; key < 30_000; key++) {
      model.run({ do: 'set', key, length: 60, fill: 1, ttl: 0 });
      const first = keyOf(0);
      expect(engine.read(domain, first, 0, first.length)).not.toBe(0);
    }
    expect(model.evictions).toBeGreaterThan(10_000);
    const kept = [...model.items.keys()].map((name) => Number(/\d+/.exec(name)?.[0]));
    const oldest = Math.min(...kept.filter((key) => key !== 0));
    expect(kept.length).toBe(30_000 - oldest + 1);
  });

  it('stays within its memory while records become ever smaller and ever more', () => {
    const model = new Model('tinylfu', 8 * MIB);
    const { engine } = model;
    for (const length of [20_000, 4000, 900, 200, 40, 0]) {
      for (let key = 0; key * (length + 60) < 16 * MIB; key++) {
        model.run({ do: 'set', key: key + length, length, fill: 1, ttl: 0 });
        if (engine.usedBytes > engine.memoryBytes) model.check();
        if (key % 1000 === 0) engine.maintain(MIB);
      }
      model.check();
    }
    expect(engine.report().policyBytes).toBeGreaterThan(300 * 1024);
  });

  it('gives memory back after deletes', () => {
    const model = new Model('tinylfu', 64 * MIB);
    for (let key = 0; key < 100_000; key++) {
      model.run({ do: 'set', key, length: 200, fill: 1, ttl: 0 });
    }
    const full = model.engine.usedBytes;
    for (let key = 0; key < 100_000; key++) {
      if (key % 50 !== 0) model.run({ do: 'remove', key });
    }
    for (let turn = 0; turn < 200; turn++) model.engine.maintain(MIB);
    expect(model.engine.usedBytes).toBeLessThan(full / 8);
    model.check();
    model.run({ do: 'scan' });
  });

  it('reclaims expired records without being asked for them', () => {
    const model = new Model('tinylfu', 64 * MIB);
    for (let key = 0; key < 50_000; key++) {
      model.run({ do: 'set', key, length: 100, fill: 1, ttl: key % 2 === 0 ? 1000 : 0 });
    }
    model.run({ do: 'wait', ms: 1001 });
    for (let turn = 0; turn < 50; turn++) model.run({ do: 'maintain' });
    expect(model.domain.items).toBe(25_000);
    model.check();
  });

  it('keeps domains apart: one that floods evicts only its own records', () => {
    const engine = new Engine({ memoryBytes: 4 * MIB, random: sequence(3) });
    const small = engine.addDomain(0, 'lru');
    const flooding = engine.addDomain(1, 'tinylfu');
    flooding.account.bytesMax = MIB;
    const value = Buffer.alloc(100, 'v');
    for (let i = 0; i < 1000; i++) {
      const key = keyOf(i);
      engine.set(small, key, 0, key.length, value, 0, value.length, 0);
    }
    for (let i = 0; i < 100_000; i++) {
      const key = keyOf(i);
      expect(engine.set(flooding, key, 0, key.length, value, 0, value.length, 0)).not.toBe(0);
      expect(flooding.bytes).toBeLessThanOrEqual(MIB);
    }
    expect(small.items).toBe(1000);
    engine.flush(flooding);
    expect(flooding.items).toBe(0);
    while (engine.maintain(64 * 1024) === 'behind');
    expect(engine.arena.bytesLive).toBe(small.bytes);
    for (let i = 0; i < 1000; i++) {
      const key = keyOf(i);
      expect(engine.find(small, key, 0, key.length)).not.toBe(0);
    }
  });

  it('returns every key that stays, while a scan runs and the table grows and shrinks', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), fc.array(fc.nat(3000)), (count, churn) => {
        const model = new Model('noeviction', 16 * MIB);
        for (let key = 0; key < count; key++) {
          model.run({ do: 'set', key, length: 1, fill: 1, ttl: 0 });
        }
        const seen = new Set<string>();
        let cursor = 0;
        let turn = 0;
        do {
          cursor = model.engine.scan(model.domain, cursor, (ref) => {
            const { arena } = model.engine;
            const start = arena.keyStart(ref);
            const key = arena.octets(ref).slice(start, start + arena.keyLength(ref));
            seen.add(Buffer.from(key).toString('latin1'));
          });
          for (let i = 0; i < 20 && churn.length > 0; i++) {
            const key = 10_000 + churn[(turn * 20 + i) % churn.length];
            const what = (turn >>> 3) % 2 === 0 ? 'set' : 'remove';
            if (what === 'set') model.run({ do: 'set', key, length: 1, fill: 1, ttl: 0 });
            else model.run({ do: 'remove', key });
          }
          turn++;
        } while (cursor !== 0);
        for (let key = 0; key < count; key++) {
          expect(seen.has(keyOf(key).toString('latin1'))).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });
});
