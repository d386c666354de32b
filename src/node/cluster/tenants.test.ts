import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asRevision, type Namespace, type Push, type Tenant } from '../../cluster/index.ts';
import { Engine, type Domain } from '../../engine/index.ts';
import { namespaceOf, tenantOf } from './test-support.ts';
import { Tenants } from './tenants.ts';

function createTenants(): { tenants: Tenants; engine: Engine } {
  const random = { uint32: () => 7, bytes: (length: number) => new Uint8Array(length) };
  const engine = new Engine({ memoryBytes: 4 * 1024 ** 2, random });
  return { tenants: new Tenants(engine, engine.addDomain(0, 'lru')), engine };
}

/** What the leader's store holds, and its history: every state by its revision. */
class Store {
  readonly states: Array<{ tenants: Map<string, Tenant>; namespaces: Map<string, Namespace> }> = [];
  #tenantNumber = 1;
  #namespaceNumber = 1;

  constructor() {
    this.states.push({
      tenants: new Map([['default', tenantOf('default', 0)]]),
      namespaces: new Map([['default/default', namespaceOf('default', 'default', 0)]]),
    });
  }

  get revision(): number {
    return this.states.length;
  }

  at(revision: number): Store['states'][number] {
    return this.states[revision - 1];
  }

  change({ kind, name }: { kind: string; name: string }): void {
    const before = this.at(this.revision);
    const tenants = new Map(before.tenants);
    const namespaces = new Map(before.namespaces);
    if (kind === 'create' && !tenants.has(name)) {
      tenants.set(name, tenantOf(name, this.#tenantNumber++));
      namespaces.set(`${name}/default`, namespaceOf(name, 'default', this.#namespaceNumber++));
    } else if (kind === 'namespace' && tenants.has(name) && !namespaces.has(`${name}/more`)) {
      namespaces.set(`${name}/more`, namespaceOf(name, 'more', this.#namespaceNumber++));
    } else if (kind === 'drop namespace') {
      namespaces.delete(`${name}/more`);
    } else if (kind === 'delete') {
      tenants.delete(name);
      for (const path of ['default', 'more']) namespaces.delete(`${name}/${path}`);
    }
    this.states.push({ tenants, namespaces });
  }

  /** What was touched after `since`, as it is at `revision`. */
  push(since: number, revision: number): Push<'tenants'> {
    const now = this.at(revision);
    const tenants = this.#touched('tenants', since, revision);
    const namespaces = this.#touched('namespaces', since, revision);
    return {
      since: asRevision(since),
      revision: asRevision(revision),
      tenants: tenants.map((key) => now.tenants.get(key)).filter((it) => it !== undefined),
      namespaces: namespaces.map((key) => now.namespaces.get(key)).filter((it) => it !== undefined),
      removedTenants: since === 0 ? [] : tenants.filter((key) => !now.tenants.has(key)),
      removedNamespaces: (since === 0 ? [] : namespaces)
        .filter((key) => !now.namespaces.has(key))
        .map((path) => {
          const [tenant, name] = path.split('/');
          return { tenant, name };
        }),
    };
  }

  #touched(what: 'tenants' | 'namespaces', since: number, revision: number): string[] {
    if (since === 0) return [...this.at(revision)[what].keys()];
    const touched = new Set<string>();
    for (let at = since + 1; at <= revision; at++) {
      const [before, after] = [this.at(at - 1)[what], this.at(at)[what]];
      for (const key of [...before.keys(), ...after.keys()]) {
        if (before.get(key) !== after.get(key)) touched.add(key);
      }
    }
    return [...touched];
  }
}

const change = fc.record({
  kind: fc.constantFrom('create', 'create', 'namespace', 'drop namespace', 'delete'),
  name: fc.constantFrom('a', 'b', 'c'),
});

describe('tenants', () => {
  test('are what the store holds, however it was pushed: whole, in parts, or over one another', () => {
    const pushes = fc.array(fc.tuple(fc.nat(6), fc.integer({ min: 1, max: 12 })), {
      maxLength: 12,
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), pushes, (changes, drawn) => {
        const store = new Store();
        for (const one of changes) store.change(one);
        const { tenants, engine } = createTenants();
        let known = 0;
        for (const [back, forward] of [...drawn, [0, store.revision] as const]) {
          // As `MetaLink` lets them through: never backwards, never over a gap.
          const since = Math.max(0, known - back);
          const to = Math.min(store.revision, known + forward);
          if (to === known) continue;
          const gone = tenants.apply(store.push(since, to), 0);
          known = to;
          for (const { domain } of gone)
            if (domain !== undefined) expect(domain.isLeaving).toBe(true);
          for (const path of store.at(known).namespaces.keys()) {
            const [tenant, name] = path.split('/');
            const namespace = tenants.find(tenant, name);
            const domain = namespace === undefined ? undefined : tenants.domainOf(namespace);
            expect(domain?.isLeaving).toBe(false);
            if (domain !== undefined) {
              const key = Buffer.from(`${tenants.numberOf(domain)}`);
              engine.set(domain, key, 0, key.length, key, 0, key.length, 0);
            }
          }
        }
        const { namespaces } = store.at(known);
        for (const tenant of ['a', 'b', 'c', 'default']) {
          for (const name of ['default', 'more']) {
            const record = namespaces.get(`${tenant}/${name}`);
            const found = tenants.find(tenant, name);
            expect(found?.record.number).toBe(record?.number);
            if (record === undefined || found?.domain === undefined) continue;
            expect(tenants.numbered(record.number)).toBe(found.domain);
            expect(tenants.numberOf(found.domain)).toBe(record.number);
            // What an earlier namespace of that name held is not in this one.
            expect(found.domain.items).toBe(1);
          }
        }
        const domains = [...tenants.domains()];
        expect(new Set(domains).size).toBe(domains.length);
        for (let number = 1; number < 60; number++) {
          const was = store.states
            .slice(0, known)
            .some((state) => [...state.namespaces.values()].some((it) => it.number === number));
          const is = [...namespaces.values()].some((it) => it.number === number);
          if (is) expect(tenants.wasRemoved(number)).toBe(false);
          else if (tenants.wasRemoved(number)) expect(was).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('keep each namespace within its own bound, as large a part of it as of the tenant’s', () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 8192, max: 200_000 }), { nil: undefined }),
        fc.integer({ min: 4096, max: 60_000 }),
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.record({ isBounded: fc.boolean(), length: fc.nat(900) }), {
          minLength: 50,
          maxLength: 200,
        }),
        (ofTenant, ofNamespace, nodes, writes) => {
          const { tenants, engine } = createTenants();
          tenants.setNodeCount(nodes, 0);
          const limit = ofTenant === undefined ? {} : { maxMemoryBytes: ofTenant };
          const tenant = { ...tenantOf('shop', 1), ...limit };
          const carts = { ...namespaceOf('shop', 'carts', 2), maxMemoryBytes: ofNamespace };
          const push: Push<'tenants'> = {
            since: asRevision(0),
            revision: asRevision(1),
            tenants: [tenant],
            namespaces: [namespaceOf('shop', 'default', 1), carts],
            removedTenants: [],
            removedNamespaces: [],
          };
          tenants.apply(push, 0);
          const own = tenants.numbered(2);
          const others = tenants.numbered(1);
          if (own === undefined || others === undefined) throw new Error('no domains');
          const write = (domain: Domain, key: string, length: number): void => {
            const bytes = Buffer.from(key);
            engine.set(domain, bytes, 0, bytes.length, Buffer.alloc(length), 0, length, 0);
          };
          for (const [number, { isBounded, length }] of writes.entries()) {
            write(isBounded ? own : others, `key:${number}`, length);
            expect(own.bytes).toBeLessThanOrEqual(ofNamespace / nodes);
          }
          const more = { ...carts, maxMemoryBytes: ofNamespace * 2 };
          const later = { since: asRevision(1), revision: asRevision(2), tenants: [] };
          tenants.apply({ ...push, ...later, namespaces: [more] }, 0);
          expect(own.bytesMax).toBeGreaterThan((ofNamespace * 1.9) / nodes);
          const { maxMemoryBytes: _none, ...unbounded } = carts;
          tenants.apply({ ...push, ...later, namespaces: [unbounded] }, 0);
          expect(own.bytesMax).toBe(Infinity);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('get an equal part of a quota until the leader divides it, and half of the rates when that is old', () => {
    const { tenants } = createTenants();
    const shop = tenantOf('shop', 1, {
      maxQps: 900,
      maxMemoryBytes: 9 * 1024 ** 2,
      maxConnections: 10,
    });
    const store: Push<'tenants'> = {
      since: asRevision(0),
      revision: asRevision(2),
      tenants: [shop],
      namespaces: [namespaceOf('default', 'default', 0), namespaceOf('shop', 'default', 1)],
      removedTenants: [],
      removedNamespaces: [],
    };
    tenants.apply(store, 0);
    tenants.setNodeCount(3, 0);
    const state = tenants.find('shop', 'default')?.tenant;
    if (state === undefined) throw new Error('the tenant was pushed');
    const admitted = (fromUs: number): number => {
      let count = 0;
      for (let nowUs = fromUs; nowUs < fromUs + 10_000_000; nowUs += 1000) {
        if (state.refusal(nowUs) === undefined) count++;
      }
      return count;
    };
    const about = (rate: number) => ({ min: rate * 9.9, max: rate * 10.1 + 50 });
    const expectRate = (fromUs: number, rate: number): void => {
      const count = admitted(fromUs);
      expect(count).toBeGreaterThanOrEqual(about(rate).min);
      expect(count).toBeLessThanOrEqual(about(rate).max);
    };
    expectRate(0, 300);
    expect(state.account.bytesMax).toBe(3 * 1024 ** 2);
    expect(state.connectionsMax).toBe(4);
    const share = { tenant: 'shop', opsPerSecond: 600, memoryBytes: 5 * 1024 ** 2, connections: 7 };
    tenants.applyQuotas({ ttlMs: 15_000, shares: [share] }, 10_000_000);
    expectRate(10_000_000, 600);
    tenants.tick(25_000_000);
    expectRate(25_000_000, 300);
    expect(state.account.bytesMax).toBe(5 * 1024 ** 2);
    expect(state.connectionsMax).toBe(7);
    tenants.applyQuotas({ ttlMs: 15_000, shares: [share] }, 40_000_000);
    expectRate(40_000_000, 600);
  });
});
