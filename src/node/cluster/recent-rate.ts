/** How often something that is counted happens, over about the last second. Pure. */

const SAMPLES = 4;
/** What came in less time than this is no rate yet. */
const ELAPSED_US_MIN = 250_000;

export class RecentRate {
  readonly #counts = new Float64Array(SAMPLES);
  readonly #timesUs = new Float64Array(SAMPLES);
  #next = 0;
  #perSecond = 0;

  get perSecond(): number {
    return this.#perSecond;
  }

  /** Begins anew, with what was counted until now. */
  restart(count: number, nowUs: number): void {
    this.#counts.fill(count);
    this.#timesUs.fill(nowUs);
    this.#next = SAMPLES;
    this.#perSecond = 0;
  }

  /** To be called about every quarter of a second, with what was counted since the start. */
  sample(count: number, nowUs: number): void {
    const at = this.#next % SAMPLES;
    const elapsedUs = Math.max(ELAPSED_US_MIN, nowUs - this.#timesUs[at]);
    if (this.#next >= SAMPLES) {
      this.#perSecond = Math.round(((count - this.#counts[at]) * 1e6) / elapsedUs);
    }
    this.#counts[at] = count;
    this.#timesUs[at] = nowUs;
    this.#next++;
  }
}
