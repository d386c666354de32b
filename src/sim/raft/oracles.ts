/**
 * What Raft promises, checked after every step of every peer, and at every message it sends.
 *
 * The oracles know more than any peer: which entry was committed at which index by anyone, who led
 * each term, whom each peer has visibly voted for, what each disk has acknowledged. They look at a
 * peer's log where it has changed since they last looked, so that a check costs what the step did.
 */
import { encodeConfiguration } from '../../raft/configuration.ts';
import type { RaftCore } from '../../raft/core.ts';
import type { Effects, Input, Persist } from '../../raft/effects.ts';
import type { RaftLog } from '../../raft/log.ts';
import type { LogContents } from '../../raft/stores.ts';
import type {
  AppendAccepted,
  Configuration,
  Entry,
  Message,
  PeerId,
  Vote,
} from '../../raft/types.ts';
import { hashBytes } from '../keyed-random.ts';
import { OracleViolation } from '../simulation.ts';
import type { Oracle } from '../world.ts';
import { Attention } from './attention.ts';
import { Comparisons } from './comparisons.ts';
import { decides, quorumsIntersect } from './configurations.ts';
import { Durable } from './durable.ts';

export const RAFT_ORACLES = [
  { name: 'election-safety', promise: 'at most one leader is elected in a term, by a quorum' },
  { name: 'one-vote-a-term', promise: 'a peer votes for one candidate in a term, for ever' },
  {
    name: 'election-restriction',
    promise: 'a peer votes for a candidate whose log is at least as good as its own',
  },
  { name: 'leader-append-only', promise: 'a leader never overwrites or drops entries of its log' },
  {
    name: 'log-matching',
    promise: 'two logs with an entry of one index and term are equal up to it',
  },
  {
    name: 'cut-on-conflict',
    promise: 'a follower cuts its log only where an entry of its leader is another',
  },
  {
    name: 'compared-first',
    promise: 'a follower vouches for, and commits, what it has compared with its leader',
  },
  {
    name: 'leader-completeness',
    promise: 'an entry that was committed is in the log of every later leader',
  },
  {
    name: 'state-machine-safety',
    promise: 'no two peers commit or apply different entries at one index',
  },
  {
    name: 'durable-before-visible',
    promise: 'what a peer says, or takes for durable, of term, vote and log is on its disk',
  },
  {
    name: 'commit-on-quorum',
    promise: 'a leader commits an entry of its own term that is on the disks of a quorum',
  },
  { name: 'commit-never-regresses', promise: 'a commit index only rises' },
  {
    name: 'quorums-intersect',
    promise: 'quorums of configurations that follow each other have a voter in common',
  },
  {
    name: 'one-change-at-a-time',
    promise: 'a change begins when the last one, and an entry of the term, are committed',
  },
  { name: 'heard-leader', promise: 'a leader that hears from no quorum stands down' },
  {
    name: 'fresh-reads',
    promise: 'a read sees all that was committed anywhere before it was asked for',
  },
  {
    name: 'configuration-of-snapshot',
    promise: 'with a snapshot comes the configuration that was in force at its last entry',
  },
  {
    name: 'state-of-snapshot',
    promise: 'the state in a snapshot is that of its last entry',
  },
  { name: 'exactly-once', promise: 'an operation is applied once, however often it is proposed' },
  { name: 'disk-keeps-promises', promise: 'what was acknowledged as durable is there again' },
] as const satisfies readonly Oracle[];

type OracleName = (typeof RAFT_ORACLES)[number]['name'];

interface Known {
  readonly content: number;
  readonly previousTerm: number | undefined;
}

interface Committed {
  readonly term: number;
  readonly content: number;
  /** The term of the leader that committed it. */
  readonly inTerm: number;
}

/** A peer as it was after its last step. */
interface Seen {
  isLeader: boolean;
  term: number;
  vote: PeerId | undefined;
  commit: number;
  base: number;
  /** Terms of its log after `base`. */
  terms: number[];
  configuration: Configuration | undefined;
}

/** Terms are few: this keeps index and term apart in one number. */
const INDEXES_MAX = 2 ** 32;

export class RaftOracles {
  readonly #committed = new Map<number, Committed>();
  readonly #applied = new Map<number, number>();
  /** Where each operation was applied. */
  readonly #tags = new Map<number, number>();
  readonly #durable = new Map<PeerId, Durable>();
  /** What each peer has begun to write, and has no answer to. */
  readonly #writes = new Map<PeerId, Persist[]>();
  readonly #seen = new Map<PeerId, Seen>();
  readonly #entries = new Map<number, Known>();
  readonly #leaders = new Map<number, PeerId>();
  /** What the committed configurations were, by index. */
  readonly #configurations = new Map<number, number>();
  readonly #votes = new Map<string, PeerId>();
  readonly #comparisons = new Comparisons();
  readonly #attention: Attention;
  #commit = 0;

  constructor(electionTimeoutMs: number) {
    this.#attention = new Attention(electionTimeoutMs);
  }

  /** The highest index that any peer has known to be committed. */
  get commit(): number {
    return this.#commit;
  }

  /** The process of a peer has ended. */
  ended(id: PeerId): void {
    this.#attention.ended(id);
  }

  /** A peer has opened its log: what the disk had acknowledged must be there. */
  opened(id: PeerId, contents: LogContents): void {
    const durable = this.#durableOf(id);
    const missing = durable.missingIn(contents);
    if (missing !== undefined) fail('disk-keeps-promises', `the disk of ${id} has lost ${missing}`);
    durable.recovered(contents);
    this.#seen.delete(id);
    this.#writes.set(id, []);
  }

  /** @param commit the highest index known to be committed when the read was asked for */
  read(id: PeerId, commit: number, applied: number): void {
    if (applied >= commit) return;
    fail(
      'fresh-reads',
      `${id} reads at ${applied}, and ${commit} was committed before it was asked`,
    );
  }

  /** A peer has installed a snapshot that it was sent. */
  installed(id: PeerId, { log }: RaftCore, index: number): void {
    let at = 0;
    for (const known of this.#configurations.keys()) if (known <= index) at = Math.max(at, known);
    const committed = this.#configurations.get(at);
    if (
      committed === undefined ||
      committed === hashBytes(encodeConfiguration(log.configuration))
    ) {
      return;
    }
    const words = `${id} installs a snapshot of ${index} without the configuration of ${at}`;
    fail('configuration-of-snapshot', words);
  }

  /** @param digest of the state that the snapshot of `index` was made of */
  saved(id: PeerId, index: number, digest: number): void {
    let at = index;
    while (at > 0 && !this.#applied.has(at)) at -= 1;
    if ((this.#applied.get(at) ?? 0) === digest) return;
    fail('state-of-snapshot', `the snapshot of ${index} at ${id} has the state of another entry`);
  }

  /** A peer has taken a step, and is about to perform its effects. */
  stepped(id: PeerId, core: RaftCore, input: Input, effects: Effects, nowUs: number): void {
    const { messages, persist } = effects;
    if (input.kind === 'persisted') this.#acknowledge(id, input.sequence, core.log);
    if (persist !== undefined) this.#writes.get(id)?.push(persist);
    if (input.kind === 'message') {
      this.#comparisons.took(id, core, input.message);
      if (input.message.kind === 'vote') this.#checkBallot(id, core, input.message);
    }
    this.#checkHeard(id, core, input, nowUs);
    const seen = this.#see(id, core);
    const { log } = core;
    const leads = core.role === 'leader';
    const ledBefore = seen.isLeader && seen.term === core.term;
    const lastBefore = seen.base + seen.terms.length;
    const isRestored = effects.events.some(({ kind }) => kind === 'snapshotInstalled');
    this.#checkLog(id, seen, core, ledBefore, isRestored);
    if (leads && !ledBefore) this.#checkElected(id, core, seen.configuration);
    if (log.commit !== seen.commit) this.#checkCommit(id, seen, core, leads || ledBefore);
    if (leads && log.configurationIndex > lastBefore) this.#checkConfiguration(id, core, input);
    for (const message of messages) this.#checkMessage(id, log, message);
    seen.isLeader = leads;
    seen.term = core.term;
    seen.vote = core.vote;
    seen.commit = log.commit;
    seen.configuration = log.configuration;
  }

  /**
   * A peer has applied a command.
   *
   * @param digest of all that its state machine has applied through `index`
   * @param tag of the operation that the command is of
   */
  applied(id: PeerId, index: number, digest: number, tag: number): void {
    if (!this.#committed.has(index)) {
      fail('state-machine-safety', `${id} has applied entry ${index}, which nobody has committed`);
    }
    const known = this.#applied.get(index) ?? digest;
    if (known !== digest) {
      fail('state-machine-safety', `the state of ${id} at ${index} differs from that of another`);
    }
    this.#applied.set(index, digest);
    const before = this.#tags.get(tag) ?? index;
    if (before !== index) {
      fail('exactly-once', `operation ${tag} is applied at ${before} and again at ${index}`);
    }
    this.#tags.set(tag, index);
  }

  /** All writes through `sequence` are said to be durable. */
  #acknowledge(id: PeerId, sequence: number, log: RaftLog): void {
    const writes = this.#writes.get(id) ?? [];
    while (writes.length > 0 && writes[0].sequence <= sequence) {
      const [{ hardState, snapshot, entries }] = writes.splice(0, 1);
      this.#durableOf(id).acknowledge({ hardState, snapshot, entries });
    }
    if (this.#durableOf(id).holds(log.stable, log.termAt(log.stable))) return;
    fail('durable-before-visible', `${id} takes entry ${log.stable} for durable, and it is not`);
  }

  /** A peer may have voted just now. */
  #checkBallot(id: PeerId, { term, vote, log }: RaftCore, message: Vote): void {
    const seen = this.#seen.get(id);
    const isNew = seen === undefined || seen.term !== term || seen.vote !== vote;
    if (!isNew || message.term !== term || vote !== message.from) return;
    const { last } = log;
    const isBehind =
      message.lastTerm < last.term ||
      (message.lastTerm === last.term && message.lastIndex < last.index);
    if (!isBehind) return;
    const has = `whose log ends with ${message.lastIndex} of term ${message.lastTerm}`;
    const own = `and its own with ${last.index} of term ${last.term}`;
    fail('election-restriction', `${id} votes for ${vote}, ${has}, ${own}`);
  }

  #checkHeard(id: PeerId, core: RaftCore, input: Input, nowUs: number): void {
    const silenceUs = this.#attention.stepped(id, core, input, nowUs);
    if (silenceUs === undefined) return;
    const words = `${id} leads term ${core.term} on, and has heard from no quorum`;
    fail('heard-leader', `${words} for ${Math.floor(silenceUs / 1000)} ms`);
  }

  #see(id: PeerId, core: RaftCore): Seen {
    let seen = this.#seen.get(id);
    if (seen === undefined) {
      const { base, commit } = core.log;
      seen = {
        isLeader: false,
        term: 0,
        vote: undefined,
        commit,
        base: base.index,
        terms: [],
        configuration: undefined,
      };
      this.#seen.set(id, seen);
    }
    return seen;
  }

  #durableOf(id: PeerId): Durable {
    let durable = this.#durable.get(id);
    if (durable === undefined) {
      durable = new Durable();
      this.#durable.set(id, durable);
    }
    return durable;
  }

  /** Finds what has changed in the log, from its end back to what is as it was. */
  #checkLog(
    id: PeerId,
    seen: Seen,
    { log, term }: RaftCore,
    ledBefore: boolean,
    isRestored: boolean,
  ): void {
    this.#forget(seen, log);
    const { terms, base } = seen;
    const isAsBefore =
      base + terms.length === log.lastIndex && (terms.at(-1) ?? log.last.term) === log.last.term;
    if (isAsBefore) return;
    let equal = Math.min(base + terms.length, log.lastIndex);
    while (equal > base && terms[equal - base - 1] !== log.termAt(equal)) equal -= 1;
    if (ledBefore && equal < base + terms.length) {
      fail('leader-append-only', `${id} drops entry ${equal + 1} while it leads term ${term}`);
    }
    if (equal === log.lastIndex && !isRestored) {
      fail('cut-on-conflict', `${id} drops entry ${equal + 1}, and has no other in its place`);
    }
    terms.length = equal - base;
    for (let index = equal + 1; index <= log.lastIndex; index += 1) {
      const entry = log.entryAt(index);
      if (entry === undefined) continue;
      terms.push(entry.term);
      this.#checkEntry(id, entry, log.termAt(index - 1));
    }
  }

  /** A log that was compacted or restored begins elsewhere. */
  #forget(seen: Seen, log: RaftLog): void {
    const base = log.base.index;
    if (base === seen.base) return;
    seen.terms = base > seen.base ? seen.terms.slice(base - seen.base) : [];
    seen.base = base;
  }

  #checkEntry(id: PeerId, entry: Entry, previousTerm: number | undefined): void {
    const key = entry.term * INDEXES_MAX + entry.index;
    const content = contentOf(entry);
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { content, previousTerm });
      return;
    }
    const comesAfter = previousTerm ?? known.previousTerm;
    if (known.content !== content || (known.previousTerm ?? comesAfter) !== comesAfter) {
      const where = `index ${entry.index}, term ${entry.term}`;
      fail('log-matching', `the log of ${id} has another history at ${where} than another log`);
    }
  }

  #checkElected(id: PeerId, { term, log }: RaftCore, before: Configuration | undefined): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) {
      fail('election-safety', `${other} and ${id} both lead term ${term}`);
    }
    this.#leaders.set(term, id);
    const hasVoted = (peer: PeerId): boolean => {
      const { hardState } = this.#durableOf(peer);
      if (hardState.term === term) return hardState.vote === id;
      return this.#votes.get(`${peer} ${term}`) === id;
    };
    if (!decides(before ?? log.configuration, hasVoted)) {
      fail('election-safety', `${id} leads term ${term} without the votes of a quorum`);
    }
    for (let index = this.#commit; index > log.base.index; index -= 1) {
      const committed = this.#committed.get(index);
      // A leader may learn of its election when a later one has long been at work.
      if (committed === undefined || committed.inTerm >= term) continue;
      if (log.termAt(index) === committed.term) continue;
      const has = log.termAt(index);
      const instead = has === undefined ? 'nothing' : `an entry of term ${has}`;
      fail(
        'leader-completeness',
        `${id} leads term ${term} with ${instead} at ${index}, committed in term ${committed.inTerm}`,
      );
    }
  }

  #checkCommit(id: PeerId, seen: Seen, core: RaftCore, leads: boolean): void {
    const { log } = core;
    if (log.commit < seen.commit) {
      fail('commit-never-regresses', `${id} goes back from ${seen.commit} to ${log.commit}`);
    }
    if (leads) this.#checkCommitOnQuorum(id, core, seen.configuration ?? log.configuration);
    else if (log.commit > this.#comparisons.through(id, core.term)) {
      const words = `${id} commits entry ${log.commit} of term ${core.term}`;
      fail('compared-first', `${words}, which it has not compared with its leader`);
    }
    for (let index = seen.commit + 1; index <= log.commit; index += 1) {
      const entry = log.entryAt(index);
      const known = this.#committed.get(index);
      if (entry === undefined) {
        const isBase = index === log.base.index;
        if (known === undefined || (isBase && known.term !== log.base.term)) {
          fail(
            'state-machine-safety',
            `${id} has a snapshot of entry ${index}, not as it was committed`,
          );
        }
        continue;
      }
      const content = contentOf(entry);
      if (known === undefined) {
        if (!leads) {
          fail('state-machine-safety', `${id} commits entry ${index} before any leader has`);
        }
        this.#committed.set(index, { term: entry.term, content, inTerm: core.term });
        this.#commit = Math.max(this.#commit, index);
        if (entry.kind === 'configuration') {
          this.#configurations.set(index, hashBytes(entry.bytes));
        }
      } else if (known.term !== entry.term || known.content !== content) {
        const terms = `of term ${entry.term}, another one of term ${known.term}`;
        fail('state-machine-safety', `${id} commits an entry ${index} ${terms}`);
      }
    }
  }

  #checkCommitOnQuorum(id: PeerId, { log, term }: RaftCore, configuration: Configuration): void {
    const entryTerm = log.termAt(log.commit);
    if (entryTerm !== term) {
      const words = `${id} leads term ${term} and commits entry ${log.commit} of term ${entryTerm}`;
      fail('commit-on-quorum', words);
    }
    const holds = (peer: PeerId): boolean => this.#durableOf(peer).holds(log.commit, entryTerm);
    if (!decides(configuration, holds)) {
      fail('commit-on-quorum', `${id} commits entry ${log.commit}, which is on too few disks`);
    }
  }

  /** A leader has appended a configuration. */
  #checkConfiguration(id: PeerId, { log, term }: RaftCore, { kind }: Input): void {
    if (kind === 'change' && log.termAt(log.commit) !== term) {
      fail('one-change-at-a-time', `${id} begins a change before it has committed in term ${term}`);
    }
    const index = log.configurationIndex;
    if (!quorumsIntersect(log.configurationBefore, log.configuration)) {
      fail(
        'quorums-intersect',
        `the configuration at ${index} can decide without the one before it`,
      );
    }
    for (let at = index - 1; at > log.commit; at -= 1) {
      if (log.entryAt(at)?.kind !== 'configuration') continue;
      fail('one-change-at-a-time', `${id} appends a change at ${index}, and that at ${at} is open`);
    }
  }

  #checkMessage(id: PeerId, log: RaftLog, message: Message): void {
    const durable = this.#durableOf(id);
    const { hardState } = durable;
    const isTermDurable = hardState.term >= message.term;
    if (!isTermDurable) {
      const words = `${id} sends ${message.kind} of term ${message.term}`;
      fail('durable-before-visible', `${words}, and term ${hardState.term} is on its disk`);
    }
    if (message.kind === 'vote') this.#checkVote(id, durable, message.term, id);
    if (message.kind === 'voteResponse' && message.granted) {
      this.#checkVote(id, durable, message.term, message.to);
    }
    if (message.kind === 'appendAccepted') {
      this.#checkCompared(id, log, message);
      this.#checkAgreement(id, durable, message);
    }
    if (
      message.kind === 'appendAccepted' &&
      !durable.holds(message.match, log.termAt(message.match))
    ) {
      fail(
        'durable-before-visible',
        `${id} acknowledges entry ${message.match} before it is on its disk`,
      );
    }
  }

  #checkCompared(id: PeerId, { commit }: RaftLog, { to, term, match }: AppendAccepted): void {
    if (match <= Math.max(commit, this.#comparisons.through(id, term))) return;
    fail('compared-first', `${id} vouches for entry ${match} to ${to}, and has not compared it`);
  }

  /** What a follower acknowledges to a leader agrees with that one's log. */
  #checkAgreement(id: PeerId, durable: Durable, { to, term, match }: AppendAccepted): void {
    const leader = this.#seen.get(to);
    if (leader === undefined || !leader.isLeader || leader.term !== term) return;
    if (match <= leader.base) return;
    const entryTerm = leader.terms[match - leader.base - 1];
    if (entryTerm !== undefined && durable.holds(match, entryTerm)) return;
    fail(
      'log-matching',
      `${id} acknowledges entry ${match} to ${to}, whose entry ${match} is another`,
    );
  }

  #checkVote(id: PeerId, { hardState }: Durable, term: number, candidate: PeerId): void {
    if (hardState.term === term && hardState.vote !== candidate) {
      fail(
        'durable-before-visible',
        `${id} shows a vote for ${candidate} in term ${term} before it is on its disk`,
      );
    }
    const key = `${id} ${term}`;
    const before = this.#votes.get(key);
    if (before !== undefined && before !== candidate) {
      fail('one-vote-a-term', `${id} votes for ${before} and for ${candidate} in term ${term}`);
    }
    this.#votes.set(key, candidate);
  }
}

function contentOf({ kind, bytes }: Entry): number {
  return hashBytes(bytes) ^ kind.length;
}

function fail(oracle: OracleName, sentence: string): never {
  throw new OracleViolation(oracle, sentence);
}
