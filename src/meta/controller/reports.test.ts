import { expect, it } from 'vitest';
import { asEpoch, asShardId, nodeIdOfName, type ReportCall } from '../../cluster/index.ts';
import { Reports } from './reports.ts';

const node = nodeIdOfName('n1');

function report(id: number, shard: number, offset: number): ReportCall {
  const positions = [{ shard: asShardId(shard), epoch: asEpoch(3), offset }];
  return { id, nodeId: node, positions };
}

it('keeps what a node has said of each shard under one id, the newest of each', () => {
  const reports = new Reports();
  reports.add(report(7, 1, 100));
  reports.add(report(7, 2, 200));
  reports.add(report(7, 1, 150));
  reports.add(report(8, 1, 999));
  const positions = reports.to(7).get(node)?.positions ?? [];
  expect(new Map(positions.map(({ shard, offset }) => [Number(shard), offset]))).toEqual(
    new Map([
      [1, 150],
      [2, 200],
    ]),
  );
});

it('knows nothing of a node whose memory is gone', () => {
  const reports = new Reports();
  reports.add(report(7, 1, 100));
  reports.forget(node);
  expect(reports.to(7).has(node)).toBe(false);
});
