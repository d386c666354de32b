/**
 * The whole cluster as `CLUSTER` tells it to Redis' clients.
 *
 * Redis' words know nodes that are master or replica as a whole, and here a node is the primary of
 * some shards and a replica of others. `SLOTS` and `SHARDS` say so shard by shard. `NODES`, which
 * has a line for each node, shows a node with slots as a master, and one without as the replica of
 * the node that it follows in most shards.
 */
import {
  asEpoch,
  asShardId,
  SLOT_COUNT,
  type NodeId,
  type Shard,
  type ShardMap,
} from '../../cluster/index.ts';
import type { Farewell } from './farewells.ts';

export interface TopologyNode {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
  readonly replicationPort: number;
  readonly state?: 'up' | 'draining' | 'down' | undefined;
}

export interface Topology {
  readonly self: NodeId;
  readonly map: ShardMap;
  readonly nodes: ReadonlyMap<NodeId, TopologyNode>;
  /** Whether this node may act as a primary. */
  readonly isOpen: boolean;
}

/** Of a node that stands alone. */
export function loneTopology(self: NodeId, host: string, port: number): Topology {
  const epoch = asEpoch(1);
  const shard: Shard = {
    id: asShardId(0),
    slotFirst: 0,
    slotLast: SLOT_COUNT - 1,
    primary: self,
    replicas: [],
    learners: [],
    epoch,
  };
  return {
    self,
    map: { epoch, shards: [shard] },
    nodes: new Map([[self, { id: self, host, port, replicationPort: port }]]),
    isOpen: true,
  };
}

/** Slots that follow each other and have the same nodes: the primary first. */
export interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly nodes: readonly TopologyNode[];
}

/** As `CLUSTER SLOTS` has it: each node that takes its leave is named for one slot more. */
export function slotRanges(topology: Topology, farewells: readonly Farewell[]): SlotRange[] {
  let ranges = servedRanges(topology);
  const served = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  for (const { node: id, turn } of farewells) {
    const node = topology.nodes.get(id);
    if (node !== undefined && served > 0) ranges = withOneMore(ranges, turn % served, node);
  }
  return ranges;
}

/** Cuts the slot of this number, of those that are served, out of its range for another node. */
function withOneMore(
  ranges: readonly SlotRange[],
  number: number,
  node: TopologyNode,
): SlotRange[] {
  let left = number;
  return ranges.flatMap((range) => {
    const { first, last, nodes } = range;
    const slot = first + left;
    left -= last - first + 1;
    if (slot < first || slot > last) return [range];
    const pieces = [
      { first, last: slot - 1, nodes },
      { first: slot, last: slot, nodes: [node, ...nodes.filter((other) => other !== node)] },
      { first: slot + 1, last, nodes },
    ];
    return pieces.filter((piece) => piece.first <= piece.last);
  });
}

function servedRanges({ map, nodes }: Topology): SlotRange[] {
  const ranges: SlotRange[] = [];
  for (const shard of map.shards) {
    const primary = shard.primary === null ? undefined : nodes.get(shard.primary);
    if (primary === undefined) continue;
    const replicas = shard.replicas.map((id) => nodes.get(id)).filter((node) => node !== undefined);
    const all = [primary, ...replicas.filter(({ state }) => state !== 'down')];
    const before = ranges.at(-1);
    const goesOn = before?.last === shard.slotFirst - 1 && isSame(before.nodes, all);
    if (goesOn) ranges.splice(-1, 1, { ...before, last: shard.slotLast });
    else ranges.push({ first: shard.slotFirst, last: shard.slotLast, nodes: all });
  }
  return ranges;
}

function isSame(one: readonly TopologyNode[], other: readonly TopologyNode[]): boolean {
  return one.length === other.length && one.every((node, index) => node === other[index]);
}

/** What each node does, found in one pass over the shards. */
class Duties {
  readonly #own = new Map<NodeId, Shard[]>();
  /** In how many shards each node follows which other. */
  readonly #follows = new Map<NodeId, Map<NodeId, number>>();

  constructor({ shards }: ShardMap) {
    for (const shard of shards) {
      const { primary, replicas, learners } = shard;
      if (primary === null) continue;
      const own = this.#own.get(primary);
      if (own === undefined) this.#own.set(primary, [shard]);
      else own.push(shard);
      for (const id of [...replicas, ...learners]) {
        const counts = this.#follows.get(id) ?? new Map<NodeId, number>();
        counts.set(primary, (counts.get(primary) ?? 0) + 1);
        this.#follows.set(id, counts);
      }
    }
  }

  primaryOf(id: NodeId): readonly Shard[] {
    return this.#own.get(id) ?? [];
  }

  /** Whom the node follows in most shards, if it is the primary of none. */
  masterOf(id: NodeId): NodeId | undefined {
    if (this.#own.has(id)) return undefined;
    const counts = [...(this.#follows.get(id) ?? [])];
    return counts.toSorted((one, next) => next[1] - one[1]).at(0)?.[0];
  }
}

/** The line of a node in `CLUSTER NODES`. */
function nodeLine(self: NodeId, duties: Duties, node: TopologyNode): string {
  const { id, host, port, replicationPort, state } = node;
  const own = duties.primaryOf(id);
  const master = duties.masterOf(id);
  const isDown = state === 'down';
  const flags = [
    ...(id === self ? ['myself'] : []),
    master === undefined ? 'master' : 'slave',
    ...(isDown ? ['fail'] : []),
  ].join(',');
  const epoch = own.reduce((most, shard) => Math.max(most, shard.epoch), 0);
  const link = isDown ? 'disconnected' : 'connected';
  const ranges = mergedSlots(own).map(([first, last]) =>
    first === last ? ` ${first}` : ` ${first}-${last}`,
  );
  const at = `${host}:${port}@${replicationPort}`;
  return `${id} ${at} ${flags} ${master ?? '-'} 0 0 ${epoch} ${link}${ranges.join('')}\n`;
}

function mergedSlots(shards: readonly Shard[]): Array<readonly [number, number]> {
  const ranges: Array<readonly [number, number]> = [];
  for (const { slotFirst, slotLast } of shards) {
    const before = ranges.at(-1);
    if (before?.[1] === slotFirst - 1) ranges.splice(-1, 1, [before[0], slotLast]);
    else ranges.push([slotFirst, slotLast]);
  }
  return ranges;
}

/** This node first, as Redis has it. */
export function nodeLines({ self, map, nodes }: Topology): string {
  const duties = new Duties(map);
  const others = [...nodes.values()].filter(({ id }) => id !== self);
  const own = nodes.get(self);
  const all = own === undefined ? others : [own, ...others];
  return all.map((node) => nodeLine(self, duties, node)).join('');
}

/** The lines of the nodes that have a replica of one of a node's shards; undefined: no such node. */
export function replicaLines({ self, map, nodes }: Topology, of: string): string[] | undefined {
  const master = [...nodes.values()].find(({ id }) => id === of);
  if (master === undefined) return undefined;
  const duties = new Duties(map);
  const replicas = new Set(duties.primaryOf(master.id).flatMap((shard) => shard.replicas));
  return [...nodes.values()]
    .filter(({ id }) => replicas.has(id))
    .map((node) => nodeLine(self, duties, node).trimEnd());
}

/** The fields of `CLUSTER INFO`. */
export function infoFields({
  self,
  map,
  nodes,
  isOpen,
}: Topology): ReadonlyArray<readonly [string, string | number]> {
  const slotsOf = (shards: readonly Shard[]): number =>
    shards.reduce((sum, { slotFirst, slotLast }) => sum + slotLast - slotFirst + 1, 0);
  const assigned = slotsOf(map.shards);
  const served = slotsOf(map.shards.filter(({ primary }) => primary !== null));
  const primaries = new Set(map.shards.map(({ primary }) => primary).filter((id) => id !== null));
  const own = map.shards.filter(({ primary }) => primary === self);
  return [
    ['cluster_state', isOpen && served === SLOT_COUNT ? 'ok' : 'fail'],
    ['cluster_slots_assigned', assigned],
    ['cluster_slots_ok', served],
    ['cluster_slots_pfail', 0],
    ['cluster_slots_fail', assigned - served],
    ['cluster_known_nodes', nodes.size],
    ['cluster_size', primaries.size],
    ['cluster_current_epoch', map.epoch],
    ['cluster_my_epoch', own.reduce((most, { epoch }) => Math.max(most, epoch), 0)],
    ['cluster_stats_messages_sent', 0],
    ['cluster_stats_messages_received', 0],
    ['total_cluster_links_buffer_limit_exceeded', 0],
  ];
}
