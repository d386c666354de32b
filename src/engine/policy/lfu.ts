/**
 * Least frequently used, with decay, in constant time and eight bits a record.
 *
 * The counter is the one of Redis: it starts at 5, an access raises it with a probability of
 * 1 in (counter - 5) * 10 + 1, and it loses one for each minute without access, down to 0. So 255
 * stands for about a million accesses.
 *
 * All counters fall at the same pace, so the order of two records changes only when one of them is
 * accessed or reaches 0. Records are therefore queued by rank = counter + minute of the last access,
 * which does not change with time: no record is visited to decay it. Ranks lie in a ring. Once a
 * minute, the queue of those that have just reached 0 is hung behind the queue of zeros. The victim
 * is the oldest zero, or else the oldest record of the lowest rank.
 *
 * Invariant: a record is in the queue of its rank, or among the zeros; its rank then was at most
 * `#minute` when it was put there. Only a queue's two ends need to know which: compare with the
 * ends of the zeros.
 */
import type { EvictionPolicy, PolicyLinks } from './policy.ts';
import { RecordQueues } from './record-queues.ts';
import { Xorshift } from './xorshift.ts';

const COUNTER_NEW = 5;
const COUNTER_MAX = 255;
/** Accesses needed for each step grow by this much a step. */
const LOG_FACTOR = 10;
const SECONDS_PER_MINUTE = 60;
/** The minute takes 13 of the access bits, and so wraps after 5.7 days; the counter the other 8. */
const MINUTE_BITS = 13;
const MINUTE_MASK = 2 ** MINUTE_BITS - 1;
/** More than twice the ranks in use at any time, and a divisor of 2^13. */
const RING = 512;
const RING_MASK = RING - 1;
const ZEROS = RING;

export class LfuPolicy implements EvictionPolicy {
  nowSeconds = 0;
  readonly #links: PolicyLinks;
  readonly #queues: RecordQueues;
  /** One bit for each rank of the ring: whether its queue holds anything. */
  readonly #occupied = new Int32Array(RING / 32);
  readonly #random: Xorshift;
  #minute = 0;

  constructor(links: PolicyLinks, seed: number) {
    this.#links = links;
    this.#queues = new RecordQueues(links, RING + 1);
    this.#random = new Xorshift(seed);
  }

  get bytes(): number {
    return this.#queues.bytes + this.#occupied.byteLength;
  }

  inserted(ref: number): void {
    this.#catchUp();
    this.#push(ref, COUNTER_NEW);
  }

  accessed(ref: number): void {
    this.#catchUp();
    const counter = this.frequency(ref);
    this.#remove(ref);
    this.#push(ref, counter + (this.#mayRaise(counter) ? 1 : 0));
  }

  removed(ref: number): void {
    this.#remove(ref);
  }

  relocated(from: number, to: number): void {
    this.#queues.relocated(this.#queueOf(to, from), to);
  }

  resized(): void {}

  victim(): number {
    this.#catchUp();
    const zero = this.#queues.oldest(ZEROS);
    if (zero !== 0) return zero;
    const rank = this.#lowestRank();
    return rank < 0 ? 0 : this.#queues.oldest(rank);
  }

  clear(): void {
    this.#queues.clear();
    this.#occupied.fill(0);
  }

  /** To the minute. */
  idleSeconds(ref: number): number {
    return this.#minutesIdle(ref) * SECONDS_PER_MINUTE;
  }

  /** The counter as it is now, 0 to 255. */
  frequency(ref: number): number {
    return Math.max(0, (this.#links.accessBits(ref) >>> MINUTE_BITS) - this.#minutesIdle(ref));
  }

  miniature(links: PolicyLinks): LfuPolicy {
    return new LfuPolicy(links, this.#random.next());
  }

  #minutesIdle(ref: number): number {
    const minute = Math.floor(this.nowSeconds / SECONDS_PER_MINUTE);
    return (minute - this.#links.accessBits(ref)) & MINUTE_MASK;
  }

  #mayRaise(counter: number): boolean {
    if (counter === COUNTER_MAX) return false;
    const steps = Math.max(0, counter - COUNTER_NEW);
    return this.#random.next() % (steps * LOG_FACTOR + 1) === 0;
  }

  #push(ref: number, counter: number): void {
    const minute = this.#minute & MINUTE_MASK;
    this.#links.setAccessBits(ref, (counter << MINUTE_BITS) | minute);
    if (counter === 0) {
      this.#queues.pushNewest(ZEROS, ref);
      return;
    }
    const rank = (counter + minute) & RING_MASK;
    this.#queues.pushNewest(rank, ref);
    this.#occupied[rank >>> 5] |= 1 << (rank & 31);
  }

  #remove(ref: number): void {
    const queue = this.#queueOf(ref, ref);
    this.#queues.remove(queue, ref);
    if (queue !== ZEROS && this.#queues.oldest(queue) === 0) this.#vacate(queue);
  }

  /** The queue that `ref` is in, if it is an end of it; its place is known under `end`. */
  #queueOf(ref: number, end: number): number {
    if (this.#queues.oldest(ZEROS) === end || this.#queues.newest(ZEROS) === end) return ZEROS;
    const bits = this.#links.accessBits(ref);
    return ((bits >>> MINUTE_BITS) + bits) & RING_MASK;
  }

  #vacate(rank: number): void {
    this.#occupied[rank >>> 5] &= ~(1 << (rank & 31));
  }

  /** Moves to the zeros whatever has reached 0 since the last call: at most 255 queues. */
  #catchUp(): void {
    const minute = Math.floor(this.nowSeconds / SECONDS_PER_MINUTE);
    if (minute === this.#minute) return;
    const last = Math.min(minute, this.#minute + COUNTER_MAX);
    for (let due = this.#minute + 1; due <= last; due++) {
      const rank = due & RING_MASK;
      this.#queues.append(rank, ZEROS);
      this.#vacate(rank);
    }
    this.#minute = minute;
  }

  /** The first occupied place of the ring after the present minute's, or -1. */
  #lowestRank(): number {
    const start = (this.#minute + 1) & RING_MASK;
    const words = this.#occupied.length;
    let word = start >>> 5;
    let bits = this.#occupied[word] & (-1 << (start & 31));
    for (let step = 0; step <= words; step++) {
      if (bits !== 0) return (word << 5) + 31 - Math.clz32(bits & -bits);
      word = (word + 1) % words;
      bits = this.#occupied[word];
    }
    return -1;
  }
}
