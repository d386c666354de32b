/** The programs under test, as this world sets them up: a meta peer, and a cache node. */
import { LEASE_TIMES } from '../../cluster/index.ts';
import { adminCalls } from '../../meta/admin/index.ts';
import type { ControllerRules, MetaPeerOptions } from '../../meta/index.ts';
import {
  LEASE_RULES,
  type LeaseRules,
  type NodeOptions,
  type RoutingRules,
} from '../../node/index.ts';
import type { ReplicationRules } from '../../node/replication/index.ts';
import type { Address } from '../../runtime/index.ts';
import type { SimProcess } from '../process.ts';
import { isNode, META_PEERS, type ClusterScenario } from './scenario.ts';

/** Rules to be played by in place of the right ones, to prove the oracles. */
export interface ClusterMistakes {
  readonly rules?: Partial<ControllerRules>;
  readonly leaseRules?: Partial<LeaseRules>;
  readonly replicationRules?: Partial<ReplicationRules>;
  readonly routingRules?: RoutingRules;
}

const CLUSTER = 'sim';
const META_PORT = 7500;
const NODE_PORT = 7400;
const REPLICATION_PORT = 17_400;
const SEGMENT_BYTES_MAX = 64 * 1024;

/** Where clients reach a node. */
export const nodeAddress = (host: string): Address => ({ host, port: NODE_PORT });

const bootstrap: ReadonlyMap<string, Address> = new Map(
  META_PEERS.map((name) => [name, { host: name, port: META_PORT }]),
);

export const META_ADDRESSES: readonly Address[] = [...bootstrap.values()];

export function metaPeerOptions(
  name: string,
  { options, peers }: ClusterScenario,
  { rules = {} }: ClusterMistakes,
): MetaPeerOptions {
  const nodes = peers.filter((peer) => isNode(peer.name)).length;
  return {
    name,
    cluster: CLUSTER,
    listen: { host: name, port: META_PORT },
    bootstrap,
    directory: 'meta',
    shardCount: options.shards,
    replicas: options.replicas,
    initialNodes: nodes - options.lateNodes.length,
    makeCalls: adminCalls,
    raftLimits: {
      electionTimeoutMs: options.electionTimeoutMs,
      heartbeatIntervalMs: options.heartbeatIntervalMs,
    },
    raftStorage: {
      snapshotEntries: options.snapshotEveryEntries,
      segmentBytesMax: SEGMENT_BYTES_MAX,
    },
    times: LEASE_TIMES,
    rules,
  };
}

export function cacheNodeOptions(
  { name, zone }: SimProcess,
  { options }: ClusterScenario,
  { leaseRules, replicationRules = {}, routingRules }: ClusterMistakes,
): NodeOptions {
  const { memoryBytes, backlogBytes: backlogBytesMax, walkBuckets } = options;
  return {
    listen: nodeAddress(name),
    name,
    settings: { memoryBytes, policy: 'lru' },
    cluster: {
      ...{ meta: META_ADDRESSES, name, zone, weight: 1, machine: name, announceHost: name },
      ...{ replicationPort: REPLICATION_PORT, version: '0', replicaLagMsMax: 5000 },
      settingsOf: () => ({ settings: {}, problems: [] }),
      ...{ backlogBytesMax, walkBuckets, replicationRules },
      leaseRules: { ...LEASE_RULES, ...leaseRules },
      ...(routingRules === undefined ? {} : { routingRules }),
    },
  };
}
