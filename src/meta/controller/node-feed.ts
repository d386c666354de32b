/**
 * What one node has been told of map, tenants and configuration, and what it is still to be told.
 *
 * The first heartbeat of a session says what the node has; from then on it is sent what is new, at
 * once, and what later heartbeats do not show after a while is sent again. Pushes and answers of a
 * session arrive in order: a node that reads an answer has the map from before it.
 */
import {
  asRevision,
  METADATA_KEYS,
  type HeartbeatCall,
  type MapNode,
  type Push,
  type Revision,
} from '../../cluster/index.ts';
import type { RpcSession } from '../../rpc/index.ts';
import type { ClusterState } from './cluster-state.ts';
import { configOf } from './node-config.ts';

/** A node has so long to show that it has applied what it was sent. */
const REPEAT_AFTER_US = 2_000_000;
/**
 * News of other nodes alone, which come in crowds, are gathered for so long and so much longer for
 * each node: each of them is sent all. Where shards change, they are sent at once.
 */
const NODES_EVERY_US = 250_000;
const PER_NODE_US = 5000;

/** The map as JSON, made once for all nodes. */
export class MapText {
  #mark = '';
  #text = '';

  /** Differs for each map, and each set of nodes. */
  static markOf({ map, changes }: ClusterState): string {
    return `${map.epoch}/${changes.map}/${changes.nodes}`;
  }

  of(state: ClusterState): string {
    const mark = MapText.markOf(state);
    if (mark !== this.#mark) {
      this.#mark = mark;
      this.#text = JSON.stringify(mapPush(state));
    }
    return this.#text;
  }
}

function mapPush(state: ClusterState): Push<'map'> {
  const nodes = [...state.nodes.values()].map((record): MapNode => {
    const { isDraining: _is, registeredAtMs: _at, downSinceMs: _since, ...facts } = record;
    return facts;
  });
  const shards = state.map.shards.map((shard) => ({
    ...shard,
    replicas: [...shard.replicas],
    learners: [...shard.learners],
  }));
  const { epoch } = state.map;
  const replicas = state.settings?.replicas;
  return { map: { epoch, shards }, nodes, ...(replicas === undefined ? {} : { replicas }) };
}

export class NodeFeed {
  readonly session: RpcSession;
  readonly bootId: string;
  readonly #mapText: MapText;
  #known: HeartbeatCall | undefined;
  #map = { mark: '', epoch: 0, atUs: -Infinity };
  #tenants = { revision: asRevision(0), atUs: -Infinity };
  #config = { version: '', changes: -1, atUs: -Infinity };

  constructor(session: RpcSession, bootId: string, mapText: MapText) {
    this.session = session;
    this.bootId = bootId;
    this.#mapText = mapText;
  }

  heard(heartbeat: HeartbeatCall): void {
    if (this.#known === undefined) {
      this.#map.epoch = heartbeat.mapEpoch;
      this.#tenants.revision = heartbeat.tenantsRevision;
      this.#config.version = heartbeat.configVersion;
    }
    this.#known = heartbeat;
  }

  /** Sends what the node does not have. */
  feed(state: ClusterState, nowUs: number): void {
    const known = this.#known;
    if (known === undefined) return;
    this.#feedMap(state, known, nowUs);
    this.#feedTenants(state, known, nowUs);
    this.#feedConfig(state, known, nowUs);
  }

  #feedMap(state: ClusterState, { mapEpoch }: HeartbeatCall, nowUs: number): void {
    const { epoch } = state.map;
    const sinceUs = nowUs - this.#map.atUs;
    const mark = MapText.markOf(state);
    const isDue =
      this.#map.epoch < epoch ||
      (mapEpoch < epoch && sinceUs >= REPEAT_AFTER_US) ||
      (mark !== this.#map.mark && sinceUs >= NODES_EVERY_US + PER_NODE_US * state.nodes.size);
    if (!isDue) return;
    this.session.pushText('map', this.#mapText.of(state));
    this.#map = { mark, epoch, atUs: nowUs };
  }

  #feedTenants(state: ClusterState, { tenantsRevision }: HeartbeatCall, nowUs: number): void {
    const { revision } = state.tenantChanges;
    const isRepeat = tenantsRevision < revision && nowUs - this.#tenants.atUs >= REPEAT_AFTER_US;
    if (this.#tenants.revision >= revision && !isRepeat) return;
    const since = isRepeat ? tenantsRevision : this.#tenants.revision;
    this.session.push('tenants', tenantsPush(state, since));
    this.#tenants = { revision, atUs: nowUs };
  }

  #feedConfig(state: ClusterState, { id, configVersion }: HeartbeatCall, nowUs: number): void {
    const changes = state.changes.configs;
    const isRepeat = nowUs - this.#config.atUs >= REPEAT_AFTER_US;
    if (this.#config.changes === changes && !isRepeat) return;
    const config = configOf(state, id);
    const has = isRepeat ? configVersion : this.#config.version;
    this.#config = { version: config.version, changes, atUs: nowUs };
    if (has !== config.version) {
      this.session.push('config', { version: config.version, values: { ...config.values } });
    }
  }
}

/** All, or what has changed after `since`. */
function tenantsPush(state: ClusterState, since: Revision): Push<'tenants'> {
  const { revision } = state.tenantChanges;
  const keys = since === 0 ? undefined : state.tenantChanges.after(since);
  if (keys === undefined) {
    return {
      since: asRevision(0),
      revision,
      tenants: [...state.tenants.values()],
      namespaces: [...state.namespaces.values()],
      removedTenants: [],
      removedNamespaces: [],
    };
  }
  const push: Push<'tenants'> = {
    ...{ since, revision, tenants: [], namespaces: [], removedTenants: [], removedNamespaces: [] },
  };
  for (const key of keys) {
    if (key.startsWith(METADATA_KEYS.tenants)) {
      const name = key.slice(METADATA_KEYS.tenants.length);
      const tenant = state.tenants.get(name);
      if (tenant === undefined) push.removedTenants.push(name);
      else push.tenants.push(tenant);
    } else {
      const path = key.slice(METADATA_KEYS.namespaces.length);
      const namespace = state.namespaces.get(path);
      const [tenant = '', name = ''] = path.split('/');
      if (namespace === undefined) push.removedNamespaces.push({ tenant, name });
      else push.namespaces.push(namespace);
    }
  }
  return push;
}
