/** Memory that is got from the kernel before a call needs it, in turns of housekeeping. */
import type { HousekeepingJob } from './housekeeping.ts';
import type { Slabs } from './slabs.ts';

/** What a page that is touched counts for in a turn: it takes up to 10 µs. */
const WORK_BYTES_PER_PAGE = 1024;

export class ReadyMemory implements HousekeepingJob {
  readonly isBehind = false;
  /** How much is to be at hand beyond what is used; 0: nothing is got before it is needed. */
  aheadBytes = 0;
  readonly #slabs: Slabs;
  readonly #unusedBytes: () => number;

  /** @param unusedBytes what the limit leaves: no more is touched */
  constructor(slabs: Slabs, unusedBytes: () => number) {
    this.#slabs = slabs;
    this.#unusedBytes = unusedBytes;
  }

  run(budgetBytes: number): number {
    if (this.aheadBytes === 0) return 0;
    const pagesMax = Math.ceil(budgetBytes / WORK_BYTES_PER_PAGE);
    const aheadBytes = Math.min(this.aheadBytes, this.#unusedBytes());
    return this.#slabs.makeReady(aheadBytes, pagesMax) * WORK_BYTES_PER_PAGE;
  }
}
