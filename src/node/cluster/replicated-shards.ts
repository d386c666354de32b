/**
 * The shards of a node, by replication: what the rest of the node asks about them and has done with
 * them, in the words of the leader's pushes.
 */
import type {
  MapNode,
  NodeId,
  Push,
  ShardId,
  ShardMap,
  ShardPosition,
  ShardReport,
} from '../../cluster/index.ts';
import { asEpoch, LAG_UNKNOWN_MS, replicaSet, roleOf } from '../../cluster/index.ts';
import type { Replication, StreamPosition } from '../replication/index.ts';
import type { ReportPositions } from './meta-link.ts';

/** Of a copy: how far it is, and how far behind. */
export type ShardProgress = Pick<
  ShardReport,
  | 'epoch'
  | 'offset'
  | 'isCaughtUp'
  | 'lagBytes'
  | 'lagMs'
  | 'copiedBytes'
  | 'copyTotalBytes'
  | 'writes'
>;

const NOTHING: ShardProgress = Object.freeze({
  epoch: asEpoch(0),
  offset: 0,
  isCaughtUp: false,
  lagBytes: 0,
  lagMs: LAG_UNKNOWN_MS,
  copiedBytes: 0,
  copyTotalBytes: 0,
  writes: 0,
});

export class ReplicatedShards {
  readonly replication: Replication;
  readonly #nowUs: () => number;

  constructor(replication: Replication, nowUs: () => number) {
    this.replication = replication;
    this.#nowUs = nowUs;
  }

  /** The node routes by this map from now on. */
  mapChanged(map: ShardMap, nodes: ReadonlyMap<NodeId, MapNode>): void {
    const addresses = new Map(
      [...nodes].map(([id, { host, replicationPort: port }]) => [id, { host, port }]),
    );
    this.replication.applyMap(map, addresses);
  }

  progressOf(shard: ShardId): ShardProgress {
    const held = this.replication.held(shard);
    if (held === undefined) return NOTHING;
    const { copiedBytes, copyTotalBytes, writes, backlog } = held;
    const common = { ...held.position, copiedBytes, copyTotalBytes, writes };
    if (held.role === 'primary') {
      const acked = held.slowestAck;
      const isAlone = !held.isWatched;
      const waitingUs = isAlone ? 0 : held.marks.waitingUs(acked, backlog.end, this.#nowUs());
      const lagBytes = isAlone ? 0 : backlog.end - acked;
      return { ...common, isCaughtUp: true, lagBytes, lagMs: Math.round(waitingUs / 1000) };
    }
    const staleUs = this.#nowUs() - held.freshAtUs;
    return {
      ...common,
      isCaughtUp: held.isWhole,
      lagBytes: held.lagBytes,
      lagMs: Number.isFinite(staleUs) ? Math.round(staleUs / 1000) : LAG_UNKNOWN_MS,
    };
  }

  /** Takes nothing of these shards any more from a primary of an epoch below. */
  seal({ shards, epoch }: Push<'seal'>, answer: ReportPositions): void {
    answer(this.replication.seal(shards, epoch).map(({ shard, ...at }) => positionOf(shard, at)));
  }

  /** The shard is held back from now on, and stays where it is; undefined where it is not held. */
  freeze(shard: ShardId): ShardPosition | undefined {
    const held = this.replication.held(shard);
    if (held === undefined) return undefined;
    held.isFrozen = true;
    // Clients wait until the target has all of it.
    this.replication.hurry();
    return positionOf(shard, held.position);
  }

  thaw(shard: ShardId): void {
    const held = this.replication.held(shard);
    if (held !== undefined) held.isFrozen = false;
  }

  /** False while what is left of an earlier time is being removed. */
  isReady(shard: ShardId): boolean {
    return this.replication.held(shard)?.isClearing !== true;
  }

  throttle({ shard, bytesPerSecond }: Push<'throttle'>): void {
    this.replication.setThrottle(shard, bytesPerSecond);
  }
}

function positionOf(shard: ShardId, { epoch, offset }: StreamPosition): ShardPosition {
  return { shard, epoch, offset };
}

/**
 * The part of a node's memory that its own records may take, so that the copies it holds have room:
 * each shard may take what the poorest of its holders has for it.
 */
export function ownShareOf(
  map: ShardMap,
  nodes: ReadonlyMap<NodeId, MapNode>,
  self: NodeId,
): number {
  const held = new Map<NodeId, number>();
  for (const shard of map.shards) {
    for (const node of replicaSet(shard)) held.set(node, (held.get(node) ?? 0) + 1);
  }
  const partOf = (node: NodeId): number =>
    (nodes.get(node)?.memoryBytes ?? 0) / (held.get(node) ?? 1);
  let ownBytes = 0;
  for (const shard of map.shards) {
    if (roleOf(shard, self) !== 'primary') continue;
    ownBytes += Math.min(...replicaSet(shard).map((node) => partOf(node)));
  }
  const memoryBytes = nodes.get(self)?.memoryBytes ?? 0;
  return memoryBytes === 0 ? 1 : Math.min(1, ownBytes / memoryBytes);
}
