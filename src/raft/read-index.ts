/**
 * Linearizable reads without a log entry (Raft §8, thesis 6.4): the leader's side.
 *
 * A leader notes its commit index, has a majority confirm that it still leads, and lets the read go
 * once that index is applied. Confirmations travel with heartbeats. Each round has a context that
 * is used once: an answer to an older round says nothing about a read that came after it, and the
 * caller's own number never goes on the wire. Reads that arrive while a round is under way share
 * the next one; an answer to a later round confirms the earlier ones too.
 */
import { quorumReached, UNBOUNDED } from './quorum.ts';
import type { Replication } from './replication.ts';
import type { RaftState } from './state.ts';
import type { Index, PeerId } from './types.ts';

/** Who waits for a read: this peer's caller, or a follower. */
export type Reader =
  | { readonly kind: 'local'; readonly read: number }
  | { readonly kind: 'remote'; readonly peer: PeerId; readonly readContext: number };

interface Round {
  readonly context: number;
  readonly index: Index;
  readonly readers: readonly Reader[];
}

export class ReadRounds {
  readonly #state: RaftState;
  readonly #replication: Replication;
  #waiting: Reader[] = [];
  #round: Round | undefined;
  #context = 0;

  constructor(state: RaftState, replication: Replication) {
    this.#state = state;
    this.#replication = replication;
  }

  /** What heartbeats carry: the round under way, or 0. */
  get context(): number {
    return this.#round?.context ?? 0;
  }

  add(reader: Reader): void {
    const pending = this.#waiting.length + (this.#round?.readers.length ?? 0);
    if (pending >= this.#state.limits.pendingReadsMax) {
      refuseRead(this.#state, reader, 'overloaded');
      return;
    }
    this.#waiting.push(reader);
    this.advance();
  }

  /** Ends the round under way if it is confirmed, and begins the next if one is due. */
  advance(): void {
    const { configuration, log, rules, term } = this.#state;
    for (;;) {
      if (this.#round === undefined) {
        const mayBegin = rules.mayRead(log.termAt(log.commit), term);
        if (this.#waiting.length === 0 || !mayBegin) return;
        this.#begin();
      }
      const round = this.#round;
      const confirmed = quorumReached(
        rules.decidingConfiguration(configuration),
        (peer) => this.#confirmedBy(peer),
        rules.sortNumbers,
      );
      if (round === undefined || !rules.confirmsRead(confirmed, round.context)) return;
      this.#round = undefined;
      for (const reader of round.readers) this.#serve(reader, round.index);
    }
  }

  /** Leadership has ended: nobody's read can be confirmed any more. */
  abandon(): void {
    for (const reader of [...(this.#round?.readers ?? []), ...this.#waiting]) {
      refuseRead(this.#state, reader, 'notLeader');
    }
    this.#round = undefined;
    this.#waiting = [];
  }

  #begin(): void {
    this.#context = this.#state.rules.nextReadContext(this.#context);
    const index = this.#state.log.commit;
    this.#round = { context: this.#context, index, readers: this.#waiting };
    this.#waiting = [];
    this.#replication.heartbeat(this.#context);
  }

  #confirmedBy(peer: PeerId): number {
    if (peer === this.#state.id) return UNBOUNDED;
    return this.#replication.followers.get(peer)?.readContext ?? 0;
  }

  #serve(reader: Reader, index: Index): void {
    if (reader.kind === 'local') {
      this.#state.outbox.read({ read: reader.read, index });
    } else {
      const { peer, readContext } = reader;
      this.#state.send(peer, { kind: 'readIndexResponse', readContext, index });
    }
  }
}

export function refuseRead(
  state: RaftState,
  reader: Reader,
  refused: 'notLeader' | 'noLeader' | 'overloaded',
): void {
  if (reader.kind === 'local') {
    state.outbox.read({ read: reader.read, refused });
  } else {
    const { peer, readContext } = reader;
    state.send(peer, { kind: 'readIndexResponse', readContext, index: undefined });
  }
}
