import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeConfiguration } from './configuration.ts';
import { majorityReached, majorityVote, quorumReached, quorumVote, UNBOUNDED } from './quorum.ts';
import type { VoteResult } from './quorum.ts';
import { RAFT_RULES } from './rules.ts';
import { asPeerId } from './types.ts';
import type { Configuration, PeerId } from './types.ts';

const PEERS = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(asPeerId);
const ADDRESSES = new Map(PEERS.map((peer, at) => [peer, { host: 'h', port: at + 1 }]));
const sort = RAFT_RULES.sortNumbers;

const voters = fc.subarray(PEERS);
const reached = fc.array(fc.integer({ min: 0, max: 1200 }), { minLength: 7, maxLength: 7 });
const votes = fc.array(fc.constantFrom(true, false, undefined), { minLength: 7, maxLength: 7 });

function configuration(incoming: readonly PeerId[], outgoing: readonly PeerId[]): Configuration {
  return makeConfiguration({ voters: incoming, votersOutgoing: outgoing }, ADDRESSES);
}

function byPeer<T>(values: readonly T[]): (peer: PeerId) => T {
  return (peer) => values[PEERS.indexOf(peer)];
}

/** The definition itself: the highest number that more than half have reached. */
function bruteReached(set: readonly PeerId[], of: (peer: PeerId) => number): number {
  if (set.length === 0) return UNBOUNDED;
  const candidates = [0, ...set.map(of)];
  const agreed = candidates.filter(
    (number) => set.filter((peer) => of(peer) >= number).length * 2 > set.length,
  );
  return Math.max(...agreed);
}

/** The definition itself: tries every way in which the missing answers may still come. */
function bruteVote(
  sets: ReadonlyArray<readonly PeerId[]>,
  of: (peer: PeerId) => boolean | undefined,
): VoteResult {
  const missing = PEERS.filter((peer) => of(peer) === undefined);
  const outcomes = new Set<boolean>();
  for (let ways = 0; ways < 1 << missing.length; ways++) {
    const granted = (peer: PeerId): boolean =>
      of(peer) ?? (ways & (1 << missing.indexOf(peer))) !== 0;
    outcomes.add(
      sets.every((set) => set.length === 0 || set.filter(granted).length * 2 > set.length),
    );
  }
  if (outcomes.size === 2) return 'pending';
  return outcomes.has(true) ? 'won' : 'lost';
}

describe('what a majority has reached', () => {
  test.each([
    { voters: '', reached: '', is: UNBOUNDED },
    { voters: 'a', reached: '12', is: 12 },
    { voters: 'a b', reached: '12 5', is: 5 },
    { voters: 'a b', reached: '12 0', is: 0 },
    { voters: 'a b c', reached: '12 5 0', is: 5 },
    { voters: 'a b c', reached: '12 12 0', is: 12 },
    { voters: 'a b c', reached: '99 100 101', is: 100 },
    { voters: 'a b c', reached: '9 10 100', is: 10 },
    { voters: 'a b c d', reached: '1 2 3 4', is: 2 },
    { voters: 'a b c d', reached: '7 7 7 0', is: 7 },
    { voters: 'a b c d e', reached: '5 1 4 2 3', is: 3 },
    { voters: 'a b c d e', reached: '0 0 9 9 9', is: 9 },
    { voters: 'a b c d e', reached: '0 0 0 9 9', is: 0 },
  ])('of ($voters) at ($reached) is $is', ({ voters: names, reached: numbers, is }) => {
    const set = names.split(' ').filter(Boolean).map(asPeerId);
    const values = numbers.split(' ').map(Number);
    expect(majorityReached(set, (peer) => values[set.indexOf(peer)], sort)).toBe(is);
  });

  test('is the definition, for every set and every state of it', () => {
    fc.assert(
      fc.property(voters, reached, (set, values) => {
        const of = byPeer(values);
        expect(majorityReached(set, of, sort)).toBe(bruteReached(set, of));
      }),
    );
  });

  test('does not depend on the order of the voters', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(PEERS), reached, (set, values) => {
        const of = byPeer(values);
        expect(majorityReached(set, of, sort)).toBe(majorityReached([...set].sort(), of, sort));
      }),
    );
  });

  test('of a joint configuration is the lesser of both halves', () => {
    fc.assert(
      fc.property(voters, voters, reached, (a, b, values) => {
        const of = byPeer(values);
        const joint = quorumReached(configuration(a, b), of, sort);
        expect(joint).toBe(Math.min(bruteReached(a, of), bruteReached(b, of)));
        expect(joint).toBe(quorumReached(configuration(b, a), of, sort));
        expect(quorumReached(configuration(a, a), of, sort)).toBe(bruteReached(a, of));
        expect(quorumReached(configuration(a, []), of, sort)).toBe(bruteReached(a, of));
      }),
    );
  });
});

describe('a vote', () => {
  test.each([
    { voters: '', votes: '', is: 'won' },
    { voters: 'a', votes: '_', is: 'pending' },
    { voters: 'a', votes: 'n', is: 'lost' },
    { voters: 'a', votes: 'y', is: 'won' },
    { voters: 'a b', votes: 'n _', is: 'lost' },
    { voters: 'a b', votes: 'y _', is: 'pending' },
    { voters: 'a b', votes: 'y y', is: 'won' },
    { voters: 'a b c', votes: 'y n _', is: 'pending' },
    { voters: 'a b c', votes: 'y y _', is: 'won' },
    { voters: 'a b c', votes: 'n n _', is: 'lost' },
    { voters: 'a b c d', votes: 'y y n _', is: 'pending' },
    { voters: 'a b c d', votes: 'y y n n', is: 'lost' },
    { voters: 'a b c d e', votes: 'y y n n _', is: 'pending' },
    { voters: 'a b c d e', votes: 'n n n _ _', is: 'lost' },
  ])('of ($voters) with ($votes) is $is', ({ voters: names, votes: answers, is }) => {
    const set = names.split(' ').filter(Boolean).map(asPeerId);
    const given = answers.split(' ').map((word) => ({ y: true, n: false })[word]);
    expect(majorityVote(set, (peer) => given[set.indexOf(peer)])).toBe(is);
  });

  test('is the definition, in single and in joint configurations', () => {
    fc.assert(
      fc.property(voters, voters, votes, (a, b, answers) => {
        const of = byPeer(answers);
        expect(majorityVote(a, of)).toBe(bruteVote([a], of));
        expect(quorumVote(configuration(a, b), of)).toBe(bruteVote([a, b], of));
        expect(quorumVote(configuration(a, []), of)).toBe(bruteVote([a], of));
      }),
    );
  });
});
