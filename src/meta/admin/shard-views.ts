/** What is shown of shards and of moves. */
import {
  holders,
  roleOf,
  clusterSettingsSchema,
  LAG_UNKNOWN_MS,
  METADATA_KEYS,
  nodeRecordSchema,
  type HeartbeatCall,
  type Move,
  type NodeId,
  type NodeRecord,
  type Shard,
  type ShardId,
  type ShardReport,
} from '../../cluster/index.ts';
import type { Stored } from './draft.ts';
import type { Reading } from './handlers.ts';
import type { CopyView, MoveView, ShardView } from './views.ts';

export type Nodes = ReadonlyMap<NodeId, NodeRecord>;

/** What views of shards are made with: read once for all of them. */
export interface Surroundings {
  readonly nodes: Nodes;
  /** That each shard is to have beside its primary. */
  readonly replicas: number;
}

export function readSurroundings({ draft }: Pick<Reading, 'draft'>): Surroundings {
  const nodes = draft.readAll(METADATA_KEYS.nodes, nodeRecordSchema);
  const settings = draft.read(METADATA_KEYS.settings, clusterSettingsSchema);
  return {
    nodes: new Map(nodes.map(({ value }) => [value.id, value])),
    replicas: settings?.value.replicas ?? 0,
  };
}

export function shardView(
  context: Reading,
  { value: shard, revision }: Stored<Shard>,
  { nodes, replicas }: Surroundings,
): ShardView {
  const copies = holders(shard).map((node) => copyView(context, shard, node, nodes));
  const report = shard.primary === null ? undefined : reportOf(context, shard.primary, shard.id);
  const primary = copies.find(({ role }) => role === 'primary');
  const isWhole =
    shard.replicas.length >= replicas &&
    copies.every(({ role, isAlive, isCaughtUp }) => role === 'learner' || (isAlive && isCaughtUp));
  const isServed = primary?.isAlive ?? false;
  return {
    ...shard,
    health: isServed ? (isWhole ? 'healthy' : 'degraded') : 'down',
    bytes: report?.bytes ?? 0,
    items: report?.items ?? 0,
    opsPerSecond: report?.opsPerSecond ?? 0,
    copies,
    revision,
  };
}

/** By shard; made once for each heartbeat, since there may be thousands of shards in it. */
const reports = new WeakMap<HeartbeatCall, ReadonlyMap<ShardId, ShardReport>>();

/** What the node has last said of its copy. */
export function reportOf(
  { host }: Pick<Reading, 'host'>,
  node: NodeId,
  shard: ShardId,
): ShardReport | undefined {
  const heartbeat = host.lifeOf(node)?.heartbeat;
  if (heartbeat === undefined) return undefined;
  let byShard = reports.get(heartbeat);
  if (byShard === undefined) {
    byShard = new Map(heartbeat.shards.map((report) => [report.shard, report]));
    reports.set(heartbeat, byShard);
  }
  return byShard.get(shard);
}

function copyView(context: Reading, shard: Shard, node: NodeId, nodes: Nodes): CopyView {
  const report = reportOf(context, node, shard.id);
  const role = roleOf(shard, node) ?? 'learner';
  return {
    node,
    name: nodes.get(node)?.name ?? node,
    role,
    isAlive: context.host.lifeOf(node)?.isAlive ?? false,
    offset: report?.offset ?? null,
    lagBytes: report?.lagBytes ?? null,
    lagMs: report === undefined || report.lagMs === LAG_UNKNOWN_MS ? null : report.lagMs,
    isCaughtUp: role === 'primary' || (report?.isCaughtUp ?? false),
  };
}

export function moveView(
  context: Reading,
  { value: move, revision }: Stored<Move>,
  nodes: Nodes,
): MoveView {
  const nameOf = (node: NodeId | null) => (node === null ? null : (nodes.get(node)?.name ?? node));
  const report = move.to === null ? undefined : reportOf(context, move.to, move.shard);
  const copiedBytes = report?.copiedBytes ?? 0;
  const totalBytes = Math.max(report?.copyTotalBytes ?? expectedBytes(context, move), copiedBytes);
  const elapsedMs = context.nowMs - move.createdAtMs;
  const isCopying = move.phase === 'copying' && copiedBytes > 0 && !move.isPaused;
  const etaMs = isCopying
    ? Math.round((elapsedMs * (totalBytes - copiedBytes)) / copiedBytes)
    : null;
  return {
    ...move,
    fromName: nameOf(move.from),
    toName: nameOf(move.to),
    oldPrimaryName: nameOf(move.oldPrimary ?? null),
    copiedBytes,
    totalBytes,
    lagBytes: report?.lagBytes ?? 0,
    etaMs: etaMs === null ? null : Math.max(0, etaMs),
    revision,
  };
}

/** What a move that has not begun is going to copy, by what the source has. */
function expectedBytes(context: Reading, { phase, from, shard }: Move): number {
  if (phase !== 'pending' || from === null) return 0;
  return reportOf(context, from, shard)?.bytes ?? 0;
}
