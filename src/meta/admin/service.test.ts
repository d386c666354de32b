import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  auditEventSchema,
  countersSchema,
  METADATA_KEYS,
  namespaceSchema,
} from '../../cluster/index.ts';
import type { RpcOutcome } from '../../rpc/index.ts';
import { put } from '../controller/map-commit.ts';
import { StubNode } from '../test-support.ts';
import type { OperationOutput } from './schemas.ts';
import { AdminWorld } from './test-support.ts';

const codeOf = (outcome: RpcOutcome) => (outcome.ok ? 'ok' : outcome.error.code);

const name = fc.constantFrom('shop', 'blog', 'mail');
const space = fc.constantFrom('carts', 'pages');
const call = fc.oneof(
  fc.tuple(fc.constant('tenant.create'), fc.record({ name, replicas: fc.nat(2) })),
  fc.tuple(fc.constant('tenant.update'), fc.record({ name, maxQps: fc.constantFrom(5, 6, null) })),
  fc.tuple(fc.constant('tenant.delete'), fc.record({ name })),
  fc.tuple(fc.constant('namespace.create'), fc.record({ tenant: name, name: space })),
  fc.tuple(fc.constant('namespace.delete'), fc.record({ tenant: name, name: space })),
);

/** The plainest thing that could answer these calls. */
class Model {
  readonly tenants = new Map<string, { maxQps: number | undefined; spaces: Set<string> }>();
  events = 0;

  take(
    operation: string,
    input: { name: string; tenant?: string; maxQps?: number | null },
  ): string {
    const tenant = this.tenants.get(input.tenant ?? input.name);
    const [kind, verb] = operation.split('.');
    if (operation === 'tenant.create') {
      if (tenant !== undefined) return 'ERR_CACHECTL_EXISTS';
      this.tenants.set(input.name, { maxQps: undefined, spaces: new Set(['default']) });
    } else if (tenant === undefined) return 'ERR_CACHECTL_NOT_FOUND';
    else if (operation === 'tenant.delete') this.tenants.delete(input.name);
    else if (kind === 'tenant') {
      const maxQps = input.maxQps ?? undefined;
      if (tenant.maxQps === maxQps) return 'ok';
      tenant.maxQps = maxQps;
    } else if (verb === 'create') {
      if (tenant.spaces.has(input.name)) return 'ERR_CACHECTL_EXISTS';
      tenant.spaces.add(input.name);
    } else if (!tenant.spaces.delete(input.name)) return 'ERR_CACHECTL_NOT_FOUND';
    this.events++;
    return 'ok';
  }
}

describe('writes', () => {
  test('asked for at one time are done as if one after another', () => {
    fc.assert(
      fc.property(fc.array(fc.array(call, { maxLength: 8 }), { maxLength: 5 }), (rounds) => {
        const world = new AdminWorld();
        const model = new Model();
        for (const calls of rounds) {
          const expected = calls.map(([operation, input]) => model.take(operation, input));
          expect(world.callAll(calls).map(codeOf)).toEqual(expected);
        }
        const { tenants } = world.call('tenant.list', {});
        const others = tenants.filter((tenant) => tenant.name !== 'default');
        expect(others.map((tenant) => [tenant.name, tenant.maxQps])).toEqual(
          [...model.tenants.keys()].toSorted().map((key) => [key, model.tenants.get(key)?.maxQps]),
        );
        for (const [tenant, { spaces }] of model.tenants) {
          const { namespaces } = world.call('namespace.list', { tenant });
          expect(namespaces.map((one) => one.name)).toEqual([...spaces].toSorted());
        }
        const { events } = world.call('event.list', { limit: 1000 });
        expect(events.filter(({ who }) => who !== 'controller')).toHaveLength(model.events);
        expect(events.map(({ number }) => number)).toEqual(
          events.map((_, index) => events.length - index),
        );
      }),
      { numRuns: 40 },
    );
  });

  test('of many callers share commits, and each has its number and its event', () => {
    const world = new AdminWorld();
    world.call('tenant.create', { name: 'shop' });
    const before = world.leader.store.view().revision;
    const names = Array.from({ length: 150 }, (_, index) => `s${index}`);
    const outcomes = world.callAll(
      names.map((each) => ['namespace.create', { tenant: 'shop', name: each }]),
    );
    expect(outcomes.every(({ ok }) => ok)).toBe(true);
    const view = world.leader.store.view();
    expect(view.revision - before).toBeLessThan(10);
    const namespaces = view.list(METADATA_KEYS.namespaces);
    const numbers = namespaces.map(({ value }) => namespaceSchema.parse(JSON.parse(value)).number);
    expect(new Set(numbers).size).toBe(152);
    const created = new Map(namespaces.map(({ key, modRevision }) => [key, modRevision]));
    const events = view.list(METADATA_KEYS.events).slice(2);
    expect(events).toHaveLength(150);
    for (const { value, modRevision } of events) {
      const { subject } = auditEventSchema.parse(JSON.parse(value));
      expect(created.get(`namespaces/${subject.split(' ')[1]}`)).toBe(modRevision);
    }
  });

  test('are found in the log by operation, kind, subject and time', () => {
    const world = new AdminWorld();
    world.call('tenant.create', { name: 'shop' });
    world.call('tenant.create', { name: 'tenant' });
    world.call('namespace.create', { tenant: 'shop', name: 'tenant' });
    world.call('tenant.update', { name: 'shop', maxQps: 5 });
    const found = (input: Parameters<typeof world.call<'event.list'>>[1]): string[] =>
      world.call('event.list', input).events.map((event) => `${event.operation} ${event.subject}`);
    const [latest] = world.call('event.list', {}).events;
    expect(found({ operation: 'tenant' })).toEqual([
      'tenant.update tenant shop',
      'tenant.create tenant tenant',
      'tenant.create tenant shop',
    ]);
    expect(found({ operation: 'tenant.create', limit: 1 })).toEqual([
      'tenant.create tenant tenant',
    ]);
    expect(found({ operation: 'tenant.c' })).toEqual([]);
    expect(found({ subject: 'tenant shop', before: latest.number })).toEqual([
      'tenant.create tenant shop',
    ]);
    expect(found({ sinceMs: latest.atMs + 1 })).toEqual([]);
  });

  test('are done anew where others change the same records meanwhile', () => {
    const world = new AdminWorld();
    const { store } = world.leader;
    const outcomes: string[] = [];
    for (let round = 0; round < 10; round++) {
      const entry = store.view().get(METADATA_KEYS.counters);
      const counters = countersSchema.parse(JSON.parse(entry?.value ?? ''));
      let isDone = false;
      world.leader.call('tenant.create', { name: `t${round}` }, 10_000, (outcome) => {
        outcomes.push(codeOf(outcome));
        isDone = true;
      });
      const next = { ...counters, move: counters.move + 1 };
      store.commit({ compares: [], changes: [put(METADATA_KEYS.counters, next)] }, 5000, () => {});
      world.until('it is answered', () => isDone);
    }
    expect(outcomes).toEqual(Array.from({ length: 10 }, () => 'ok'));
  });

  test('of a revision that has passed are refused, and nothing is done', () => {
    const world = new AdminWorld();
    const { tenant } = world.call('tenant.create', { name: 'shop' });
    const { tenant: updated } = world.call('tenant.update', {
      name: 'shop',
      maxQps: 7,
      ifRevision: tenant.revision,
    });
    const stale = { name: 'shop', ifRevision: tenant.revision };
    expect(world.codeOf('tenant.update', { ...stale, maxQps: 9 })).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.codeOf('tenant.delete', stale)).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.codeOf('tenant.rotate-secret', stale)).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.call('tenant.show', { name: 'shop' }).tenant).toEqual(updated);
  });

  test('survive the leader that took them', () => {
    const world = new AdminWorld();
    world.call('tenant.create', { name: 'shop' });
    const { leader } = world;
    world.processOf(leader).kill();
    world.until('another leads', () => world.leader !== leader);
    expect(world.call('tenant.list', {}).tenants.map((tenant) => tenant.name)).toEqual([
      'default',
      'shop',
    ]);
    expect(world.codeOf('tenant.create', { name: 'shop' })).toBe('ERR_CACHECTL_EXISTS');
  });
});

describe('without a majority', () => {
  test('every call ends in time, and says which peers answered', () => {
    const world = new AdminWorld();
    const { leader } = world;
    for (const process of world.processes) if (process.name !== leader.name) process.kill();
    const outcomes: RpcOutcome[] = [];
    for (const method of ['cluster.status', 'tenant.list']) {
      leader.call(method, {}, 10_000, (outcome) => outcomes.push(outcome));
    }
    leader.call('tenant.create', { name: 'shop' }, 10_000, (outcome) => outcomes.push(outcome));
    world.until('all are answered', () => outcomes.length === 3, 11_000);
    for (const outcome of outcomes) {
      expect(codeOf(outcome)).toBe('ERR_CACHECTL_NO_QUORUM');
      if (outcome.ok) continue;
      const silent = ['m1', 'm2', 'm3'].filter((peer) => peer !== leader.name);
      expect(outcome.error.details).toMatchObject({ answered: [leader.name], silent });
    }
  });
});

describe('a secret', () => {
  test('is in the answer alone: neither in any other, nor in the store', () => {
    const world = new AdminWorld();
    const { secret } = world.call('tenant.create', { name: 'shop' });
    const { secret: second } = world.call('tenant.rotate-secret', { name: 'shop' });
    expect(second).not.toBe(secret);
    const stored = JSON.stringify(world.leader.store.view().list(''));
    const shown = JSON.stringify([
      world.call('tenant.show', { name: 'shop' }),
      world.call('tenant.list', {}),
      world.call('event.list', {}),
    ]);
    for (const word of [secret, second]) {
      expect(word).toMatch(/^[\w-]{32}$/);
      expect(stored).not.toContain(word);
      expect(shown).not.toContain(word);
    }
    expect(stored).toMatch(/scrypt\$256\$8\$1\$/);
    expect(shown).not.toContain('scrypt');
  });
});

describe('a quota', () => {
  test('below what is in use is refused, and one below a namespace of the tenant as well', () => {
    const world = new AdminWorld();
    world.call('tenant.create', { name: 'shop', maxMemoryBytes: 8 * 1024 ** 2 });
    world.call('namespace.create', {
      tenant: 'shop',
      name: 'carts',
      maxMemoryBytes: 4 * 1024 ** 2,
    });
    const limit = (mib: number) => ({ name: 'shop', maxMemoryBytes: mib * 1024 ** 2 });
    expect(world.codeOf('tenant.update', limit(2))).toBe('ERR_CACHECTL_VALUE');
    const node = new StubNode(world, 'a');
    node.usage = [{ tenant: 'shop', bytes: 6 * 1024 ** 2, connections: 3 }];
    world.until('it is heard', () => world.leader.lifeOf(node.id)?.heartbeat !== undefined);
    expect(world.codeOf('tenant.update', limit(5))).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.codeOf('tenant.update', { name: 'shop', maxConnections: 2 })).toBe(
      'ERR_CACHECTL_CONFLICT',
    );
    expect(world.codeOf('tenant.update', limit(6))).toBe('ok');
  });
});

test('more copies than there are nodes are accepted, with a warning that names what is missing', () => {
  const world = new AdminWorld();
  const node = new StubNode(world, 'a');
  world.until('it registers', () => node.registered !== undefined);
  const { warnings } = world.call('tenant.create', { name: 'shop', replicas: 2 });
  expect(warnings).toEqual([
    '2 replicas need 3 nodes, and there is 1 node that can take shards: 2 more are missing until all copies are kept',
  ]);
  expect(world.call('tenant.create', { name: 'blog', replicas: 0 }).warnings).toEqual([]);
});

describe('a guard of a write', () => {
  test('does not hold for what others wrote at the same time, not even one that asks for nothing', () => {
    const world = new AdminWorld();
    const shop = { name: 'shop' };
    const outcomes = world.callAll([
      ['tenant.create', shop],
      ['tenant.update', { ...shop, maxQps: 5, ifRevision: 0 }],
      ['tenant.delete', { ...shop, ifRevision: 0 }],
      ['tenant.update', { ...shop, replicas: 1 }],
      ['config.set', { ...shop, set: { 'max-clients': 5 }, ifRevision: 0 }],
      ['config.set', { ...shop, set: { 'max-clients': 5 }, ifRevision: 0 }],
    ]);
    const codes = ['ERR_CACHECTL_CONFLICT', 'ERR_CACHECTL_CONFLICT', 'ok', 'ok'];
    expect(outcomes.map(codeOf)).toEqual(['ok', ...codes, 'ERR_CACHECTL_CONFLICT']);
    // What changed nothing shows the revision at which it was last changed.
    const { tenant } = world.call('tenant.show', shop);
    expect(outcomes[3]).toMatchObject({ body: { tenant: { revision: tenant.revision } } });
  });
});

test('a revision names one version of a record, however many are written at one time', () => {
  const world = new AdminWorld();
  const shop = { name: 'shop' };
  const [created, updated] = world.callAll([
    ['tenant.create', shop],
    ['tenant.update', { ...shop, maxQps: 5 }],
    ['tenant.create', { name: 'blog' }],
  ]);
  const revisionOf = (outcome: RpcOutcome | undefined): number =>
    outcome?.ok === true ? (outcome.body as OperationOutput<'tenant.create'>).tenant.revision : 0;
  expect(revisionOf(updated)).toBeGreaterThan(revisionOf(created));
  const guarded = { ...shop, ifRevision: revisionOf(created) };
  expect(world.codeOf('tenant.delete', guarded)).toBe('ERR_CACHECTL_CONFLICT');
  expect(world.codeOf('tenant.delete', { ...shop, ifRevision: revisionOf(updated) })).toBe('ok');
});

describe('a config document', () => {
  test('keeps its versions, and is rolled out one at a time', () => {
    const world = new AdminWorld();
    const set = { 'max-value-size': '2mb', 'idle-timeout': '5m' };
    const first = world.call('config.set', { name: 'limits', set, actor: 'ann' });
    expect(first).toMatchObject({ isChanged: true, config: { version: 1, author: 'ann' } });
    const again = { name: 'limits', set: { 'max-value-size': '4mb' } };
    expect(world.codeOf('config.set', again)).toBe('ERR_CACHECTL_CONFLICT');
    expect(world.call('config.set', { name: 'limits', set }).isChanged).toBe(false);
    world.call('rollout.rollback', { document: 'limits' });
    const second = world.call('config.set', again);
    expect(second.config.version).toBe(2);
    expect(second.config.values).toEqual({ 'max-value-size': '4mb' });
    const { changes } = world.call('config.diff', { name: 'limits' });
    expect(changes).toEqual([
      { setting: 'idle-timeout', from: '5m', to: null },
      { setting: 'max-value-size', from: '2mb', to: '4mb' },
    ]);
    const { versions } = world.call('config.history', { name: 'limits' });
    expect(versions.map(({ version }) => version)).toEqual([2, 1]);
    expect(world.call('config.get', { name: 'limits', version: 1 }).config.values).toEqual(set);
  });
});

describe('settings that a cluster cannot change, and bad values of those that it can', () => {
  test.each([
    [{ 'max-vlaue-size': '2mb' }, "'max-vlaue-size' is no setting that a cluster can change"],
    [{ memory: '2mb' }, "'memory' is no setting"],
    [{ 'max-clients': 7, 'max-value-size': '64mbb' }, "max-value-size is '64mbb', which is not a"],
    [{ 'max-clients': 0 }, "max-clients is '0', which is not a whole number of at least 1"],
    [{ 'idle-timeout': 5 }, "idle-timeout is '5', which is not a duration"],
  ])('%j are refused, and nothing is begun', (set, words) => {
    const world = new AdminWorld();
    const before = world.leader.store.view().revision;
    expect(() => world.call('config.set', { name: 'limits', set })).toThrow(words);
    expect(() => world.call('config.apply', { name: 'limits', values: set })).toThrow(words);
    expect(world.codeOf('config.set', { name: 'limits', set })).toBe('ERR_CACHECTL_VALUE');
    expect(world.leader.store.view().revision).toBe(before);
  });
});

describe('bad input', () => {
  test.each([
    ['tenant.create', { name: 'Ünï code' }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', { name: '../shop' }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', { name: '' }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', { name: 'shop', maxMemoryBytes: '64mb' }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', { name: 'shop', maxMemoryBytes: 1 }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', { name: 'shop', quota: 1 }, 'ERR_CACHECTL_VALUE'],
    ['tenant.create', [], 'ERR_CACHECTL_VALUE'],
    ['tenant.show', { name: 'shop' }, 'ERR_CACHECTL_NOT_FOUND'],
    ['tenant.delete', { name: 'default' }, 'ERR_CACHECTL_VALUE'],
    ['namespace.delete', { tenant: 'default', name: 'default' }, 'ERR_CACHECTL_VALUE'],
    ['node.drain', { node: 'n1' }, 'ERR_CACHECTL_NOT_FOUND'],
    ['shard.show', { shard: 3 }, 'ERR_CACHECTL_NOT_FOUND'],
    ['move.abort', { move: 3 }, 'ERR_CACHECTL_NOT_FOUND'],
    ['config.get', { name: 'limits' }, 'ERR_CACHECTL_NOT_FOUND'],
    ['rollout.pause', { document: 'limits' }, 'ERR_CACHECTL_NOT_FOUND'],
    ['rebalance.apply', { plan: 7 }, 'ERR_CACHECTL_CONFLICT'],
    ['meta.remove', { name: 'm9' }, 'ERR_CACHECTL_NOT_FOUND'],
    ['meta.add', { name: 'm1', address: '10.0.0.9:7500' }, 'ERR_CACHECTL_EXISTS'],
    ['meta.add', { name: 'm4', address: 'nowhere' }, 'ERR_CACHECTL_VALUE'],
  ])('%s %j: %s', (operation, input, code) => {
    const world = new AdminWorld();
    const before = world.leader.store.view().revision;
    expect(world.callAll([[operation, input]]).map(codeOf)).toEqual([code]);
    expect(world.leader.store.view().revision).toBe(before);
  });
});
