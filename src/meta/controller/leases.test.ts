import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { heartbeatCallSchema, LEASE_TIMES, nodeIdOfName } from '../../cluster/index.ts';
import { Leases } from './leases.ts';
import { CONTROLLER_RULES } from './rules.ts';

const node = nodeIdOfName('a');
const HELD_US = (LEASE_TIMES.leaseMs + LEASE_TIMES.marginMs) * 1000;
const LOOK_US = 50_000;

const heartbeat = (bootId: string) =>
  heartbeatCallSchema.parse({
    ...{ id: node, bootId, mapEpoch: 0, tenantsRevision: 0, configVersion: '' },
    ...{ shards: [], tenants: [], usedBytes: 0, memoryBytes: 0 },
  });

describe('a node', () => {
  test('is dead when nothing was heard for a lease and its margin, not before, and stays so', () => {
    const gaps = fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(gaps, (gapsMs) => {
        const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 0);
        leases.registered(node, 'one', 0);
        let heardUs = 0;
        let isDead = false;
        let nowUs = 0;
        for (const gapMs of gapsMs) {
          const nextUs = nowUs + gapMs * 1000;
          for (; nowUs + LOOK_US <= nextUs; nowUs += LOOK_US) {
            leases.look(nowUs);
            isDead ||= nowUs >= heardUs + HELD_US;
            expect(leases.isAlive(node)).toBe(!isDead);
          }
          expect(leases.heard(heartbeat('one'), nowUs)).toBe(!isDead);
          if (!isDead) heardUs = nowUs;
        }
      }),
    );
  });

  test('that a predecessor has let in is given the whole grace', () => {
    const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 5_000_000);
    leases.inherited(node, 'one');
    for (let us = 5_000_000; us < 5_000_000 + HELD_US; us += LOOK_US) leases.look(us);
    expect(leases.isAlive(node)).toBe(true);
    leases.look(5_000_000 + HELD_US);
    expect(leases.isAlive(node)).toBe(false);
  });

  test('is heard as the boot that is registered, and as no other', () => {
    const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 0);
    expect(leases.heard(heartbeat('one'), 0)).toBe(false);
    leases.registered(node, 'one', 0);
    expect(leases.heard(heartbeat('two'), 0)).toBe(false);
    expect(leases.heard(heartbeat('one'), 0)).toBe(true);
    expect(leases.isAliveAs(node, 'two')).toBe(false);
  });

  test('that the store says is dead is not heard, and lives until its lease is over', () => {
    const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 0);
    leases.registered(node, 'one', 0);
    leases.heard(heartbeat('one'), 100_000);
    leases.condemn(node);
    expect(leases.heard(heartbeat('one'), 200_000)).toBe(false);
    for (let us = 0; us < 100_000 + HELD_US; us += LOOK_US) leases.look(us);
    expect(leases.isAlive(node)).toBe(true);
    leases.look(100_000 + HELD_US);
    expect(leases.isAlive(node)).toBe(false);
  });

  test('that gives its lease up is dead at once', () => {
    const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 0);
    leases.registered(node, 'one', 0);
    leases.left(node, 'two');
    expect(leases.isAlive(node)).toBe(true);
    leases.left(node, 'one');
    expect(leases.isAlive(node)).toBe(false);
  });

  test('is not judged by a leader that was stopped itself', () => {
    const leases = new Leases(LEASE_TIMES, CONTROLLER_RULES, 0);
    leases.registered(node, 'one', 0);
    leases.look(LOOK_US);
    leases.look(10_000_000);
    expect(leases.isAlive(node)).toBe(true);
    expect(leases.heard(heartbeat('one'), 10_000_000)).toBe(true);
    for (let us = 10_000_000; us < 10_000_000 + HELD_US; us += LOOK_US) leases.look(us);
    expect(leases.isAlive(node)).toBe(true);
    leases.look(10_000_000 + HELD_US);
    expect(leases.isAlive(node)).toBe(false);
  });
});
