/** The members of the metadata group, as one of them knows them; and changes to who they are. */
import { CachectlError } from '../cluster/index.ts';
import { asPeerId, type AdministrationOutcome, type PeerId, type RaftPeer } from '../raft/index.ts';
import type { Address } from '../runtime/index.ts';

export interface MetaPeerView {
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  readonly role: 'leader' | 'follower' | 'learner';
  readonly isVoter: boolean;
  /** The leader has heard of it in the last second. */
  readonly isReachable: boolean;
  /** Null where this peer does not lead, or has not heard of it. */
  readonly heardAgoMs: number | null;
  /** Entries of the log that it is not known to have. */
  readonly behind: number;
}

type Settled = (error: CachectlError | undefined) => void;

const REACHABLE_MS = 1000;

export class PeerGroup {
  readonly #raft: RaftPeer;

  constructor(raft: RaftPeer) {
    this.#raft = raft;
  }

  peers(): readonly MetaPeerView[] {
    const { id, configuration, leader, lastIndex, followers } = this.#raft.status();
    const { addresses, voters, votersOutgoing } = configuration;
    return [...addresses].map(([peer, { host, port }]): MetaPeerView => {
      const isVoter = voters.includes(peer) || votersOutgoing.includes(peer);
      const follower = followers.find((known) => known.peer === peer);
      const isSelf = peer === id;
      const heardAgoMs = isSelf ? 0 : (follower?.heardAgoMs ?? null);
      return {
        name: peer,
        address: `${host}:${port}`,
        role: peer === leader ? 'leader' : isVoter ? 'follower' : 'learner',
        isVoter,
        isReachable: heardAgoMs !== null && heardAgoMs <= REACHABLE_MS,
        heardAgoMs,
        behind: follower === undefined ? 0 : Math.max(0, lastIndex - follower.matchIndex),
      };
    });
  }

  otherAddresses(): readonly Address[] {
    const { id, configuration } = this.#raft.status();
    return [...configuration.addresses].filter(([peer]) => peer !== id).map(([, at]) => at);
  }

  /** It learns first, and votes once it has caught up. */
  add(name: string, address: Address, done: Settled): void {
    const { voters, learners } = this.#members();
    if (voters.has(asPeerId(name)) || learners.has(asPeerId(name))) {
      const words = `there is a meta peer named '${name}' already`;
      done(new CachectlError('ERR_CACHECTL_EXISTS', words));
      return;
    }
    voters.set(asPeerId(name), address);
    this.#raft.change({ voters, learners }, (outcome) => done(errorOf(outcome)));
  }

  remove(name: string, done: Settled): void {
    const { voters, learners } = this.#members();
    const peer = asPeerId(name);
    if (!voters.delete(peer) && !learners.delete(peer)) {
      done(unknownPeer(name));
    } else if (voters.size === 0) {
      const words = `'${name}' is the last meta peer: without it there is no cluster`;
      done(new CachectlError('ERR_CACHECTL_VALUE', words));
    } else {
      this.#raft.change({ voters, learners }, (outcome) => done(errorOf(outcome)));
    }
  }

  /** @param to undefined: the one that is furthest */
  transferLeader(to: string | undefined, done: Settled): void {
    const peer = to === undefined ? undefined : asPeerId(to);
    if (peer !== undefined && !this.#members().voters.has(peer)) {
      done(unknownPeer(peer));
      return;
    }
    this.#raft.transferLeadership(peer, (outcome) => done(errorOf(outcome)));
  }

  takeSnapshot(): void {
    this.#raft.takeSnapshot();
  }

  #members(): { voters: Map<PeerId, Address>; learners: Map<PeerId, Address> } {
    const { addresses, voters, learners } = this.#raft.status().configuration;
    const pick = (peers: readonly PeerId[]): Map<PeerId, Address> =>
      new Map([...addresses].filter(([peer]) => peers.includes(peer)));
    return { voters: pick(voters), learners: pick(learners) };
  }
}

function unknownPeer(name: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_NOT_FOUND', `there is no meta peer named '${name}'`);
}

function errorOf(outcome: AdministrationOutcome): CachectlError | undefined {
  if (outcome.accepted) return undefined;
  return new CachectlError('ERR_CACHECTL_CONFLICT', `the peers stay as they are: ${outcome.words}`);
}
