/** Nodes: who they are, whether they live, what is on them. */
import {
  asEpoch,
  changeShards,
  epochSchema,
  formatSize,
  holders,
  METADATA_KEYS,
  nodeRecordSchema,
  replicaSet,
  roleOf,
  shardSchema,
  suggest,
  takesShards,
  type NodeId,
  type NodeRecord,
  type Shard,
} from '../../cluster/index.ts';
import { settled, type Draft, type Stored } from './draft.ts';
import {
  checkRevision,
  conflict,
  notFound,
  recordEvent,
  type Answer,
  type Reading,
  type ReadHandlers,
  type WriteHandlers,
  type Writing,
} from './handlers.ts';
import type { CheckedInput } from './schemas.ts';
import { readSurroundings, shardView } from './shard-views.ts';
import type { NodeView } from './views.ts';

export const nodeReads = {
  'node.list': (context) => ({ nodes: nodeViews(context), revision: context.revision }),
  'node.show': (context, { node }) => {
    const { draft } = context;
    const found = readNode(draft, node);
    const { id } = found.value;
    const shards = draft.readAll(METADATA_KEYS.shards, shardSchema);
    const own = shards.filter(({ value }) => roleOf(value, id) !== undefined);
    const surroundings = readSurroundings(context);
    return {
      node: nodeView(
        context,
        found,
        own.map(({ value }) => value),
      ),
      shards: own.map((shard) => shardView(context, shard, surroundings)),
    };
  },
} satisfies Partial<ReadHandlers>;

export const nodeWrites = {
  'node.drain': (context, input) => setDraining(context, 'node.drain', input, true),
  'node.undrain': (context, input) => setDraining(context, 'node.undrain', input, false),
  'node.remove': (context, { node, force, ifRevision }) => {
    const { draft, host } = context;
    const found = readNode(draft, node);
    const { id, name } = found.value;
    checkRevision(`node '${name}'`, found, ifRevision);
    // Whoever gives it a shard meanwhile changes the epoch.
    draft.get(METADATA_KEYS.epoch);
    const held = draft
      .readAll(METADATA_KEYS.shards, shardSchema)
      .map(({ value }) => value)
      .filter((shard) => roleOf(shard, id) !== undefined);
    if (held.length > 0 && !force) {
      const words = `node '${name}' still holds ${counted(held.length, 'shard')}`;
      const forced = 'or, where it is gone for good, give them up with --force';
      throw conflict(words, `Move them away first: cachectl node drain ${name}; ${forced}.`);
    }
    if (host.lifeOf(id)?.isAlive === true) {
      throw conflict(`node '${name}' is running`, 'Stop it first: it would register again.');
    }
    const lost = held.length === 0 ? 0 : giveUp(context, found.value, held);
    draft.delete(METADATA_KEYS.node(id));
    const words =
      held.length === 0 ? '' : `${held.length} copies given up, ${lost} of them the last`;
    recordEvent(context, { operation: 'node.remove', subject: `node ${name}`, words });
    return () => ({ name });
  },
} satisfies Partial<WriteHandlers>;

/**
 * Takes a node that is dead out of its shards. Those that it was the primary of go to their replicas
 * first, by failover, which alone knows which replica is furthest.
 *
 * @returns how many of them had no other copy
 */
function giveUp(context: Writing, node: NodeRecord, held: readonly Shard[]): number {
  const { draft, host, warnings } = context;
  const { id, name } = node;
  const nodes = readNodes(draft);
  const mayTakeOver = (other: NodeId) =>
    (nodes.get(other)?.state ?? 'down') !== 'down' && host.lifeOf(other)?.isAlive === true;
  const led = held.filter(({ primary }) => primary === id);
  const waiting = led.filter(({ replicas }) => replicas.some(mayTakeOver)).length;
  if (waiting > 0 || node.state !== 'down') {
    const words =
      node.state === 'down'
        ? `${counted(waiting, 'shard')} of node '${name}' are being given to their replicas`
        : `node '${name}' is being declared dead`;
    throw conflict(words, 'Try again in a moment.');
  }
  const epoch = draft.read(METADATA_KEYS.epoch, epochSchema)?.value ?? 0;
  const map = { epoch: asEpoch(epoch), shards: readShards(draft) };
  const without = (others: readonly NodeId[]) => others.filter((other) => other !== id);
  const changed = changeShards(
    map,
    held.map((shard) => ({
      id: shard.id,
      primary: shard.primary === id ? null : shard.primary,
      replicas: without(shard.replicas),
      learners: without(shard.learners),
    })),
  );
  draft.put(METADATA_KEYS.epoch, changed.epoch);
  for (const { id: shard } of held) draft.put(METADATA_KEYS.shard(shard), changed.shards[shard]);
  const isLost = (shard: Shard) => without(replicaSet(shard)).length === 0;
  const lost = held.filter(isLost).map((shard) => shard.id);
  if (lost.length > 0) {
    const which = `${lost.slice(0, 10).join(', ')}${lost.length > 10 ? ', …' : ''}`;
    warnings.push(
      `${counted(lost.length, 'shard')} (${which}) had no other copy: what they held is lost, and they begin empty elsewhere`,
    );
  }
  return lost.length;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function readShards(draft: Draft): Shard[] {
  return draft
    .readAll(METADATA_KEYS.shards, shardSchema)
    .map(({ value }) => value)
    .toSorted((one, other) => one.id - other.id);
}

function readNodes(draft: Draft): ReadonlyMap<NodeId, NodeRecord> {
  const nodes = draft.readAll(METADATA_KEYS.nodes, nodeRecordSchema);
  return new Map(nodes.map(({ value }) => [value.id, value]));
}

/** @param text a node's name or id */
export function readNode(draft: Draft, text: string): Stored<NodeRecord> {
  const nodes = draft.readAll(METADATA_KEYS.nodes, nodeRecordSchema);
  const isMeant = ({ value }: Stored<NodeRecord>) => value.name === text || value.id === text;
  const found = nodes.find(isMeant);
  if (found === undefined) {
    const near = suggest(
      text,
      nodes.map(({ value }) => value.name),
    );
    const hint = near === undefined ? 'See: cachectl node list' : `Did you mean '${near}'?`;
    throw notFound(`node '${text}'`, hint);
  }
  // Read by its key, so that what was found is what a commit compares with.
  return draft.read(METADATA_KEYS.node(found.value.id), nodeRecordSchema) ?? found;
}

export function nodeViews(context: Reading): NodeView[] {
  const { draft } = context;
  const shards = draft.readAll(METADATA_KEYS.shards, shardSchema);
  const held = new Map<NodeId, Shard[]>();
  const hold = (node: NodeId, shard: Shard) => {
    const own = held.get(node);
    if (own === undefined) held.set(node, [shard]);
    else own.push(shard);
  };
  for (const { value: shard } of shards) {
    if (shard.primary !== null) hold(shard.primary, shard);
    for (const node of [...shard.replicas, ...shard.learners]) hold(node, shard);
  }
  return draft
    .readAll(METADATA_KEYS.nodes, nodeRecordSchema)
    .map((node) => nodeView(context, node, held.get(node.value.id) ?? []))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

function nodeView(
  { host }: Reading,
  { value, revision }: Stored<NodeRecord>,
  shards: readonly Shard[],
): NodeView {
  const life = host.lifeOf(value.id);
  const heartbeat = life?.heartbeat;
  const roles = { primary: 0, replica: 0, learner: 0 };
  for (const shard of shards) {
    const role = roleOf(shard, value.id);
    if (role !== undefined) roles[role]++;
  }
  let opsPerSecond = 0;
  for (const tenant of heartbeat?.tenants ?? []) opsPerSecond += tenant.opsPerSecond;
  return {
    ...value,
    isAlive: life?.isAlive ?? false,
    heardAgoMs: life?.heardAgoMs === undefined ? null : Math.round(life.heardAgoMs),
    usedBytes: heartbeat?.usedBytes ?? 0,
    opsPerSecond,
    primaries: roles.primary,
    replicas: roles.replica,
    learners: roles.learner,
    revision,
  };
}

function setDraining(
  context: Writing,
  operation: 'node.drain' | 'node.undrain',
  { node, ifRevision }: CheckedInput<'node.drain'>,
  isDraining: boolean,
): Answer<'node.drain'> {
  const { draft } = context;
  const found = readNode(draft, node);
  const { value: before } = found;
  checkRevision(`node '${before.name}'`, found, ifRevision);
  const shards = draft
    .readAll(METADATA_KEYS.shards, shardSchema)
    .map(({ value }) => value)
    .filter((shard) => roleOf(shard, before.id) !== undefined);
  if (before.isDraining === isDraining) {
    return (revision) => ({ node: nodeView(context, settled(found, revision), shards) });
  }
  const state = before.state === 'down' ? 'down' : isDraining ? 'draining' : 'up';
  const record: NodeRecord = { ...before, isDraining, state };
  draft.put(METADATA_KEYS.node(before.id), record);
  const words = isDraining ? `${shards.length} shards are to go elsewhere` : '';
  recordEvent(context, { operation, subject: `node ${before.name}`, words });
  if (isDraining) warnOfNowhereToGo(context, before, shards);
  return (revision) => ({ node: nodeView(context, { value: record, revision }, shards) });
}

/** Accepted all the same: it is what is wanted, and is done as far as there is where to go. */
function warnOfNowhereToGo(
  { draft, host, warnings }: Writing,
  node: NodeRecord,
  shards: readonly Shard[],
): void {
  if (shards.length === 0) return;
  const others = [...readNodes(draft).values()].filter(
    (other) => other.id !== node.id && takesShards(other),
  );
  const stuck = shards.filter((shard) => others.every(({ id }) => roleOf(shard, id) !== undefined));
  if (stuck.length > 0) {
    const all = stuck.length === shards.length ? 'none' : `${stuck.length} of ${shards.length}`;
    warnings.push(
      all === 'none'
        ? `none of its ${counted(shards.length, 'shard')} has another node to go to; they stay until there is one`
        : `${all} shards have no other node to go to; they stay until there is one`,
    );
  }
  const zones = new Set(others.map(({ zone }) => zone));
  const copies = Math.max(...shards.map((shard) => holders(shard).length));
  if (others.length > 0 && !zones.has(node.zone) && zones.size < copies) {
    warnings.push(
      `it is the last node of zone '${node.zone}': ${copies} copies of a shard have ${counted(zones.size, 'zone')} left`,
    );
  }
  const usedBytes = (id: NodeId) => host.lifeOf(id)?.heartbeat?.usedBytes ?? 0;
  const freeBytes = others.reduce(
    (sum, { id, memoryBytes }) => sum + Math.max(0, memoryBytes - usedBytes(id)),
    0,
  );
  if (others.length > 0 && usedBytes(node.id) > freeBytes) {
    warnings.push(
      `it uses ${formatSize(usedBytes(node.id))}, and the others have ${formatSize(freeBytes)} free: keys will be evicted`,
    );
  }
}
