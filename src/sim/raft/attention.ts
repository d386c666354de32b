/** Whether leaders are heard: who has not heard a majority for long must not lead on. */
import type { RaftCore } from '../../raft/core.ts';
import type { Input } from '../../raft/effects.ts';
import type { PeerId } from '../../raft/types.ts';
import { decides } from './configurations.ts';

/** One that leads. */
interface Reign {
  readonly term: number;
  readonly heardAtUs: Map<PeerId, number>;
}

/** A leader looks whether it is heard at each heartbeat, so it may take a little longer. */
const TIMEOUTS_MAX = 2;

export class Attention {
  readonly #electionTimeoutUs: number;
  readonly #reigns = new Map<PeerId, Reign>();

  constructor(electionTimeoutMs: number) {
    this.#electionTimeoutUs = electionTimeoutMs * 1000;
  }

  /**
   * A peer has taken a step.
   *
   * @returns for how long it has heard from no quorum, in µs, where it should not lead any more
   */
  stepped(id: PeerId, core: RaftCore, input: Input, nowUs: number): number | undefined {
    if (core.role !== 'leader') {
      this.#reigns.delete(id);
      return undefined;
    }
    let reign = this.#reigns.get(id);
    if (reign?.term !== core.term) {
      reign = { term: core.term, heardAtUs: new Map() };
      this.#reigns.set(id, reign);
    }
    const { heardAtUs } = reign;
    const { configuration } = core.log;
    for (const peer of configuration.addresses.keys()) {
      if (!heardAtUs.has(peer)) heardAtUs.set(peer, nowUs);
    }
    if (input.kind === 'message' && input.message.term === core.term) {
      heardAtUs.set(input.message.from, nowUs);
    }
    // What else it does, it may do before it comes to look.
    if (input.kind !== 'tick') return undefined;
    const limitUs = this.#electionTimeoutUs * TIMEOUTS_MAX;
    const silenceUs = (peer: PeerId): number =>
      peer === id ? 0 : nowUs - (heardAtUs.get(peer) ?? nowUs);
    if (decides(configuration, (peer) => silenceUs(peer) <= limitUs)) return undefined;
    return Math.max(...[...configuration.addresses.keys()].map(silenceUs));
  }

  /** The process of a peer has ended. */
  ended(id: PeerId): void {
    this.#reigns.delete(id);
  }
}
