/**
 * The cache node: a server that speaks RESP and keeps its data in the engine.
 *
 * In reading order: `config.ts`, `node.ts` (the server), `session.ts` (one client's connection),
 * `command.ts`, `call.ts` and `command-table.ts` (what a command is), `refusal.ts` (what is not
 * carried out), `commands/` (the families), `tracking.ts`, `slow-log.ts`, `stats.ts`. Then `cluster/`,
 * what a node has beside in a cluster: `lease.ts`, `meta-link.ts`, `routing.ts`, `tenants.ts`, and
 * `cluster.ts`, which ties them together. `rehearsal/` is what a node does for practice at its start.
 */
export type { ClusterOptions } from './cluster/cluster-options.ts';
export { LEASE_RULES, type LeaseRules } from './cluster/lease.ts';
export { DUTY, type RoutingRules } from './cluster/routing.ts';
export { MetaLink, type MetaLinkHandler, type MetaLinkOptions } from './cluster/meta-link.ts';
export { NODE_SETTINGS, type NodeOptions, type NodeSettings } from './config.ts';
export { CacheNode, type ProcessFacts } from './node.ts';
export { Rehearsal } from './rehearsal/rehearsal.ts';
