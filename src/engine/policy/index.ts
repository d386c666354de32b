/**
 * Eviction policies: which record goes next when there is no room.
 *
 * Guarantees: every call takes a small bounded number of steps and allocates nothing per record; a
 * policy is a function of its calls, its seed and `nowSeconds`; `victim` offers a resident record
 * as long as there is one (`noeviction`: never).
 *
 * Reading order: `policy` (the interface), `record-queues`, `lru`, `lfu`, then `tiny-lfu` with its
 * parts `frequency-sketch` (keys that have gone), `aging-clock` (how frequencies age) and
 * `window-tuner` (how large the window should be). `miniature-cache` over `array-links` runs any
 * policy without values: in the tuner, in the engine's ghosts, and against traces. `copy-aware` stands
 * around any of them where some of the records are for another node to decide about.
 */
export { CopyAwarePolicy, type CopyMarks } from './copy-aware.ts';
export { createPolicy, POLICY_NAMES, type PolicyName } from './create-policy.ts';
export { MiniatureCache } from './miniature-cache.ts';
export type { EvictionPolicy, PolicyLinks } from './policy.ts';
export { CHUNK_BYTES, CHUNK_WORDS, UNPOOLED, type ChunkSource } from './table-chunks.ts';
