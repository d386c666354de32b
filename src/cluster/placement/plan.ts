/**
 * From the map that is to the map that is wanted, as a list of moves.
 *
 * Same input, same plan. Of a plan that is carried out in order, shard by shard, no step leaves a
 * shard with fewer live copies than it had or is to have: whoever leaves does so after another has
 * joined.
 */
import { asShardId, type Epoch, type NodeId, type ShardId } from '../ids.ts';
import type { PlannedMove } from '../move.ts';
import {
  changeShards,
  replicaSet,
  shardSlots,
  type Shard,
  type ShardChange,
  type ShardMap,
} from '../shard-map.ts';
import { CopyPlacer } from './copies.ts';
import { topologyOf, type PlacementNode } from './ideal.ts';
import type { ShardLoad } from './loads.ts';
import { Primaries } from './primaries.ts';

export interface PlacementRequest {
  /** As it will be when the moves under way are done. */
  readonly map: ShardMap;
  /** All that there are. Those that are up and weigh more than 0 are given shards. */
  readonly nodes: Iterable<PlacementNode>;
  /** Copies beside the primary. */
  readonly replicas: number;
  /**
   * `repair`: moves only what must: copies are filled that are missing or on nodes that are down,
   * draining or without weight. `rebalance`: that, and then spread and balance.
   */
  readonly scope: 'repair' | 'rebalance';
  /** What is known of the shards; absent: they are balanced by number. */
  readonly loads?: ReadonlyMap<ShardId, ShardLoad>;
}

export interface Plan {
  /** Those of one shard are to be carried out in this order, one at a time. */
  readonly moves: readonly PlannedMove[];
  /** Shards that stay with fewer copies than they should have, for want of nodes. */
  readonly short: ReadonlyArray<{ readonly shard: ShardId; readonly missing: number }>;
}

/** The first map of a cluster. Without nodes that take shards, nobody serves any. */
export function placeShards(request: {
  readonly shardCount: number;
  readonly replicas: number;
  readonly nodes: Iterable<PlacementNode>;
  readonly epoch: Epoch;
}): ShardMap {
  const { shardCount, replicas, epoch } = request;
  const topology = topologyOf(request.nodes, replicas + 1);
  const placer = new CopyPlacer(topology, shardCount);
  placer.fill();
  placer.balance(undefined);
  const primaries = new Primaries(placer.assignment);
  primaries.settle(placer.leads);
  primaries.balance(undefined);
  const shards = shardSlots(shardCount).map((slots, shard): Shard => {
    const nodes = [...placer.assignment.nodesOf(shard)];
    const primary = primaries.of(shard);
    return {
      id: asShardId(shard),
      ...slots,
      primary: topology.nodes[primary]?.id ?? null,
      replicas: nodes.filter((node) => node !== primary).map((node) => topology.nodes[node].id),
      learners: [],
      epoch,
    };
  });
  return { epoch, shards };
}

/** Whom a shard is to have. */
interface Wanted {
  readonly primary: NodeId | undefined;
  readonly nodes: readonly NodeId[];
}

export function planMoves(request: PlacementRequest): Plan {
  const { map, replicas } = request;
  const nodes = [...request.nodes];
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const standing: Standing = {
    isLive: (id) => (byId.get(id)?.state ?? 'down') !== 'down',
    takesShards: (id) => byId.get(id)?.state === 'up' && (byId.get(id)?.weight ?? 0) > 0,
  };
  const wanted = wantedOf({ ...request, nodes }, standing);
  const groups: Array<{ readonly rank: number; readonly moves: readonly PlannedMove[] }> = [];
  const short: Array<{ shard: ShardId; missing: number }> = [];
  for (const [index, shard] of map.shards.entries()) {
    const missing = replicas + 1 - wanted[index].nodes.length;
    if (missing > 0) short.push({ shard: shard.id, missing });
    // Of a shard that no live node holds there is nothing to copy: it is for those who promote.
    if (!replicaSet(shard).some(standing.isLive)) continue;
    const moves = movesOf(shard, wanted[index], standing);
    if (moves.length > 0) groups.push({ rank: Math.min(...moves.map(rankOf)), moves });
  }
  groups.sort((a, b) => a.rank - b.rank);
  return { moves: groups.flatMap(({ moves }) => moves), short };
}

function wantedOf(
  { map, nodes, replicas, scope, loads }: PlacementRequest,
  { isLive }: Standing,
): Wanted[] {
  const topology = topologyOf(nodes, replicas + 1);
  const indexOf = new Map(topology.nodes.map(({ id }, index) => [id, index]));
  const placer = new CopyPlacer(topology, map.shards.length);
  placer.keep(map, indexOf);
  placer.fill();
  if (scope === 'rebalance') {
    placer.spread();
    placer.balance(loads);
  }
  const primaries = new Primaries(placer.assignment);
  primaries.settle(placer.leads);
  if (scope === 'rebalance') primaries.balance(loads);
  return map.shards.map((shard, index) => {
    const placed = [...placer.assignment.nodesOf(index)].map((node) => topology.nodes[node].id);
    // Who is to leave stays as long as nobody is there to take the place.
    const staying = replicaSet(shard).filter((id) => isLive(id) && !indexOf.has(id));
    const places = Math.max(0, replicas + 1 - placed.length);
    const primary = topology.nodes[primaries.of(index)]?.id ?? staying[0];
    return { primary, nodes: [...placed, ...staying.slice(0, places)] };
  });
}

/** What nodes are good for. */
interface Standing {
  isLive(id: NodeId): boolean;
  /** May be given shards. */
  takesShards(id: NodeId): boolean;
}

/** The moves that make a shard what is wanted. A dead primary is left to those who promote. */
function movesOf(shard: Shard, wanted: Wanted, standing: Standing): PlannedMove[] {
  const primary = shard.primary !== null && standing.isLive(shard.primary) ? shard.primary : null;
  const present = replicaSet(shard);
  const joining = wanted.nodes.filter((id) => !present.includes(id));
  const leaving = present.filter(
    (id) => !wanted.nodes.includes(id) && (id === primary || id !== shard.primary),
  );
  const moves: PlannedMove[] = [];
  const move = (from: NodeId | null, to: NodeId | null, toPrimary: boolean): void => {
    moves.push({ shard: shard.id, reason: reasonOf(from, standing), from, to, toPrimary });
  };
  const heir = wanted.primary;
  if (primary !== null && heir !== undefined && heir !== primary) {
    if (joining.includes(heir)) {
      const from = leaving.includes(primary) ? primary : (leaving[0] ?? null);
      move(from, heir, true);
      remove(joining, heir);
      if (from !== null) remove(leaving, from);
    } else {
      moves.push({ shard: shard.id, reason: 'switch', from: null, to: heir, toPrimary: true });
    }
  }
  // The dead first: their copies are missing already.
  leaving.sort((a, b) => Number(standing.isLive(a)) - Number(standing.isLive(b)));
  for (const to of joining) move(leaving.shift() ?? null, to, false);
  for (const from of leaving) move(from, null, false);
  return moves;
}

function remove(ids: NodeId[], id: NodeId): void {
  ids.splice(ids.indexOf(id), 1);
}

function reasonOf(from: NodeId | null, { isLive, takesShards }: Standing): PlannedMove['reason'] {
  if (from === null || !isLive(from)) return 'repair';
  return takesShards(from) ? 'rebalance' : 'drain';
}

/** What is urgent comes first. */
function rankOf({ reason }: PlannedMove): number {
  return ['repair', 'drain', 'rebalance', 'switch'].indexOf(reason);
}

interface ReplicaSet {
  readonly primary: NodeId | null;
  readonly replicas: readonly NodeId[];
}

/** The replica set of a shard after a move of it. */
export function replicaSetAfter(
  { primary, replicas }: ReplicaSet,
  { from, to, toPrimary }: PlannedMove,
): ReplicaSet {
  const isSwitch = to !== null && (toPrimary || (from !== null && from === primary));
  const others = [...(isSwitch && primary !== null ? [primary] : []), ...replicas];
  if (to !== null && !isSwitch && to !== primary && !others.includes(to)) others.push(to);
  return {
    primary: isSwitch ? to : primary,
    replicas: others.filter((id) => id !== from && !(isSwitch && id === to)),
  };
}

/** The map when these moves are done, one epoch later. */
export function mapAfter(map: ShardMap, moves: readonly PlannedMove[]): ShardMap {
  const changes = new Map<ShardId, ReplicaSet>();
  for (const move of moves) {
    const before = changes.get(move.shard) ?? map.shards[move.shard];
    changes.set(move.shard, replicaSetAfter(before, move));
  }
  return changeShards(
    map,
    [...changes].map(([id, { primary, replicas }]): ShardChange => {
      return { id, primary, replicas: [...replicas], learners: [] };
    }),
  );
}
