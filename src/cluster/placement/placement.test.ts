import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asEpoch, type NodeId } from '../ids.ts';
import { replicaSet, shardMapFault, type ShardMap } from '../shard-map.ts';
import { topologyOf, type PlacementNode } from './ideal.ts';
import {
  mapAfter,
  placeShards,
  planMoves,
  replicaSetAfter,
  type PlacementRequest,
} from './plan.ts';
import {
  copiesOf,
  flatNodes,
  mapArbitrary,
  nodeAt,
  primariesOf,
  treeArbitrary,
} from './test-support.ts';

const shardCounts = fc.constantFrom(1, 2, 7, 16, 64, 100);
const replicaCounts = fc.integer({ min: 0, max: 3 });

function placed(nodes: readonly PlacementNode[], shardCount: number, replicas: number): ShardMap {
  return placeShards({ shardCount, replicas, nodes, epoch: asEpoch(1) });
}

function rebalanced(request: Omit<PlacementRequest, 'scope'>): ShardMap {
  return mapAfter(request.map, planMoves({ ...request, scope: 'rebalance' }).moves);
}

/** How many distinct things of a set of nodes. */
function distinct(nodes: readonly PlacementNode[], keyOf: (node: PlacementNode) => string): number {
  return new Set(nodes.map(keyOf)).size;
}

const zoneOf = ({ zone }: PlacementNode): string => zone;
const machineOf = ({ machine }: PlacementNode): string => machine;

/** The best spread of any set of `size` of the nodes, by trying all: zones first, then machines. */
function bestSpread(
  nodes: readonly PlacementNode[],
  size: number,
): { zones: number; machines: number } {
  let best = { zones: 0, machines: 0 };
  for (let bits = 0; bits < 2 ** nodes.length; bits++) {
    const chosen = nodes.filter((_, index) => (bits & (1 << index)) !== 0);
    if (chosen.length !== size) continue;
    const [zones, machines] = [distinct(chosen, zoneOf), distinct(chosen, machineOf)];
    if (zones > best.zones || (zones === best.zones && machines > best.machines)) {
      best = { zones, machines };
    }
  }
  return best;
}

function expectSpread(map: ShardMap, nodes: readonly PlacementNode[], replicas: number): void {
  const size = Math.min(replicas + 1, nodes.length);
  const best = bestSpread(nodes, size);
  for (const shard of map.shards) {
    const members = nodes.filter(({ id }) => replicaSet(shard).includes(id));
    expect(members.length).toBe(size);
    const spread = { zones: distinct(members, zoneOf), machines: distinct(members, machineOf) };
    expect(spread).toEqual(best);
  }
}

/** Each node holds its ideal, rounded up or down. */
function expectIdeal(map: ShardMap, nodes: readonly PlacementNode[], replicas: number): void {
  const { nodes: sorted, copyShare } = topologyOf(nodes, replicas + 1);
  for (const [index, node] of sorted.entries()) {
    const ideal = copyShare[index] * map.shards.length;
    expect(Math.abs(copiesOf(map, node) - ideal)).toBeLessThan(1);
  }
}

describe('a placement', () => {
  it('gives nodes of equal weight copies and primaries equal to one shard', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        shardCounts,
        replicaCounts,
        (count, shards, replicas) => {
          const nodes = flatNodes(count);
          const map = placed(nodes, shards, replicas);
          expect(shardMapFault(map)).toBeUndefined();
          for (const [of, each] of [
            [copiesOf, Math.min(replicas + 1, count)],
            [primariesOf, 1],
          ] as const) {
            const counts = nodes.map((node) => of(map, node));
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
            expect(counts.reduce((sum, got) => sum + got, 0)).toBe(shards * each);
          }
        },
      ),
    );
  });

  it('gives nodes copies and primaries in proportion to their weights, to one shard', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 10 }), { minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(weights, shardCounts, replicaCounts, (drawn, shards, replicas) => {
        const total = drawn.reduce((sum, weight) => sum + weight, 0);
        const copies = replicas + 1;
        // What falls to a node by weight must be a copy of each shard at most.
        fc.pre(drawn.every((weight) => weight * copies <= total));
        const nodes = drawn.map((weight, index) => nodeAt(index, { zone: 'z', weight }));
        const map = placed(nodes, shards, replicas);
        for (const [index, weight] of drawn.entries()) {
          const primaries = (shards * weight) / total;
          expect(Math.abs(copiesOf(map, nodes[index]) - primaries * copies)).toBeLessThan(1);
          expect(Math.abs(primariesOf(map, nodes[index]) - primaries)).toBeLessThan(1);
        }
      }),
    );
  });

  it('spreads copies over zones and machines as well as any set of nodes could', () => {
    fc.assert(
      fc.property(treeArbitrary, shardCounts, replicaCounts, (nodes, shards, replicas) => {
        const map = placed(nodes, shards, replicas);
        expectSpread(map, nodes, replicas);
        expectIdeal(map, nodes, replicas);
      }),
      { numRuns: 300 },
    );
  });

  it('gives nothing to nodes that drain, are down or weigh nothing', () => {
    const nodes = [
      nodeAt(0),
      nodeAt(1, { state: 'draining' }),
      nodeAt(2, { state: 'down' }),
      nodeAt(3, { weight: 0 }),
    ];
    const map = placed(nodes, 8, 1);
    expect(map.shards.map(replicaSet)).toEqual(Array.from({ length: 8 }, () => [nodes[0].id]));
    expect(placed([], 2, 1).shards.map(replicaSet)).toEqual([[], []]);
  });

  it('serves zones of unequal size from each of them', () => {
    const nodes = [nodeAt(0, { zone: 'a' }), ...[1, 2, 3].map((n) => nodeAt(n, { zone: 'b' }))];
    const map = placed(nodes, 60, 1);
    expect(nodes.map((node) => copiesOf(map, node))).toEqual([60, 20, 20, 20]);
    expect(nodes.map((node) => primariesOf(map, node))).toEqual([15, 15, 15, 15]);
  });
});

describe('a plan to rebalance', () => {
  const badMaps = treeArbitrary.chain((nodes) =>
    fc.record({ nodes: fc.constant(nodes), map: mapArbitrary(nodes), replicas: replicaCounts }),
  );

  it('makes of any map one that is spread and balanced, and then has nothing more to do', () => {
    fc.assert(
      fc.property(badMaps, (request) => {
        const map = rebalanced(request);
        expectSpread(map, request.nodes, request.replicas);
        expectIdeal(map, request.nodes, request.replicas);
        expect(planMoves({ ...request, map, scope: 'rebalance' }).moves).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('is the same for the same input in any order', () => {
    fc.assert(
      fc.property(badMaps, fc.constantFrom('repair', 'rebalance'), (request, scope) => {
        const again = { ...request, nodes: request.nodes.toReversed(), scope };
        expect(planMoves({ ...request, scope })).toEqual(planMoves(again));
      }),
    );
  });

  /** Nodes in zones of equal size, or each in its own, and as many more as keep it so. */
  const scaleOuts = fc
    .record({
      perZone: fc.integer({ min: 1, max: 8 }),
      zones: fc.integer({ min: 1, max: 4 }),
      replicas: replicaCounts,
      isZoneEach: fc.boolean(),
    })
    .map(({ perZone, zones, replicas, isZoneEach }) => {
      const count = perZone * zones;
      const all = flatNodes(count + (isZoneEach ? 1 : zones)).map((node, index) => ({
        ...node,
        zone: `z${isZoneEach ? index : index % zones}`,
      }));
      return { few: all.slice(0, count), all, replicas };
    })
    // Fewer nodes than copies: whoever comes is given what is missing.
    .filter(({ few, replicas }) => few.length > replicas);

  it('moves to nodes that are added their ideal share, and 5 % more at most', () => {
    fc.assert(
      fc.property(scaleOuts, ({ few, all, replicas }) => {
        const map = placed(few, 256, replicas);
        const after = rebalanced({ map, nodes: all, replicas });
        const share = all.slice(few.length).reduce((sum, node) => sum + copiesOf(after, node), 0);
        expectIdeal(after, all, replicas);
        expect(copiesMade(map, after, all)).toBeLessThanOrEqual(Math.ceil(share * 1.05));
      }),
    );
  });

  it('moves from nodes that are gone or drain what they had, and 5 % more at most', () => {
    fc.assert(
      fc.property(scaleOuts, fc.constantFrom('down', 'draining'), (scaleOut, state) => {
        const { few, all, replicas } = scaleOut;
        const map = placed(all, 256, replicas);
        const leaving = all.slice(few.length);
        const nodes = [...few, ...leaving.map((node) => ({ ...node, state }))];
        const after = rebalanced({ map, nodes, replicas });
        const share = leaving.reduce((sum, node) => sum + copiesOf(map, node), 0);
        // Of the dead some may have held all copies of a shard.
        if (state === 'draining') expectIdeal(after, few, replicas);
        expect(copiesMade(map, after, all)).toBeLessThanOrEqual(Math.ceil(share * 1.05));
      }),
    );
  });

  it.each([
    ['by number', false],
    ['by loads', true],
  ])(
    'gives nodes that are added their share of the leads and switches no others, %s',
    (_, isByLoads) => {
      fc.assert(
        fc.property(scaleOuts, ({ few, all, replicas }) => {
          const map = placed(few, 256, replicas);
          const load = { bytes: 2 ** 26, opsPerSecond: 1000 };
          const loads = new Map(map.shards.map(({ id }) => [id, load]));
          const after = rebalanced({ map, nodes: all, replicas, ...(isByLoads ? { loads } : {}) });
          const share = (256 * (all.length - few.length)) / all.length;
          const switched = after.shards.filter(
            ({ primary }, index) => primary !== map.shards[index].primary,
          );
          expect(switched.length).toBeLessThanOrEqual(Math.ceil(share * 1.3) + 1);
        }),
      );
    },
  );

  it('moves little more than the share of a node that upsets the spread over zones', () => {
    const zoned = fc.record({
      count: fc.integer({ min: 3, max: 20 }),
      zones: fc.integer({ min: 1, max: 4 }),
      replicas: replicaCounts,
    });
    fc.assert(
      fc.property(zoned, ({ count, zones, replicas }) => {
        const all = flatNodes(count).map((node, index) => ({ ...node, zone: `z${index % zones}` }));
        const map = placed(all, 256, replicas);
        const after = rebalanced({ map, nodes: all.slice(1), replicas });
        const copied = copiesMade(map, after, all);
        expect(copied).toBeLessThanOrEqual(Math.ceil(copiesOf(map, all[0]) * 1.6));
      }),
    );
  });

  it('never leaves a shard with fewer live copies than it has or is to have', () => {
    const anyState = badMaps.chain(({ nodes, map, replicas }) =>
      fc.record({
        map: fc.constant(map),
        replicas: fc.constant(replicas),
        nodes: fc
          .array(fc.constantFrom('up', 'draining', 'down'), {
            minLength: nodes.length,
            maxLength: nodes.length,
          })
          .map((states) => nodes.map((node, index) => ({ ...node, state: states[index] }))),
        scope: fc.constantFrom('repair', 'rebalance'),
      }),
    );
    fc.assert(
      fc.property(anyState, (request) => {
        const live = new Set(
          request.nodes.flatMap(({ id, state }) => (state === 'down' ? [] : id)),
        );
        const liveCopies = (ids: readonly NodeId[]): number =>
          ids.filter((id) => live.has(id)).length;
        const { moves, short } = planMoves(request);
        for (const shard of request.map.shards) {
          if (liveCopies(replicaSet(shard)) === 0) continue;
          let set: Parameters<typeof replicaSet>[0] = shard;
          const floor = Math.min(liveCopies(replicaSet(set)), request.replicas + 1);
          for (const move of moves.filter((each) => each.shard === shard.id)) {
            set = replicaSetAfter(set, move);
            expect(liveCopies(replicaSet(set))).toBeGreaterThanOrEqual(floor);
          }
          const missing = short.find((each) => each.shard === shard.id)?.missing ?? 0;
          expect(liveCopies(replicaSet(set))).toBe(request.replicas + 1 - missing);
        }
      }),
      { numRuns: 300 },
    );
  });
});

/** How many copies of the second map are not in the first. */
function copiesMade(before: ShardMap, after: ShardMap, nodes: readonly PlacementNode[]): number {
  return nodes.reduce((sum, { id }) => {
    const isNew = after.shards.filter(
      (shard, index) =>
        replicaSet(shard).includes(id) && !replicaSet(before.shards[index]).includes(id),
    );
    return sum + isNew.length;
  }, 0);
}

describe('a plan to repair', () => {
  it('fills what a dead node leaves missing and touches nothing else', () => {
    const all = flatNodes(5);
    const map = placed(all, 64, 2);
    const nodes = all.with(2, { ...all[2], state: 'down' });
    const { moves, short } = planMoves({ map, nodes, replicas: 2, scope: 'repair' });
    const lost = map.shards.filter((shard) => replicaSet(shard).includes(all[2].id));
    expect(new Set(moves.map(({ shard }) => shard))).toEqual(new Set(lost.map(({ id }) => id)));
    expect(moves.every(({ reason, toPrimary }) => reason === 'repair' && !toPrimary)).toBe(true);
    expect(short).toEqual([]);
  });

  it('keeps a draining node where no other could take its copies, but not as primary', () => {
    const all = flatNodes(2);
    const map = placed(all, 4, 1);
    const nodes = all.with(0, { ...all[0], state: 'draining' });
    const { moves, short } = planMoves({ map, nodes, replicas: 1, scope: 'repair' });
    expect(moves.every(({ reason }) => reason === 'switch')).toBe(true);
    const after = mapAfter(map, moves);
    expect(after.shards.map(({ primary }) => primary)).toEqual(Array(4).fill(all[1].id));
    expect(short).toEqual([]);
  });

  it('leaves shards that nobody holds any more to those who promote', () => {
    const all = flatNodes(3);
    const map = placed(all, 9, 0);
    const nodes = all.with(1, { ...all[1], state: 'down' });
    const { moves, short } = planMoves({ map, nodes, replicas: 0, scope: 'rebalance' });
    expect([moves, short]).toEqual([[], []]);
  });

  it('adds and drops copies when their number changes', () => {
    const nodes = flatNodes(4);
    const map = placed(nodes, 16, 1);
    const more = mapAfter(map, planMoves({ map, nodes, replicas: 2, scope: 'repair' }).moves);
    expect(more.shards.every((shard) => replicaSet(shard).length === 3)).toBe(true);
    const fewer = planMoves({ map, nodes, replicas: 0, scope: 'repair' });
    expect(fewer.moves.every(({ to }) => to === null)).toBe(true);
    expect(mapAfter(map, fewer.moves).shards.every(({ replicas }) => replicas.length === 0)).toBe(
      true,
    );
  });
});

describe('a plan by loads', () => {
  const loadsArbitrary = fc.array(
    fc.record({
      bytes: fc.integer({ min: 0, max: 64 * 1024 * 1024 }),
      opsPerSecond: fc.integer({ min: 0, max: 2000 }),
    }),
    { minLength: 64, maxLength: 64 },
  );

  it('brings the fullest node to its ideal and the largest shard, and then rests', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 8 }), loadsArbitrary, (count, drawn) => {
        const nodes = flatNodes(count);
        const map = placed(nodes, 64, 1);
        const loads = new Map(map.shards.map(({ id }) => [id, drawn[id]]));
        const after = rebalanced({ map, nodes, replicas: 1, loads });
        expectSpread(after, nodes, 1);
        const bytes = drawn.map((load) => load.bytes + 1024 * 1024);
        const total = bytes.reduce((sum, size) => sum + size, 0);
        for (const { id } of nodes) {
          const held = after.shards
            .filter((shard) => replicaSet(shard).includes(id))
            .reduce((sum, shard) => sum + bytes[shard.id], 0);
          expect(held).toBeLessThanOrEqual(((2 * total) / count) * 1.05 + Math.max(...bytes));
        }
        expect(
          planMoves({ map: after, nodes, replicas: 1, loads, scope: 'rebalance' }).moves,
        ).toEqual([]);
      }),
      { numRuns: 50 },
    );
  });

  it('takes large shards off a node that has all of them, though it has no more than others', () => {
    const nodes = flatNodes(4);
    const map = placed(nodes, 64, 0);
    const heavy = map.shards.filter(({ primary }) => primary === nodes[0].id);
    const loads = new Map(
      map.shards.map(({ id }) => [
        id,
        { bytes: heavy.some((shard) => shard.id === id) ? 2 ** 30 : 2 ** 24, opsPerSecond: 100 },
      ]),
    );
    const after = rebalanced({ map, nodes, replicas: 0, loads });
    const heavyOn = nodes.map(
      ({ id }) => heavy.filter((shard) => after.shards[shard.id].primary === id).length,
    );
    expect(Math.max(...heavyOn) - Math.min(...heavyOn)).toBeLessThanOrEqual(1);
    expect(planMoves({ map, nodes, replicas: 0, scope: 'rebalance' }).moves).toEqual([]);
  });

  it('leaves alone what differs by little', () => {
    const nodes = flatNodes(4);
    const map = placed(nodes, 64, 1);
    const loads = new Map(
      map.shards.map(({ id }) => [
        id,
        { bytes: 2 ** 26 + (id % 3) * 2 ** 20, opsPerSecond: 1000 + (id % 5) },
      ]),
    );
    expect(planMoves({ map, nodes, replicas: 1, loads, scope: 'rebalance' }).moves).toEqual([]);
  });
});
