/**
 * Linearizable reads at a follower: it asks the leader for the index to wait for.
 *
 * The number under which it asks begins at a random place in each life of the process: an answer
 * from the time before a restart must not be taken for the answer to a new question. Questions are
 * given up after an election timeout, or when the leader is lost; the caller may then ask again.
 */
import type { Random } from '../runtime/ports.ts';
import type { RaftState } from './state.ts';
import type { Index } from './types.ts';

/** Contexts of one life: more than a peer can ask for, few enough to stay a safe integer. */
const CONTEXTS_PER_LIFE = 2 ** 21;

interface Asked {
  readonly read: number;
  readonly untilUs: number;
}

export class ForwardedReads {
  readonly #state: RaftState;
  /** By context, oldest first. */
  readonly #asked = new Map<number, Asked>();
  #context: number;

  constructor(state: RaftState, random: Pick<Random, 'uint32'>) {
    this.#state = state;
    this.#context = random.uint32() * CONTEXTS_PER_LIFE;
  }

  get wakeAtUs(): number {
    for (const { untilUs } of this.#asked.values()) return untilUs;
    return Infinity;
  }

  forward(read: number): void {
    const { leader, limits, nowUs, electionTimeoutUs, outbox } = this.#state;
    if (leader === undefined || this.#asked.size >= limits.pendingReadsMax) {
      outbox.read({ read, refused: leader === undefined ? 'noLeader' : 'overloaded' });
      return;
    }
    this.#context++;
    this.#asked.set(this.#context, { read, untilUs: nowUs + electionTimeoutUs });
    this.#state.send(leader, { kind: 'readIndex', readContext: this.#context });
  }

  /** @param index `undefined` where the leader refused. */
  answered(readContext: number, index: Index | undefined): void {
    const asked = this.#asked.get(readContext);
    if (asked === undefined) return;
    this.#asked.delete(readContext);
    const { read } = asked;
    this.#state.outbox.read(index === undefined ? { read, refused: 'noLeader' } : { read, index });
  }

  expire(): void {
    for (const [readContext, { untilUs }] of this.#asked) {
      if (untilUs > this.#state.nowUs) return;
      this.answered(readContext, undefined);
    }
  }

  abandon(): void {
    for (const readContext of this.#asked.keys()) this.answered(readContext, undefined);
  }
}
