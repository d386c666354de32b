/**
 * Replication: what a shard's primary changes is sent, as effects, to the nodes that hold copies.
 *
 * Reading order: `effects.ts` (what a stream consists of), `stream-history.ts` (which stream a copy
 * is a part of), `backlog.ts` (its recent past), `held-shard.ts` (one shard on this node),
 * `frames.ts` and `rows.ts` (what nodes say to each other), `source-link.ts` and `follower-link.ts` (the two ends
 * of a connection), `shard-records.ts` (walks over the engine), and `replication.ts`, which ties them
 * together.
 */
export { REPLICATED_VALUE_BYTES_MAX } from './frames.ts';
export type { Follower, HeldShard } from './held-shard.ts';
export { digestShards, type KeySpaces, type ShardDigest } from './shard-records.ts';
export {
  Replication,
  type NodeAddresses,
  type ReplicatedSpaces,
  type ReplicationOptions,
  type ReplicationRules,
} from './replication.ts';
export type { StreamPosition } from './stream-history.ts';
