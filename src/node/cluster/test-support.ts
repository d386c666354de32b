/** What the tests of this folder share: a meta leader, and what it pushes. */
import {
  asEpoch,
  asNodeId,
  asRevision,
  asShardId,
  CachectlError,
  heartbeatCallSchema,
  leaveCallSchema,
  shardSlots,
  type HeartbeatCall,
  type Namespace,
  type NodeFacts,
  type NodeId,
  type Push,
  type Shard,
  type ShardMap,
  type Tenant,
} from '../../cluster/index.ts';
import type { RpcOutcome, RpcSession } from '../../rpc/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import { TableLeader } from '../rehearsal/table-leader.ts';

/** A meta leader that does as a test tells it. */
export class TestLeader extends TableLeader {
  readonly left: NodeId[] = [];
  /** Undefined: the heartbeat is taken, and the answer never comes. */
  answerHeartbeat: (call: HeartbeatCall) => RpcOutcome | undefined = (call) =>
    this.registered.has(call.id) ? { ok: true, body: { mapEpoch: this.map.epoch } } : UNKNOWN;

  constructor(runtime: Runtime, listen: Address) {
    super(runtime, listen, (error) => {
      throw error;
    });
  }

  protected override answer(
    session: RpcSession,
    method: string,
    body: unknown,
  ): RpcOutcome | undefined {
    const outcome = super.answer(session, method, body);
    if (method === 'node.heartbeat') return this.answerHeartbeat(heartbeatCallSchema.parse(body));
    if (method === 'node.leave') this.left.push(leaveCallSchema.parse(body).id);
    return outcome;
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
