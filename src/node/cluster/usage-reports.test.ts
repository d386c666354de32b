import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../engine/index.ts';
import { RecentRate } from './recent-rate.ts';
import { namespaceOf, tenantOf, tenantsPush } from './test-support.ts';
import { Tenants } from './tenants.ts';
import { UsageReports } from './usage-reports.ts';

const BEAT_US = 250_000;

test('a recent rate is that of about the last second, whatever was before', () => {
  const rates = fc.integer({ min: 0, max: 100_000 });
  fc.assert(
    fc.property(rates, rates, fc.integer({ min: 0, max: 9 }), (before, after, beats) => {
      const rate = new RecentRate();
      rate.restart(0, 0);
      let count = 0;
      let nowUs = 0;
      for (let beat = 0; beat < beats + 5; beat++) {
        nowUs += BEAT_US;
        count += (beat < beats ? before : after) / 4;
        rate.sample(count, nowUs);
      }
      expect(rate.perSecond).toBe(after);
    }),
  );
});

describe('reports of usage', () => {
  function tenantsOf(count: number): { tenants: Tenants; engine: Engine } {
    const random = { uint32: () => 7, bytes: (length: number) => new Uint8Array(length) };
    const engine = new Engine({ memoryBytes: 16 * 1024 ** 2, random });
    const tenants = new Tenants(engine, engine.addDomain(0, 'lru'));
    const all = Array.from({ length: count }, (_, index) => tenantOf(`t${index}`, index + 1));
    const namespaces = all.map(({ name, number }) => namespaceOf(name, 'default', number));
    tenants.apply(tenantsPush(2, all, namespaces), 0);
    return { tenants, engine };
  }

  test('tell of a tenant with each heartbeat while it does something, and once when it is still', () => {
    const { tenants } = tenantsOf(20);
    const reports = new UsageReports(tenants);
    const busy = tenants.find('t3', 'default')?.tenant;
    if (busy === undefined) throw new Error('the tenant was pushed');
    const told: number[] = [];
    for (let beat = 1; beat <= 20; beat++) {
      const nowUs = beat * BEAT_US;
      if (beat <= 8) {
        tenants.wake(busy, nowUs - BEAT_US);
        busy.operations += 25;
        busy.refused += 75;
      }
      const own = reports.next(nowUs).tenants.filter(({ tenant }) => tenant === 't3');
      expect(own.length).toBeLessThanOrEqual(1);
      for (const { opsPerSecond, demandPerSecond } of own) {
        told.push(opsPerSecond);
        expect(demandPerSecond).toBe(opsPerSecond * 4);
      }
    }
    expect(told.slice(0, 8)).toContain(100);
    expect(told.slice(3, 8)).toEqual([100, 100, 100, 100, 100]);
    expect(told.at(-1)).toBe(0);
    expect(told.filter((rate) => rate === 0)).toHaveLength(1);
  });

  test('tell in turn of all that hold something, and never of those that hold nothing', () => {
    const { tenants, engine } = tenantsOf(1000);
    const reports = new UsageReports(tenants);
    const holders = ['t0', 't500', 't999'];
    for (const name of holders) {
      const namespace = tenants.find(name, 'default');
      const domain = namespace === undefined ? undefined : tenants.domainOf(namespace);
      if (domain === undefined) throw new Error('the tenant was pushed');
      engine.set(domain, Buffer.from('k'), 0, 1, Buffer.from('v'), 0, 1, 0);
    }
    const told = new Set<string>();
    for (let beat = 1; beat <= 6; beat++) {
      for (const { tenant, items } of reports.next(beat * BEAT_US).tenants) {
        told.add(tenant);
        expect(items).toBe(1);
      }
    }
    expect([...told].toSorted()).toEqual(holders);
  });

  test('tell what the leader gave of each quota, so that the next one divides from there', () => {
    const { tenants } = tenantsOf(3);
    const reports = new UsageReports(tenants);
    const busy = tenants.find('t1', 'default')?.tenant;
    if (busy === undefined) throw new Error('the tenant was pushed');
    const share = { tenant: 't1', opsPerSecond: 70 };
    tenants.applyQuotas({ ttlMs: 1000, shares: [share] }, BEAT_US);
    tenants.wake(busy, BEAT_US);
    expect(reports.next(2 * BEAT_US).quotaShares).toEqual([share]);
  });
});
