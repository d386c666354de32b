/**
 * The admin API, whole: one row for each operation. From it come the checks of what comes in, the
 * HTTP routes, the OpenAPI document, and `docs/admin-api.md`; `service.ts` carries them out.
 */
import { z } from 'zod';
import {
  clusterSettingsSchema,
  configValuesSchema,
  epochSchema,
  nameSchema,
  namespaceSchema,
  revisionSchema,
  shardIdSchema,
  tenantSettingsSchema,
} from '../../cluster/index.ts';
import { guardedFields, operation, pageFields, writeFields, writtenFields } from './operation.ts';
import {
  configChangeSchema,
  configViewSchema,
  eventViewSchema,
  moveViewSchema,
  namespaceViewSchema,
  nodeViewSchema,
  peerViewSchema,
  planSchema,
  receiptViewSchema,
  rolloutViewSchema,
  shardViewSchema,
  statusSchema,
  tenantViewSchema,
  usageSchema,
} from './views.ts';

const GONE = ['ERR_CACHECTL_NOT_FOUND'] as const;
const STALE = ['ERR_CACHECTL_NOT_FOUND', 'ERR_CACHECTL_CONFLICT'] as const;

const written = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject({ ...shape, ...writtenFields });

const settings = tenantSettingsSchema.shape;
const nodeName = z.string().min(1).max(63).meta({ description: 'A name, or an id.' });
const moveId = z.int().min(1);
const peerName = z
  .string()
  .regex(/^[A-Za-z0-9][\w.-]{0,62}$/, 'a peer is named by letters, digits, dots, - and _');
const message = z.string().max(1000).default('');
const version = z.int().min(1);
const throttleBytes = z.int().min(1).optional().meta({ description: 'Bytes a second.' });
const limit = z.int().min(1).max(10_000).default(100);
const sinceMs = z
  .int()
  .min(0)
  .optional()
  .meta({ description: 'Only those of this time or later, in milliseconds since 1970.' });

const tenantWritten = written({ tenant: tenantViewSchema });
const secretShown = z.string().meta({ description: 'Shown this once; only its hash is kept.' });
const namespaceWritten = written({ namespace: namespaceViewSchema });
const configWritten = written({
  config: configViewSchema,
  changes: z.array(configChangeSchema),
  isChanged: z.boolean(),
});
const rolloutWritten = written({ rollout: rolloutViewSchema });
const nodeWritten = written({ node: nodeViewSchema });
const movesWritten = written({ moves: z.array(moveViewSchema) });
const peersWritten = z.strictObject({ peers: z.array(peerViewSchema) });

export const OPERATIONS = [
  operation('cluster.status', 'GET /v1/status', 'How the cluster is.', {}, statusSchema),
  operation(
    'cluster.settings',
    'GET /v1/cluster',
    'What was settled when the cluster was created.',
    {},
    z.strictObject({ settings: clusterSettingsSchema, revision: revisionSchema }),
    GONE,
  ),

  operation(
    'tenant.create',
    'POST /v1/tenants',
    'Create a tenant, with its default namespace and a secret.',
    { name: nameSchema, ...settings, ...writeFields },
    written({ tenant: tenantViewSchema, secret: secretShown }),
    ['ERR_CACHECTL_EXISTS'],
  ),
  operation(
    'tenant.list',
    'GET /v1/tenants',
    'The tenants, by name.',
    pageFields,
    z.strictObject({
      tenants: z.array(tenantViewSchema),
      isMore: z.boolean(),
      revision: revisionSchema,
    }),
  ),
  operation(
    'tenant.show',
    'GET /v1/tenants/{name}',
    'A tenant, its namespaces, and what it uses.',
    { name: nameSchema },
    z.strictObject({
      tenant: tenantViewSchema,
      namespaces: z.array(namespaceViewSchema),
      usage: usageSchema,
    }),
    GONE,
  ),
  operation(
    'tenant.update',
    'PATCH /v1/tenants/{name}',
    'Change settings of a tenant; null takes a limit away.',
    {
      name: nameSchema,
      policy: settings.policy.unwrap().optional(),
      maxMemoryBytes: settings.maxMemoryBytes.nullable(),
      maxQps: settings.maxQps.nullable(),
      maxConnections: settings.maxConnections.nullable(),
      maxBandwidthBytes: settings.maxBandwidthBytes.nullable(),
      replicas: settings.replicas.unwrap().optional(),
      ack: settings.ack.unwrap().optional(),
      maxUnreplicated: settings.maxUnreplicated.unwrap().optional(),
      ...guardedFields,
    },
    tenantWritten,
    STALE,
  ),
  operation(
    'tenant.delete',
    'DELETE /v1/tenants/{name}',
    'Delete a tenant, its namespaces, and all that they hold.',
    { name: nameSchema, ...guardedFields },
    written({ name: nameSchema }),
    STALE,
  ),
  operation(
    'tenant.rotate-secret',
    'POST /v1/tenants/{name}/rotate-secret',
    'Give a tenant a new secret; the old one is refused from then on.',
    { name: nameSchema, ...guardedFields },
    written({ tenant: tenantViewSchema, secret: secretShown }),
    STALE,
  ),

  operation(
    'namespace.create',
    'POST /v1/tenants/{tenant}/namespaces',
    'Create a key space of a tenant.',
    {
      tenant: nameSchema,
      name: nameSchema,
      maxMemoryBytes: namespaceSchema.shape.maxMemoryBytes,
      ...writeFields,
    },
    namespaceWritten,
    ['ERR_CACHECTL_NOT_FOUND', 'ERR_CACHECTL_EXISTS'],
  ),
  operation(
    'namespace.list',
    'GET /v1/tenants/{tenant}/namespaces',
    'The namespaces of a tenant.',
    { tenant: nameSchema },
    z.strictObject({ namespaces: z.array(namespaceViewSchema), revision: revisionSchema }),
    GONE,
  ),
  operation(
    'namespace.show',
    'GET /v1/tenants/{tenant}/namespaces/{name}',
    'A namespace.',
    { tenant: nameSchema, name: nameSchema },
    z.strictObject({ namespace: namespaceViewSchema }),
    GONE,
  ),
  operation(
    'namespace.delete',
    'DELETE /v1/tenants/{tenant}/namespaces/{name}',
    'Delete a namespace, and all that it holds.',
    { tenant: nameSchema, name: nameSchema, ...guardedFields },
    written({ tenant: nameSchema, name: nameSchema }),
    STALE,
  ),

  operation(
    'node.list',
    'GET /v1/nodes',
    'The nodes, by name.',
    {},
    z.strictObject({ nodes: z.array(nodeViewSchema), revision: revisionSchema }),
  ),
  operation(
    'node.show',
    'GET /v1/nodes/{node}',
    'A node, and the shards on it.',
    { node: nodeName },
    z.strictObject({ node: nodeViewSchema, shards: z.array(shardViewSchema) }),
    GONE,
  ),
  operation(
    'node.drain',
    'POST /v1/nodes/{node}/drain',
    'Have the shards of a node go elsewhere, without loss.',
    { node: nodeName, ...guardedFields },
    nodeWritten,
    STALE,
  ),
  operation(
    'node.undrain',
    'POST /v1/nodes/{node}/undrain',
    'Let a node have shards again.',
    { node: nodeName, ...guardedFields },
    nodeWritten,
    STALE,
  ),
  operation(
    'node.remove',
    'DELETE /v1/nodes/{node}',
    'Forget a node that is stopped, and holds no shard; forced, one that holds shards as well.',
    {
      node: nodeName,
      /** Its copies are given up; shards that were nowhere else are lost, and begin empty. */
      force: z.boolean().default(false),
      ...guardedFields,
    },
    written({ name: nameSchema }),
    STALE,
  ),

  operation(
    'shard.list',
    'GET /v1/shards',
    'The shards, in the order of their slots.',
    {},
    z.strictObject({
      epoch: epochSchema,
      shards: z.array(shardViewSchema),
      revision: revisionSchema,
    }),
  ),
  operation(
    'shard.show',
    'GET /v1/shards/{shard}',
    'A shard: who holds it, and how far each copy is.',
    { shard: shardIdSchema },
    z.strictObject({ shard: shardViewSchema, moves: z.array(moveViewSchema) }),
    GONE,
  ),
  operation(
    'shard.failover',
    'POST /v1/shards/{shard}/failover',
    'Switch the primary of a shard to one of its replicas, without loss.',
    { shard: shardIdSchema, to: nodeName.optional(), ...writeFields },
    movesWritten,
    STALE,
  ),

  operation(
    'move.list',
    'GET /v1/moves',
    'Moves under way; with `all` those that are over as well.',
    { all: z.boolean().default(false) },
    z.strictObject({ moves: z.array(moveViewSchema), revision: revisionSchema }),
  ),
  operation(
    'move.pause',
    'POST /v1/moves/{move}/pause',
    'Hold a move where it is.',
    { move: moveId, ...writeFields },
    movesWritten,
    STALE,
  ),
  operation(
    'move.resume',
    'POST /v1/moves/{move}/resume',
    'Let a paused move go on.',
    { move: moveId, ...writeFields },
    movesWritten,
    STALE,
  ),
  operation(
    'move.abort',
    'POST /v1/moves/{move}/abort',
    'Give a move up, and leave the shard as it was.',
    { move: moveId, ...writeFields },
    movesWritten,
    STALE,
  ),
  operation(
    'rebalance.plan',
    'GET /v1/rebalance',
    'The moves that would spread the shards evenly; changes nothing.',
    {},
    planSchema,
  ),
  operation(
    'rebalance.apply',
    'POST /v1/rebalance',
    'Begin the moves of a plan, which is refused once its epoch has passed.',
    { plan: epochSchema, throttleBytes, ...writeFields },
    movesWritten,
    ['ERR_CACHECTL_CONFLICT'],
  ),
  operation(
    'receipt.list',
    'GET /v1/receipts',
    'What failovers and switches may have cost, the newest first.',
    {
      limit,
      shard: shardIdSchema.optional(),
      sinceMs,
    },
    z.strictObject({ receipts: z.array(receiptViewSchema), revision: revisionSchema }),
  ),

  operation(
    'config.list',
    'GET /v1/configs',
    'The config documents, each in its newest version.',
    {},
    z.strictObject({ configs: z.array(configViewSchema), revision: revisionSchema }),
  ),
  operation(
    'config.get',
    'GET /v1/configs/{name}',
    'A config document, in its newest version or an older one.',
    { name: nameSchema, version: version.optional() },
    z.strictObject({ config: configViewSchema }),
    GONE,
  ),
  operation(
    'config.set',
    'PATCH /v1/configs/{name}',
    'Change settings of a config document, or create it; begins a rollout.',
    {
      name: nameSchema,
      set: configValuesSchema.default({}),
      unset: z.array(z.string().max(63)).max(1000).default([]),
      message,
      ...guardedFields,
    },
    configWritten,
    ['ERR_CACHECTL_CONFLICT'],
  ),
  operation(
    'config.apply',
    'PUT /v1/configs/{name}',
    'Replace a config document, or create it; begins a rollout.',
    { name: nameSchema, values: configValuesSchema, message, ...guardedFields },
    configWritten,
    ['ERR_CACHECTL_CONFLICT'],
  ),
  operation(
    'config.history',
    'GET /v1/configs/{name}/history',
    'The versions of a config document, the newest first.',
    { name: nameSchema, limit },
    z.strictObject({ versions: z.array(configViewSchema) }),
    GONE,
  ),
  operation(
    'config.diff',
    'GET /v1/configs/{name}/diff',
    'What changed between two versions: by default, in the newest.',
    { name: nameSchema, from: z.int().min(0).optional(), to: version.optional() },
    z.strictObject({
      name: nameSchema,
      from: z.int().min(0),
      to: version,
      changes: z.array(configChangeSchema),
    }),
    GONE,
  ),

  operation(
    'rollout.status',
    'GET /v1/rollouts',
    'How far the last rollout of each document is.',
    { document: nameSchema.optional() },
    z.strictObject({ rollouts: z.array(rolloutViewSchema), revision: revisionSchema }),
    GONE,
  ),
  operation(
    'rollout.pause',
    'POST /v1/rollouts/{document}/pause',
    'Begin no further wave.',
    { document: nameSchema, ...guardedFields },
    rolloutWritten,
    STALE,
  ),
  operation(
    'rollout.resume',
    'POST /v1/rollouts/{document}/resume',
    'Go on with the waves.',
    { document: nameSchema, ...guardedFields },
    rolloutWritten,
    STALE,
  ),
  operation(
    'rollout.rollback',
    'POST /v1/rollouts/{document}/rollback',
    'Give all nodes the version before again.',
    { document: nameSchema, ...guardedFields },
    rolloutWritten,
    STALE,
  ),

  operation(
    'event.list',
    'GET /v1/events',
    'The audit log: who did what, and when; the newest first.',
    {
      limit,
      before: z.int().min(1).optional().meta({ description: 'Only events of lower numbers.' }),
      operation: z
        .string()
        .regex(
          /^[a-z][a-z-]*(\.[a-z][a-z-]*)?$/,
          'an operation is named as tenant.create, and a kind of them as tenant',
        )
        .max(63)
        .optional()
        .meta({
          description: 'Only of this operation, such as `tenant.create`, or kind: `tenant`.',
        }),
      subject: z
        .string()
        .min(1)
        .max(255)
        .optional()
        .meta({ description: 'Only about this, such as `tenant shop`.' }),
      sinceMs,
    },
    z.strictObject({ events: z.array(eventViewSchema), revision: revisionSchema }),
  ),

  operation(
    'meta.peers',
    'GET /v1/meta/peers',
    'The meta peers, and how far each is.',
    {},
    z.strictObject({ peers: z.array(peerViewSchema) }),
  ),
  operation(
    'meta.add',
    'POST /v1/meta/peers',
    'Add a meta peer, which must be running and have joined no cluster yet.',
    { name: peerName, address: z.string().min(3).max(300), ...writeFields },
    peersWritten,
    ['ERR_CACHECTL_EXISTS', 'ERR_CACHECTL_CONFLICT'],
  ),
  operation(
    'meta.remove',
    'DELETE /v1/meta/peers/{name}',
    'Take a meta peer out of the group.',
    { name: peerName, ...writeFields },
    peersWritten,
    STALE,
  ),
  operation(
    'meta.transfer-leader',
    'POST /v1/meta/transfer-leader',
    'Let another meta peer lead: the one named, or the one that is furthest.',
    { to: peerName.optional(), ...writeFields },
    peersWritten,
    STALE,
  ),
  operation(
    'meta.snapshot',
    'GET /v1/meta/snapshot',
    'All records at one revision, for `cachectl meta snapshot restore`.',
    {},
    z.strictObject({
      clusterId: z.string(),
      revision: revisionSchema,
      entries: z.array(
        z.strictObject({
          key: z.string(),
          value: z.string(),
          createRevision: revisionSchema,
          modRevision: revisionSchema,
        }),
      ),
    }),
  ),
] as const;

export type OperationName = (typeof OPERATIONS)[number]['name'];

type Row<Name extends OperationName> = Extract<(typeof OPERATIONS)[number], { name: Name }>;

/** As it is sent: what has a default may be left out. */
export type OperationInput<Name extends OperationName> = z.input<Row<Name>['input']>;
/** After it was checked, and the caller was taken note of. */
export type CheckedInput<Name extends OperationName> = Omit<z.output<Row<Name>['input']>, 'actor'>;
export type OperationOutput<Name extends OperationName> = z.output<Row<Name>['output']>;

const byName = new Map<string, (typeof OPERATIONS)[number]>(
  OPERATIONS.map((row) => [row.name, row]),
);

export function findOperation(name: string): (typeof OPERATIONS)[number] | undefined {
  return byName.get(name);
}
