/** Clusters for tests of placement. */
import fc from 'fast-check';
import { asEpoch, asNodeId, asShardId } from '../ids.ts';
import { replicaSet, shardSlots, type Shard, type ShardMap } from '../shard-map.ts';
import type { PlacementNode } from './ideal.ts';

/** A node of its own zone and machine, unless told otherwise. */
export function nodeAt(index: number, facts: Partial<PlacementNode> = {}): PlacementNode {
  const id = asNodeId((index + 1).toString(16).padStart(8, '0').repeat(5));
  return { id, zone: `z${index}`, machine: `m${index}`, weight: 1, state: 'up', ...facts };
}

export function flatNodes(count: number, facts: Partial<PlacementNode> = {}): PlacementNode[] {
  return Array.from({ length: count }, (_, index) => nodeAt(index, { zone: 'z', ...facts }));
}

/** Nodes on machines in zones: a tree of any shape. */
export const treeArbitrary: fc.Arbitrary<PlacementNode[]> = fc
  .array(
    fc.record({
      zone: fc.nat({ max: 3 }),
      machine: fc.nat({ max: 2 }),
      weight: fc.constantFrom(1, 1, 1, 0.5, 2, 5),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((facts) =>
    facts.map(({ zone, machine, weight }, index) =>
      nodeAt(index, { zone: `z${zone}`, machine: `z${zone}m${machine}`, weight }),
    ),
  );

/** A map of these nodes, however bad. */
export function mapArbitrary(nodes: readonly PlacementNode[]): fc.Arbitrary<ShardMap> {
  const ids = nodes.map(({ id }) => id);
  const sets = fc.array(
    fc.shuffledSubarray(ids, { minLength: 1, maxLength: Math.min(4, ids.length) }),
    {
      minLength: 1,
      maxLength: 48,
    },
  );
  return sets.map((drawn) => ({
    epoch: asEpoch(3),
    shards: shardSlots(drawn.length).map((slots, index): Shard => {
      const [primary, ...replicas] = drawn[index];
      return {
        id: asShardId(index),
        ...slots,
        primary,
        replicas,
        learners: [],
        epoch: asEpoch(2),
      };
    }),
  }));
}

export function copiesOf(map: ShardMap, { id }: PlacementNode): number {
  return map.shards.filter((shard) => replicaSet(shard).includes(id)).length;
}

export function primariesOf(map: ShardMap, { id }: PlacementNode): number {
  return map.shards.filter(({ primary }) => primary === id).length;
}
