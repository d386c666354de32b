import { expect, test } from 'vitest';
import { findDisagreement } from './any-leader.ts';
import { MUTANTS } from './mutants.ts';

test('whatever a correct leader sends, a follower vouches for nothing that differs', () => {
  for (let seed = 1; seed <= 1000; seed += 1) expect(findDisagreement(seed, {})).toBeUndefined();
});

test.each(['acknowledges-whole-log', 'commits-unverified-entries', 'cuts-on-every-append'])(
  'the mistake %s is found within 40 seeds',
  (name) => {
    const { rules = {} } = MUTANTS.find((mutant) => mutant.name === name) ?? {};
    let seed = 1;
    while (seed <= 40 && findDisagreement(seed, rules) === undefined) seed += 1;
    expect(seed).toBeLessThanOrEqual(40);
  },
);
