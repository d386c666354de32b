/** Bytes of a copy that may be sent now, where it is throttled. Pure. */
export class CopyCredit {
  #bytes = 0;
  /** When that was reckoned. */
  #atUs: number;

  constructor(nowUs: number) {
    this.#atUs = nowUs;
  }

  /**
   * What has been earned and not spent: of a tenth of a second at most.
   *
   * @param bytesPerSecond undefined: there is no limit
   */
  left(bytesPerSecond: number | undefined, nowUs: number): number {
    if (bytesPerSecond === undefined) return Infinity;
    const earned = ((nowUs - this.#atUs) * bytesPerSecond) / 1_000_000;
    this.#bytes = Math.min(this.#bytes + earned, bytesPerSecond / 10);
    this.#atUs = nowUs;
    return this.#bytes;
  }

  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}
