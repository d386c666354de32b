/** Exact least-recently-used order: one list, in which every access moves a record to the front. */
import { secondsSinceAccess, stampAccess } from './access-time.ts';
import type { EvictionPolicy, PolicyLinks } from './policy.ts';
import { RecordList } from './record-list.ts';

export class LruPolicy implements EvictionPolicy {
  nowSeconds = 0;
  readonly bytes = 0;
  readonly #links: PolicyLinks;
  readonly #records: RecordList;

  constructor(links: PolicyLinks) {
    this.#links = links;
    this.#records = new RecordList(links);
  }

  inserted(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
    this.#records.pushNewest(ref);
  }

  accessed(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
    this.#records.moveToNewest(ref);
  }

  removed(ref: number): void {
    this.#records.remove(ref);
  }

  relocated(_from: number, to: number): void {
    this.#records.relocated(to);
  }

  resized(): void {}

  victim(): number {
    return this.#records.oldest;
  }

  clear(): void {
    this.#records.clear();
  }

  idleSeconds(ref: number): number {
    return secondsSinceAccess(this.#links, ref, this.nowSeconds);
  }

  frequency(): undefined {
    return undefined;
  }
}
