/**
 * What one tenant has in the engine: an index, an eviction order and exact accounts of its own.
 *
 * `bytes` is the sum of its records' sizes and `payloadBytes` the sum of its keys' and values'
 * lengths, after every call.
 */
import { Ghost } from './ghost.ts';
import type { KeyIndex } from './key-index.ts';
import type { EvictionPolicy, PolicyName } from './policy/index.ts';

export class Domain {
  readonly id: number;
  readonly index: KeyIndex;
  policy: EvictionPolicy;
  policyName: PolicyName;
  /** What the hit rate would be with another capacity. */
  ghost: Ghost;
  /** No more than this many bytes of records. Infinity: whatever the node has. */
  bytesMax = Infinity;
  bytes = 0;
  payloadBytes = 0;
  /** Records that have a deadline. */
  volatileItems = 0;
  hits = 0;
  misses = 0;
  expired = 0;
  evicted = 0;

  constructor(id: number, index: KeyIndex, policy: EvictionPolicy, policyName: PolicyName) {
    this.id = id;
    this.index = index;
    this.policy = policy;
    this.policyName = policyName;
    this.ghost = new Ghost(policy);
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
