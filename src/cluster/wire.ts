/**
 * What nodes and the meta leader say to each other, on one connection that the node opens.
 *
 * The node calls `node.register` once, then `node.heartbeat`; the leader pushes what the node is to
 * know or to do. A push that asks for an answer carries an `id`, and is answered by a call of
 * `node.report`. All is idempotent: pushes are repeated until the node's heartbeats show that they
 * have arrived.
 */
import { z } from 'zod';
import { configValuesSchema } from './config-document.ts';
import { epochSchema, nameSchema, nodeIdSchema, revisionSchema, shardIdSchema } from './ids.ts';
import { nodeFactsSchema, nodeStateSchema } from './node-record.ts';
import { shardMapSchema } from './shard-map.ts';
import { namespaceSchema, tenantSchema } from './tenant.ts';

const count = z.int().min(0);

/** A copy that has never had all of a primary's stream cannot tell how far behind it is. */
export const LAG_UNKNOWN_MS = Number.MAX_SAFE_INTEGER;

/** How far a node's copy of a shard is: the epoch of the primary that it follows, and the offset. */
export const shardPositionSchema = z.strictObject({
  shard: shardIdSchema,
  epoch: epochSchema,
  offset: count,
});

export const shardReportSchema = shardPositionSchema.extend({
  role: z.enum(['primary', 'replica', 'learner']),
  /** A learner or replica that has all: no full copy is under way. */
  isCaughtUp: z.boolean(),
  /** Of a replica: how far it is behind, as far as it knows. Of a primary: its slowest replica. */
  lagBytes: count,
  lagMs: count,
  /** Of the shard's records; operations a second, over the last seconds. */
  bytes: count,
  items: count,
  opsPerSecond: count,
  /** Of a full copy under way: what was copied, and what there is to copy, in bytes. */
  copiedBytes: count,
  copyTotalBytes: count,
  /** Of a primary: writes acknowledged so far, so that a receipt can count those at risk. */
  writes: count,
  /** Of a primary that holds back writes: the id of the freeze in force. Absent: it holds none. */
  frozenBy: count.optional(),
});

export const tenantUsageSchema = z.strictObject({
  tenant: nameSchema,
  bytes: count,
  items: count,
  opsPerSecond: count,
  /** Operations a second that were asked for, those refused included. */
  demandPerSecond: count,
  connections: count,
  bandwidthPerSecond: count,
  hits: count,
  misses: count,
  evicted: count,
});

export const quotaShareSchema = z.strictObject({
  tenant: nameSchema,
  opsPerSecond: count.optional(),
  memoryBytes: count.optional(),
  connections: count.optional(),
  bandwidthBytes: count.optional(),
});

export const registerCallSchema = z.strictObject({ facts: nodeFactsSchema });

export const registerAnswerSchema = z.strictObject({
  clusterId: z.string(),
  heartbeatMs: count,
  /** What a lease that is granted lasts, from the sending of the heartbeat, margin taken off. */
  leaseMs: count,
});

export const heartbeatCallSchema = z.strictObject({
  id: nodeIdSchema,
  bootId: z.string(),
  /** Of the newest that the node has: what is older is pushed anew. */
  mapEpoch: epochSchema,
  tenantsRevision: revisionSchema,
  configVersion: z.string().max(200),
  shards: z.array(shardReportSchema),
  tenants: z.array(tenantUsageSchema),
  /** The shares of quotas in force: a new leader divides anew from there. */
  quotaShares: z.array(quotaShareSchema).optional(),
  usedBytes: count,
  memoryBytes: count,
});

/** The lease is renewed by the answer itself; an error instead of it renews nothing. */
export const heartbeatAnswerSchema = z.strictObject({ mapEpoch: epochSchema });

export const reportCallSchema = z.strictObject({
  id: count,
  nodeId: nodeIdSchema,
  positions: z.array(shardPositionSchema),
  /** What could not be done, in words. */
  error: z.string().max(500).optional(),
});

/**
 * The node has stopped to act as primary and is about to end: its lease is given up, so the leader
 * need not wait for it to run out. Idempotent.
 */
export const leaveCallSchema = z.strictObject({ id: nodeIdSchema, bootId: z.string() });

/** As the map names it to nodes and clients. */
export const mapNodeSchema = nodeFactsSchema.extend({ state: nodeStateSchema.optional() });

/** What the leader pushes, by topic. */
export const PUSHES = {
  map: z.strictObject({
    map: shardMapSchema,
    nodes: z.array(mapNodeSchema),
    /** Copies beside the primary that each shard is to have: quorums are counted by it. */
    replicas: count.optional(),
  }),
  /** Whole where `since` is 0, else what has changed after it. */
  tenants: z.strictObject({
    since: revisionSchema,
    revision: revisionSchema,
    tenants: z.array(tenantSchema),
    namespaces: z.array(namespaceSchema),
    removedTenants: z.array(nameSchema),
    removedNamespaces: z.array(z.strictObject({ tenant: nameSchema, name: nameSchema })),
  }),
  config: z.strictObject({ version: z.string().max(200), values: configValuesSchema }),
  /** Good for `ttlMs` after it came; then half of it, until another comes. */
  quotas: z.strictObject({ ttlMs: count, shares: z.array(quotaShareSchema) }),
  /**
   * From now on takes nothing of these shards from a primary of an epoch below; reports how far it
   * is. Asked after a primary was declared dead, so that the best replica can be told.
   */
  seal: z.strictObject({ id: count, epoch: epochSchema, shards: z.array(shardIdSchema) }),
  /**
   * To a primary: holds back writes to the shard, and reports the final position under this `id`.
   * Until a map comes in which the shard is of another epoch than `epoch`, or a `thaw`: never by
   * itself, since only the leader knows what was decided, and not for a map that changes other
   * shards only.
   *
   * Ids of `freeze` and `thaw` are revisions of the store, so that they order the leaders'
   * decisions however late one arrives: a freeze is obeyed when its id is at or above that of the
   * last freeze and above that of the last thaw of the shard, a thaw when its id is above that of
   * the freeze in force. Both are repeated until heartbeats (`frozenBy`) show what the leader wants.
   */
  freeze: z.strictObject({ id: count, shard: shardIdSchema, epoch: epochSchema }),
  thaw: z.strictObject({ id: count, shard: shardIdSchema, epoch: epochSchema }),
  /** To a source: bytes a second of full copies of a shard; 0: paused; absent: no limit. */
  throttle: z.strictObject({ shard: shardIdSchema, bytesPerSecond: count.optional() }),
} as const;

export type MapNode = Readonly<z.infer<typeof mapNodeSchema>>;
export type PushTopic = keyof typeof PUSHES;
export type Push<Topic extends PushTopic> = Readonly<z.infer<(typeof PUSHES)[Topic]>>;
export type ShardPosition = Readonly<z.infer<typeof shardPositionSchema>>;
export type ShardReport = Readonly<z.infer<typeof shardReportSchema>>;
export type TenantUsage = Readonly<z.infer<typeof tenantUsageSchema>>;
export type QuotaShare = Readonly<z.infer<typeof quotaShareSchema>>;
export type RegisterCall = Readonly<z.infer<typeof registerCallSchema>>;
export type RegisterAnswer = Readonly<z.infer<typeof registerAnswerSchema>>;
export type HeartbeatCall = Readonly<z.infer<typeof heartbeatCallSchema>>;
export type HeartbeatAnswer = Readonly<z.infer<typeof heartbeatAnswerSchema>>;
export type LeaveCall = Readonly<z.infer<typeof leaveCallSchema>>;
export type ReportCall = Readonly<z.infer<typeof reportCallSchema>>;
