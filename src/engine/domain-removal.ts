/**
 * Removes domains with all their records, one after the other, in steps of bounded size: domains
 * that were removed, and what is left of those that were flushed.
 */
import { invariant } from '../runtime/index.ts';
import type { Arena } from './arena.ts';
import { DomainAccount } from './domain-account.ts';
import type { DomainNumbers } from './domain-numbers.ts';
import type { Domain } from './domain.ts';
import { WORK_BYTES_PER_RECORD, type HousekeepingJob } from './housekeeping.ts';
import type { KeyIndex } from './key-index.ts';
import { createPolicy } from './policy/index.ts';

export class DomainRemoval implements HousekeepingJob {
  readonly #arena: Arena;
  readonly #numbers: DomainNumbers;
  readonly #remove: (domain: Domain, ref: number) => void;
  readonly #done: (domain: Domain) => void;
  /** In the order in which they were given. */
  readonly #domains: Domain[] = [];
  /** How far the first of them has got. */
  #cursor = 0;
  readonly #found: number[] = [];

  /**
   * @param remove removes one record
   * @param done told of each domain that holds nothing any more
   */
  constructor(
    arena: Arena,
    numbers: DomainNumbers,
    remove: (domain: Domain, ref: number) => void,
    done: (domain: Domain) => void,
  ) {
    this.#arena = arena;
    this.#numbers = numbers;
    this.#remove = remove;
    this.#done = done;
  }

  get isBehind(): boolean {
    return this.#domains.length > 0;
  }

  /** What its domains still hold, in bytes. */
  get bytes(): number {
    let bytes = 0;
    for (const domain of this.#domains) bytes += domain.bytes;
    return bytes;
  }

  add(domain: Domain): void {
    invariant(!domain.isLeaving, 'a domain is removed once');
    domain.isLeaving = true;
    this.#domains.push(domain);
  }

  /** Takes all records from a domain that stays: `index` is the one with which it begins anew. */
  takeRecords(domain: Domain, index: KeyIndex): void {
    while (!this.#numbers.hasSpare) this.#finishFirst();
    // Nobody is to decide any more in which order these records go.
    const policy = createPolicy('noeviction', this.#arena, 0);
    const remainder = domain.partWithRecords(index, policy, new DomainAccount());
    this.#numbers.passOn(domain, remainder);
    this.#numbers.assign(domain);
    this.add(remainder);
  }

  /** A domain and a bucket that hold no record count as one each. */
  run(budgetBytes: number): number {
    let passed = 0;
    while (passed < budgetBytes && this.#domains.length > 0) {
      const found = this.#step(this.#domains[0]);
      passed += (found + 1) * WORK_BYTES_PER_RECORD;
    }
    return passed;
  }

  #finishFirst(): void {
    const [first] = this.#domains;
    while (first === this.#domains[0]) this.#step(first);
  }

  /** Goes on by one bucket; gives the number of records that it held. */
  #step(domain: Domain): number {
    const found = this.#found;
    found.length = 0;
    this.#cursor = domain.index.scan(this.#cursor, this.#visit);
    for (const ref of found) this.#remove(domain, ref);
    if (domain.items === 0) {
      this.#domains.shift();
      this.#cursor = 0;
      this.#done(domain);
    }
    return found.length;
  }

  readonly #visit = (ref: number): void => {
    this.#found.push(ref);
  };
}
