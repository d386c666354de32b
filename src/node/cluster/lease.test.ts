import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asEpoch, LEASE_TIMES } from '../../cluster/index.ts';
import { Lease, LEASE_RULES, type LeaseRules } from './lease.ts';

const { leaseMs, marginMs } = LEASE_TIMES;
const EPOCH = asEpoch(3);

interface Beat {
  /** True time since the heartbeat before. */
  readonly afterUs: number;
  readonly thereUs: number;
  readonly backUs: number;
  readonly isLost: boolean;
}

const beat: fc.Arbitrary<Beat> = fc.record({
  afterUs: fc.integer({ min: 0, max: 2_000_000 }),
  thereUs: fc.integer({ min: 0, max: 1_500_000 }),
  backUs: fc.integer({ min: 0, max: 1_500_000 }),
  isLost: fc.boolean(),
});

/** How many clock units pass in one of true time; the margin covers a tenth, both ways. */
const rate = fc.integer({ min: 901, max: 1099 }).map((thousandths) => thousandths / 1000);

/**
 * Runs a node and a leader, each with a clock of its own, over a network that delays at will.
 *
 * @returns for how long, in true time, the node has held its lease past the leader's patience
 */
function overlapUs(
  beats: readonly Beat[],
  nodeRate: number,
  leaderRate: number,
  leaseMsHere: number,
  rules: LeaseRules,
): number {
  const lease = new Lease(rules);
  let sentUs = 1;
  let lastReceivedUs = -Infinity;
  const answers = beats.map(({ afterUs, thereUs, backUs, isLost }) => {
    sentUs += afterUs;
    lastReceivedUs = Math.max(lastReceivedUs, sentUs + thereUs);
    return { sentUs, arrivesUs: sentUs + thereUs + backUs, isLost };
  });
  for (const { sentUs: sent, arrivesUs, isLost } of answers) {
    if (isLost) continue;
    lease.answered({
      sentAtUs: sent * nodeRate,
      receivedAtUs: arrivesUs * nodeRate,
      answerEpoch: EPOCH,
      ownEpoch: EPOCH,
      leaseMs: leaseMsHere,
    });
  }
  const nodeUntilUs = lease.untilUs / nodeRate;
  const leaderUntilUs = lastReceivedUs + ((leaseMs + marginMs) * 1000) / leaderRate;
  return nodeUntilUs - leaderUntilUs;
}

const run = (leaseMsHere: number, rules: LeaseRules = LEASE_RULES) =>
  fc.property(
    fc.array(beat, { minLength: 1, maxLength: 12 }),
    rate,
    rate,
    (beats, nodeRate, leaderRate) =>
      overlapUs(beats, nodeRate, leaderRate, leaseMsHere, rules) <= 0,
  );

describe('a lease', () => {
  test('ends before the leader takes the node for dead, whatever network and clocks do', () => {
    fc.assert(run(leaseMs - marginMs), { numRuns: 2000 });
  });

  test.each<[string, number, Partial<LeaseRules>]>([
    ['counts from the receipt', leaseMs - marginMs, { countsFromUs: (it) => it.receivedAtUs }],
    ['takes no margin off', leaseMs, {}],
  ])('that %s does not', (_, leaseMsHere, wrong) => {
    const found = fc.check(run(leaseMsHere, { ...LEASE_RULES, ...wrong }), { numRuns: 2000 });
    expect(found.failed).toBe(true);
  });

  const heartbeat = {
    sentAtUs: 5000,
    receivedAtUs: 6000,
    answerEpoch: EPOCH,
    ownEpoch: EPOCH,
    leaseMs: 900,
  };

  test('is held until its end, and not at it', () => {
    const lease = new Lease();
    expect(lease.isHeld(0)).toBe(false);
    lease.answered(heartbeat);
    expect(lease.isHeld(904_999)).toBe(true);
    expect(lease.isHeld(905_000)).toBe(false);
  });

  test('is not shortened by the late answer to an earlier heartbeat', () => {
    const lease = new Lease();
    lease.answered(heartbeat);
    lease.answered({ ...heartbeat, sentAtUs: 1000, receivedAtUs: 7000 });
    expect(lease.untilUs).toBe(905_000);
  });

  test('is not renewed by an answer that speaks of a newer map', () => {
    const lease = new Lease();
    lease.answered({ ...heartbeat, answerEpoch: asEpoch(4) });
    expect(lease.untilUs).toBe(0);
  });

  test('that was given up stays so', () => {
    const lease = new Lease();
    lease.answered(heartbeat);
    lease.giveUp();
    lease.answered({ ...heartbeat, sentAtUs: 7000 });
    expect(lease.isHeld(1)).toBe(false);
  });
});
