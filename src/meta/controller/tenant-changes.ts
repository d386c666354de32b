/**
 * Which tenants and namespaces have changed lately, so that a node is sent those and not all.
 *
 * It remembers as far back as this process has followed the store, and a bounded number: a node that
 * is further behind is sent everything.
 */
import { asRevision, METADATA_KEYS, type Revision } from '../../cluster/index.ts';

const CHANGES_MAX = 10_000;

export class TenantChanges {
  /** The last change of each, in the order of the changes. */
  readonly #revisions = new Map<string, Revision>();
  /** Changes after this one are all known. */
  #since = asRevision(0);
  #last = asRevision(0);

  /** At which anything last changed, as far as is known. */
  get revision(): Revision {
    return this.#last;
  }

  /** All through `revision` is known otherwise. */
  restart(revision: Revision): void {
    this.#revisions.clear();
    this.#since = revision;
    this.#last = revision;
  }

  note(key: string, revision: Revision): void {
    const isOne = key.startsWith(METADATA_KEYS.tenants) || key.startsWith(METADATA_KEYS.namespaces);
    if (!isOne) return;
    this.#revisions.delete(key);
    this.#revisions.set(key, revision);
    this.#last = revision;
    if (this.#revisions.size <= CHANGES_MAX) return;
    for (const [oldest, at] of this.#revisions) {
      this.#revisions.delete(oldest);
      this.#since = at;
      break;
    }
  }

  /** Keys that changed after `revision`; undefined where not all of them are known. */
  after(revision: Revision): string[] | undefined {
    if (revision < this.#since) return undefined;
    return [...this.#revisions].filter(([, at]) => at > revision).map(([key]) => key);
  }
}
