/**
 * Majorities, and pairs of them.
 *
 * Two questions decide everything in Raft: *through which number does a majority agree?* (commit
 * index, confirmed reads) and *has a majority said yes?* (votes, liveness of a leader). In a joint
 * configuration both majorities must agree, so the answer is the worse of two.
 *
 * An empty set of voters agrees with anything: it puts no constraint on the other half of a pair.
 */
import type { Configuration, PeerId } from './types.ts';

/** What an empty set of voters agrees through. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

export type VoteResult = 'won' | 'lost' | 'pending';

/** Puts numbers in ascending order, in place. Beware: `sort()` alone orders them as strings. */
export type SortNumbers = (values: number[]) => void;

/** The greatest number that a majority of `voters` has reached. */
export function majorityReached(
  voters: readonly PeerId[],
  reached: (peer: PeerId) => number,
  sort: SortNumbers,
): number {
  if (voters.length === 0) return UNBOUNDED;
  const values = voters.map(reached);
  sort(values);
  // In ascending order, the value here and all after it make up a majority.
  return values[voters.length - majoritySize(voters.length)];
}

/** The greatest number that both majorities have reached. */
export function quorumReached(
  configuration: Configuration,
  reached: (peer: PeerId) => number,
  sort: SortNumbers,
): number {
  return Math.min(
    majorityReached(configuration.voters, reached, sort),
    majorityReached(configuration.votersOutgoing, reached, sort),
  );
}

/** @param vote a peer's answer; `undefined` where it has not answered. */
export function majorityVote(
  voters: readonly PeerId[],
  vote: (peer: PeerId) => boolean | undefined,
): VoteResult {
  const needed = majoritySize(voters.length);
  let granted = 0;
  let refused = 0;
  for (const peer of voters) {
    const answer = vote(peer);
    if (answer === true) granted++;
    if (answer === false) refused++;
  }
  if (voters.length === 0 || granted >= needed) return 'won';
  return voters.length - refused < needed ? 'lost' : 'pending';
}

/** Won only where both majorities are won, lost as soon as one is lost. */
export function quorumVote(
  configuration: Configuration,
  vote: (peer: PeerId) => boolean | undefined,
): VoteResult {
  const incoming = majorityVote(configuration.voters, vote);
  const outgoing = majorityVote(configuration.votersOutgoing, vote);
  if (incoming === outgoing) return incoming;
  return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending';
}

function majoritySize(count: number): number {
  return Math.floor(count / 2) + 1;
}
