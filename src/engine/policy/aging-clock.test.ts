import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AgingClock } from './aging-clock.ts';

const START_SECONDS = 1_790_000_000;

/** A moment: so many seconds later, then so many halvings. */
const moments = fc.array(fc.record({ seconds: fc.nat(500), halvings: fc.nat(6) }), {
  minLength: 1,
  maxLength: 60,
  size: 'max',
});

describe('the aging clock', () => {
  test('tells seconds and halvings apart again, exactly for the latest 64 halvings', () => {
    fc.assert(
      fc.property(moments, (sequence) => {
        const clock = new AgingClock();
        clock.nowSeconds = START_SECONDS;
        let halvings = 0;
        const stamps: Array<{ stamp: number; seconds: number; halvings: number }> = [];
        for (const moment of sequence) {
          stamps.push({ stamp: clock.stamp, seconds: clock.nowSeconds, halvings });
          clock.nowSeconds += moment.seconds;
          for (let halving = 0; halving < moment.halvings; halving++) clock.halve();
          halvings += moment.halvings;
        }
        for (const taken of stamps) {
          const since = halvings - taken.halvings;
          expect(clock.halvingsSince(taken.stamp, 4)).toBe(Math.min(4, since));
          expect(clock.halvingsSince(taken.stamp, 64)).toBe(Math.min(64, since));
          if (since >= 64) continue;
          expect(clock.secondsSince(taken.stamp)).toBe(clock.nowSeconds - taken.seconds);
        }
      }),
    );
  });

  test('takes older halvings to have come at the latest rate', () => {
    const clock = new AgingClock();
    clock.nowSeconds = START_SECONDS;
    const { stamp } = clock;
    for (let second = 0; second < 10_000; second++) {
      clock.nowSeconds++;
      if (second % 3 === 0) clock.halve();
    }
    expect(Math.abs(clock.secondsSince(stamp) - 10_000)).toBeLessThan(100);
  });

  test('tells no idle time where halvings alone have moved it', () => {
    const clock = new AgingClock();
    clock.nowSeconds = START_SECONDS;
    const { stamp } = clock;
    for (let halving = 0; halving < 1000; halving++) clock.halve();
    expect(clock.secondsSince(stamp)).toBe(0);
  });
});
