/**
 * Doubly linked queues of records, oldest to newest, through links that lie in the records.
 *
 * A record is in at most one queue; which one, the policy knows. A link of 0 is a queue's end, and
 * an empty queue has 0 for its oldest and newest.
 */
import type { PolicyLinks } from './policy.ts';

export class RecordQueues {
  readonly #links: PolicyLinks;
  readonly #oldest: Uint32Array;
  readonly #newest: Uint32Array;

  constructor(links: PolicyLinks, count: number) {
    this.#links = links;
    this.#oldest = new Uint32Array(count);
    this.#newest = new Uint32Array(count);
  }

  /** Memory held, in bytes. */
  get bytes(): number {
    return this.#oldest.byteLength * 2;
  }

  oldest(queue: number): number {
    return this.#oldest[queue];
  }

  newest(queue: number): number {
    return this.#newest[queue];
  }

  pushNewest(queue: number, ref: number): void {
    const links = this.#links;
    const second = this.#newest[queue];
    links.setOlder(ref, second);
    links.setNewer(ref, 0);
    if (second === 0) this.#oldest[queue] = ref;
    else links.setNewer(second, ref);
    this.#newest[queue] = ref;
  }

  remove(queue: number, ref: number): void {
    const links = this.#links;
    const older = links.older(ref);
    const newer = links.newer(ref);
    if (older === 0) this.#oldest[queue] = newer;
    else links.setNewer(older, newer);
    if (newer === 0) this.#newest[queue] = older;
    else links.setOlder(newer, older);
  }

  moveToNewest(queue: number, ref: number): void {
    if (ref === this.#newest[queue]) return;
    this.remove(queue, ref);
    this.pushNewest(queue, ref);
  }

  /** A record of this queue was copied, with its links, to `to`: makes its neighbours follow. */
  relocated(queue: number, to: number): void {
    const links = this.#links;
    const older = links.older(to);
    const newer = links.newer(to);
    if (older === 0) this.#oldest[queue] = to;
    else links.setNewer(older, to);
    if (newer === 0) this.#newest[queue] = to;
    else links.setOlder(newer, to);
  }

  /** Hangs all records of `from` behind the newest of `to`, in constant time. */
  append(from: number, to: number): void {
    const links = this.#links;
    const first = this.#oldest[from];
    if (first === 0) return;
    const last = this.#newest[to];
    if (last === 0) this.#oldest[to] = first;
    else {
      links.setNewer(last, first);
      links.setOlder(first, last);
    }
    this.#newest[to] = this.#newest[from];
    this.#oldest[from] = 0;
    this.#newest[from] = 0;
  }

  clear(): void {
    this.#oldest.fill(0);
    this.#newest.fill(0);
  }
}
