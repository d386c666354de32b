/**
 * Standing for election, and voting (Raft §5.2, §5.4.1; thesis 9.6 for the pre-vote).
 *
 * A peer first asks whether it *would* be elected (pre-vote, which changes nothing anywhere), and
 * only with a majority's yes moves to the next term and asks for votes. A peer that was cut off
 * therefore comes back with the term that it left with, and disturbs nobody.
 *
 * Who hears from a leader refuses pre-votes and does not even look at requests for votes, unless
 * the leader itself has asked for the election.
 */
import { isVoter, membersOf } from './configuration.ts';
import type { Role } from './effects.ts';
import { quorumVote } from './quorum.ts';
import type { VoteResult } from './quorum.ts';
import type { RaftState } from './state.ts';
import { asTerm } from './types.ts';
import type { PeerId, PreVote, PreVoteResponse, Term, Vote } from './types.ts';

/** Answers so far. */
export type Tally = Map<PeerId, boolean>;

/** One peer's standing for one term. */
export class Candidacy {
  readonly #state: RaftState;
  readonly #tally: Tally = new Map();
  readonly role: Role & ('preCandidate' | 'candidate');
  /** The term to be elected for. */
  readonly term: Term;
  /** One's own vote counts when this write is durable. */
  readonly ownVoteSequence: number;

  private constructor(state: RaftState, role: 'preCandidate' | 'candidate', term: Term) {
    this.#state = state;
    this.role = role;
    this.term = term;
    this.ownVoteSequence = state.outbox.nextSequence;
  }

  /** Asks everyone whether they would vote for this peer. */
  static preVote(state: RaftState): Candidacy {
    state.setLeader(undefined);
    const candidacy = new Candidacy(state, 'preCandidate', asTerm(state.term + 1));
    const { index: lastIndex, term: lastTerm } = state.log.last;
    for (const to of candidacy.#otherVoters()) {
      state.send(to, { kind: 'preVote', nextTerm: candidacy.term, lastIndex, lastTerm });
    }
    candidacy.count(state.id, true);
    return candidacy;
  }

  /** Enters the next term and asks for votes. One's own is counted once it is durable. */
  static vote(state: RaftState, transfer: boolean): Candidacy {
    state.enterOwnElection();
    const candidacy = new Candidacy(state, 'candidate', state.term);
    const { index: lastIndex, term: lastTerm } = state.log.last;
    for (const to of candidacy.#otherVoters()) {
      state.send(to, { kind: 'vote', lastIndex, lastTerm, transfer });
    }
    return candidacy;
  }

  get result(): VoteResult {
    const { rules, configuration } = this.#state;
    return quorumVote(rules.decidingConfiguration(configuration), (peer) => this.#tally.get(peer));
  }

  count(from: PeerId, granted: boolean): void {
    this.#state.rules.countVote(this.#tally, this.#state.configuration, from, granted);
  }

  /** Whether the answer is to this very pre-vote, and not to an older one. */
  isAnsweredBy(response: PreVoteResponse): boolean {
    return this.role === 'preCandidate' && response.nextTerm === this.term;
  }

  #otherVoters(): readonly PeerId[] {
    const { configuration, id } = this.#state;
    return membersOf(configuration).filter((peer) => peer !== id && isVoter(configuration, peer));
  }
}

/** Whether this peer may stand for election at all. */
export function mayStand(state: RaftState): boolean {
  return state.rules.mayStand(state.log, state.id) && state.isWhole;
}

/** Whether this peer holds to a leader, so that it refuses to help to elect another. */
export function isLoyal(state: RaftState, isLeader: boolean): boolean {
  if (isLeader) return true;
  const { leaderHeardAtUs, nowUs, electionTimeoutUs } = state;
  return (
    state.leader !== undefined && state.rules.isLoyal(leaderHeardAtUs, nowUs, electionTimeoutUs)
  );
}

/**
 * Answers a pre-vote. Any peer answers, also one that believes it is a learner: its configuration
 * may be the older one.
 */
export function answerPreVote(state: RaftState, message: PreVote, loyal: boolean): void {
  const granted =
    message.nextTerm > state.term &&
    !loyal &&
    state.rules.isUpToDate(positionOf(message), state.votingPosition);
  state.send(message.from, { kind: 'preVoteResponse', nextTerm: message.nextTerm, granted });
}

/**
 * Answers a request for a vote in the current term.
 * @returns whether the vote was given.
 */
export function answerVote(state: RaftState, message: Vote): boolean {
  const granted =
    state.leader === undefined &&
    state.rules.mayVoteFor(state.vote, message.from) &&
    state.rules.isUpToDate(positionOf(message), state.votingPosition);
  if (granted) state.voteFor(message.from);
  state.send(message.from, { kind: 'voteResponse', granted });
  return granted;
}

function positionOf(message: PreVote | Vote): { index: Vote['lastIndex']; term: Term } {
  return { index: message.lastIndex, term: message.lastTerm };
}
