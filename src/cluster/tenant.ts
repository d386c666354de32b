/** Who pays, and the key spaces they have. Limits are of the whole cluster. */
import { z } from 'zod';
import { nameSchema } from './ids.ts';

export const evictionPolicySchema = z.enum(['tinylfu', 'lru', 'lfu', 'noeviction']);

/** When a write is acknowledged: kept by the primary, by one replica as well, by a majority. */
export const ackSchema = z.enum(['primary', 'replica', 'quorum']);

const bytes = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** What an operator chooses. Absent limits are no limits. */
export const tenantSettingsSchema = z.strictObject({
  policy: evictionPolicySchema.default('tinylfu'),
  maxMemoryBytes: bytes.min(1024 * 1024).optional(),
  maxQps: z.int().min(1).max(1_000_000_000).optional(),
  maxConnections: z.int().min(1).max(10_000_000).optional(),
  /** Both ways, a second. */
  maxBandwidthBytes: bytes.min(1024).optional(),
  /** Copies beside the primary. */
  replicas: z.int().min(0).max(8).default(1),
  ack: ackSchema.default('primary'),
  /** Beyond either, the primary acknowledges no more writes until replicas have caught up. */
  maxUnreplicated: z
    .strictObject({ ms: z.int().min(1).optional(), bytes: bytes.min(1).optional() })
    .default({}),
});

export const tenantSchema = tenantSettingsSchema.extend({
  name: nameSchema,
  /** Engine domains are numbered by this; never reused while the cluster lives. */
  number: z.int().min(0),
  /** `scrypt$N$r$p$salt$hash`, in base64; absent: no secret is asked for. */
  secretHash: z.string().max(255).optional(),
  createdAtMs: z.int().min(0),
});

export const namespaceSchema = z.strictObject({
  tenant: nameSchema,
  name: nameSchema,
  number: z.int().min(0),
  /** Within the tenant's; absent: whatever the tenant has. */
  maxMemoryBytes: bytes.min(1024 * 1024).optional(),
  createdAtMs: z.int().min(0),
});

export type EvictionPolicyName = z.infer<typeof evictionPolicySchema>;
export type Ack = z.infer<typeof ackSchema>;
export type TenantSettings = Readonly<z.infer<typeof tenantSettingsSchema>>;
export type Tenant = Readonly<z.infer<typeof tenantSchema>>;
export type Namespace = Readonly<z.infer<typeof namespaceSchema>>;

/** Who has not said who they are. It always exists. */
export const DEFAULT_TENANT = 'default';
/** Of each tenant; it always exists. */
export const DEFAULT_NAMESPACE = 'default';
