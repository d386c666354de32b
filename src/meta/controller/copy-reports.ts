/**
 * What a node has said last of its copy of a shard, with its heartbeat.
 */
import {
  asEpoch,
  type Epoch,
  type NodeId,
  type ShardId,
  type ShardReport,
} from '../../cluster/index.ts';
import type { LoopView } from './loop.ts';

/**
 * @param mapEpochMin the node is to have said it by this map, or by a newer one. A shard may leave a
 *   node and come back in the same epoch, with another copy: then its last words may still be about
 *   the copy that it had before.
 */
export function reportOf(
  lives: LoopView['lives'],
  node: NodeId,
  shard: ShardId,
  mapEpochMin: Epoch = asEpoch(0),
): ShardReport | undefined {
  const heartbeat = lives.heartbeatOf(node);
  if (heartbeat === undefined || heartbeat.mapEpoch < mapEpochMin) return undefined;
  return heartbeat.shards.find((report) => report.shard === shard);
}
