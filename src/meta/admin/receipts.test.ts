import fc from 'fast-check';
import { expect, test } from 'vitest';
import { METADATA_KEYS, receiptSchema, type Receipt } from '../../cluster/index.ts';
import { put } from '../controller/map-commit.ts';
import { idOf } from '../test-support.ts';
import { AdminWorld } from './test-support.ts';

const SHARDS = 4;
const TIME_MS_MAX = 20;

const receipts = fc.uniqueArray(
  fc
    .record({
      epoch: fc.integer({ min: 2, max: 30 }),
      shard: fc.integer({ min: 0, max: SHARDS - 1 }),
      atMs: fc.integer({ min: 0, max: TIME_MS_MAX }),
      kind: fc.constantFrom('failover', 'switch'),
    })
    .map((drawn): Receipt =>
      receiptSchema.parse({
        ...drawn,
        oldPrimary: idOf('a'),
        newPrimary: idOf('b'),
        ...{ offsetOld: 0, offsetNew: 0, bytesAtRisk: 0, writesAtRisk: 0, msAtRisk: 0 },
      }),
    ),
  { selector: ({ epoch, shard }) => `${epoch}/${shard}`, maxLength: 20 },
);

const optional = (max: number) => fc.option(fc.integer({ min: 0, max }), { nil: undefined });

test('receipts are listed by shard and time, the newest epochs first, as many as are asked for', () => {
  fc.assert(
    fc.property(
      receipts,
      optional(SHARDS - 1),
      optional(TIME_MS_MAX),
      fc.integer({ min: 1, max: 25 }),
      (all, shard, sinceMs, limit) => {
        const world = new AdminWorld();
        world.commit({
          compares: [],
          changes: all.map((receipt) =>
            put(METADATA_KEYS.receipt(receipt.epoch, receipt.shard), receipt),
          ),
        });
        const input = {
          limit,
          ...(shard === undefined ? {} : { shard }),
          ...(sinceMs === undefined ? {} : { sinceMs }),
        };
        const expected = all
          .filter((receipt) => shard === undefined || receipt.shard === shard)
          .filter(({ atMs }) => atMs >= (sinceMs ?? 0))
          .toSorted((one, other) => other.epoch - one.epoch || other.shard - one.shard)
          .slice(0, limit)
          .map(({ epoch, shard: id }) => [epoch, id]);
        const listed = world.call('receipt.list', input).receipts;
        expect(listed.map(({ epoch, shard: id }) => [epoch, id])).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
});
