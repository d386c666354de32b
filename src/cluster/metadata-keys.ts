/**
 * Where everything stands in the metadata store. Values are JSON, in the schemas of this folder.
 * Numbers in keys are padded, so that keys sort as numbers do.
 */
import type { NodeId, ShardId } from './ids.ts';

const padded = (value: number, digits: number): string => String(value).padStart(digits, '0');

export const METADATA_KEYS = {
  /** `ClusterSettings`. */
  settings: 'cluster/settings',
  /** The epoch of the shard map, changed with each commit that changes a shard. */
  epoch: 'cluster/epoch',
  /** The next number of each kind that is never reused: `{tenant, namespace, move, event}`. */
  counters: 'cluster/counters',
  /** `Shard`. */
  shards: 'shards/',
  shard: (id: ShardId) => `shards/${padded(id, 5)}`,
  /** `NodeRecord`. */
  nodes: 'nodes/',
  node: (id: NodeId) => `nodes/${id}`,
  /** `Tenant`. */
  tenants: 'tenants/',
  tenant: (name: string) => `tenants/${name}`,
  /** `Namespace`. */
  namespaces: 'namespaces/',
  namespacesOf: (tenant: string) => `namespaces/${tenant}/`,
  namespace: (tenant: string, name: string) => `namespaces/${tenant}/${name}`,
  /** `ConfigDocument`: the newest of each name. */
  configs: 'config/',
  config: (name: string) => `config/${name}`,
  /** `ConfigDocument`: every version. */
  configHistory: (name: string) => `config-history/${name}/`,
  configVersion: (name: string, version: number) => `config-history/${name}/${padded(version, 8)}`,
  /** `Rollout`: the last of each document. */
  rollouts: 'rollouts/',
  rollout: (document: string) => `rollouts/${document}`,
  /** `Move`. */
  moves: 'moves/',
  move: (id: number) => `moves/${padded(id, 10)}`,
  /** `Receipt`. */
  receipts: 'receipts/',
  receipt: (epoch: number, shard: ShardId) => `receipts/${padded(epoch, 10)}/${padded(shard, 5)}`,
  /** The audit log: who did what, and when. */
  events: 'events/',
  event: (number: number) => `events/${padded(number, 12)}`,
} as const;
