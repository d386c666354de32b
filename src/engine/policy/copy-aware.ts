/**
 * Keeps copies out of the order of eviction: records of shards of which another node is the
 * primary. That node decides what goes; here they stay until they are told to go.
 *
 * Which records are copies is marked in them. A mark may be out of date: that of a shard whose
 * primary this node has become lasts until `adopt`; one that is missing, since this node has ceased
 * to be the primary, is made when the record would be the next to go.
 */
import type { DomainAccount } from '../domain-account.ts';
import type { EvictionPolicy, PolicyLinks, TableGrowth } from './policy.ts';

/** The marks, and what decides where they are missing. */
export interface CopyMarks {
  isCopy(ref: number): boolean;
  setCopy(ref: number, isCopy: boolean): void;
  recordBytes(ref: number): number;
  hashOf(ref: number): number;
  /** Whether this node is the primary of the record's shard. */
  isOwn(ref: number): boolean;
}

export class CopyAwarePolicy implements EvictionPolicy {
  readonly #inner: EvictionPolicy;
  readonly #marks: CopyMarks;
  readonly #account: DomainAccount;
  copyBytes = 0;

  constructor(inner: EvictionPolicy, marks: CopyMarks, account: DomainAccount) {
    this.#inner = inner;
    this.#marks = marks;
    this.#account = account;
  }

  get nowSeconds(): number {
    return this.#inner.nowSeconds;
  }

  set nowSeconds(seconds: number) {
    this.#inner.nowSeconds = seconds;
  }

  get bytes(): number {
    return this.#inner.bytes;
  }

  get growth(): TableGrowth | undefined {
    return this.#inner.growth;
  }

  inserted(ref: number, hash: number): void {
    if (this.#marks.isCopy(ref)) this.#count(this.#marks.recordBytes(ref));
    else this.#inner.inserted(ref, hash);
  }

  accessed(ref: number, hash: number): void {
    if (!this.#marks.isCopy(ref)) this.#inner.accessed(ref, hash);
  }

  removed(ref: number, hash: number): void {
    if (this.#marks.isCopy(ref)) this.#count(-this.#marks.recordBytes(ref));
    else this.#inner.removed(ref, hash);
  }

  relocated(from: number, to: number): void {
    if (!this.#marks.isCopy(to)) this.#inner.relocated(from, to);
  }

  resized(ref: number, bytesBefore: number, bytesAfter: number): void {
    if (this.#marks.isCopy(ref)) this.#count(bytesAfter - bytesBefore);
    else this.#inner.resized(ref, bytesBefore, bytesAfter);
  }

  victim(): number {
    for (;;) {
      const ref = this.#inner.victim();
      if (ref === 0 || this.#marks.isOwn(ref)) return ref;
      this.#inner.removed(ref, this.#marks.hashOf(ref));
      this.#marks.setCopy(ref, true);
      this.#count(this.#marks.recordBytes(ref));
    }
  }

  /** This node has become the primary of the record's shard. */
  adopt(ref: number): void {
    if (!this.#marks.isCopy(ref)) return;
    this.#count(-this.#marks.recordBytes(ref));
    this.#marks.setCopy(ref, false);
    this.#inner.inserted(ref, this.#marks.hashOf(ref));
  }

  clear(): void {
    this.#count(-this.copyBytes);
    this.#inner.clear();
  }

  idleSeconds(ref: number): number {
    return this.#inner.idleSeconds(ref);
  }

  frequency(ref: number): number | undefined {
    return this.#marks.isCopy(ref) ? undefined : this.#inner.frequency(ref);
  }

  miniature(links: PolicyLinks): EvictionPolicy {
    return this.#inner.miniature(links);
  }

  #count(bytes: number): void {
    this.copyBytes += bytes;
    this.#account.copyBytes += bytes;
  }
}
