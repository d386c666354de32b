/**
 * The cache engine: byte ranges in, byte ranges out, in memory off the V8 heap that never exceeds
 * its limit. Pure and synchronous; time is told, never asked.
 *
 * In reading order: `slabs.ts` (the memory), `arena.ts` (records in segments), `hash.ts`, `key-index.ts` and
 * `foreseen-keys.ts` (finding them), * `policy/` (which go first), `ghost.ts` (hit rates at other sizes), `domain.ts`, `domain-numbers.ts`
 * and `domain-account.ts` (a tenant's share), `table-memory.ts`, `memory-budget.ts`, `housekeeping.ts`
 * with its jobs `domain-removal.ts`, `policy-changes.ts`, `limit-eviction.ts`, `cleaner.ts` and
 * `expiry-sweep.ts` (winning space back), and `engine.ts`, which ties them together.
 */
export { DOMAIN_MAX, KEY_LENGTH_MAX, VALUE_LENGTH_MAX } from './arena.ts';
export { averageTtlMs } from './average-ttl.ts';
export { DomainAccount } from './domain-account.ts';
export type { Domain } from './domain.ts';
export type {
  EngineOptions,
  RecordObserver,
  RemovalListener,
  RemovalReason,
} from './engine-options.ts';
export { Engine, MEMORY_BYTES_MAX, MEMORY_BYTES_MIN } from './engine.ts';
export { FORESEEN_MAX } from './foreseen-keys.ts';
export { TURN_BYTES, type HousekeepingState } from './housekeeping.ts';
export type { MemoryReport } from './memory-report.ts';
export { POLICY_NAMES, type PolicyName } from './policy/index.ts';
