/**
 * Who may be a node of the cluster: what becomes of a process that registers. Pure.
 *
 * A name is a node, over all its starts; a start is a boot, whose memory begins empty. Of one node
 * one boot is in at a time: another is refused while the lease of the last may be held, and until
 * its shards have gone to replicas, as long as any was not declared dead. Then it is a node that
 * has lost its memory: it holds no copy of anything. A boot that was declared dead and comes back has
 * its memory, and goes on; its shards begin a new epoch, since replicas that were asked for their
 * positions take nothing of the old one any more.
 */
import {
  CachectlError,
  METADATA_KEYS,
  nodeIdOfName,
  type NodeFacts,
  type NodeId,
  type NodeRecord,
  type Shard,
  type ShardChange,
} from '../../cluster/index.ts';
import type { ClusterState } from './cluster-state.ts';
import { heirsOf, isDown } from './heirs.ts';
import type { LoopCommit, NodeLives } from './loop.ts';
import { mapCommit, put } from './map-commit.ts';
import type { ControllerRules } from './rules.ts';

export type Registration =
  /** It is registered as it is. */
  | { readonly kind: 'known' }
  | { readonly kind: 'commit'; readonly commit: LoopCommit }
  | { readonly kind: 'refused'; readonly error: CachectlError };

export interface MembershipView {
  readonly state: ClusterState;
  readonly lives: NodeLives;
  readonly rules: ControllerRules;
  readonly wallMs: number;
}

export function decideRegistration(view: MembershipView, facts: NodeFacts): Registration {
  const { state, lives } = view;
  const { id, name, bootId } = facts;
  if (id !== nodeIdOfName(name)) {
    const words = `the id ${id} is not that of a node named '${name}'`;
    return refused(new CachectlError('ERR_CACHECTL_VALUE', words));
  }
  const record = state.nodes.get(id);
  const twin = addressTwin(view, facts);
  if (twin !== undefined) return refused(twin);
  if (record === undefined) return enrolled(view, facts);
  if (record.bootId === bootId) {
    if (record.state !== 'down')
      return lives.isAlive(id) ? updated(view, record, facts) : dying(name);
    return resumed(view, record, facts);
  }
  const isAlive = lives.isAlive(id);
  if (!view.rules.mayReplace({ isAlive, isDown: isDown(state, id) }))
    return isAlive ? twice(record) : dying(name);
  // One that is silent and not declared dead may have what this boot has lost.
  const hasHeir = (shard: Shard): boolean =>
    heirsOf(shard, view, view.rules).some((node) => !isDown(state, node));
  const waiting = state.map.shards.find((shard) => shard.primary === id && hasHeir(shard));
  if (waiting === undefined) return replaced(view, record, facts);
  const words = `shards of '${name}', such as ${waiting.id}, are being given to their replicas`;
  return refused(new CachectlError('ERR_CACHECTL_UNHEALTHY', words));
}

const refused = (error: CachectlError): Registration => ({ kind: 'refused', error });

/** Two nodes at one address would be taken for each other. */
function addressTwin(
  { state, lives }: MembershipView,
  facts: NodeFacts,
): CachectlError | undefined {
  for (const { id, name, host, port } of state.nodes.values()) {
    if (id === facts.id || host !== facts.host || port !== facts.port || !lives.isAlive(id))
      continue;
    const words = `${host}:${port} is the address of node '${name}'`;
    return new CachectlError('ERR_CACHECTL_CONFLICT', words);
  }
  return undefined;
}

function twice({ name, host, port }: NodeRecord): Registration {
  const words = `a process named '${name}' is in the cluster already, at ${host}:${port}`;
  const hint = 'If it has ended, its lease runs out in a moment; if not, choose another --name.';
  return refused(new CachectlError('ERR_CACHECTL_CONFLICT', words, { hint }));
}

/** Found dead, and not written down yet. */
function dying(name: string): Registration {
  const words = `node '${name}' is being declared dead: register again in a moment`;
  return refused(new CachectlError('ERR_CACHECTL_UNHEALTHY', words));
}

function enrolled({ state, wallMs }: MembershipView, facts: NodeFacts): Registration {
  const record: NodeRecord = {
    ...facts,
    state: 'up',
    isDraining: false,
    registeredAtMs: wallMs,
  };
  return commitOf(state, record, 'node.join', `at ${facts.host}:${facts.port}`);
}

function updated({ state }: MembershipView, record: NodeRecord, facts: NodeFacts): Registration {
  const next: NodeRecord = { ...record, ...facts };
  if (JSON.stringify(next) === JSON.stringify(record)) return { kind: 'known' };
  return commitOf(state, next, 'node.update', `at ${facts.host}:${facts.port}`);
}

/** The same process as before it was declared dead. */
function resumed({ state }: MembershipView, record: NodeRecord, facts: NodeFacts): Registration {
  const shards = state.map.shards.filter(({ primary }) => primary === record.id);
  return commitOf(state, alive(record, facts), 'node.return', 'with its memory', {
    changes: [],
    renewed: shards,
  });
}

/** Another process: it holds nothing of what the map says it holds. */
function replaced({ state }: MembershipView, record: NodeRecord, facts: NodeFacts): Registration {
  const { id } = record;
  const isOther = (node: NodeId): boolean => node !== id;
  const changes = state.map.shards.flatMap((shard): ShardChange[] =>
    shard.replicas.every(isOther) && shard.learners.every(isOther)
      ? []
      : [
          {
            id: shard.id,
            replicas: shard.replicas.filter(isOther),
            learners: shard.learners.filter(isOther),
          },
        ],
  );
  const renewed = state.map.shards.filter(({ primary }) => primary === id);
  const words = 'started anew, its memory is empty';
  return commitOf(state, alive(record, facts), 'node.restart', words, { changes, renewed });
}

function alive(record: NodeRecord, facts: NodeFacts): NodeRecord {
  const { downSinceMs: _since, ...rest } = record;
  return { ...rest, ...facts, state: record.isDraining ? 'draining' : 'up' };
}

function commitOf(
  state: ClusterState,
  record: NodeRecord,
  operation: string,
  words: string,
  map: { changes: readonly ShardChange[]; renewed: readonly Shard[] } = {
    changes: [],
    renewed: [],
  },
): Registration {
  // Whoever has been declared dead, and does not count, may be coming back at the same time.
  const replicas = new Set(map.renewed.flatMap((shard) => shard.replicas));
  replicas.delete(record.id);
  const key = METADATA_KEYS.node(record.id);
  const isMapChanged = map.changes.length > 0 || map.renewed.length > 0;
  const renewed = new Set(map.renewed.map(({ id }) => id));
  // Without a change of the map, the epoch stays, and is still compared: no copy may be given to the
  // node meanwhile that it is not to have.
  const written = isMapChanged
    ? mapCommit(state, map.changes, renewed)
    : { compares: [state.unchanged(METADATA_KEYS.epoch)], changes: [] };
  return {
    kind: 'commit',
    commit: {
      compares: [
        state.unchanged(key),
        ...written.compares,
        ...[...replicas].map((node) => state.unchanged(METADATA_KEYS.node(node))),
      ],
      changes: [put(key, record), ...written.changes],
      events: [{ operation, subject: `node ${record.name}`, words }],
    },
  };
}
