/**
 * The cache node: a server that speaks RESP and keeps its data in the engine.
 *
 * In reading order: `config.ts`, `node.ts` (the server), `session.ts` (one client's connection),
 * `command.ts`, `call.ts` and `command-table.ts` (what a command is), `refusal.ts` (what is not
 * carried out), `commands/` (the families), `tracking.ts`, `slow-log.ts`, `stats.ts`.
 */
export { NODE_SETTINGS, type NodeOptions, type NodeSettings } from './config.ts';
export { CacheNode, type ProcessFacts } from './node.ts';
