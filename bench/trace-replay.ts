/** Runs a policy by itself against a trace: each miss is followed by a fill, as a cache-aside. */
import { createPolicy, MiniatureCache, type PolicyName } from '../src/engine/policy/index.ts';
import type { Capacity } from './trace-options.ts';
import type { Trace } from './trace-file.ts';

/** @returns how many of the trace's requests miss */
export function missesOf(
  trace: Trace,
  policy: PolicyName,
  { amount, unit }: Capacity,
  seed: number,
): number {
  const cache = new MiniatureCache((links) => createPolicy(policy, links, seed), trace.keys);
  cache.setCapacity(amount);
  let misses = 0;
  for (const [at, hash] of trace.hashes.entries()) {
    if (!cache.request(hash, unit === 'bytes' ? trace.bytes[at] : 1)) misses++;
  }
  return misses;
}
