/**
 * Historical mistakes of Raft implementations, each as the rule that it got wrong.
 *
 * A mutant replaces one of the core's `Rules` (or `SessionRules`); everything else is the real
 * program. Whoever runs clusters under trouble must notice each of them.
 */
import { makeConfiguration } from '../configuration.ts';
import { RAFT_RULES } from '../rules.ts';
import type { Durability, Rules } from '../rules.ts';
import type { RaftLog } from '../log.ts';
import type { SessionRules } from '../sessions.ts';
import { asIndex } from '../types.ts';
import type { Append, Configuration, HardState, Heartbeat, Index, Message } from '../types.ts';

export interface Mutant {
  readonly name: string;
  /** What the mistake is. */
  readonly mistake: string;
  /** Who made it. */
  readonly seenIn: string;
  readonly rules?: Partial<Rules>;
  readonly sessionRules?: Partial<SessionRules>;
}

const only =
  (kind: Message['kind'], needed: Durability) =>
  (message: Message, log: RaftLog): Durability =>
    message.kind === kind ? needed : RAFT_RULES.durabilityOf(message, log);

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'vote-before-sync',
    mistake: 'a vote is sent before it is on the disk',
    seenIn: 'hashicorp/raft#661, raft-java#57',
    rules: { durabilityOf: only('voteResponse', 'nothing') },
  },
  {
    name: 'candidacy-before-sync',
    mistake: 'votes are asked for in a term that is not on the disk',
    seenIn: 'hashicorp/raft#661',
    rules: { durabilityOf: only('vote', 'nothing') },
  },
  {
    name: 'ack-before-sync',
    mistake: 'entries are acknowledged before they are on the disk',
    seenIn: 'tikv#994, etcd#10166, etcd#12589',
    rules: { durabilityOf: only('appendAccepted', 'term') },
  },
  {
    name: 'leader-counts-unsynced-self',
    mistake: 'a leader counts its own entries before they are on its disk',
    seenIn: 'etcd#14370',
    rules: { ownMatch: (log: RaftLog) => log.lastIndex },
  },
  {
    name: 'vote-twice-in-a-term',
    mistake: 'the vote given in this term is not looked at',
    seenIn: 'eliben/raft#27',
    rules: { mayVoteFor: () => true },
  },
  {
    name: 'vote-survives-term',
    mistake: 'the vote of an earlier term is taken for one of the new term',
    seenIn: 'eliben/raft#27, turned round',
    rules: { voteInTerm: (hardState: HardState) => hardState.vote },
  },
  {
    name: 'vote-for-shorter-log',
    mistake: 'a candidate is elected whose log lacks entries',
    seenIn: 'redisraft#22',
    rules: { isUpToDate: () => true },
  },
  {
    name: 'compares-length-before-term',
    mistake: 'the longer log wins, whatever its last term',
    seenIn: 'student implementations of every year',
    rules: { isUpToDate: (candidate, own) => candidate.index >= own.index },
  },
  {
    name: 'forgets-lost-entries',
    mistake: 'a peer whose disk lost entries votes as if it never had them',
    seenIn: 'LogCabin, ZooKeeper (FAST 2018)',
    rules: { votesAs: (log: RaftLog) => log.last },
  },
  {
    name: 'commit-of-earlier-term',
    mistake: 'replicas are counted for entries of earlier terms (figure 8)',
    seenIn: 'logcabin#44, nats-server#7955',
    rules: { mayCommit: () => true },
  },
  {
    name: 'match-regresses',
    mistake: 'a late answer takes back what was known to match',
    seenIn: 'etcd-io/raft#149, raft.tla#18',
    rules: { matchAfter: (_known: Index, acknowledged: Index) => acknowledged },
  },
  {
    name: 'acknowledges-whole-log',
    mistake: 'a follower vouches for all it has, not for what the message compared',
    seenIn: 'raft.ts, raftlab',
    rules: { acknowledges: (_append: Append, log: RaftLog) => log.lastIndex },
  },
  {
    name: 'commits-unverified-entries',
    mistake: 'a follower commits what the message has not compared',
    seenIn: 'etcd-io/raft#138, raft.ts',
    rules: {
      commitAfterAppend: (append: Append, log: RaftLog) =>
        asIndex(Math.min(append.commit, log.lastIndex)),
    },
  },
  {
    name: 'heartbeat-commits-unverified',
    mistake: 'a heartbeat commits whatever the follower has',
    seenIn: 'etcd-io/raft#139',
    rules: {
      heartbeatCommit: (_match: Index, commit: Index) => commit,
      commitAfterHeartbeat: (heartbeat: Heartbeat, log: RaftLog) =>
        asIndex(Math.min(heartbeat.commit, log.lastIndex)),
    },
  },
  {
    name: 'cuts-on-every-append',
    mistake: 'an old or repeated message cuts off entries that do not conflict',
    seenIn: 'hashicorp/raft#695, camunda#5360',
    rules: { entriesHeld: () => 0 },
  },
  {
    name: 'stale-write-answer',
    mistake: 'the answer to a write vouches for entries that have replaced those written',
    seenIn: "etcd's asynchronous storage writes",
    rules: { storedThrough: (through: Index) => through },
  },
  {
    name: 'sorts-numbers-as-text',
    mistake: 'the median match is taken from indices sorted as text',
    seenIn: 'raft.ts',
    rules: {
      sortNumbers: (values: number[]) => {
        values.sort((a, b) => (String(a) < String(b) ? -1 : 1));
      },
    },
  },
  {
    name: 'silent-to-earlier-terms',
    mistake: 'a pre-vote of an earlier term gets no answer, so that its sender never learns',
    seenIn: 'etcd#8501, canonical/raft#279, redpanda#2071',
    rules: { answersEarlierTerm: () => false },
  },
  {
    name: 'deaf-leader-stays',
    mistake: 'a leader that hears from nobody leads on (no CheckQuorum)',
    seenIn: 'etcd at Cloudflare, 2020',
    rules: { mustStandDown: () => false },
  },
  {
    name: 'no-loyalty',
    mistake: 'peers that hear from a leader help to depose it',
    seenIn: 'etcd#8334',
    rules: { isLoyal: () => false },
  },
  {
    name: 'counts-every-vote',
    mistake: 'votes from outside the configuration count',
    seenIn: 'raft.ts, tinyraft',
    rules: {
      countVote: (tally, configuration, from, granted) => {
        const voter = configuration.voters.find((peer) => !tally.has(peer)) ?? from;
        if (granted) tally.set(voter, true);
      },
    },
  },
  {
    name: 'removed-peer-gives-up',
    mistake: 'a peer whose removal is not committed yet does not stand, though only it could win',
    seenIn: 'openraft#2098',
    rules: { mayStand: (log: RaftLog, peer) => log.configuration.voters.includes(peer) },
  },
  {
    name: 'read-before-own-commit',
    mistake: 'a new leader serves reads before an entry of its own term is committed',
    seenIn: 'etcd#7331, tikv#6340, redisraft#22',
    rules: { mayRead: () => true },
  },
  {
    name: 'read-unconfirmed',
    mistake: 'a leader serves reads without asking whether it still leads',
    seenIn: 'redisraft, tikv#964 (leases under clock drift)',
    rules: { confirmsRead: () => true },
  },
  {
    name: 'read-context-reused',
    mistake: 'an answer to an earlier round confirms a later read',
    seenIn: 'etcd#20418',
    rules: { nextReadContext: () => 1 },
  },
  {
    name: 'change-without-joint',
    mistake: 'the voters are exchanged in one step',
    seenIn: 'Raft single-server changes, hydro#3192',
    rules: { needsJoint: () => false },
  },
  {
    name: 'changes-overlap',
    mistake: 'a change begins before the last one, or the term, is committed',
    seenIn: 'Ongaro, 2015',
    rules: { mayChange: () => true },
  },
  {
    name: 'new-majority-decides',
    mistake: 'in a joint configuration only the new voters are asked',
    seenIn: 'camunda#60086',
    rules: {
      decidingConfiguration: ({ voters, addresses }: Configuration) =>
        makeConfiguration({ voters }, addresses),
    },
  },
  {
    name: 'learners-count',
    mistake: 'learners are counted like voters',
    seenIn: 'openraft#1805',
    rules: {
      decidingConfiguration: ({ voters, votersOutgoing, learners, addresses }: Configuration) =>
        makeConfiguration({ voters: [...voters, ...learners], votersOutgoing }, addresses),
    },
  },
  {
    name: 'leaves-joint-early',
    mistake: 'the joint configuration is left before it is committed',
    seenIn: 'camunda#60086, etcd#12136',
    rules: { mayLeaveJoint: (log: RaftLog) => log.configuration.votersOutgoing.length > 0 },
  },
  {
    name: 'snapshot-keeps-suffix',
    mistake: 'after a snapshot the log goes on with entries that conflict with it',
    seenIn: 'hashicorp/raft#697, openraft#559',
    rules: { keepsLogAfter: (snapshot, log: RaftLog) => snapshot.index <= log.lastIndex },
  },
  {
    name: 'snapshot-sets-back',
    mistake: 'a snapshot older than what is committed is installed',
    seenIn: 'camunda#6092',
    rules: { isStaleSnapshot: () => false, keepsLogAfter: () => false },
  },
  {
    name: 'snapshot-keeps-membership',
    mistake: 'a snapshot is installed without its configuration',
    seenIn: 'openraft#1808',
    rules: { configurationOf: (_snapshot, log: RaftLog) => log.configuration },
  },
  {
    name: 'applies-retries',
    mistake: 'a command that was proposed twice is applied twice',
    seenIn: 'Raft thesis 6.3',
    sessionRules: { skipsRepeated: () => false },
  },
  {
    name: 'snapshot-without-sessions',
    mistake: 'a snapshot lacks the sessions, so that retries are applied again',
    seenIn: 'Raft thesis 6.3',
    sessionRules: { keepsSessions: () => false },
  },
];
