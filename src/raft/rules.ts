/**
 * The rules that make Raft safe, one function each: read this page with the paper beside you.
 *
 * Each is small, and each was got wrong by somebody: the history of Raft implementations is a
 * history of these decisions. They are kept together, and given to the core as one object, so that
 * a test can put a historical mistake in the place of one rule and see whether the oracles notice.
 * Production knows `RAFT_RULES` alone.
 */
import type { Tally } from './election.ts';
import { isJoint, isVoter } from './configuration.ts';
import type { SortNumbers } from './quorum.ts';
import type { RaftLog } from './log.ts';
import { asIndex } from './types.ts';
import type {
  Append,
  Configuration,
  HardState,
  Heartbeat,
  Index,
  Message,
  PeerId,
  Position,
  SnapshotMetadata,
  Term,
} from './types.ts';

/**
 * What has to be durable before a message may leave:
 * - `term`: the term (and vote) that this peer is in,
 * - `everything`: all that was handed out to be written up to the moment the message was made.
 */
export type Durability = 'nothing' | 'term' | 'everything';

/** @returns what a write that was to store entries through `through` still vouches for. */
export type StoredThrough = (through: Index, keptThrough: Index) => Index;

export interface Rules {
  /** §5.1, figure 2: term and vote, and entries, are durable before the answer that shows them. */
  durabilityOf(message: Message, log: RaftLog): Durability;
  /** A leader is one of the majority only with what is durable on its own disk. */
  ownMatch(log: RaftLog): Index;
  /** An answer to a write does not vouch for entries that have replaced those written. */
  storedThrough: StoredThrough;
  /** §5.1: a vote belongs to its term. It is forgotten with the term, and not before. */
  voteInTerm(hardState: HardState, term: Term): PeerId | undefined;
  /** §5.1: which messages make a peer that is behind move to their (later) term. */
  adoptsTermOf(message: Message): boolean;
  /** Thesis 9.6: who asks in an earlier term is told of the later one, or it would ask for ever. */
  answersEarlierTerm(message: Message): boolean;
  /** §5.2: one vote a term. */
  mayVoteFor(vote: PeerId | undefined, candidate: PeerId): boolean;
  /** §5.4.1: only for a candidate whose log is at least as up to date as one's own. */
  isUpToDate(candidate: Position, own: Position): boolean;
  /** What a disk has lost still counts as one's own, until it is there again. */
  votesAs(log: RaftLog, lostThrough: Position | undefined): Position;
  /**
   * Who may stand for election: voters, and until their removal is committed also those removed.
   * Only they may have the entry that removes them, and then nobody else could be elected (thesis
   * 4.2.2).
   */
  mayStand(log: RaftLog, peer: PeerId): boolean;
  /** §5.2: each voter's answer counts once, and only voters' answers count. */
  countVote(tally: Tally, configuration: Configuration, from: PeerId, granted: boolean): void;
  /** §6, thesis 4.2.3: who hears from a leader does not help to depose it. */
  isLoyal(heardAtUs: number, nowUs: number, electionTimeoutUs: number): boolean;
  /** Thesis 6.2: a leader that hears from no majority for an election timeout stands down. */
  mustStandDown(hasQuorum: boolean): boolean;
  /** Numbers are compared as numbers. */
  sortNumbers: SortNumbers;
  /** §5.4.2, figure 8: a leader counts replicas only for entries of its own term. */
  mayCommit(entryTerm: Term, currentTerm: Term): boolean;
  /** Answers overtake each other: what is known to match never shrinks by an older one. */
  matchAfter(known: Index, acknowledged: Index): Index;
  /** §5.3: a follower vouches for what the message brought it up to, not for all that it has. */
  acknowledges(append: Append, log: RaftLog): Index;
  /** §5.3: a follower commits no further than the message has compared its log. */
  commitAfterAppend(append: Append, log: RaftLog): Index;
  /** A heartbeat compares nothing, so it commits only what the follower is known to have. */
  heartbeatCommit(match: Index, commit: Index): Index;
  /** What a follower commits on a heartbeat. */
  commitAfterHeartbeat(heartbeat: Heartbeat, log: RaftLog): Index;
  /**
   * §5.3: entries are cut away only from the first that conflicts; a repeated or overtaken message
   * cuts nothing. @returns how many of the entries are there already.
   */
  entriesHeld(append: Append, log: RaftLog): number;
  /** §8: no reads before an entry of the leader's own term is committed. */
  mayRead(committedTerm: Term | undefined, currentTerm: Term): boolean;
  /** §8: a read waits until a majority has confirmed the leader, asked after the read came in. */
  confirmsRead(confirmed: number, context: number): boolean;
  /** A context that was used before could be answered by an answer that is older than the read. */
  nextReadContext(previous: number): number;
  /** §6: in a joint configuration both majorities decide. */
  decidingConfiguration(configuration: Configuration): Configuration;
  /** §6: one change at a time, begun by a leader that knows what is committed. */
  mayChange(log: RaftLog, committedTerm: Term | undefined, currentTerm: Term): boolean;
  /** §6: two configurations without a common majority never follow each other directly. */
  needsJoint(keepsVoters: boolean): boolean;
  /** §6: a joint configuration is left only when it is committed. */
  mayLeaveJoint(log: RaftLog): boolean;
  /** §7: a log may go on after a snapshot only where it holds the snapshot's last entry. */
  keepsLogAfter(snapshot: SnapshotMetadata, log: RaftLog): boolean;
  /** §7: a snapshot that brings nothing new is not installed. */
  isStaleSnapshot(snapshot: SnapshotMetadata, log: RaftLog): boolean;
  /** §7: with a snapshot comes the configuration of its last entry. */
  configurationOf(snapshot: SnapshotMetadata, log: RaftLog): Configuration;
}

export const RAFT_RULES: Rules = Object.freeze({
  durabilityOf(message: Message, log: RaftLog): Durability {
    if (message.kind === 'appendAccepted') {
      return message.match > log.stable ? 'everything' : 'term';
    }
    return message.kind === 'snapshotResponse' ? 'everything' : 'term';
  },
  ownMatch: (log: RaftLog) => log.stable,
  storedThrough: (through: Index, keptThrough: Index) =>
    through < keptThrough ? through : keptThrough,
  voteInTerm: (hardState: HardState, term: Term) =>
    term === hardState.term ? hardState.vote : undefined,
  adoptsTermOf: (message: Message) => message.kind !== 'preVote',
  answersEarlierTerm: () => true,
  mayVoteFor: (vote: PeerId | undefined, candidate: PeerId) =>
    vote === undefined || vote === candidate,
  isUpToDate: isAtOrAfter,
  votesAs: (log: RaftLog, lostThrough: Position | undefined) =>
    lostThrough === undefined || isAtOrAfter(log.last, lostThrough) ? log.last : lostThrough,
  mayStand: (log: RaftLog, peer: PeerId) =>
    isVoter(log.configuration, peer) ||
    (log.configurationIndex > log.commit && isVoter(log.configurationBefore, peer)),
  countVote(tally: Tally, configuration: Configuration, from: PeerId, granted: boolean): void {
    if (isVoter(configuration, from) && !tally.has(from)) tally.set(from, granted);
  },
  isLoyal: (heardAtUs: number, nowUs: number, electionTimeoutUs: number) =>
    nowUs - heardAtUs < electionTimeoutUs,
  mustStandDown: (hasQuorum: boolean) => !hasQuorum,
  sortNumbers: (values: number[]) => {
    values.sort((a, b) => a - b);
  },
  mayCommit: (entryTerm: Term, currentTerm: Term) => entryTerm === currentTerm,
  matchAfter: (known: Index, acknowledged: Index) => (acknowledged > known ? acknowledged : known),
  acknowledges: verifiedThrough,
  commitAfterAppend: (append: Append) => asIndex(Math.min(append.commit, verifiedThrough(append))),
  heartbeatCommit: (match: Index, commit: Index) => (match < commit ? match : commit),
  commitAfterHeartbeat: (heartbeat: Heartbeat) => heartbeat.commit,
  entriesHeld(append: Append, log: RaftLog): number {
    const conflict = append.entries.findIndex((entry) => !log.has(entry));
    return conflict < 0 ? append.entries.length : conflict;
  },
  mayRead: (committedTerm: Term | undefined, currentTerm: Term) => committedTerm === currentTerm,
  confirmsRead: (confirmed: number, context: number) => confirmed >= context,
  nextReadContext: (previous: number) => previous + 1,
  decidingConfiguration: (configuration: Configuration) => configuration,
  mayChange: (log: RaftLog, committedTerm: Term | undefined, currentTerm: Term) =>
    log.configurationIndex <= log.commit && committedTerm === currentTerm,
  needsJoint: (keepsVoters: boolean) => !keepsVoters,
  mayLeaveJoint: (log: RaftLog) =>
    isJoint(log.configuration) && log.configurationIndex <= log.commit,
  keepsLogAfter: (snapshot: SnapshotMetadata, log: RaftLog) => log.has(snapshot),
  isStaleSnapshot: (snapshot: SnapshotMetadata, log: RaftLog) => snapshot.index <= log.commit,
  configurationOf: (snapshot: SnapshotMetadata) => snapshot.configuration,
});

/** The log order of §5.4.1: by last term, then by length. */
export function isAtOrAfter(a: Position, b: Position): boolean {
  return a.term > b.term || (a.term === b.term && a.index >= b.index);
}

function verifiedThrough(append: Append): Index {
  return asIndex(append.previousIndex + append.entries.length);
}
