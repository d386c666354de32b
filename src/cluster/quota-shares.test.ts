import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { QuotaDivision } from './quota-shares.ts';

const HANDOVER_MS = 1100;
const ROUND_MS = 1000;

/** A node that hears of its share late, by less than the hand-over takes. */
class Hearer {
  inForce: number;
  readonly #heard: Array<{ readonly share: number; readonly atMs: number }> = [];

  constructor(share: number) {
    this.inForce = share;
  }

  /** Pushes of one connection come in order. */
  tell(share: number, atMs: number): void {
    this.#heard.push({ share, atMs: Math.max(atMs, this.#heard.at(-1)?.atMs ?? 0) });
  }

  listen(nowMs: number): void {
    while (this.#heard.length > 0 && this.#heard[0].atMs <= nowMs) {
      this.inForce = this.#heard.shift()?.share ?? 0;
    }
  }
}

const worlds = fc
  .record({ limit: fc.integer({ min: 1, max: 100_000 }), nodes: fc.integer({ min: 1, max: 8 }) })
  .chain(({ limit, nodes }) => {
    const demand = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * limit }));
    const delay = fc.integer({ min: 0, max: HANDOVER_MS - 1 });
    const round = fc.record({
      demands: fc.array(demand, { minLength: nodes, maxLength: nodes }),
      delays: fc.array(delay, { minLength: nodes, maxLength: nodes }),
      limit: fc.constant(limit),
    });
    return fc.record({
      limit: fc.constant(limit),
      nodes: fc.constant(nodes),
      rounds: fc.array(round, { minLength: 1, maxLength: 20 }),
    });
  });

describe('shares of a quota', () => {
  it('are together never above it, whenever nodes hear of them', () => {
    fc.assert(
      fc.property(worlds, ({ limit, nodes, rounds }) => {
        const division = new QuotaDivision<number>(HANDOVER_MS);
        const hearers = Array.from({ length: nodes }, () => new Hearer(Math.floor(limit / nodes)));
        for (const [index, { demands, delays }] of rounds.entries()) {
          const nowMs = index * ROUND_MS;
          const asked = demands.map((demand, node) => ({ node, demand, held: 0 }));
          for (const [node, share] of division.divide(limit, asked, nowMs)) {
            hearers[node].tell(share, nowMs + delays[node]);
          }
          for (let atMs = nowMs; atMs < nowMs + ROUND_MS; atMs += 100) {
            for (const hearer of hearers) hearer.listen(atMs);
            const together = hearers.reduce((sum, { inForce }) => sum + inForce, 0);
            expect(together).toBeLessThanOrEqual(limit);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('let 95 % of it be used, or all that is asked for, once demand has been the same a while', () => {
    const skewed = fc.record({
      limit: fc.integer({ min: 1000, max: 1_000_000 }),
      /** In parts of the limit. */
      before: fc.array(fc.constantFrom(0, 0.2, 1, 5), { minLength: 1, maxLength: 12 }),
      after: fc.array(fc.constantFrom(0, 0, 0.01, 0.3, 3), { minLength: 12, maxLength: 12 }),
    });
    fc.assert(
      fc.property(skewed, ({ limit, before, after }) => {
        const division = new QuotaDivision<number>(HANDOVER_MS);
        let shares: ReadonlyMap<number, number> = new Map();
        const ask = (parts: readonly number[], nowMs: number): void => {
          const asked = before.map((_, node) => ({ node, demand: parts[node] * limit, held: 0 }));
          shares = division.divide(limit, asked, nowMs);
        };
        for (let round = 0; round < 5; round++) ask(before, round * ROUND_MS);
        for (let round = 5; round < 12; round++) ask(after, round * ROUND_MS);
        const demands = before.map((_, node) => after[node] * limit);
        const admitted = demands.reduce(
          (sum, demand, node) => sum + Math.min(demand, shares.get(node) ?? 0),
          0,
        );
        const asked = demands.reduce((sum, demand) => sum + demand, 0);
        expect(admitted).toBeGreaterThanOrEqual(0.95 * Math.min(limit, asked) - before.length);
      }),
      { numRuns: 300 },
    );
  });

  it('are equal where all ask for more than there is', () => {
    const division = new QuotaDivision<number>(HANDOVER_MS);
    const asked = [0, 1, 2, 3].map((node) => ({ node, demand: 1000 * (node + 1), held: 0 }));
    division.divide(1000, asked, 0);
    expect([...division.divide(1000, asked, 2000).values()]).toEqual([250, 250, 250, 250]);
  });

  it('take nothing from what is held and cannot be given back at once', () => {
    const division = new QuotaDivision<string>(HANDOVER_MS);
    const idle = { node: 'b', demand: 0, held: 0 };
    division.divide(100, [{ node: 'a', demand: 90, held: 0 }, idle], 0);
    division.divide(100, [{ node: 'a', demand: 90, held: 90 }, idle], 2000);
    const busy = { node: 'b', demand: 100, held: 0 };
    const shares = division.divide(100, [{ node: 'a', demand: 0, held: 90 }, busy], 9000);
    expect(shares.get('b')).toBeLessThanOrEqual(10);
    expect(shares.get('a')).toBeGreaterThanOrEqual(90);
  });

  it('go over to those who stay when a node is gone', () => {
    const division = new QuotaDivision<string>(HANDOVER_MS);
    const stays = { node: 'a', demand: 1000, held: 0 };
    division.divide(100, [stays, { node: 'b', demand: 1000, held: 0 }], 0);
    division.divide(100, [stays, { node: 'b', demand: 1000, held: 0 }], 2000);
    expect(division.divide(100, [stays], 4000).get('a')).toBe(100);
  });
});
