/**
 * The engine's domains by number: what stands for a domain in its records. A domain that is flushed
 * gets another number, and those that it held go under the old one until they are freed.
 *
 * Invariants: a number stands for one domain at a time; an id, which is what the owner of the engine
 * knows a domain by, is in use until all of a removed domain's records are gone.
 */
import { invariant } from '../runtime/index.ts';
import { DOMAIN_MAX } from './arena.ts';
import type { Domain } from './domain.ts';

/** So many domains may be in the course of being flushed at a time. */
const SPARE_NUMBERS = 64;
/** The number of those that have none. */
const NO_NUMBER = -1;

export class DomainNumbers {
  /** By number; without gaps but for those that are to be used next. */
  readonly domains: Array<Domain | undefined> = [];
  readonly #ids = new Set<number>();
  readonly #free: number[] = [];

  isFree(id: number): boolean {
    return !this.#ids.has(id);
  }

  takeId(id: number): void {
    invariant(Number.isInteger(id) && id >= 0 && id <= DOMAIN_MAX, 'a domain has a small number');
    invariant(this.isFree(id), 'a domain is added once');
    this.#ids.add(id);
  }

  /** Whether a number is left for a domain that is to be flushed. */
  get hasSpare(): boolean {
    return this.#free.length > 0 || this.domains.length <= DOMAIN_MAX + SPARE_NUMBERS;
  }

  /** Gives a domain a number that is not in use. */
  assign(domain: Domain): void {
    domain.number = this.#free.pop() ?? this.domains.length;
    this.domains[domain.number] = domain;
  }

  /** Lets `successor` have the number of a domain, which has none then. */
  passOn(domain: Domain, successor: Domain): void {
    successor.number = domain.number;
    this.domains[domain.number] = successor;
    domain.number = NO_NUMBER;
  }

  /** Frees the number and the id of a domain that has no records. */
  release(domain: Domain): void {
    this.domains[domain.number] = undefined;
    this.#free.push(domain.number);
    if (domain.id >= 0) this.#ids.delete(domain.id);
    domain.number = NO_NUMBER;
  }
}
