/**
 * One key space in the engine: an index, an eviction order and exact accounts of its own. A tenant
 * has one for each namespace, and all of them share an account.
 *
 * `bytes` is the sum of its records' sizes and `payloadBytes` the sum of its keys' and values'
 * lengths, after every call; less its copies, `bytes` is at most `bytesMax` after every write, unless
 * the bound was lowered.
 */
import type { DomainAccount } from './domain-account.ts';
import { Ghost } from './ghost.ts';
import type { KeyIndex } from './key-index.ts';
import type { EvictionPolicy, PolicyName } from './policy/index.ts';

/** The id of what is left of a domain that was flushed. */
const NO_ID = -1;

export class Domain {
  readonly id: number;
  /** What its records name it by; see `DomainNumbers`. */
  number = -1;
  index: KeyIndex;
  policy: EvictionPolicy;
  policyName: PolicyName;
  /** What the hit rate would be with another capacity. */
  ghost: Ghost;
  /** Its bytes count there too. */
  readonly account: DomainAccount;
  /** Its records are being removed; nothing is to be written to it any more. */
  isLeaving = false;
  bytes = 0;
  /** No more than this many bytes of records, whatever its account has left. */
  bytesMax = Infinity;
  payloadBytes = 0;
  /** Records that have a deadline. */
  volatileItems = 0;
  hits = 0;
  misses = 0;
  expired = 0;
  evicted = 0;

  constructor(
    id: number,
    index: KeyIndex,
    policy: EvictionPolicy,
    policyName: PolicyName,
    account: DomainAccount,
  ) {
    this.id = id;
    this.account = account;
    this.index = index;
    this.policy = policy;
    this.policyName = policyName;
    this.ghost = new Ghost(policy);
  }

  /** Whether this is what a flush has left to be freed: no records that anyone may see or count. */
  get isRemainder(): boolean {
    return this.id === NO_ID;
  }

  /**
   * Parts with all records, at once: it is empty then, with `index` to begin anew.
   *
   * @param policy for the records, which does not decide about them
   * @param account that they count in from now on
   * @returns what holds the records, to be removed in steps: of the accounts it has their bytes only
   */
  partWithRecords(index: KeyIndex, policy: EvictionPolicy, account: DomainAccount): Domain {
    const remainder = new Domain(NO_ID, this.index, policy, 'noeviction', account);
    remainder.addBytes(this.bytes);
    this.index = index;
    this.reset();
    return remainder;
  }

  /** Its records are gone, all at once. */
  reset(): void {
    this.policy.clear();
    this.ghost.clear();
    this.addBytes(-this.bytes);
    this.payloadBytes = 0;
    this.volatileItems = 0;
  }

  /** Records were added, or removed where `bytes` is below 0. */
  addBytes(bytes: number): void {
    this.bytes += bytes;
    this.account.bytes += bytes;
  }

  /** What it could hold at most, were its account its own. */
  get bytesLimit(): number {
    return Math.min(this.bytesMax, this.account.bytesMax);
  }

  /** Whether `bytes` more of its own records would be too many, here or in the account. */
  isFullFor(bytes: number): boolean {
    return this.#isOverOwnBoundBy(bytes) || this.account.isFullFor(bytes);
  }

  /** Which domain is to give way when this one needs room for `bytes`. */
  domainToEvict(bytes: number): Domain {
    return this.#isOverOwnBoundBy(bytes) ? this : this.account.domainToEvict(this);
  }

  #isOverOwnBoundBy(bytes: number): boolean {
    return this.bytes - (this.policy.copyBytes ?? 0) + bytes > this.bytesMax;
  }

  /** What it has learnt of hit rates begins anew. The records are the caller's to hand over. */
  setPolicy(policy: EvictionPolicy, policyName: PolicyName): void {
    this.policy = policy;
    this.policyName = policyName;
    this.ghost = new Ghost(policy);
  }

  /** Memory held beside the records: index, eviction order, hit rate estimates. */
  get tableBytes(): number {
    return this.index.bytes + this.policy.bytes + this.ghost.bytes;
  }

  get items(): number {
    return this.index.keys;
  }
}
