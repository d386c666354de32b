/**
 * What the tests of this folder share: a meta leader that is a table in memory, over the real
 * `RpcServer`. It decides nothing by itself; a test tells it what to answer and to push.
 */
import {
  asEpoch,
  asNodeId,
  asRevision,
  asShardId,
  CachectlError,
  EMPTY_SHARD_MAP,
  heartbeatCallSchema,
  LEASE_TIMES,
  leaveCallSchema,
  registerCallSchema,
  reportCallSchema,
  shardSlots,
  type HeartbeatCall,
  type MapNode,
  type Namespace,
  type NodeFacts,
  type NodeId,
  type Push,
  type PushTopic,
  type ReportCall,
  type Shard,
  type ShardMap,
  type Tenant,
} from '../../cluster/index.ts';
import { RpcServer, type RpcOutcome, type RpcSession } from '../../rpc/index.ts';
import type { Address, Listener, Runtime } from '../../runtime/index.ts';

const { heartbeatMs, leaseMs, marginMs } = LEASE_TIMES;

export class TestLeader {
  readonly server: RpcServer;
  readonly heartbeats: HeartbeatCall[] = [];
  readonly reports: ReportCall[] = [];
  readonly registered = new Map<NodeId, { facts: NodeFacts; session: RpcSession }>();
  readonly left: NodeId[] = [];
  /** Undefined: the heartbeat is taken, and the answer never comes. */
  answerHeartbeat: (call: HeartbeatCall) => RpcOutcome | undefined = (call) =>
    this.registered.has(call.id) ? { ok: true, body: { mapEpoch: this.map.epoch } } : UNKNOWN;
  map: ShardMap = EMPTY_SHARD_MAP;
  clusterId = 'c1';
  #listener: Listener | undefined;

  constructor(runtime: Runtime, listen: Address) {
    this.server = new RpcServer(runtime, {
      onCall: (session, method, body, answer) => {
        const outcome = this.#answer(session, method, body);
        if (outcome !== undefined) answer(outcome);
      },
    });
    runtime.network.listen(listen, {
      onListening: (listener) => (this.#listener = listener),
      onConnection: (connection) => this.server.accept(connection),
      onError: (error) => {
        throw error;
      },
    });
  }

  /** Undefined until it listens. */
  get address(): Address | undefined {
    return this.#listener?.address;
  }

  close(done: () => void): void {
    this.server.close();
    if (this.#listener === undefined) done();
    else this.#listener.close(done);
  }

  push<Topic extends PushTopic>(topic: Topic, body: Push<Topic>): void {
    for (const { session } of this.registered.values()) session.push(topic, body);
  }

  /** Gives all nodes that are registered this map. */
  pushMap(map: ShardMap, nodes: readonly MapNode[] = this.nodes()): void {
    this.map = map;
    this.push('map', { map: { epoch: map.epoch, shards: [...map.shards] }, nodes: [...nodes] });
  }

  nodes(): NodeFacts[] {
    return [...this.registered.values()].map(({ facts }) => facts);
  }

  #answer(session: RpcSession, method: string, body: unknown): RpcOutcome | undefined {
    switch (method) {
      case 'node.register': {
        const { facts } = registerCallSchema.parse(body);
        this.registered.set(facts.id, { facts, session });
        const { clusterId } = this;
        return { ok: true, body: { clusterId, heartbeatMs, leaseMs: leaseMs - marginMs } };
      }
      case 'node.heartbeat': {
        const call = heartbeatCallSchema.parse(body);
        this.heartbeats.push(call);
        return this.answerHeartbeat(call);
      }
      case 'node.report':
        this.reports.push(reportCallSchema.parse(body));
        return { ok: true, body: {} };
      case 'node.leave':
        this.left.push(leaveCallSchema.parse(body).id);
        return { ok: true, body: {} };
      default:
        throw new Error(`no such call: ${method}`);
    }
  }
}

const UNKNOWN: RpcOutcome = {
  ok: false,
  error: new CachectlError('ERR_CACHECTL_NOT_FOUND', 'no such node'),
};

export const idOf = (digit: string): NodeId => asNodeId(digit.repeat(40));

export function factsOf(digit: string, port: number, host = '127.0.0.1'): NodeFacts {
  return {
    id: idOf(digit),
    name: `n-${digit}`,
    host,
    port,
    replicationPort: port + 10_000,
    zone: 'z1',
    machine: 'm1',
    weight: 1,
    memoryBytes: 64 * 1024 ** 2,
    bootId: digit.repeat(16),
    version: '0',
  };
}

/** A map of as many shards as there are primaries; `replicas` of all of them. */
export function mapOf(
  epoch: number,
  primaries: ReadonlyArray<NodeId | null>,
  replicas: readonly NodeId[] = [],
): ShardMap {
  return {
    epoch: asEpoch(epoch),
    shards: shardSlots(primaries.length).map((slots, index): Shard => {
      const primary = primaries[index];
      return {
        id: asShardId(index),
        ...slots,
        primary,
        replicas: replicas.filter((id) => id !== primary),
        learners: [],
        epoch: asEpoch(epoch),
      };
    }),
  };
}

export function tenantOf(name: string, number: number, settings: Partial<Tenant> = {}): Tenant {
  return {
    name,
    number,
    policy: 'lru',
    replicas: 1,
    ack: 'primary',
    maxUnreplicated: {},
    createdAtMs: 1,
    ...settings,
  };
}

export function namespaceOf(tenant: string, name: string, number: number): Namespace {
  return { tenant, name, number, createdAtMs: 1 };
}

/** All there is, as of a revision. */
export function tenantsPush(
  revision: number,
  tenants: readonly Tenant[],
  namespaces: readonly Namespace[],
): Push<'tenants'> {
  return {
    since: asRevision(0),
    revision: asRevision(revision),
    tenants: [...tenants],
    namespaces: [...namespaces],
    removedTenants: [],
    removedNamespaces: [],
  };
}
