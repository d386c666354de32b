/**
 * A policy on its way from one kind to another: the records go over in the order of the index's
 * scan, a few at a time. Those whose hash the scan has come past are the new policy's, all others
 * still the old one's; so which of the two a record belongs to needs no mark in it.
 *
 * Until the end the old policy's records are offered as victims first: it knows their order.
 */
import { orderOfHash, type KeyIndex } from './key-index.ts';
import type { EvictionPolicy, PolicyLinks } from './policy/index.ts';

export class PolicyChange implements EvictionPolicy {
  readonly from: EvictionPolicy;
  readonly to: EvictionPolicy;
  isDone = false;
  readonly #index: KeyIndex;
  readonly #hashOf: (ref: number) => number;
  /** In the order of the index: what is below it has gone over. */
  #cursor = 0;
  readonly #found: number[] = [];

  /** @param hashOf the hash of a record's key */
  constructor(
    from: EvictionPolicy,
    to: EvictionPolicy,
    index: KeyIndex,
    hashOf: (ref: number) => number,
  ) {
    this.from = from;
    this.to = to;
    this.#index = index;
    this.#hashOf = hashOf;
  }

  /** How many changes are under way one within the other. */
  get depth(): number {
    return this.from instanceof PolicyChange ? this.from.depth + 1 : 1;
  }

  /** Hands over the records of one bucket; gives their number. */
  step(): number {
    const found = this.#found;
    found.length = 0;
    const cursor = this.#index.scan(this.#cursor, this.#visit);
    for (const ref of found) {
      const hash = this.#hashOf(ref);
      this.from.removed(ref, hash);
      this.to.inserted(ref, hash);
    }
    this.#cursor = cursor;
    if (cursor === 0) {
      this.isDone = true;
      this.from.clear();
    }
    return found.length;
  }

  readonly #visit = (ref: number): void => {
    this.#found.push(ref);
  };

  /** The policy whose a key's record is now. */
  #of(hash: number): EvictionPolicy {
    return this.isDone || orderOfHash(hash) < this.#cursor ? this.to : this.from;
  }

  get nowSeconds(): number {
    return this.to.nowSeconds;
  }

  set nowSeconds(seconds: number) {
    this.from.nowSeconds = seconds;
    this.to.nowSeconds = seconds;
  }

  get bytes(): number {
    return this.from.bytes + this.to.bytes;
  }

  get growth(): EvictionPolicy['growth'] {
    return this.to.growth;
  }

  inserted(ref: number, hash: number): void {
    this.#of(hash).inserted(ref, hash);
  }

  accessed(ref: number, hash: number): void {
    this.#of(hash).accessed(ref, hash);
  }

  removed(ref: number, hash: number): void {
    this.#of(hash).removed(ref, hash);
  }

  relocated(from: number, to: number): void {
    this.#of(this.#hashOf(to)).relocated(from, to);
  }

  resized(ref: number, bytesBefore: number, bytesAfter: number): void {
    this.#of(this.#hashOf(ref)).resized(ref, bytesBefore, bytesAfter);
  }

  adopt(ref: number): void {
    this.#of(this.#hashOf(ref)).adopt?.(ref);
  }

  /** Where neither has one to offer, records go over until the new policy does. */
  victim(): number {
    let victim = this.#offered();
    while (victim === 0 && !this.isDone) {
      this.step();
      victim = this.to.victim();
    }
    return victim;
  }

  /** A change within another does not go on: the outer one's scan has been past some of its records. */
  #offered(): number {
    const { from } = this;
    return (from instanceof PolicyChange ? from.#offered() : from.victim()) || this.to.victim();
  }

  clear(): void {
    this.from.clear();
    this.to.clear();
  }

  idleSeconds(ref: number): number {
    return this.#of(this.#hashOf(ref)).idleSeconds(ref);
  }

  frequency(ref: number): number | undefined {
    const owner = this.#of(this.#hashOf(ref));
    const frequency = this.to.frequency(ref);
    return owner === this.to || frequency === undefined ? frequency : (owner.frequency(ref) ?? 0);
  }

  miniature(links: PolicyLinks): EvictionPolicy {
    return this.to.miniature(links);
  }
}
