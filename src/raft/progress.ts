/**
 * What a leader knows of one follower, and how it sends to it.
 *
 *     probe ──accepted──► replicate        probe, replicate ──entry needed is gone──► snapshot
 *       ▲────rejected────────┘                 ▲──────────installed, or given up──────────┘
 *
 * - **probe**: the place where the logs part is not known. One message at a time; the next goes out
 *   on an answer or with the next heartbeat.
 * - **replicate**: messages are sent ahead of the answers, `next` optimistically advanced, in a
 *   window bounded by messages and bytes.
 * - **snapshot**: chunks are sent one at a time; no entries.
 *
 * Always `match < next`. `match` is what the follower has acknowledged as durable. It never falls,
 * unless the follower itself says that its disk has lost entries.
 */
import { invariant } from '../runtime/invariant.ts';
import type { Inflights } from './inflights.ts';
import { asIndex } from './types.ts';
import type { Index, SnapshotMetadata } from './types.ts';

interface ChunkUnderWay {
  readonly offset: number;
  /** 0 while it is still being read from the disk. */
  readonly length: number;
  readonly sinceUs: number;
}

export type Sending =
  | { readonly mode: 'probe'; readonly waiting: boolean }
  | { readonly mode: 'replicate' }
  | {
      readonly mode: 'snapshot';
      readonly snapshot: SnapshotMetadata;
      readonly chunk: ChunkUnderWay;
    };

export class Progress {
  #match: Index = asIndex(0);
  #next: Index;
  #sending: Sending = { mode: 'probe', waiting: false };
  readonly inflights: Inflights;
  /** When anything was last heard from it in this term. */
  heardAtUs: number;
  /** The latest read round that it has confirmed. */
  readContext = 0;

  constructor(next: Index, nowUs: number, inflights: Inflights) {
    this.#next = next;
    this.heardAtUs = nowUs;
    this.inflights = inflights;
  }

  get match(): Index {
    return this.#match;
  }

  /** The first index to send next. */
  get next(): Index {
    return this.#next;
  }

  get sending(): Sending {
    return this.#sending;
  }

  /** Whether an append message may go out now. */
  get mayAppend(): boolean {
    switch (this.#sending.mode) {
      case 'probe':
        return !this.#sending.waiting;
      case 'replicate':
        return !this.inflights.isFull;
      case 'snapshot':
        return false;
    }
  }

  /** An append message ending at `last` (before `next` where it is empty) has been sent. */
  appendSent(last: Index, bytes: number): void {
    if (this.#sending.mode === 'probe') {
      this.#sending = { mode: 'probe', waiting: true };
    } else if (last >= this.#next) {
      this.#next = asIndex(last + 1);
      this.inflights.add(last, bytes);
    }
  }

  /**
   * The follower's log agrees through `match`.
   * @returns whether this says more than was known.
   */
  accepted(match: Index, firstHeld: Index): boolean {
    invariant(match >= this.#match, 'what is known to match does not shrink by an answer');
    const isNews = match > this.#match;
    this.#match = match;
    if (this.#next <= match) this.#next = asIndex(match + 1);
    this.inflights.freeThrough(match);
    const sending = this.#sending;
    // A snapshot is over as soon as entries can take up from `match`, installed or not.
    const isThere = sending.mode !== 'snapshot' || match >= sending.snapshot.index;
    if (isThere || match + 1 >= firstHeld) this.replicate();
    return isNews;
  }

  replicate(): void {
    if (this.#sending.mode === 'replicate') return;
    this.#sending = { mode: 'replicate' };
    this.inflights.clear();
    this.#next = asIndex(this.#match + 1);
  }

  /** @param next where to try next; never at or before `match`. */
  probe(next: Index): void {
    this.#next = asIndex(Math.max(next, this.#match + 1));
    this.#sending = { mode: 'probe', waiting: false };
    this.inflights.clear();
  }

  /** A heartbeat came back, so a probe that was lost may be repeated. */
  probeAgain(): void {
    if (this.#sending.mode === 'probe') this.#sending = { mode: 'probe', waiting: false };
  }

  /** The follower's disk has lost what it acknowledged. */
  forgetMatch(next: Index): void {
    this.#match = asIndex(0);
    this.probe(next);
  }

  /** Sends `snapshot`: the chunk at `offset` is being read, or (`length` > 0) is under way. */
  sendSnapshot(snapshot: SnapshotMetadata, chunk: ChunkUnderWay): void {
    invariant(snapshot.index > this.#match, 'a snapshot brings a follower forward');
    this.#sending = { mode: 'snapshot', snapshot, chunk };
    this.#next = asIndex(snapshot.index + 1);
    this.inflights.clear();
  }
}
