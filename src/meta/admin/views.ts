/** What the admin API shows: the cluster's records, with what is known of them at this moment. */
import { z } from 'zod';
import {
  configDocumentSchema,
  configValuesSchema,
  moveSchema,
  namespaceSchema,
  nodeRecordSchema,
  receiptSchema,
  revisionSchema,
  rolloutSchema,
  shardIdSchema,
  shardSchema,
  tenantSchema,
  epochSchema,
  nodeIdSchema,
} from '../../cluster/index.ts';

const count = z.int().min(0);

/** Of each record: the revision of its last change, for `ifRevision`. */
const revised = { revision: revisionSchema };

export const usageSchema = z.strictObject({
  bytes: count,
  items: count,
  opsPerSecond: count,
  /** Operations a second that were asked for, those refused included. */
  demandPerSecond: count,
  connections: count,
  hits: count,
  misses: count,
  evicted: count,
});

/** A secret is never shown again: only whether there is one. */
export const tenantViewSchema = tenantSchema
  .omit({ secretHash: true })
  .extend({ hasSecret: z.boolean(), ...revised });

export const namespaceViewSchema = namespaceSchema.extend(revised);

export const nodeViewSchema = nodeRecordSchema.extend({
  /** Holds a lease, as far as the leader knows. */
  isAlive: z.boolean(),
  /** Since its last heartbeat; null: the leader has heard none. */
  heardAgoMs: count.nullable(),
  usedBytes: count,
  opsPerSecond: count,
  primaries: count,
  replicas: count,
  learners: count,
  ...revised,
});

const copyViewSchema = z.strictObject({
  node: nodeIdSchema,
  name: z.string(),
  role: z.enum(['primary', 'replica', 'learner']),
  isAlive: z.boolean(),
  /** What the node has reported; null: nothing yet. */
  offset: count.nullable(),
  lagBytes: count.nullable(),
  lagMs: count.nullable(),
  isCaughtUp: z.boolean(),
});

const shardHealthSchema = z.enum(['healthy', 'degraded', 'down']);

/** `degraded`: it has fewer copies than it is to have, or one is not caught up. */
export const shardViewSchema = shardSchema.extend({
  health: shardHealthSchema,
  bytes: count,
  items: count,
  opsPerSecond: count,
  copies: z.array(copyViewSchema),
  ...revised,
});

export const peerViewSchema = z.strictObject({
  name: z.string(),
  address: z.string(),
  role: z.enum(['leader', 'follower', 'learner']),
  isVoter: z.boolean(),
  /** Has been heard of in the last second, by the leader. */
  isReachable: z.boolean(),
  heardAgoMs: count.nullable(),
  /** Entries of the log that it is known not to have. */
  behind: count,
});

export const configViewSchema = configDocumentSchema.extend(revised);

export const configChangeSchema = z.strictObject({
  setting: z.string(),
  from: configValuesSchema.valueType.nullable(),
  to: configValuesSchema.valueType.nullable(),
});

export const rolloutViewSchema = rolloutSchema.extend(revised);

export const eventViewSchema = z.strictObject({
  number: z.int().min(1),
  atMs: count,
  who: z.string(),
  operation: z.string(),
  subject: z.string(),
  words: z.string(),
  /** Of the commit that it happened in. */
  revision: revisionSchema,
});

export const moveViewSchema = moveSchema.extend({
  fromName: z.string().nullable(),
  toName: z.string().nullable(),
  oldPrimaryName: z.string().nullable(),
  copiedBytes: count,
  totalBytes: count,
  lagBytes: count,
  /** Null where it cannot be told. */
  etaMs: count.nullable(),
  ...revised,
});

const plannedMoveViewSchema = z.strictObject({
  shard: shardIdSchema,
  reason: moveSchema.shape.reason,
  from: nodeIdSchema.nullable(),
  fromName: z.string().nullable(),
  to: nodeIdSchema.nullable(),
  toName: z.string().nullable(),
  toPrimary: z.boolean(),
  /** Where `to` takes over and nobody leaves: who is primary now. */
  oldPrimary: nodeIdSchema.nullable(),
  oldPrimaryName: z.string().nullable(),
  bytes: count,
  /** How long writes to the shard are expected to be held back; 0 where the primary stays. */
  expectedPauseMs: count,
});

export const planSchema = z.strictObject({
  /** The epoch that it was made at: applying it is refused once that has passed. */
  plan: epochSchema,
  moves: z.array(plannedMoveViewSchema),
});

export const statusSchema = z.strictObject({
  clusterId: z.string(),
  health: z.enum(['healthy', 'degraded', 'down']),
  /** What is not as it should be, in words. */
  problems: z.array(z.string()),
  epoch: epochSchema,
  revision: revisionSchema,
  leader: z.string().nullable(),
  peers: z.array(peerViewSchema),
  nodes: z.array(nodeViewSchema),
  shards: z.strictObject({ total: count, healthy: count, degraded: count, down: count }),
  tenants: count,
  namespaces: count,
  moves: z.strictObject({ active: count, paused: count }),
  rollouts: count,
  memory: z.strictObject({ usedBytes: count, capacityBytes: count }),
  opsPerSecond: count,
});

export const receiptViewSchema = receiptSchema.extend({
  oldPrimaryName: z.string().nullable(),
  newPrimaryName: z.string().nullable(),
});

export const watchEventSchema = z.strictObject({
  revision: revisionSchema,
  kind: z.enum(['put', 'delete']),
  key: z.string(),
  /** The record that was put; a tenant's without the hash of its secret. */
  value: z.unknown().optional(),
});

export type TenantView = z.infer<typeof tenantViewSchema>;
export type NamespaceView = z.infer<typeof namespaceViewSchema>;
export type NodeView = z.infer<typeof nodeViewSchema>;
export type ShardView = z.infer<typeof shardViewSchema>;
export type CopyView = z.infer<typeof copyViewSchema>;
export type PeerView = z.infer<typeof peerViewSchema>;
export type ReceiptView = z.infer<typeof receiptViewSchema>;
export type ConfigView = z.infer<typeof configViewSchema>;
export type ConfigChange = z.infer<typeof configChangeSchema>;
export type RolloutView = z.infer<typeof rolloutViewSchema>;
export type MoveView = z.infer<typeof moveViewSchema>;
export type EventView = z.infer<typeof eventViewSchema>;
export type Plan = z.infer<typeof planSchema>;
export type ClusterStatus = z.infer<typeof statusSchema>;
export type TenantUsageView = z.infer<typeof usageSchema>;
