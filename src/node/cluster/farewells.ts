/**
 * Nodes that `CLUSTER SLOTS` goes on to name for a while after they have given all of their slots
 * away. Pure.
 *
 * A client that finds a node in no range any more may end its connection to it at once, and so fail
 * what is under way on it. It finds that out by the first `MOVED`, when other requests to that node
 * are under way. So a node that has given its last slot away is named as the primary of one slot
 * more: the client learns where the others are, sends nothing more to the node but what is for that
 * slot, and has nothing under way when the node is gone from a later answer.
 *
 * The one slot is wrong, as any answer may be by the time that it arrives: who asks for it is
 * redirected. Each answer names another one. So no client that reads the map anew is redirected
 * twice, and no slot of many requests stays wrong.
 */
import type { MapNode, NodeId, Shard, ShardMap } from '../../cluster/index.ts';

/** Longer than clients that send anything go without a redirection, after a node has left. */
const FAREWELL_US = 30_000_000;

/** Odd, as the number of slots is a power of two: so all slots come in turn, and neighbours late. */
const STRIDE = 4099;

/** A node, and the number of the slot for which it is to be named, of those that are served. */
export interface Farewell {
  readonly node: NodeId;
  readonly turn: number;
}

/** A map, with what it says of its nodes. */
export interface Routes {
  readonly map: ShardMap;
  readonly nodes: ReadonlyMap<NodeId, Pick<MapNode, 'state'>>;
}

export class Farewells {
  readonly #untilUs = new Map<NodeId, number>();
  #turn = 0;

  /** Another map has come. */
  mapChanged(before: ShardMap, { map, nodes }: Routes, nowUs: number): void {
    const primaries = primariesOf(map);
    const members = membersOf(map);
    for (const node of primariesOf(before)) {
      if (!primaries.has(node)) this.#untilUs.set(node, nowUs + FAREWELL_US);
    }
    // Clients that read from replicas still have something under way on these.
    for (const node of membersOf(before)) {
      if (!members.has(node)) this.#untilUs.set(node, nowUs + FAREWELL_US);
    }
    for (const id of this.#untilUs.keys()) {
      const node = nodes.get(id);
      const isGone = node === undefined || node.state === 'down';
      if (isGone || primaries.has(id)) this.#untilUs.delete(id);
    }
  }

  /** For one answer. */
  next(nowUs: number): Farewell[] {
    const farewells: Farewell[] = [];
    for (const [node, untilUs] of this.#untilUs) {
      if (nowUs >= untilUs) this.#untilUs.delete(node);
      else farewells.push({ node, turn: STRIDE * this.#turn++ });
    }
    return farewells;
  }
}

function primariesOf({ shards }: ShardMap): Set<NodeId> {
  return new Set(shards.flatMap(({ primary }) => primary ?? []));
}

/** The nodes that `CLUSTER SLOTS` names. */
function membersOf({ shards }: ShardMap): Set<NodeId> {
  const named = ({ primary, replicas }: Shard): readonly NodeId[] =>
    primary === null ? [] : [primary, ...replicas];
  return new Set(shards.flatMap(named));
}
