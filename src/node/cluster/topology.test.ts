import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asEpoch,
  SLOT_COUNT,
  type MapNode,
  type NodeId,
  type ShardMap,
} from '../../cluster/index.ts';
import { factsOf, idOf, mapOf } from './test-support.ts';
import { infoFields, nodeLines, replicaLines, slotRanges, type Topology } from './topology.ts';

const IDS = ['a', 'b', 'c', 'd'].map(idOf);
const NODES = new Map<NodeId, MapNode>(
  ['a', 'b', 'c', 'd'].map((digit, index) => [idOf(digit), factsOf(digit, 7400 + index)]),
);

const maps: fc.Arbitrary<ShardMap> = fc
  .array(fc.tuple(fc.shuffledSubarray(IDS), fc.integer({ min: 0, max: 9 })), {
    minLength: 1,
    maxLength: 50,
  })
  .map((picks) => {
    const map = mapOf(
      9,
      picks.map(([[first]]) => first ?? null),
    );
    const shards = map.shards.map((shard, index) => {
      const [[, ...replicas], epoch] = picks[index];
      return { ...shard, replicas, epoch: asEpoch(epoch) };
    });
    return { ...map, shards };
  });

function topologyOf(map: ShardMap): Topology {
  return { self: IDS[0], map, nodes: NODES, isOpen: true };
}

/** Slots from words such as `0-99` and `7`. */
function slotsOf(words: readonly string[]): number[] {
  return words.flatMap((word) => {
    const [first, last = first] = word.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

describe('the topology', () => {
  test('gives each slot the nodes of its shard, in SLOTS and in NODES', () => {
    fc.assert(
      fc.property(maps, (map) => {
        const topology = topologyOf(map);
        const nodesBySlot = Array.from({ length: SLOT_COUNT }, () => '');
        for (const { first, last, nodes } of slotRanges(topology, [])) {
          nodesBySlot.fill(nodes.map(({ id }) => id).join(), first, last + 1);
        }
        const primaryBySlot = Array.from({ length: SLOT_COUNT }, () => '');
        for (const line of nodeLines(topology).trimEnd().split('\n')) {
          const [id, at, flags, , , , epoch, link, ...ranges] = line.split(' ');
          expect(at).toMatch(/^127\.0\.0\.1:740\d@1740\d$/);
          expect(flags.startsWith('myself,')).toBe(id === IDS[0]);
          expect(link).toBe('connected');
          const own = map.shards.filter(({ primary }) => primary === id);
          expect(Number(epoch)).toBe(Math.max(0, ...own.map((shard) => shard.epoch)));
          for (const slot of slotsOf(ranges)) primaryBySlot[slot] = id;
        }
        for (const { slotFirst, slotLast, primary, replicas } of map.shards) {
          const all = primary === null ? '' : [primary, ...replicas].join();
          for (const slot of [slotFirst, slotLast]) {
            expect(nodesBySlot[slot]).toBe(all);
            expect(primaryBySlot[slot]).toBe(primary ?? '');
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('shows a node without slots as the replica of one that it follows', () => {
    fc.assert(
      fc.property(maps, (map) => {
        const topology = topologyOf(map);
        for (const line of nodeLines(topology).trimEnd().split('\n')) {
          const [id, , flags, master] = line.split(' ');
          const follows = map.shards.some(
            ({ primary, replicas }) => primary === master && replicas.some((it) => it === id),
          );
          const leads = map.shards.some(({ primary }) => primary === id);
          if (flags.includes('slave')) expect([leads, follows]).toEqual([false, true]);
          else expect(master).toBe('-');
        }
        for (const id of IDS) {
          const expected = IDS.filter((other) =>
            map.shards.some(({ primary, replicas }) => primary === id && replicas.includes(other)),
          );
          const found = replicaLines(topology, id)?.map((line) => line.split(' ')[0]);
          expect(found).toEqual(expected);
        }
        expect(replicaLines(topology, 'nobody')).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });

  test('leaves out nodes that are down, and says so', () => {
    const down: MapNode = { ...factsOf('b', 7401), state: 'down' };
    const nodes = new Map(NODES).set(IDS[1], down);
    const map = mapOf(3, [IDS[0], null], [IDS[1]]);
    const topology = { ...topologyOf(map), nodes };
    expect(slotRanges(topology, [])).toEqual([
      { first: 0, last: 8191, nodes: [NODES.get(IDS[0])] },
    ]);
    expect(nodeLines(topology)).toContain(' slave,fail ');
    const info = new Map(infoFields(topology));
    expect(info.get('cluster_state')).toBe('fail');
    expect(info.get('cluster_slots_ok')).toBe(8192);
    expect(info.get('cluster_slots_fail')).toBe(8192);
  });
});
