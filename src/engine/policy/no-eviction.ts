/** Offers no victim: a full owner refuses writes. Keeps only the time of the last access. */
import { secondsSinceAccess, stampAccess } from './access-time.ts';
import { LruPolicy } from './lru.ts';
import type { EvictionPolicy, PolicyLinks } from './policy.ts';

export class NoEvictionPolicy implements EvictionPolicy {
  nowSeconds = 0;
  readonly bytes = 0;
  readonly #links: PolicyLinks;

  constructor(links: PolicyLinks) {
    this.#links = links;
  }

  inserted(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
  }

  accessed(ref: number): void {
    stampAccess(this.#links, ref, this.nowSeconds);
  }

  removed(): void {}

  relocated(): void {}

  resized(): void {}

  victim(): number {
    return 0;
  }

  clear(): void {}

  idleSeconds(ref: number): number {
    return secondsSinceAccess(this.#links, ref, this.nowSeconds);
  }

  frequency(): undefined {
    return undefined;
  }

  /** What another size would do can only be told for a policy that evicts: LRU stands in. */
  miniature(links: PolicyLinks): LruPolicy {
    return new LruPolicy(links);
  }
}
