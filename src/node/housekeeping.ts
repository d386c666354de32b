/**
 * When a node does the work that nobody waits for, and how much of it at a time: a round ten times a
 * second, in turns of about half a millisecond, between which clients are served. While records are
 * waiting to be freed the turns follow each other closely, at up to a third of the time there is.
 */
import { TURN_BYTES, type RemovalReason } from '../engine/index.ts';
import type { Timer } from '../runtime/index.ts';
import type { CacheNode } from './node.ts';

const ROUND_MS = 100;
/** Between two turns of a round, at which nothing is urgent. */
const TURN_MS = 3;
const TURNS_A_ROUND = Math.floor(ROUND_MS / TURN_MS);
/** A turn that took longer than this is followed by smaller ones. */
const TURN_US_MAX = 750;
const TURN_BYTES_MIN = 4096;
const US_PER_MS = 1000;

export class NodeHousekeeping {
  readonly #node: CacheNode;
  readonly #eachRound: () => void;
  #timer: Timer | undefined;
  #turnBytes = TURN_BYTES;
  #turnsLeft = 0;
  #expired = 0;
  #evicted = 0;

  /** @param eachRound what else is to be done ten times a second */
  constructor(node: CacheNode, eachRound: () => void) {
    this.#node = node;
    this.#eachRound = eachRound;
  }

  start(): void {
    this.#schedule(ROUND_MS);
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** To be told of each record that goes by itself. */
  removed(reason: RemovalReason): void {
    if (reason === 'expired') this.#expired++;
    else this.#evicted++;
  }

  #schedule(delayMs: number): void {
    this.#timer = this.#node.runtime.timers.after(delayMs, () => {
      this.#node.beginBatch();
      if (this.#turnsLeft === 0) {
        this.#eachRound();
        this.#turnsLeft = TURNS_A_ROUND;
      }
      this.#schedule(this.#turn());
    });
  }

  /** Gives the time until the next one. */
  #turn(): number {
    const { engine, runtime, latency } = this.#node;
    this.#expired = 0;
    this.#evicted = 0;
    const startUs = runtime.clock.monotonicUs();
    const state = engine.maintain(this.#turnBytes);
    const tookUs = runtime.clock.monotonicUs() - startUs;
    this.#turnBytes =
      tookUs > TURN_US_MAX
        ? Math.max(TURN_BYTES_MIN, this.#turnBytes >>> 1)
        : Math.min(TURN_BYTES, this.#turnBytes + (TURN_BYTES >>> 4));
    if (this.#expired > 0) latency.add('expire-cycle', tookUs);
    if (this.#evicted > 0) latency.add('eviction-cycle', tookUs);
    this.#turnsLeft--;
    if (state === 'behind') return Math.max(1, Math.round((2 * tookUs) / US_PER_MS));
    if (state === 'more') return TURN_MS;
    const restMs = (this.#turnsLeft + 1) * TURN_MS;
    this.#turnsLeft = 0;
    return restMs;
  }
}
