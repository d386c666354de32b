import { LruPolicy } from './lru.ts';
import { NoEvictionPolicy } from './no-eviction.ts';
import type { EvictionPolicy, PolicyLinks, PolicyName } from './policy.ts';
export * from './policy.ts';
export function createPolicy(
  name: PolicyName,
  links: PolicyLinks,
  _hashOf: (ref: number) => number,
  _seed: number,
): EvictionPolicy {
  return name === 'noeviction' ? new NoEvictionPolicy(links) : new LruPolicy(links);
}
