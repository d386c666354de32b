/**
 * Slot → shard → what this node may do with it. Pure.
 *
 * The hot path reads two typed arrays, `shardBySlot` and `duties`, and nothing else; all that is
 * not plainly this node's to serve goes through `decide`, which may allocate.
 */
import {
  EMPTY_SHARD_MAP,
  roleOf,
  SLOT_COUNT,
  slotOfKey,
  type MapNode,
  type NodeId,
  type Shard,
  type ShardId,
  type ShardMap,
} from '../../cluster/index.ts';
import type { Call } from '../call.ts';
import type { Command } from '../command.ts';

/** What a node is to a shard. */
export const DUTY = Object.freeze({ none: 0, primary: 1, frozen: 2, replica: 3 });

/** How a client asked. */
export interface Access {
  readonly isWrite: boolean;
  /** The connection has sent READONLY. */
  readonly takesStale: boolean;
}

/** What bears on the decision beside the map. */
export interface Standing {
  /** Whether the lease is held. */
  readonly isLeased: boolean;
  /** Whether it ran out so short a time ago that the next answer may well renew it. */
  readonly isLeaseDue: boolean;
  /** How far the node's copy of a shard may be behind, in milliseconds, as far as it knows. */
  staleMs(shard: ShardId): number;
  readonly staleMsMax: number;
}

export type Verdict =
  | { readonly kind: 'serve' }
  /**
   * The shard is on its way to another node, or the lease is due to be renewed: until it is known
   * who serves, the client waits.
   */
  | { readonly kind: 'hold'; readonly shard: ShardId }
  | { readonly kind: 'refuse'; readonly text: string };

/** Redis' words. */
export const CLUSTER_ERRORS = Object.freeze({
  down: 'CLUSTERDOWN The cluster is down',
  notServed: 'CLUSTERDOWN Hash slot not served',
  crossSlot: "CROSSSLOT Keys in request don't hash to the same slot",
});

const SERVE: Verdict = Object.freeze({ kind: 'serve' });
const DOWN: Verdict = Object.freeze({ kind: 'refuse', text: CLUSTER_ERRORS.down });

/** Replaced by tests, which put mistakes in their place. */
export interface RoutingRules {
  /** Whether a shard that is frozen is held back. */
  holdsBack(shard: ShardId): boolean;
}

const ROUTING_RULES: RoutingRules = Object.freeze({ holdsBack: () => true });

export class Routing {
  readonly self: NodeId;
  readonly #rules: RoutingRules;
  map: ShardMap = EMPTY_SHARD_MAP;
  nodes: ReadonlyMap<NodeId, MapNode> = new Map();
  /** 0 where there is no map: then no shard has a duty either. */
  readonly shardBySlot = new Int16Array(SLOT_COUNT);
  /** By shard. */
  duties = new Uint8Array(1);
  /** Operations served since the start, by shard. */
  operations = new Float64Array(1);

  constructor(self: NodeId, rules: RoutingRules = ROUTING_RULES) {
    this.self = self;
    this.#rules = rules;
  }

  /** Takes a map. What was frozen is `freeze`d anew by the caller where it still is. */
  apply(map: ShardMap, nodes: readonly MapNode[]): void {
    this.map = map;
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
    const shards = Math.max(1, map.shards.length);
    const operations = new Float64Array(shards);
    operations.set(this.operations.subarray(0, shards));
    this.operations = operations;
    this.duties = new Uint8Array(shards);
    for (const shard of map.shards) {
      this.shardBySlot.fill(shard.id, shard.slotFirst, shard.slotLast + 1);
      this.duties[shard.id] = dutyOf(shard, this.self);
    }
  }

  setFrozen(shard: ShardId, isFrozen: boolean): void {
    const duty = this.duties.at(shard);
    const isHeldBack = isFrozen && this.#rules.holdsBack(shard);
    if (duty === DUTY.primary && isHeldBack) this.duties[shard] = DUTY.frozen;
    else if (duty === DUTY.frozen && !isFrozen) this.duties[shard] = DUTY.primary;
  }

  /** What the node is to the shard of a slot. */
  dutyOf(slot: number): number {
    return this.duties[this.shardBySlot[slot]];
  }

  /** Whether the node is the primary of a slot, and may be holding it back. */
  isPrimaryOf(slot: number): boolean {
    const duty = this.dutyOf(slot);
    return duty === DUTY.primary || duty === DUTY.frozen;
  }

  /** Whether the node holds shards that it is not the primary of. */
  get holdsReplicas(): boolean {
    return this.map.shards.some((shard) => {
      const role = roleOf(shard, this.self);
      return role === 'replica' || role === 'learner';
    });
  }

  /** What is to become of a command on keys of one slot. */
  decide(slot: number, access: Access, standing: Standing): Verdict {
    const shard = this.map.shards.at(this.shardBySlot[slot]);
    if (shard === undefined) return DOWN;
    const duty = this.duties[shard.id];
    if (duty === DUTY.none) return this.#elsewhere(shard, slot);
    const takesStale = access.takesStale && !access.isWrite;
    if (duty === DUTY.replica) {
      const isFresh = takesStale && standing.staleMs(shard.id) <= standing.staleMsMax;
      return isFresh ? SERVE : this.#elsewhere(shard, slot);
    }
    if (!standing.isLeased) {
      const isFresh = takesStale && standing.staleMs(shard.id) <= standing.staleMsMax;
      if (isFresh) return SERVE;
      return standing.isLeaseDue ? { kind: 'hold', shard: shard.id } : DOWN;
    }
    if (duty === DUTY.frozen && !takesStale) return { kind: 'hold', shard: shard.id };
    return SERVE;
  }

  #elsewhere(shard: Shard, slot: number): Verdict {
    const primary = shard.primary === null ? undefined : this.nodes.get(shard.primary);
    const text =
      primary === undefined
        ? CLUSTER_ERRORS.notServed
        : `MOVED ${slot} ${primary.host}:${primary.port}`;
    return { kind: 'refuse', text };
  }
}

function dutyOf(shard: Shard, self: NodeId): number {
  switch (roleOf(shard, self)) {
    case 'primary':
      return DUTY.primary;
    case 'replica':
      return DUTY.replica;
    case 'learner':
    case undefined:
      return DUTY.none;
  }
}

/** Whether the other keys of a command have this slot, too. */
export function sharesSlot(call: Call, command: Command, slot: number): boolean {
  const { keyFirst, keyLast, keyStep } = command;
  const last = keyLast < 0 ? call.count + keyLast : Math.min(keyLast, call.count - 1);
  for (let index = keyFirst + keyStep; index <= last; index += keyStep) {
    if (slotOfKey(call.bytes, call.starts[index], call.ends[index]) !== slot) return false;
  }
  return true;
}
