/**
 * A process' own clock: it runs at its own rate from its own zero, and its wall time may step.
 * Rates are whole parts per million, so that local times are exact on every machine.
 */
import { invariant } from '../runtime/index.ts';
import type { Clock } from '../runtime/index.ts';
import type { EventQueue } from './event-queue.ts';

const MILLION = 1_000_000;

export interface ClockSettings {
  /** Local time when virtual time begins. */
  readonly offsetUs: number;
  /** How much faster than virtual time it runs, in parts per million; negative: slower. */
  readonly driftPpm: number;
  /** Wall time when virtual time begins, since 1970. */
  readonly wallUs: number;
}

export class SimClock implements Clock {
  readonly #queue: EventQueue;
  #sinceUs = 0;
  #baseUs: number;
  #driftPpm: number;
  #wallAheadUs: number;

  constructor(queue: EventQueue, settings: ClockSettings) {
    this.#queue = queue;
    this.#baseUs = settings.offsetUs;
    this.#driftPpm = settings.driftPpm;
    this.#wallAheadUs = settings.wallUs - settings.offsetUs;
  }

  monotonicUs(): number {
    return this.#localAt(this.#queue.nowUs);
  }

  wallUs(): number {
    return this.monotonicUs() + this.#wallAheadUs;
  }

  setDrift(driftPpm: number): void {
    this.#baseUs = this.monotonicUs();
    this.#sinceUs = this.#queue.nowUs;
    this.#driftPpm = driftPpm;
  }

  stepWall(byUs: number): void {
    this.#wallAheadUs += byUs;
  }

  /** Virtual time until this clock has advanced by at least `localUs`. */
  virtualDelayUs(localUs: number): number {
    invariant(Number.isSafeInteger(localUs) && localUs >= 0, 'a delay is a whole number of µs');
    if (this.#driftPpm === 0) return localUs;
    const now = this.#queue.nowUs;
    const goal = this.#localAt(now) + localUs;
    let delay = Math.max(0, Math.floor((localUs * MILLION) / (MILLION + this.#driftPpm)) - 1);
    while (this.#localAt(now + delay) < goal) delay += 1;
    return delay;
  }

  #localAt(virtualUs: number): number {
    const elapsed = virtualUs - this.#sinceUs;
    return this.#baseUs + elapsed + Math.floor((elapsed * this.#driftPpm) / MILLION);
  }
}
