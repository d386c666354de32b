/** What all domains need from time to time: the time, and to be brought back to their limits. */
import type { Domain } from './domain.ts';

/** Of thousands of domains, so many have their turn in one call. */
const DOMAINS_A_TURN = 256;
/** The size of a record, as long as there is none to go by. */
const RECORD_BYTES_GUESS = 128;

export class DomainUpkeep {
  readonly #domains: ReadonlyArray<Domain | undefined>;
  #nowSeconds = -1;
  /** Domains from here on are still to be told the time. */
  #untold = 0;
  #next = 0;

  constructor(domains: ReadonlyArray<Domain | undefined>) {
    this.#domains = domains;
  }

  /**
   * Once a second: tells all policies the time, and what their ghosts are to be compared with; a few
   * of many at a time.
   *
   * @returns whether all of them know
   */
  tellTime(nowMs: number, liveBytesMax: number): boolean {
    const nowSeconds = Math.floor(nowMs / 1000);
    if (this.#untold >= this.#domains.length) {
      if (nowSeconds === this.#nowSeconds) return true;
      this.#nowSeconds = nowSeconds;
      this.#untold = 0;
    }
    const end = Math.min(this.#untold + DOMAINS_A_TURN, this.#domains.length);
    for (; this.#untold < end; this.#untold++) {
      const domain = this.#domains[this.#untold];
      if (domain === undefined) continue;
      domain.policy.nowSeconds = nowSeconds;
      const capacityBytes = Math.min(domain.bytesLimit, liveBytesMax);
      const bytesMean = domain.items === 0 ? RECORD_BYTES_GUESS : domain.bytes / domain.items;
      domain.ghost.adjust(capacityBytes, bytesMean, nowSeconds);
    }
    return end === this.#domains.length;
  }

  /** Calls `visit` for all domains, or for the next few of many, as long as it says to go on. */
  forSome(visit: (domain: Domain) => boolean): void {
    const count = this.#domains.length;
    for (let turn = Math.min(count, DOMAINS_A_TURN); turn > 0; turn--) {
      this.#next = (this.#next + 1) % count;
      const domain = this.#domains[this.#next];
      if (domain !== undefined && !visit(domain)) return;
    }
  }
}
