/**
 * Finds the window's share by trying a few shares at once, each in a miniature cache that sees the
 * same small sample of the keys.
 *
 * The miniatures hold the sampled part of what the real cache holds: at a sampling rate r, its
 * weight times r. They are compared pairwise with the one whose share is in use: requests that
 * only the other hits, against requests that only this one hits. A share takes over when it leads,
 * by more than chance and by enough to pay for the move, for several evaluations in a row: a burst
 * that favours another share has often passed before the cache has rearranged itself.
 */
import type { ArrayLinks } from './array-links.ts';
import { MiniatureCache } from './miniature-cache.ts';
import type { EvictionPolicy } from './policy.ts';

/** The window's share of the resident weight, 0 to 1. It may change. */
export interface WindowShare {
  readonly share: number;
}

const SHARES = [0.01, 0.2, 0.8] as const;
/** Records in each miniature, about: from this many to twice as many. */
const RECORDS = 128;
const RECORDS_MAX = 4 * RECORDS;
/** A cache of a few records would be sampled whole, which costs more than it can win. */
const SAMPLE_RATE_MAX = 1 / 4;
/** Requests for each record in a miniature between two evaluations. */
const REQUESTS_PER_RECORD = 2.5;
/** What earlier evaluations count against the latest. */
const MEMORY = 0.5;
/** Of the requests: a lead that is smaller than this is not worth a move. */
const LEAD_MIN = 0.01;
/** Squared, in standard deviations. */
const LEAD_SIGNIFICANCE = 4;
const EVALUATIONS_IN_A_ROW = 4;

interface Trial {
  readonly share: number;
  readonly cache: MiniatureCache;
  /** Requests that hit here and missed with the share in use, and the other way round. */
  wins: number;
  losses: number;
}

export class WindowTuner implements WindowShare {
  share: number = SHARES[0];
  readonly #makePolicy: (links: ArrayLinks, window: WindowShare) => EvictionPolicy;
  #trials: Trial[] = [];
  #current: Trial | undefined;
  #challenger: Trial | undefined;
  #evaluationsLed = 0;
  /** A key is sampled if its hash, spread, is below this. */
  #sampleBelow = 0;
  #recordsAtStart = 0;
  #requests = 0;
  /** Requests, with those of earlier evaluations at their lesser weight. */
  #requestsWeighed = 0;

  constructor(makePolicy: (links: ArrayLinks, window: WindowShare) => EvictionPolicy) {
    this.#makePolicy = makePolicy;
  }

  get bytes(): number {
    let bytes = 0;
    for (const trial of this.#trials) bytes += trial.cache.memoryBytes;
    return bytes;
  }

  /**
   * A record was inserted or accessed in a cache that is full.
   *
   * @param bytesResident the weight of what the cache holds
   * @param records how many records that is
   */
  request(hash: number, bytes: number, bytesResident: number, records: number): void {
    if (records > this.#recordsAtStart * 2 || records * 4 < this.#recordsAtStart) {
      this.#start(bytesResident, records);
    }
    if (Math.imul(hash, 0x9e37_79b1) >>> 0 >= this.#sampleBelow) return;
    const current = this.#current;
    if (current === undefined) return;
    const hit = current.cache.request(hash, bytes);
    for (const trial of this.#trials) {
      if (trial === current) continue;
      const hitThere = trial.cache.request(hash, bytes);
      if (hitThere && !hit) trial.wins++;
      else if (hit && !hitThere) trial.losses++;
    }
    this.#requests++;
    if (this.#requests >= REQUESTS_PER_RECORD * this.#sampleRate * records) {
      this.#evaluate(current);
      this.#setCapacities(bytesResident);
    }
  }

  /** Forgets what the miniatures hold. The share in use stays. */
  clear(): void {
    this.#trials = [];
    this.#current = undefined;
    this.#sampleBelow = 0;
    this.#recordsAtStart = 0;
  }

  get #sampleRate(): number {
    return this.#sampleBelow / 2 ** 32;
  }

  #start(bytesResident: number, records: number): void {
    this.#recordsAtStart = records;
    this.#sampleBelow = Math.floor(Math.min(SAMPLE_RATE_MAX, RECORDS / records) * 2 ** 32);
    this.#trials = SHARES.map((share) => ({
      share,
      cache: new MiniatureCache((links) => this.#makePolicy(links, { share }), RECORDS_MAX),
      wins: 0,
      losses: 0,
    }));
    this.#current = this.#trials.find((trial) => trial.share === this.share);
    this.#challenger = undefined;
    this.#forgetComparisons(0);
    this.#setCapacities(bytesResident);
  }

  #setCapacities(bytesResident: number): void {
    for (const trial of this.#trials) trial.cache.setCapacity(bytesResident * this.#sampleRate);
  }

  #evaluate(current: Trial): void {
    this.#requestsWeighed += this.#requests;
    let best = current;
    let leadBest = LEAD_MIN * this.#requestsWeighed;
    for (const trial of this.#trials) {
      const lead = trial.wins - trial.losses;
      const isChance = lead * lead <= LEAD_SIGNIFICANCE * (trial.wins + trial.losses);
      if (trial === current || isChance || lead <= leadBest) continue;
      best = trial;
      leadBest = lead;
    }
    this.#evaluationsLed = best === this.#challenger ? this.#evaluationsLed + 1 : 1;
    this.#challenger = best;
    if (best !== current && this.#evaluationsLed === EVALUATIONS_IN_A_ROW) {
      this.#current = best;
      this.share = best.share;
      this.#forgetComparisons(0);
    } else {
      this.#forgetComparisons(MEMORY);
    }
  }

  #forgetComparisons(memory: number): void {
    this.#requests = 0;
    this.#requestsWeighed *= memory;
    for (const trial of this.#trials) {
      trial.wins *= memory;
      trial.losses *= memory;
    }
  }
}
