/**
 * A meta leader that is a table in memory, over the real `RpcServer`. It decides nothing by itself:
 * whoever has it tells it what to answer and to push.
 */
import {
  EMPTY_SHARD_MAP,
  heartbeatCallSchema,
  LEASE_TIMES,
  registerCallSchema,
  reportCallSchema,
  type HeartbeatCall,
  type MapNode,
  type NodeFacts,
  type NodeId,
  type Push,
  type PushTopic,
  type ReportCall,
  type ShardMap,
} from '../../cluster/index.ts';
import { RpcServer, type RpcOutcome, type RpcSession } from '../../rpc/index.ts';
import type { Address, Listener, Runtime, SystemError } from '../../runtime/index.ts';

const { heartbeatMs, leaseMs, marginMs } = LEASE_TIMES;

export class TableLeader {
  readonly server: RpcServer;
  readonly heartbeats: HeartbeatCall[] = [];
  readonly reports: ReportCall[] = [];
  readonly registered = new Map<NodeId, { facts: NodeFacts; session: RpcSession }>();
  map: ShardMap = EMPTY_SHARD_MAP;
  clusterId = 'c1';
  #listener: Listener | undefined;

  constructor(runtime: Runtime, listen: Address, onError: (error: SystemError) => void) {
    this.server = new RpcServer(runtime, {
      onCall: (session, method, body, answer) => {
        const outcome = this.answer(session, method, body);
        if (outcome !== undefined) answer(outcome);
      },
    });
    runtime.network.listen(listen, {
      onListening: (listener) => (this.#listener = listener),
      onConnection: (connection) => this.server.accept(connection),
      onError,
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

  /** Tells all nodes that are registered. */
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

  /** Undefined: none comes. */
  protected answer(session: RpcSession, method: string, body: unknown): RpcOutcome | undefined {
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
        return { ok: true, body: { mapEpoch: this.map.epoch } };
      }
      case 'node.report':
        this.reports.push(reportCallSchema.parse(body));
        return { ok: true, body: {} };
      case 'node.leave':
        return { ok: true, body: {} };
      default:
        throw new Error(`no such call: ${method}`);
    }
  }
}
