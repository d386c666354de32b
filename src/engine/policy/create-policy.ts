/** The policies by name. */
import { LfuPolicy } from './lfu.ts';
import { LruPolicy } from './lru.ts';
import { NoEvictionPolicy } from './no-eviction.ts';
import type { EvictionPolicy, PolicyLinks } from './policy.ts';
import type { ChunkSource } from './table-chunks.ts';
import { TinyLfuPolicy } from './tiny-lfu.ts';

export const POLICY_NAMES = ['lru', 'lfu', 'tinylfu', 'noeviction'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

/**
 * @param seed 32 bits, for the policies that decide some things by chance
 * @param memory for tables that grow with the records
 */
export function createPolicy(
  name: PolicyName,
  links: PolicyLinks,
  seed: number,
  memory?: ChunkSource,
): EvictionPolicy {
  switch (name) {
    case 'lru':
      return new LruPolicy(links);
    case 'lfu':
      return new LfuPolicy(links, seed);
    case 'tinylfu':
      return new TinyLfuPolicy(links, seed, undefined, memory);
    case 'noeviction':
      return new NoEvictionPolicy(links);
  }
}
