/** What a failover may have cost: kept for each shard that lost its primary. */
import { z } from 'zod';
import { epochSchema, nodeIdSchema, shardIdSchema } from './ids.ts';

export const receiptSchema = z.strictObject({
  epoch: epochSchema,
  shard: shardIdSchema,
  /** `failover`: the old primary was dead; `switch`: planned, and so without loss. */
  kind: z.enum(['failover', 'switch']),
  oldPrimary: nodeIdSchema.nullable(),
  newPrimary: nodeIdSchema.nullable(),
  atMs: z.int().min(0),
  /** Of the replication stream: the old primary's last known, and what the new one begins with. */
  offsetOld: z.int().min(0),
  offsetNew: z.int().min(0),
  /** Acknowledged writes at risk: bytes of the stream, writes, and since when. */
  bytesAtRisk: z.int().min(0),
  writesAtRisk: z.int().min(0),
  msAtRisk: z.int().min(0),
});

export type Receipt = Readonly<z.infer<typeof receiptSchema>>;
