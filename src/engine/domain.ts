/**
 * What one tenant has in the engine: an index, an eviction order and exact accounts of its own.
 *
 * `bytes` is the sum of its records' sizes and `payloadBytes` the sum of its keys' and values'
 * lengths, after every call.
 */
import type { KeyIndex } from './key-index.ts';
import type { EvictionPolicy, PolicyName } from './policy/index.ts';

export class Domain {
  readonly id: number;
  readonly index: KeyIndex;
  policy: EvictionPolicy;
  policyName: PolicyName;
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
  }

  get items(): number {
    return this.index.keys;
  }
}
