/** Exact least-recently-used order: one queue, in which every access makes a record the newest. */
import { secondsSinceAccess, stampAccess } from './access-time.ts';
import type { EvictionPolicy, PolicyLinks } from './policy.ts';
import { RecordQueues } from './record-queues.ts';

const ALL = 0;

export class LruPolicy implements EvictionPolicy {
  nowSeconds = 0;
  readonly #links: PolicyLinks;
  readonly #queues: RecordQueues;

  constructor(links: PolicyLinks) {
    this.#links = links;
    this.#queues = new RecordQueues(links, 1);
  }

  get bytes(): number {
    return this.#queues.bytes;
  }

  inserted(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
    this.#queues.pushNewest(ALL, ref);
  }

  accessed(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
    this.#queues.moveToNewest(ALL, ref);
  }

  removed(ref: number): void {
    this.#queues.remove(ALL, ref);
  }

  relocated(_from: number, to: number): void {
    this.#queues.relocated(ALL, to);
  }

  resized(): void {}

  victim(): number {
    return this.#queues.oldest(ALL);
  }

  clear(): void {
    this.#queues.clear();
  }

  idleSeconds(ref: number): number {
    return secondsSinceAccess(this.#links, ref, this.nowSeconds);
  }

  frequency(): undefined {
    return undefined;
  }

  miniature(links: PolicyLinks): LruPolicy {
    return new LruPolicy(links);
  }
}
