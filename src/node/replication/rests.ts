/** A timer waits for a millisecond at least: shorter rests would be several times as long. */
const REST_US_MIN = 1000;

/** What steps of work are to rest between them, saved up until a timer can keep it. Pure. */
export class Rests {
  #owedUs = 0;

  /**
   * To be called after each step.
   *
   * @param share of the time that the step took
   * @returns for how long to rest now, in microseconds; 0: not yet
   */
  after(workedUs: number, share: number): number {
    this.#owedUs += workedUs * share;
    if (this.#owedUs < REST_US_MIN) return 0;
    const restUs = this.#owedUs;
    this.#owedUs = 0;
    return restUs;
  }
}
