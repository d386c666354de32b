import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';
import { LatencyMonitor } from './latency-monitor.ts';

describe('the latency monitor', () => {
  test('keeps the worst of each second, the last 160 of them, and the worst of all', () => {
    let nowMs = 1_700_000_000_000;
    const monitor = new LatencyMonitor(
      () => nowMs,
      () => 5,
    );
    monitor.add('command', 900_000);
    for (let second = 0; second < 200; second++) {
      nowMs += 1000;
      monitor.add('command', 4_999);
      monitor.add('command', 7_000 + second * 1000);
      monitor.add('command', 6_000);
    }
    const series = monitor.series('command');
    expect(series?.samples.length).toBe(160);
    expect(series?.samples.at(-1)).toEqual({ atSeconds: nowMs / 1000, latencyMs: 206 });
    expect(series?.samples[0].latencyMs).toBe(47);
    expect(series?.maxMs).toBe(900);
    expect(monitor.all().map(({ event }) => event)).toEqual(['command']);
  });

  test('records nothing at a threshold of 0, and forgets what it is told to', () => {
    let thresholdMs = 0;
    const monitor = new LatencyMonitor(
      () => 0,
      () => thresholdMs,
    );
    monitor.add('command', 1e9);
    expect(monitor.all()).toEqual([]);
    thresholdMs = 1;
    monitor.add('command', 1000);
    monitor.add('fast-command', 1000);
    monitor.add('expire-cycle', 1000);
    expect(monitor.reset(['command', 'nothing'])).toBe(1);
    expect(monitor.reset([])).toBe(2);
    expect(monitor.all()).toEqual([]);
  });
});

describe('the latency histogram', () => {
  test('gives quantiles that are no lower than the exact ones, and an eighth higher at most', () => {
    const durations = fc.array(fc.integer({ min: 2, max: 10_000_000 }), { minLength: 1 });
    fc.assert(
      fc.property(durations, fc.constantFrom(0.5, 0.99, 0.999), (all, share) => {
        const histogram = new LatencyHistogram();
        for (const each of all) histogram.add(each);
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(share * all.length) - 1];
        const estimate = histogram.quantileUs(share);
        expect(estimate).toBeGreaterThanOrEqual(exact * 0.999_999);
        expect(estimate).toBeLessThanOrEqual(exact * 1.125);
      }),
    );
  });

  test('counts by octave, under the labels that Redis gives them', () => {
    const histogram = new LatencyHistogram();
    for (const us of [0, 1, 3, 30, 33, 60, 1000]) histogram.add(us);
    expect(histogram.octaves()).toEqual([
      { upToUs: 1, count: 2 },
      { upToUs: 4, count: 3 },
      { upToUs: 33, count: 4 },
      { upToUs: 66, count: 6 },
      { upToUs: 1056, count: 7 },
    ]);
    histogram.reset();
    expect([histogram.octaves(), histogram.quantileUs(0.5)]).toEqual([[], 0]);
  });
});
