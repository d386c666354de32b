/** Fetching what is about to be looked up. */
import type { Arena } from './arena.ts';
import type { Domain } from './domain.ts';

/**
 * Brings what is needed to find `count` keys into the CPU's cache. The loads for one key wait for
 * each other, those for different keys do not: so this takes little longer for many than for one.
 *
 * @param hashes of the keys; overwritten
 * @returns nothing of meaning, so that the loads are not optimized away
 */
export function warm(arena: Arena, domain: Domain, hashes: Int32Array, count: number): number {
  const { index } = domain;
  for (let i = 0; i < count; i++) hashes[i] = index.headOf(hashes[i]);
  let sum = 0;
  for (let i = 0; i < count; i++) if (hashes[i] !== 0) sum ^= arena.peek(hashes[i]);
  return sum;
}
