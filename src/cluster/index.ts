/**
 * The domain of a cluster, pure: what nodes, meta peers, proxies and clients must agree on without
 * a word between them.
 *
 * Read `slots.ts`: where a key belongs.
 */
export { SLOT_COUNT, slotOfKey } from './slots.ts';
