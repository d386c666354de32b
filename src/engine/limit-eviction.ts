/** Evicts what is too much since a limit was lowered: a bounded number of records in each turn. */
import type { DomainUpkeep } from './domain-upkeep.ts';
import type { Domain } from './domain.ts';
import type { HousekeepingJob } from './housekeeping.ts';

/** An eviction's share of a turn: it touches many places of memory. */
const EVICTION_WORK_BYTES = 1024;

export class LimitEviction implements HousekeepingJob {
  isBehind = false;
  readonly #upkeep: DomainUpkeep;
  readonly #shrink: (domain: Domain, countMax: number) => number;

  /** @param shrink brings a domain nearer to its limits; gives the number of evictions */
  constructor(upkeep: DomainUpkeep, shrink: (domain: Domain, countMax: number) => number) {
    this.#upkeep = upkeep;
    this.#shrink = shrink;
  }

  run(budgetBytes: number): number {
    const countMax = Math.ceil(budgetBytes / EVICTION_WORK_BYTES);
    let count = 0;
    this.#upkeep.forSome((domain) => {
      count += this.#shrink(domain, countMax - count);
      return count < countMax;
    });
    this.isBehind = count >= countMax;
    return count * EVICTION_WORK_BYTES;
  }
}
