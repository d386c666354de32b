import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

const rates = fc.integer({ min: 1, max: 100_000 });

describe('a token bucket', () => {
  test('lets no more pass than its rate and a twentieth of a second, whatever the demand', () => {
    const steps = fc.array(
      fc.tuple(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 0, max: 400 })),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(rates, steps, (rate, demands) => {
        const bucket = new TokenBucket(rate, 0);
        let nowUs = 0;
        let passed = 0;
        for (const [afterUs, asked] of demands) {
          nowUs += afterUs;
          for (let i = 0; i < asked; i++) if (bucket.take(nowUs)) passed++;
        }
        expect(passed).toBeLessThanOrEqual((rate * nowUs) / 1e6 + 1 + rate * 0.05 + 1e-6);
      }),
    );
  });

  test('lets its rate pass where there is more demand, asked every ten milliseconds', () => {
    fc.assert(
      fc.property(rates, (rate) => {
        const bucket = new TokenBucket(rate, 0);
        let passed = 0;
        for (let nowUs = 0; nowUs < 10_000_000; nowUs += 10_000) {
          for (let asked = 0; asked <= rate / 50 + 1; asked++) if (bucket.take(nowUs)) passed++;
        }
        expect(passed).toBeGreaterThanOrEqual(Math.floor(rate * 9.9));
      }),
      { numRuns: 20 },
    );
  });

  test('says how long to wait: a try that much later succeeds', () => {
    fc.assert(
      fc.property(rates, fc.integer({ min: 0, max: 10_000_000 }), (rate, startUs) => {
        const bucket = new TokenBucket(rate, startUs);
        while (bucket.take(startUs));
        expect(bucket.take(startUs + bucket.waitMs() * 1000)).toBe(true);
      }),
    );
  });

  test('owes what was charged beyond what it held, and makes up for it at its rate', () => {
    const bucket = new TokenBucket(1000, 0);
    bucket.charge(551, 0);
    expect(bucket.isInDebt(499_000)).toBe(true);
    expect(bucket.isInDebt(500_000)).toBe(false);
  });

  test('keeps to a new rate at once', () => {
    const bucket = new TokenBucket(100_000, 0);
    bucket.setRate(10, 0);
    let passed = 0;
    for (let i = 0; i < 100; i++) if (bucket.take(0)) passed++;
    expect(passed).toBe(1);
  });
});
