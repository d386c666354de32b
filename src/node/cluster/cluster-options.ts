/** How a node takes part in a cluster, and what the cluster is told of it. */
import { nodeIdOfName, type ConfigValues, type NodeFacts } from '../../cluster/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { NodeSettings } from '../config.ts';
import type { ReplicationRules } from '../replication/index.ts';
import type { LeaseRules } from './lease.ts';
import type { RoutingRules } from './routing.ts';

/** How a node takes part in a cluster. */
export interface ClusterOptions {
  /** Of the meta peers. */
  readonly meta: readonly Address[];
  /** What the meta peers ask for; undefined: nothing. */
  readonly token?: string | undefined;
  /** Unique in the cluster: the node's id follows from it. */
  readonly name: string;
  readonly zone: string;
  readonly weight: number;
  /** Names the machine: copies of a shard are kept on different ones where that can be. */
  readonly machine: string;
  /** Where clients and other nodes reach it. */
  readonly announceHost: string;
  /** Undefined: the port for clients and 10000, or less 10000 where there is no such port. */
  readonly replicationPort: number | undefined;
  readonly version: string;
  /** How far a replica that serves reads may be behind, in milliseconds. */
  readonly replicaLagMsMax: number;
  /** What values of a config document make of a node's settings; problems in words. */
  readonly settingsOf: (values: ConfigValues) => {
    readonly settings: Partial<NodeSettings>;
    readonly problems: readonly string[];
  };
  /** Memory for the recent past of the node's shards, from which replicas catch up. */
  readonly backlogBytesMax: number;
  /** Index buckets that one step of a copy looks into; absent: as many as take little time. */
  readonly walkBuckets?: number;
  /** Replaced by tests, which put mistakes in their place. */
  readonly leaseRules?: LeaseRules;
  readonly replicationRules?: Partial<ReplicationRules>;
  readonly routingRules?: RoutingRules;
}

const BOOT_ID_BYTES = 8;
const PORT_MAX = 65_535;
/** As far as Redis puts its cluster bus from the port for clients. */
const BUS = 10_000;

/** What a node says of itself that serves clients at `port`. */
export function nodeFacts(
  options: ClusterOptions,
  { port, memoryBytes }: Pick<NodeFacts, 'port' | 'memoryBytes'>,
  random: Runtime['random'],
): NodeFacts {
  const { name, zone, weight, machine, announceHost, replicationPort, version } = options;
  return {
    id: nodeIdOfName(name),
    name,
    host: announceHost,
    port,
    replicationPort: replicationPort ?? (port <= PORT_MAX - BUS ? port + BUS : port - BUS),
    zone,
    machine,
    weight,
    memoryBytes,
    bootId: Buffer.from(random.bytes(BOOT_ID_BYTES)).toString('hex'),
    version,
  };
}
