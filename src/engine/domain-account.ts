/**
 * A bound that several domains share: what a tenant may hold over all of its namespaces.
 *
 * Invariants: `bytes` is the sum of its domains' bytes, after every call; less `copyBytes` it is at
 * most `bytesMax` after every write, unless the bound was lowered.
 */
import type { Domain } from './domain.ts';

export class DomainAccount {
  /** No more than this many bytes of records. Infinity: whatever the node has. */
  bytesMax: number;
  bytes = 0;
  /** Of those, what another node decides about: the bound is not for them. */
  copyBytes = 0;
  readonly domains = new Set<Domain>();

  constructor(bytesMax = Infinity) {
    this.bytesMax = bytesMax;
  }

  /** Whether `bytes` more of the account's own records would be too many. */
  isFullFor(bytes: number): boolean {
    return this.bytes - this.copyBytes + bytes > this.bytesMax;
  }

  /**
   * Which domain is to give way when `writer` needs room in the account: one that is on its way
   * out; the writer, where it holds its equal part or more; else the one that holds most.
   */
  domainToEvict(writer: Domain): Domain {
    if (writer.bytes * this.domains.size >= this.bytes) return writer;
    let most = writer;
    for (const domain of this.domains) {
      if (domain.isLeaving && domain.items > 0) return domain;
      if (domain.bytes > most.bytes) most = domain;
    }
    return most;
  }
}
