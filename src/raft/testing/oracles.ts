/**
 * What must never happen, checked after every step of every peer.
 *
 * The oracles know more than any peer: which entry was committed at which index by anyone, who led
 * each term, what each disk holds. They are told of a step's effects and throw `Violation`.
 */
import { decodeConfiguration, encodeConfiguration } from '../configuration.ts';
import { quorumVote } from '../quorum.ts';
import { isAtOrAfter } from '../rules.ts';
import { asIndex, asTerm } from '../types.ts';
import type { RaftCore } from '../core.ts';
import type { Effects, RaftEvent } from '../effects.ts';
import type { RaftLog } from '../log.ts';
import type { Configuration, Entry, HardState, Index, Message, PeerId } from '../types.ts';
import type { MemoryDisk } from './disk.ts';

export type OracleName =
  | 'election safety'
  | 'elected by a quorum'
  | 'one vote a term'
  | 'durable on a quorum'
  | 'leader append-only'
  | 'log matching'
  | 'leader completeness'
  | 'state-machine safety'
  | 'durable before visible'
  | 'quorums intersect'
  | 'one change at a time'
  | 'configuration of the log'
  | 'linearizable read'
  | 'exactly once'
  | 'stable leadership'
  | 'liveness';

export class Violation extends Error {
  override readonly name = 'Violation';
  readonly oracle: OracleName;

  constructor(oracle: OracleName, words: string) {
    super(`${oracle}: ${words}`);
    this.oracle = oracle;
  }
}

interface Known {
  readonly content: string;
  readonly previousTerm: number;
}

export class Oracles {
  readonly #leaders = new Map<number, PeerId>();
  readonly #entries = new Map<string, Known>();
  readonly #committed: string[] = [];
  readonly #disks: ReadonlyMap<PeerId, MemoryDisk>;
  /** Of each peer, as of its last step. */
  readonly #leading = new Map<PeerId, boolean>();
  readonly #deciding = new Map<PeerId, Configuration>();
  /** Committed configuration entries, by index. */
  readonly #configurations = new Map<number, string>();

  constructor(disks: ReadonlyMap<PeerId, MemoryDisk>) {
    this.#disks = disks;
  }

  /** The highest index that any peer has known to be committed. */
  get commit(): number {
    return Math.max(0, this.#committed.length - 1);
  }

  crashed(id: PeerId): void {
    this.#leading.delete(id);
    this.#deciding.delete(id);
  }

  check(core: RaftCore, id: PeerId, effects: Effects): void {
    const disk = this.#diskOf(id);
    if (effects.persist?.hardState) this.#checkVote(id, effects.persist.hardState);
    for (const entry of effects.persist?.entries ?? []) this.#checkEntry(core, entry);
    let leads = this.#leading.get(id) === true;
    for (const event of effects.events) {
      if (event.kind === 'role') leads = event.role === 'leader';
      this.#checkEvent(core, id, event, leads);
    }
    this.#leading.set(id, leads);
    this.#deciding.set(id, core.log.configuration);
    for (const entry of effects.apply) this.#checkApply(core, entry);
    for (const message of effects.messages) checkDurable(message, core.log, disk);
  }

  /** A read begun when `commit` was known to somebody must see all of that. */
  checkRead(commitAtStart: number, index: Index): void {
    if (index < commitAtStart) {
      throw new Violation(
        'linearizable read',
        `at ${index}, with ${commitAtStart} committed before`,
      );
    }
  }

  /** @param leads whether the peer led when this happened. */
  #checkEvent(core: RaftCore, id: PeerId, event: RaftEvent, leads: boolean): void {
    if (event.kind === 'role' && event.role === 'leader') this.#checkLeader(core);
    if (event.kind === 'truncated' && leads) {
      throw new Violation('leader append-only', `the leader of ${core.term} cuts at ${event.from}`);
    }
    if (event.kind === 'committed') {
      if (leads) this.#checkDurableOnQuorum(core, id, event.index);
      this.#checkCommit(core, event.index, leads);
    }
    if (event.kind === 'configuration' && leads) {
      this.#checkConfiguration(core, event);
    }
    if (event.kind === 'snapshotInstalled') this.#checkInstalled(core, event.index);
  }

  #checkLeader(core: RaftCore): void {
    const { term, log } = core;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== core.leader) {
      throw new Violation('election safety', `${other} and ${core.leader} both lead term ${term}`);
    }
    if (core.leader !== undefined) {
      this.#leaders.set(term, core.leader);
      this.#checkVoters(core, core.leader);
    }
    for (let index = log.base.index + 1; index < this.#committed.length; index++) {
      const entry = log.entryAt(index);
      if (entry === undefined || contentOf(entry) !== this.#committed[index]) {
        throw new Violation('leader completeness', `the leader of ${term} lacks entry ${index}`);
      }
    }
  }

  /** §5.2: a majority has voted for the leader; §5.4.1: none of them had a longer log. */
  #checkVoters(core: RaftCore, leader: PeerId): void {
    const { term, log } = core;
    const stood = log.termAt(log.lastIndex - 1);
    const position = { index: asIndex(log.lastIndex - 1), term: stood ?? log.base.term };
    const votes = (id: PeerId): boolean => {
      const disk = this.#diskOf(id);
      const { hardState, lostThrough } = disk;
      if (hardState.term !== term) return hardState.term > term;
      const last = {
        index: asIndex(disk.lastIndex),
        term: asTerm(disk.termAt(disk.lastIndex) ?? 0),
      };
      const isBehind =
        !isAtOrAfter(position, last) ||
        (lostThrough !== undefined && !isAtOrAfter(position, lostThrough));
      if (hardState.vote === leader && isBehind) {
        throw new Violation(
          'leader completeness',
          `${id} voted for ${leader}, whose log is behind`,
        );
      }
      return hardState.vote === leader;
    };
    if (quorumVote(log.configuration, votes) !== 'won') {
      throw new Violation('elected by a quorum', `${leader} leads ${term} with too few votes`);
    }
  }

  #checkVote(id: PeerId, { term, vote }: HardState): void {
    const { hardState } = this.#diskOf(id);
    if (hardState.term !== term || hardState.vote === undefined || hardState.vote === vote) return;
    throw new Violation('one vote a term', `${id} voted for ${hardState.vote} and ${vote}`);
  }

  /** What a leader commits is of its own term, and on the disks of a majority. */
  #checkDurableOnQuorum(core: RaftCore, id: PeerId, index: Index): void {
    const { log, term } = core;
    const entryTerm = log.termAt(index);
    const holds = (peer: PeerId): boolean => {
      const disk = this.#diskOf(peer);
      const lostThrough = disk.lostThrough?.index ?? 0;
      const covered = Math.max(disk.latest?.metadata.index ?? 0, lostThrough);
      return index <= covered || disk.termAt(index) === entryTerm;
    };
    // The commit came before whatever configuration this step has appended.
    const configuration = this.#deciding.get(id) ?? log.configuration;
    if (quorumVote(configuration, holds) !== 'won') {
      throw new Violation('durable on a quorum', `${id} commits ${index} on too few disks`);
    }
    if (entryTerm !== term) {
      throw new Violation('leader completeness', `the leader of ${term} counts an older entry`);
    }
  }

  #diskOf(id: PeerId): MemoryDisk {
    const disk = this.#disks.get(id);
    if (disk === undefined) throw new Error(`there is no ${id}`);
    return disk;
  }

  #checkEntry(core: RaftCore, entry: Entry): void {
    const key = `${entry.index} ${entry.term}`;
    const previousTerm = core.log.termAt(entry.index - 1) ?? -1;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { content: contentOf(entry), previousTerm });
    } else if (known.content !== contentOf(entry) || known.previousTerm !== previousTerm) {
      throw new Violation('log matching', `two entries are at index ${entry.index} of one term`);
    }
  }

  #checkCommit(core: RaftCore, index: Index, leads: boolean): void {
    const { log } = core;
    for (let at = index; at > log.base.index; at--) {
      const entry = log.entryAt(at);
      const known = this.#committed[at];
      const content = entry === undefined ? 'nothing' : contentOf(entry);
      if (known !== undefined && known !== content) {
        throw new Violation('state-machine safety', `two entries are committed at index ${at}`);
      }
      if (known !== undefined) break;
      if (!leads) {
        throw new Violation('state-machine safety', `a follower commits ${at} before any leader`);
      }
      this.#committed[at] = content;
      if (entry?.kind === 'configuration') {
        this.#configurations.set(at, Buffer.from(entry.bytes).toString('latin1'));
      }
    }
  }

  #checkApply(core: RaftCore, entry: Entry): void {
    if (this.#committed[entry.index] !== contentOf(entry)) {
      throw new Violation('state-machine safety', `entry ${entry.index} is not the committed one`);
    }
    if (entry.index > core.log.stable) {
      throw new Violation('durable before visible', `entry ${entry.index} is applied too early`);
    }
  }

  /** A leader's new configuration against the one before it in its log. */
  #checkConfiguration(core: RaftCore, { index, configuration }: ConfigurationEvent): void {
    const before = configurationBefore(core.log, index);
    if (!quorumsIntersect(before.configuration, configuration)) {
      throw new Violation('quorums intersect', `the one at ${index} can decide without the last`);
    }
    if (before.index > core.log.commit) {
      throw new Violation('one change at a time', `those at ${before.index} and ${index} are open`);
    }
  }

  /** The configuration that came with a snapshot against the last one committed by its index. */
  #checkInstalled(core: RaftCore, index: Index): void {
    const at = [...this.#configurations.keys()].reduce(
      (max, i) => (i <= index && i > max ? i : max),
      0,
    );
    const committed = this.#configurations.get(at);
    const installed = Buffer.from(encodeConfiguration(core.log.configuration)).toString('latin1');
    if (committed !== undefined && committed !== installed) {
      throw new Violation('configuration of the log', `the one with snapshot ${index} is another`);
    }
  }
}

type ConfigurationEvent = RaftEvent & { readonly kind: 'configuration' };

function configurationBefore(
  log: RaftLog,
  index: Index,
): { readonly index: number; readonly configuration: Configuration } {
  for (let at = index - 1; at > log.base.index; at--) {
    const entry = log.entryAt(at);
    if (entry?.kind === 'configuration') {
      return { index: at, configuration: decodeConfiguration(entry.bytes) };
    }
  }
  return { index: 0, configuration: log.snapshot?.configuration ?? log.configuration };
}

/** What a message says about its sender's disk must be true of it. */
function checkDurable(message: Message, log: RaftLog, disk: MemoryDisk): void {
  const fail = (words: string): never => {
    throw new Violation(
      'durable before visible',
      `${message.from} sends ${message.kind}: ${words}`,
    );
  };
  if (disk.hardState.term < message.term) fail(`term ${message.term} is not on its disk`);
  if (message.kind === 'voteResponse' && message.granted && disk.hardState.vote !== message.to) {
    if (disk.hardState.term === message.term) fail('the vote is not on its disk');
  }
  if (message.kind === 'appendAccepted') {
    const { match } = message;
    const isCovered = match <= (disk.latest?.metadata.index ?? 0);
    const term = log.termAt(match) ?? disk.termAt(match);
    if (!isCovered && (term === undefined || disk.termAt(match) !== term)) {
      fail(`entry ${match} is not on its disk`);
    }
  }
}

/** Whether every majority of `a` and every majority of `b` have a peer in common. */
export function quorumsIntersect(a: Configuration, b: Configuration): boolean {
  const peers = [...new Set([...a.addresses.keys(), ...b.addresses.keys()])];
  const quorums = (of: Configuration): number[] => {
    const found: number[] = [];
    for (let set = 0; set < 1 << peers.length; set++) {
      const has = (peer: PeerId): boolean => (set & (1 << peers.indexOf(peer))) !== 0;
      if (isMajority(of.voters, has) && isMajority(of.votersOutgoing, has)) found.push(set);
    }
    return found;
  };
  const others = quorums(b);
  return quorums(a).every((set) => others.every((other) => (set & other) !== 0));
}

function isMajority(voters: readonly PeerId[], has: (peer: PeerId) => boolean): boolean {
  return voters.length === 0 || voters.filter(has).length * 2 > voters.length;
}

function contentOf(entry: Entry): string {
  return `${entry.term} ${entry.kind} ${Buffer.from(entry.bytes).toString('latin1')}`;
}
