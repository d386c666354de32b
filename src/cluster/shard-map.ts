/**
 * The routing table: which node serves which slots, and since which epoch.
 *
 * Invariants: shards are in the order of their slots, contiguous, and cover all 16,384; a node is
 * in a shard at most once, as primary, replica or learner; no shard's epoch is above the map's.
 */
import { z } from 'zod';
import { invariant } from '../runtime/index.ts';
import {
  asEpoch,
  asShardId,
  epochSchema,
  nodeIdSchema,
  shardIdSchema,
  type Epoch,
  type NodeId,
  type ShardId,
} from './ids.ts';
import { SLOT_COUNT } from './slots.ts';

export const shardSchema = z.strictObject({
  id: shardIdSchema,
  slotFirst: z
    .int()
    .min(0)
    .max(SLOT_COUNT - 1),
  slotLast: z
    .int()
    .min(0)
    .max(SLOT_COUNT - 1),
  /** Null: nobody serves it, since no copy is left that may. */
  primary: nodeIdSchema.nullable(),
  /** Hold a copy, follow the primary, may be promoted. The first is preferred. */
  replicas: z.array(nodeIdSchema),
  /** Follow the primary and may not be promoted yet. */
  learners: z.array(nodeIdSchema),
  /** At which the primary last changed. */
  epoch: epochSchema,
});

export const shardMapSchema = z.strictObject({
  epoch: epochSchema,
  shards: z.array(shardSchema),
});

export type Shard = Readonly<z.infer<typeof shardSchema>>;

export interface ShardMap {
  readonly epoch: Epoch;
  readonly shards: readonly Shard[];
}

export type ShardRole = 'primary' | 'replica' | 'learner';

export const EMPTY_SHARD_MAP: ShardMap = Object.freeze({ epoch: asEpoch(0), shards: [] });

/** The slots of each of `count` shards: as equal as can be, the larger ones first. */
export function shardSlots(count: number): ReadonlyArray<{ slotFirst: number; slotLast: number }> {
  invariant(Number.isInteger(count) && count >= 1 && count <= SLOT_COUNT, '1 to 16,384 shards');
  return Array.from({ length: count }, (_, shard) => ({
    slotFirst: Math.ceil((shard * SLOT_COUNT) / count),
    slotLast: Math.ceil(((shard + 1) * SLOT_COUNT) / count) - 1,
  }));
}

/** The shard of each slot; -1 where the map has none. */
export function shardBySlot(map: ShardMap): Int16Array {
  const bySlot = new Int16Array(SLOT_COUNT).fill(-1);
  for (const { id, slotFirst, slotLast } of map.shards) bySlot.fill(id, slotFirst, slotLast + 1);
  return bySlot;
}

/** Primary first, then replicas; learners are none. */
export function replicaSet({
  primary,
  replicas,
}: {
  readonly primary: NodeId | null;
  readonly replicas: readonly NodeId[];
}): readonly NodeId[] {
  return primary === null ? replicas : [primary, ...replicas];
}

/** All that hold the shard or are about to. */
export function holders(shard: Shard): readonly NodeId[] {
  return [...replicaSet(shard), ...shard.learners];
}

export function roleOf(shard: Shard, node: NodeId): ShardRole | undefined {
  if (shard.primary === node) return 'primary';
  if (shard.replicas.includes(node)) return 'replica';
  return shard.learners.includes(node) ? 'learner' : undefined;
}

export function shardsOf(map: ShardMap, node: NodeId): readonly Shard[] {
  return map.shards.filter((shard) => roleOf(shard, node) !== undefined);
}

/** @returns what is wrong with the map, in words; undefined where nothing is */
export function shardMapFault({ epoch, shards }: ShardMap): string | undefined {
  let slotNext = 0;
  for (const [index, shard] of shards.entries()) {
    const { id, slotFirst, slotLast } = shard;
    if (id !== asShardId(index)) return `shard ${id} stands in the place of shard ${index}`;
    if (slotFirst !== slotNext || slotLast < slotFirst) {
      return `shard ${id} has slots ${slotFirst} to ${slotLast}, where ${slotNext} comes next`;
    }
    slotNext = slotLast + 1;
    if (shard.epoch > epoch) return `shard ${id} is of epoch ${shard.epoch}, the map of ${epoch}`;
    const nodes = holders(shard);
    if (new Set(nodes).size !== nodes.length) return `shard ${id} has a node twice`;
  }
  if (shards.length > 0 && slotNext !== SLOT_COUNT) return `slots from ${slotNext} on are missing`;
  return undefined;
}

/** What a change to one shard may touch. */
export type ShardChange = Pick<Shard, 'id'> &
  Partial<Pick<Shard, 'primary' | 'replicas' | 'learners'>>;

/**
 * The map one epoch later, with these shards changed. A shard whose primary changes carries the new
 * epoch.
 */
export function changeShards(map: ShardMap, changes: readonly ShardChange[]): ShardMap {
  const epoch = asEpoch(map.epoch + 1);
  const byId = new Map<ShardId, ShardChange>(changes.map((change) => [change.id, change]));
  invariant(byId.size === changes.length, 'a shard is changed once');
  const shards = map.shards.map((shard) => {
    const change = byId.get(shard.id);
    if (change === undefined) return shard;
    const changed = { ...shard, ...change };
    return changed.primary === shard.primary ? changed : { ...changed, epoch };
  });
  const next = { epoch, shards };
  const fault = shardMapFault(next);
  invariant(fault === undefined, `a changed map is sound: ${fault ?? ''}`);
  return next;
}
