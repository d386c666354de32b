/**
 * The client for services.
 *
 * - A call is settled within its timeout, whatever the network does: with the node's answer or an
 *   error of a known kind. Cache trouble makes a read a miss, unless asked otherwise.
 * - It knows which node serves which slot, and follows when that changes.
 * - One connection a node carries all calls; those made together leave together. Nothing queues
 *   without bound.
 *
 * Read `options.ts` and `client.ts` (what users see), `router.ts` and `topology.ts` (which node),
 * `link.ts`, `dialer.ts` and `call.ts` (its connection). `connect.ts` is the package's entry and
 * puts the real runtime below; everything else runs in the simulator as well.
 */
export { CachectlError, type ErrorCode } from '../cluster/index.ts';
export {
  CacheClient,
  type CacheStats,
  type CallOptions,
  type IncrOptions,
  type Key,
  type SetOptions,
  type Value,
} from './client.ts';
export { type CacheOptions, DEFAULTS, type Duration } from './options.ts';
