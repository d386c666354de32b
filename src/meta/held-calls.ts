/**
 * Calls that came while nobody was known to lead: they are kept for a moment, since an election takes
 * no longer, and callers who are sent away come back later than that.
 */
import type { Timers } from '../runtime/index.ts';

/** Beyond, they are sent away at once. */
const CALLS_MAX = 4096;
/** From the first on. Then callers look elsewhere: another peer may know more. */
const HOLD_MS = 300;

export class HeldCalls {
  readonly #timers: Pick<Timers, 'after' | 'defer'>;
  #calls: Array<(isOver: boolean) => void> = [];
  #round = 0;

  constructor(timers: Pick<Timers, 'after' | 'defer'>) {
    this.#timers = timers;
  }

  get isEmpty(): boolean {
    return this.#calls.length === 0;
  }

  /** @param goOn called once, later: `isOver` where the call is to be held no longer */
  hold(goOn: (isOver: boolean) => void): void {
    if (this.#calls.length >= CALLS_MAX) {
      this.#timers.defer(() => goOn(true));
      return;
    }
    this.#calls.push(goOn);
    if (this.#calls.length > 1) return;
    this.#round++;
    const round = this.#round;
    this.#timers.after(HOLD_MS, () => {
      if (round === this.#round) this.#end(true);
    });
  }

  /** It is known by now who leads, or that nobody will. */
  release(): void {
    if (!this.isEmpty) this.#timers.defer(() => this.#end(false));
  }

  #end(isOver: boolean): void {
    this.#round++;
    for (const goOn of this.#calls.splice(0)) goOn(isOver);
  }
}
