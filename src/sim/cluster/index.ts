/**
 * The whole cluster in the simulator: real meta peers, real cache nodes with replication, moves and
 * failover, clients over the SDK's router, and an administrator.
 *
 * Reading order: `key-history.ts` (what clients are promised), `ledger.ts` and `chronicle.ts` (what
 * really happened), `client.ts`, `administrator.ts` and `tenants.ts` (who uses it), `scenario.ts`
 * (what may happen), `parts.ts`, `convergence.ts` and `world.ts` (how it is put together).
 */
export { CLUSTER_MUTANTS } from './mutants.ts';
export { clusterWorld, clusterWorldWith } from './world.ts';
