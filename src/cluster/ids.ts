/** The numbers and names by which parts of a cluster know each other, each with a type of its own. */
import { z } from 'zod';

/** 40 hex digits. */
export const nodeIdSchema = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'a node id is 40 hex digits')
  .brand<'NodeId'>();

/** From 0, in the order of the shards' slots. */
export const shardIdSchema = z.int().min(0).max(16_383).brand<'ShardId'>();

/** The version of the shard map: strictly increasing, never reused; 0 before there is a map. */
export const epochSchema = z.int().min(0).brand<'Epoch'>();

/** Of the metadata store: counts its commits. */
export const revisionSchema = z.int().min(0).brand<'Revision'>();

export type NodeId = z.infer<typeof nodeIdSchema>;
export type ShardId = z.infer<typeof shardIdSchema>;
export type Epoch = z.infer<typeof epochSchema>;
export type Revision = z.infer<typeof revisionSchema>;

const NAME_WORDS =
  'a name is 1 to 63 of a to z, 0 to 9, - and _, and begins with a letter or a digit';

/** Of tenants, namespaces, nodes, zones, config documents and contexts. */
export const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, NAME_WORDS);

export function asNodeId(text: string): NodeId {
  return nodeIdSchema.parse(text);
}

export function asShardId(shard: number): ShardId {
  return shardIdSchema.parse(shard);
}

export function asEpoch(epoch: number): Epoch {
  return epochSchema.parse(epoch);
}

export function asRevision(revision: number): Revision {
  return revisionSchema.parse(revision);
}
