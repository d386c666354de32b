/**
 * The cache engine: byte ranges in, byte ranges out, in memory off the V8 heap that never exceeds
 * its limit. Pure and synchronous; time is told, never asked.
 *
 * In reading order: `arena.ts` (records in segments), `hash.ts` and `key-index.ts` (finding them),
 * `policy/` (which go first), `ghost.ts` (hit rates at other sizes), `domain.ts` (a tenant's share),
 * `memory-budget.ts`, `cleaner.ts` and `expiry-sweep.ts` (winning space back), and `engine.ts`, which
 * ties them together.
 */
export { KEY_LENGTH_MAX, VALUE_LENGTH_MAX } from './arena.ts';
export type { Domain } from './domain.ts';
export {
  Engine,
  MEMORY_BYTES_MAX,
  MEMORY_BYTES_MIN,
  type EngineOptions,
  type MemoryReport,
  type RemovalListener,
  type RemovalReason,
} from './engine.ts';
export { POLICY_NAMES, type PolicyName } from './policy/index.ts';
