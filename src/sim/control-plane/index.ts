/**
 * The control plane in the simulator: real meta peers (Raft, store, controller, one port), nodes
 * that are the real membership code without a cache, clients over real RPC, and watchers.
 *
 * Reading order: `store-model.ts`, `revisions.ts` and `watcher.ts` (what the store promises),
 * `calls.ts` with `client.ts` (who uses it), `node.ts`, `scenario.ts` (what may happen), `world.ts`
 * (what leases promise, and how it is put together).
 */
export { controlPlaneWorld, controlPlaneWorldWith, type ControlMistakes } from './world.ts';
