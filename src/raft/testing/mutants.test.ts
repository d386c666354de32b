/** Each historical mistake, put back, must be noticed. */
import { describe, expect, test } from 'vitest';
import { RAFT_RULES } from '../rules.ts';
import { asIndex, asTerm } from '../types.ts';
import { MUTANTS } from './mutants.ts';
import { play } from './script.ts';
import { entriesOf, Solo } from './solo.ts';
import { findViolation, TURNS, worldOf } from './world.ts';

/** Seeds of the rough world within which a mistake must show. */
const SEEDS_MAX = 150;

/** Those that need a sequence of events too rare for so few seeds, told as it happens. */
const STORIES: Readonly<Record<string, (rules: object) => void>> = {
  'acknowledges-whole-log'(rules) {
    const solo = new Solo({ log: [1, 1, 1], rules });
    solo.receive('b', appendAfterFirst([], 0), 2);
    expect(solo.sentOf('appendAccepted')).toMatchObject([{ match: 1 }]);
  },
  'commits-unverified-entries'(rules) {
    const solo = new Solo({ log: [1, 1, 1], rules });
    solo.receive('b', appendAfterFirst([], 3), 2);
    expect(solo.core.log.commit).toBe(1);
  },
  'snapshot-keeps-suffix'(rules) {
    play(
      `
        peers a b c
        elect a
        cut a b
        cut a c
        propose a p q r s
        crash a
        elect b
        propose b x
        settle
        snapshot b
        mend
        start a
        pass 1000
        expect a holds x
      `,
      rules,
    );
  },
};

function appendAfterFirst(terms: readonly number[], commit: number) {
  return {
    kind: 'append',
    previousIndex: asIndex(1),
    previousTerm: asTerm(1),
    entries: entriesOf(terms, 2),
    commit: asIndex(commit),
  } as const;
}

describe('a cluster notices', () => {
  const rare = new Set(Object.keys(STORIES));
  const frequent = MUTANTS.filter(({ name }) => !rare.has(name));

  test.each(frequent)(
    '$name: $mistake',
    ({ name, rules = {}, sessionRules = {} }) => {
      for (let seed = 1; seed <= SEEDS_MAX; seed++) {
        const world = { ...worldOf(seed), rules, sessionRules };
        if (findViolation(world, TURNS) !== undefined) return;
      }
      expect.unreachable(`${name} was not noticed within ${SEEDS_MAX} seeds`);
    },
    60_000,
  );

  test.each(MUTANTS.filter(({ name }) => rare.has(name)))(
    '$name, in a story: $mistake',
    ({ name, rules = {} }) => {
      STORIES[name](RAFT_RULES);
      expect(() => STORIES[name](rules)).toThrow(/expect|safety/);
    },
  );
});

test('mutants have names of their own, and change a rule that there is', () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  for (const { rules = {} } of MUTANTS) {
    for (const rule of Object.keys(rules)) expect(RAFT_RULES).toHaveProperty(rule);
  }
});
