import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_SHARD_MAP, SLOT_COUNT, type MapNode, type NodeId } from '../../cluster/index.ts';
import { Farewells } from './farewells.ts';
import { factsOf, idOf, mapOf } from './test-support.ts';
import { slotRanges, type Topology } from './topology.ts';

const DIGITS = ['a', 'b', 'c', 'd'];
const IDS = DIGITS.map(idOf);
const SHARDS = 4;
const SECOND_US = 1_000_000;
const FAREWELL_US = 30 * SECOND_US;

const nodes: fc.Arbitrary<ReadonlyMap<NodeId, MapNode>> = fc
  .subarray(DIGITS, { maxLength: 2 })
  .map((down) => {
    const all = DIGITS.map((digit, index): MapNode => {
      const state = down.includes(digit) ? 'down' : 'up';
      return { ...factsOf(digit, 7400 + index), state };
    });
    return new Map(all.map((node) => [node.id, node]));
  });

const sets = fc.array(fc.shuffledSubarray(IDS, { maxLength: 3 }), {
  minLength: SHARDS,
  maxLength: SHARDS,
});

const topologies: fc.Arbitrary<Topology> = fc.record({
  self: fc.constant(IDS[0]),
  isOpen: fc.constant(true),
  nodes,
  map: sets.map((all) => {
    const primaries = all.map(([primary]) => primary ?? null);
    const map = mapOf(1, primaries);
    const shards = map.shards.map((shard, index) => ({ ...shard, replicas: all[index].slice(1) }));
    return { ...map, shards };
  }),
});

const course = fc.array(
  fc.record({
    afterUs: fc.constantFrom(0, SECOND_US, 20 * SECOND_US, FAREWELL_US),
    topology: topologies,
  }),
  { maxLength: 8 },
);

type Ranges = ReturnType<typeof slotRanges>;

/** By slot, the ids of its nodes, the primary's first; no range may be empty or lie over another. */
function bySlot(ranges: Ranges): string[][] {
  const slots = Array.from({ length: SLOT_COUNT }, (): string[] => []);
  let next = 0;
  for (const { first, last, nodes: all } of ranges) {
    expect(first).toBeGreaterThanOrEqual(next);
    expect(last).toBeGreaterThanOrEqual(first);
    next = last + 1;
    const ids = all.map(({ id }) => id);
    slots.fill(ids, first, next);
  }
  return slots;
}

/** Which nodes clients send anything to, by what the map says. */
function used({ map }: Pick<Topology, 'map'>): { writes: Set<NodeId>; reads: Set<NodeId> } {
  const served = map.shards.filter(({ primary }) => primary !== null);
  return {
    writes: new Set(served.flatMap(({ primary }) => primary ?? [])),
    reads: new Set(served.flatMap(({ primary, replicas }) => [primary ?? [], replicas].flat())),
  };
}

describe('CLUSTER SLOTS', () => {
  test('names a node until it is out of use for 30 s, for one slot that is wrong at most', () => {
    fc.assert(
      fc.property(course, (steps) => {
        const farewells = new Farewells();
        /** By node that has been up since: when the last use ended that was made of it. */
        const endedUs = new Map<NodeId, number>();
        let before: Pick<Topology, 'map'> = { map: EMPTY_SHARD_MAP };
        let nowUs = 0;
        for (const { afterUs, topology } of steps) {
          nowUs += afterUs;
          farewells.mapChanged(before.map, topology, nowUs);
          const [was, is] = [used(before), used(topology)];
          for (const { id, state } of topology.nodes.values()) {
            const hasEnded =
              (was.writes.has(id) && !is.writes.has(id)) ||
              (was.reads.has(id) && !is.reads.has(id));
            if (hasEnded) endedUs.set(id, nowUs);
            if (state === 'down' || is.writes.has(id)) endedUs.delete(id);
          }
          before = topology;
          const leaving = [...endedUs].filter(([, atUs]) => nowUs - atUs < FAREWELL_US);
          const right = bySlot(slotRanges(topology, []));
          const told = bySlot(slotRanges(topology, farewells.next(nowUs)));
          const wrong = told.filter((ids, slot) => ids[0] !== right[slot][0]);
          const isServed = right.some((ids) => ids.length > 0);
          const expected = isServed ? leaving.map(([id]) => id) : [];
          expect(wrong.map(([id]) => id).toSorted()).toEqual(expected.toSorted());
        }
      }),
      { numRuns: 200 },
    );
  });

  test('is wrong about another slot in each answer, in which the true nodes follow', () => {
    const [a, b, c] = IDS;
    const all = new Map(
      IDS.map((id, index): [NodeId, MapNode] => [id, factsOf(DIGITS[index], 7400 + index)]),
    );
    const topology = { self: a, isOpen: true, nodes: all, map: mapOf(2, [b, b], [c]) };
    const farewells = new Farewells();
    farewells.mapChanged(mapOf(1, [a, b], [c]), topology, 0);
    const slots = Array.from({ length: 1000 }, () => {
      const told = bySlot(slotRanges(topology, farewells.next(SECOND_US)));
      const slot = told.findIndex(([id]) => id === a);
      expect(told[slot]).toEqual([a, b, c]);
      return slot;
    });
    expect(new Set(slots).size).toBe(1000);
  });
});
