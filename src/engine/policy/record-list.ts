/**
 * A doubly linked list of records in the order they came, through links that lie in the records.
 *
 * A record is in at most one list; which one, the policy knows. 0 ends the list on either side.
 */
import type { PolicyLinks } from './policy.ts';

export class RecordList {
  oldest = 0;
  newest = 0;
  readonly #links: PolicyLinks;

  constructor(links: PolicyLinks) {
    this.#links = links;
  }

  pushNewest(ref: number): void {
    const links = this.#links;
    const second = this.newest;
    links.setOlder(ref, second);
    links.setNewer(ref, 0);
    if (second === 0) this.oldest = ref;
    else links.setNewer(second, ref);
    this.newest = ref;
  }

  remove(ref: number): void {
    const links = this.#links;
    const older = links.older(ref);
    const newer = links.newer(ref);
    if (older === 0) this.oldest = newer;
    else links.setNewer(older, newer);
    if (newer === 0) this.newest = older;
    else links.setOlder(newer, older);
  }

  moveToNewest(ref: number): void {
    if (ref === this.newest) return;
    this.remove(ref);
    this.pushNewest(ref);
  }

  /** The record, with its links, was copied to `to`: makes its neighbours and the ends follow. */
  relocated(to: number): void {
    const links = this.#links;
    const older = links.older(to);
    const newer = links.newer(to);
    if (older === 0) this.oldest = to;
    else links.setNewer(older, to);
    if (newer === 0) this.newest = to;
    else links.setOlder(newer, to);
  }

  clear(): void {
    this.oldest = 0;
    this.newest = 0;
  }
}
