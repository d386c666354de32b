/** The cluster as a whole: how it is, what happened in it, and all of it as a snapshot. */
import {
  auditEventSchema,
  clusterSettingsSchema,
  isMoveOver,
  METADATA_KEYS,
  moveSchema,
  receiptSchema,
  rolloutSchema,
  shardSchema,
  type AuditEvent,
  type NodeId,
} from '../../cluster/index.ts';
import { notFound, type Reading, type ReadHandlers } from './handlers.ts';
import { epochOf } from './moves.ts';
import { nodeViews } from './nodes.ts';
import { readSurroundings, shardView } from './shard-views.ts';
import type { OperationInput } from './schemas.ts';
import type {
  ClusterStatus,
  EventView,
  NodeView,
  PeerView,
  ReceiptView,
  ShardView,
} from './views.ts';

export const clusterReads = {
  'cluster.status': (context) => status(context),
  'cluster.settings': ({ draft, revision }) => {
    const settings = draft.read(METADATA_KEYS.settings, clusterSettingsSchema);
    if (settings === undefined) {
      throw notFound('cluster yet', 'It is created as soon as the meta peers have a leader.');
    }
    return { settings: settings.value, revision };
  },
  'event.list': ({ draft, revision }, { limit, before = Infinity, ...wanted }) => {
    const events: EventView[] = [];
    for (const { key, value, modRevision } of draft.list(METADATA_KEYS.events).toReversed()) {
      if (events.length === limit) break;
      if (Number(key.slice(METADATA_KEYS.events.length)) >= before) continue;
      const event = auditEventSchema.parse(JSON.parse(value));
      if (isWanted(event, wanted)) events.push({ ...event, revision: modRevision });
    }
    return { events, revision };
  },
  'receipt.list': (context, { limit, shard, sinceMs = 0 }) => {
    const { draft, revision } = context;
    const { nodes } = readSurroundings(context);
    const nameOf = (id: NodeId | null) => (id === null ? null : (nodes.get(id)?.name ?? id));
    const receipts: ReceiptView[] = [];
    // There may be thousands: none is parsed that is not looked for.
    for (const { key, value } of draft.list(METADATA_KEYS.receipts).toReversed()) {
      if (receipts.length === limit) break;
      if (shard !== undefined && shardOfReceipt(key) !== shard) continue;
      const receipt = receiptSchema.parse(JSON.parse(value));
      if (receipt.atMs < sinceMs) continue;
      receipts.push({
        ...receipt,
        oldPrimaryName: nameOf(receipt.oldPrimary),
        newPrimaryName: nameOf(receipt.newPrimary),
      });
    }
    return { receipts, revision };
  },
  'meta.peers': ({ host }) => ({ peers: [...host.peers()] }),
  'meta.snapshot': ({ draft, host, revision }) => {
    const settings = draft.read(METADATA_KEYS.settings, clusterSettingsSchema);
    const entries = host.store.view().list('');
    return { clusterId: settings?.value.id ?? '', revision, entries: [...entries] };
  },
} satisfies Partial<ReadHandlers>;

/** Times are of the leaders' clocks, which may differ: an older event may follow a newer one. */
function isWanted(
  event: AuditEvent,
  wanted: Pick<OperationInput<'event.list'>, 'operation' | 'subject' | 'sinceMs'>,
): boolean {
  const { operation = event.operation, subject = event.subject, sinceMs = 0 } = wanted;
  const isOfKind = event.operation === operation || event.operation.startsWith(`${operation}.`);
  return isOfKind && event.subject === subject && event.atMs >= sinceMs;
}

function shardOfReceipt(key: string): number {
  return Number(key.slice(key.lastIndexOf('/') + 1));
}

function status(context: Reading): ClusterStatus {
  const { draft, host, revision } = context;
  const settings = draft.read(METADATA_KEYS.settings, clusterSettingsSchema)?.value;
  const surroundings = readSurroundings(context);
  const nodes = nodeViews(context);
  const peers = [...host.peers()];
  const shards = draft
    .readAll(METADATA_KEYS.shards, shardSchema)
    .map((shard) => shardView(context, shard, surroundings));
  const moves = draft
    .readAll(METADATA_KEYS.moves, moveSchema)
    .filter(({ value }) => !isMoveOver(value));
  const rollouts = draft
    .readAll(METADATA_KEYS.rollouts, rolloutSchema)
    .filter(({ value: { phase } }) => phase !== 'done' && phase !== 'rolled-back');
  const alive = nodes.filter(({ isAlive }) => isAlive);
  const sum = (numberOf: (node: NodeView) => number) =>
    alive.reduce((total, node) => total + numberOf(node), 0);
  const counts = countHealth(shards);
  const problems = [...problemsOf(peers, nodes, shards)];
  const isDown = counts.down > 0 || (shards.length === 0 && nodes.length > 0);
  return {
    clusterId: settings?.id ?? '',
    health: isDown ? 'down' : problems.length > 0 ? 'degraded' : 'healthy',
    problems,
    epoch: epochOf(draft),
    revision,
    leader: peers.find(({ role }) => role === 'leader')?.name ?? null,
    peers,
    nodes,
    shards: counts,
    tenants: draft.list(METADATA_KEYS.tenants).length,
    namespaces: draft.list(METADATA_KEYS.namespaces).length,
    moves: {
      active: moves.filter(({ value }) => !value.isPaused).length,
      paused: moves.filter(({ value }) => value.isPaused).length,
    },
    rollouts: rollouts.length,
    memory: {
      usedBytes: sum(({ usedBytes }) => usedBytes),
      capacityBytes: sum(({ memoryBytes }) => memoryBytes),
    },
    opsPerSecond: sum(({ opsPerSecond }) => opsPerSecond),
  };
}

function countHealth(shards: readonly ShardView[]): ClusterStatus['shards'] {
  const counts = { total: shards.length, healthy: 0, degraded: 0, down: 0 };
  for (const { health } of shards) counts[health]++;
  return counts;
}

const NAMES_SHOWN = 5;

function* problemsOf(
  peers: readonly PeerView[],
  nodes: readonly NodeView[],
  shards: readonly ShardView[],
): Iterable<string> {
  const silent = peers.filter(({ isReachable }) => !isReachable).map(({ name }) => name);
  if (silent.length > 0)
    yield `${countOf(silent.length, 'meta peer')} cannot be reached: ${few(silent)}`;
  const dead = nodes.filter(({ isAlive }) => !isAlive).map(({ name }) => name);
  if (dead.length > 0) yield `${countOf(dead.length, 'node')} down: ${few(dead)}`;
  const named = (health: ShardView['health']) =>
    shards.filter((shard) => shard.health === health).map(({ id }) => String(id));
  const down = named('down');
  if (down.length > 0) yield `${countOf(down.length, 'shard')} served by nobody: ${few(down)}`;
  const degraded = named('degraded');
  if (degraded.length > 0) {
    yield `${countOf(degraded.length, 'shard')} without all copies: ${few(degraded)}`;
  }
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function few(names: readonly string[]): string {
  const rest = names.length - NAMES_SHOWN;
  return names.slice(0, NAMES_SHOWN).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
