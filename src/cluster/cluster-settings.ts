/** What is settled when a cluster is created, and how it keeps time. */
import { z } from 'zod';

export const clusterSettingsSchema = z.strictObject({
  id: z.string().min(1).max(63),
  shardCount: z.int().min(1).max(16_384),
  /** Copies beside the primary that each shard is to have. */
  replicas: z.int().min(0).max(8),
  createdAtMs: z.int().min(0),
});

export type ClusterSettings = Readonly<z.infer<typeof clusterSettingsSchema>>;

export const CLUSTER_DEFAULTS = Object.freeze({ shardCount: 64, replicas: 1 });

/** Leases; see the design, section 8. All in milliseconds. */
export interface LeaseTimes {
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  /** Covers clocks that do not run at one rate, on both sides. */
  readonly marginMs: number;
}

export const LEASE_TIMES: LeaseTimes = Object.freeze({
  heartbeatMs: 250,
  leaseMs: 1000,
  marginMs: 100,
});
