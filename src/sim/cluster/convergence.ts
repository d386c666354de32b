/**
 * Whether the cluster is what it is to be: everyone has the map and a lease, every shard has its
 * primary and all copies that it can have, nothing is moved or held back; and then, whether copies
 * are equal.
 */
import {
  isMoveOver,
  nodeIdOfName,
  replicaSet,
  takesShards,
  type Move,
  type NodeId,
  type Shard,
  type ShardId,
} from '../../cluster/index.ts';
import type { MetaPeer } from '../../meta/index.ts';
import { DUTY, type CacheNode } from '../../node/index.ts';
import { digestShards } from '../../node/replication/index.ts';
import type { SimProcess } from '../process.ts';

interface Hosts {
  readonly living: readonly SimProcess[];
  /** Those that may be given shards. */
  readonly takers: readonly SimProcess[];
}

export class Convergence {
  readonly #nodes: ReadonlyMap<SimProcess, CacheNode>;
  readonly #byId: ReadonlyMap<NodeId | null, SimProcess>;

  constructor(
    nodes: ReadonlyMap<SimProcess, CacheNode>,
    byId: ReadonlyMap<NodeId | null, SimProcess>,
  ) {
    this.#nodes = nodes;
    this.#byId = byId;
  }

  /** What `living` nodes lack to serve all shards, with all copies that they can have. */
  pending({ state }: MetaPeer, living: readonly SimProcess[]): string | undefined {
    const { settings, map } = state;
    if (settings === undefined || map.shards.length === 0) return 'there is no shard map';
    for (const process of living) {
      const cluster = this.#nodes.get(process)?.cluster;
      if (cluster?.isOpenAt(process.clock.monotonicUs()) !== true) {
        return `${process.name} has no lease`;
      }
      if (cluster.routing.map.epoch !== map.epoch) return `${process.name} has an old map`;
    }
    const moving = [...state.moves.values()].find((move) => !isMoveOver(move));
    if (moving !== undefined) return this.#moveInWords(moving);
    const takers = living.filter((process) => {
      const record = state.nodes.get(nodeIdOfName(process.name));
      return record !== undefined && takesShards(record);
    });
    for (const shard of map.shards) {
      const missing = this.#shardPending(shard, settings.replicas + 1, { takers, living });
      if (missing !== undefined) return `shard ${shard.id} ${missing}`;
    }
    return undefined;
  }

  #moveInWords({ id, phase, shard, from, to }: Move): string {
    const [source, target] = [from, to].map((node) => this.#byId.get(node));
    const cluster = target === undefined ? undefined : this.#nodes.get(target)?.cluster;
    const held = cluster?.replication.held(shard);
    const copy =
      held === undefined
        ? 'which holds nothing'
        : `which is ${held.isWhole ? 'whole' : 'not whole'} at ${held.backlog.end}, ${held.copiedBytes} bytes copied`;
    const way = `from ${source?.name ?? 'nobody'} to ${target?.name ?? 'nobody'}, ${copy}`;
    return `move ${id} of shard ${shard} is ${phase} ${way}`;
  }

  #shardPending(shard: Shard, copies: number, { takers, living }: Hosts): string | undefined {
    const members = replicaSet(shard).map((id) => this.#byId.get(id));
    const primary = this.#byId.get(shard.primary);
    if (primary === undefined) return 'has no primary';
    if (shard.learners.length > 0) return 'has learners';
    const ahead = this.#nodes.get(primary)?.cluster?.replication.held(shard.id);
    // Nodes that are drained keep what has nowhere else to go.
    const wanted = Math.min(copies, takers.length);
    const onTakers = takers.filter((process) => members.includes(process));
    if (onTakers.length < wanted) return `has ${onTakers.length} copies of ${wanted}`;
    if (members.length > copies) return `has ${members.length} copies of ${copies}`;
    if (members.length > onTakers.length && takers.length >= copies) return 'is not drained';
    for (const process of members) {
      if (process === undefined || !living.includes(process)) return 'has a copy on a dead node';
      const cluster = this.#nodes.get(process)?.cluster;
      const held = cluster?.replication.held(shard.id);
      if (held?.isWhole !== true || held.isClearing) return `is not whole at ${process.name}`;
      if (held.backlog.end !== ahead?.backlog.end) return `is behind at ${process.name}`;
      if (held.isFrozen || cluster?.routing.duties[shard.id] === DUTY.frozen) return 'is frozen';
    }
    return undefined;
  }

  /** The first copy among these processes that differs from its primary, in words. */
  difference({ state }: MetaPeer, living: readonly SimProcess[]): string | undefined {
    const shardOf = (slot: number): ShardId | undefined =>
      state.map.shards.find(({ slotLast }) => slot <= slotLast)?.id;
    const digests = new Map(
      living.flatMap((process) => {
        const node = this.#nodes.get(process);
        if (node?.cluster === undefined) return [];
        const { tenants } = node.cluster;
        node.beginBatch();
        const spaces = {
          engine: node.engine,
          all: () => tenants.domains(),
          numbered: (namespace: number) => tenants.numbered(namespace),
          numberOf: (domain: Parameters<typeof tenants.numberOf>[0]) => tenants.numberOf(domain),
        };
        return [[process, digestShards(spaces, shardOf)] as const];
      }),
    );
    const nothing = { digest: 0, items: 0 };
    for (const { id, primary, replicas } of state.map.shards) {
      const wanted = digestOf(digests, this.#byId.get(primary), id) ?? nothing;
      for (const replica of replicas) {
        const process = this.#byId.get(replica);
        const found = digestOf(digests, process, id) ?? nothing;
        if (found.digest === wanted.digest && found.items === wanted.items) continue;
        return (
          `shard ${id} has ${wanted.items} items at its primary ` +
          `${this.#byId.get(primary)?.name ?? ''}, and other ${found.items} at ${process?.name ?? ''}`
        );
      }
    }
    return undefined;
  }
}

type Digests = ReadonlyMap<SimProcess, ReturnType<typeof digestShards>>;

function digestOf(digests: Digests, process: SimProcess | undefined, shard: ShardId) {
  return process === undefined ? undefined : digests.get(process)?.get(shard);
}
