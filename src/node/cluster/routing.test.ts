import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asEpoch,
  asNodeId,
  asShardId,
  roleOf,
  shardSlots,
  SLOT_COUNT,
  type MapNode,
  type NodeId,
  type Shard,
  type ShardMap,
} from '../../cluster/index.ts';
import { DUTY, Routing } from './routing.ts';

const IDS = ['a', 'b', 'c', 'd'].map((digit) => asNodeId(digit.repeat(40)));
const [SELF] = IDS;

function nodeOf(id: NodeId, index: number): MapNode {
  return {
    id,
    name: `n${index}`,
    host: '127.0.0.1',
    port: 7400 + index,
    replicationPort: 17_400 + index,
    zone: 'z1',
    machine: 'm1',
    weight: 1,
    memoryBytes: 1024 ** 2,
    bootId: '0'.repeat(16),
    version: '0',
  };
}

const NODES = IDS.map(nodeOf);

/** Any sound map over some of four nodes, shards without a primary among them. */
const maps: fc.Arbitrary<ShardMap> = fc.integer({ min: 1, max: 40 }).chain((count) =>
  fc
    .array(
      fc.tuple(
        fc.shuffledSubarray(IDS, { minLength: 1 }),
        fc.integer({ min: 0, max: 3 }),
        fc.boolean(),
      ),
      { minLength: count, maxLength: count },
    )
    .map((picks) => ({
      epoch: asEpoch(9),
      shards: shardSlots(count).map((slots, index): Shard => {
        const [[first, ...rest], learners, isServed] = picks[index];
        return {
          id: asShardId(index),
          ...slots,
          primary: isServed ? first : null,
          replicas: rest.slice(learners),
          learners: rest.slice(0, learners),
          epoch: asEpoch(4),
        };
      }),
    })),
);

const slot = fc.integer({ min: 0, max: SLOT_COUNT - 1 });

describe('routing', () => {
  test('serves, redirects or refuses as the map, the lease and the client say', () => {
    fc.assert(
      fc.property(
        maps,
        slot,
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        (map, at, isWrite, takesStale, isLeased, isLeaseDue, isFresh, isFrozen) => {
          const routing = new Routing(SELF);
          routing.apply(map, NODES);
          const shard = map.shards.find((one) => one.slotFirst <= at && at <= one.slotLast);
          if (shard === undefined) throw new Error('a map covers all slots');
          routing.setFrozen(shard.id, isFrozen);
          const verdict = routing.decide(
            at,
            { isWrite, takesStale },
            { isLeased, isLeaseDue, staleMs: () => (isFresh ? 10 : 11), staleMsMax: 10 },
          );
          const staleRead = takesStale && !isWrite;
          const role = roleOf(shard, SELF);
          const primary = NODES.find(({ id }) => id === shard.primary);
          const moved =
            primary === undefined
              ? 'CLUSTERDOWN Hash slot not served'
              : `MOVED ${at} 127.0.0.1:${primary.port}`;
          if (role === 'primary' && isLeased) {
            const kind = isFrozen && !staleRead ? 'hold' : 'serve';
            expect(verdict.kind).toBe(kind);
          } else if ((role === 'primary' || role === 'replica') && staleRead && isFresh) {
            expect(verdict.kind).toBe('serve');
          } else if (role === 'primary' && isLeaseDue) {
            expect(verdict).toEqual({ kind: 'hold', shard: shard.id });
          } else {
            const text = role === 'primary' ? 'CLUSTERDOWN The cluster is down' : moved;
            expect(verdict).toEqual({ kind: 'refuse', text });
          }
          expect(routing.duties[routing.shardBySlot[at]] === DUTY.primary).toBe(
            role === 'primary' && !isFrozen,
          );
          expect(routing.isPrimaryOf(at)).toBe(role === 'primary');
        },
      ),
      { numRuns: 500 },
    );
  });

  test('is down for every slot before there is a map', () => {
    const routing = new Routing(SELF);
    const standing = { isLeased: true, isLeaseDue: false, staleMs: () => 0, staleMsMax: 10 };
    const verdict = routing.decide(5, { isWrite: false, takesStale: true }, standing);
    expect(verdict).toEqual({ kind: 'refuse', text: 'CLUSTERDOWN The cluster is down' });
    expect(routing.isPrimaryOf(5)).toBe(false);
  });

  test('keeps the counts of operations over a change of the map', () => {
    fc.assert(
      fc.property(maps, (map) => {
        const routing = new Routing(SELF);
        routing.apply(map, NODES);
        routing.operations[0] = 7;
        routing.apply({ ...map, epoch: asEpoch(10) }, NODES);
        expect(routing.operations[0]).toBe(7);
      }),
      { numRuns: 20 },
    );
  });
});
