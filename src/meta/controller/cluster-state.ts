/**
 * The cluster as the store has it, read: records in place of JSON, kept up to date by a watch.
 *
 * Each peer keeps one, leader or not, so that a new leader need read nothing. It is always the state
 * of one revision. What a controller decides by it is committed with compares on the keys that it
 * was decided by, so a state that is old costs a conflict, and nothing else.
 */
import type { z } from 'zod';
import {
  asEpoch,
  asRevision,
  clusterSettingsSchema,
  configDocumentSchema,
  countersSchema,
  EMPTY_SHARD_MAP,
  epochSchema,
  FIRST_COUNTERS,
  METADATA_KEYS,
  moveSchema,
  namespaceSchema,
  nodeRecordSchema,
  rolloutSchema,
  shardMapFault,
  shardSchema,
  tenantSchema,
  type ClusterSettings,
  type ConfigDocument,
  type Counters,
  type Move,
  type Namespace,
  type NodeId,
  type NodeRecord,
  type Revision,
  type Rollout,
  type Shard,
  type ShardId,
  type ShardMap,
  type Tenant,
} from '../../cluster/index.ts';
import { invariant } from '../../runtime/index.ts';
import type { Log } from '../../runtime/index.ts';
import type { Compare, StoreView, WatchEvent } from '../store/index.ts';
import { TenantChanges } from './tenant-changes.ts';

/** Records of one kind, by their keys in the store. */
class Table<Record, Key> {
  readonly byKey = new Map<Key, Record>();
  readonly #schema: z.ZodType<Record>;
  readonly #keyOf: (record: Record) => Key;
  readonly #keys = new Map<string, Key>();

  constructor(schema: z.ZodType<Record>, keyOf: (record: Record) => Key) {
    this.#schema = schema;
    this.#keyOf = keyOf;
  }

  /** @returns false where the record is of a form that is not known: then there is none */
  put(storeKey: string, value: string): boolean {
    const record = this.#schema.safeParse(JSON.parse(value)).data;
    if (record === undefined) {
      this.remove(storeKey);
      return false;
    }
    const key = this.#keyOf(record);
    this.#keys.set(storeKey, key);
    this.byKey.set(key, record);
    return true;
  }

  remove(storeKey: string): void {
    const key = this.#keys.get(storeKey);
    if (key === undefined) return;
    this.#keys.delete(storeKey);
    this.byKey.delete(key);
  }
}

export class ClusterState {
  /** Which parts of the store have changed since the state was made: counts up. */
  readonly changes = { map: 0, nodes: 0, tenants: 0, configs: 0 };
  readonly tenantChanges = new TenantChanges();
  #revision = asRevision(0);
  #settings: ClusterSettings | undefined;
  #epoch = EMPTY_SHARD_MAP.epoch;
  #counters = FIRST_COUNTERS;
  #map: ShardMap | undefined;
  readonly #revisions = new Map<string, Revision>();
  readonly #receiptKeys = new Set<string>();
  readonly #shards = new Table<Shard, ShardId>(shardSchema, ({ id }) => id);
  readonly #nodes = new Table<NodeRecord, NodeId>(nodeRecordSchema, ({ id }) => id);
  readonly #tenants = new Table<Tenant, string>(tenantSchema, ({ name }) => name);
  readonly #namespaces = new Table<Namespace, string>(
    namespaceSchema,
    ({ tenant, name }) => `${tenant}/${name}`,
  );
  readonly #configs = new Table<ConfigDocument, string>(configDocumentSchema, ({ name }) => name);
  readonly #versions = new Table<ConfigDocument, string>(
    configDocumentSchema,
    ({ name, version }) => `${name}/${version}`,
  );
  readonly #rollouts = new Table<Rollout, string>(rolloutSchema, ({ document }) => document);
  readonly #moves = new Table<Move, number>(moveSchema, ({ id }) => id);
  readonly #log: Pick<Log, 'write'> | undefined;

  /** @param log where records are named that cannot be read, and are taken for absent */
  constructor(log?: Pick<Log, 'write'>) {
    this.#log = log;
  }

  /** Of the store, at which all this is so. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Undefined before the cluster is created. */
  get settings(): ClusterSettings | undefined {
    return this.#settings;
  }

  get counters(): Counters {
    return this.#counters;
  }

  /** The same object while nothing in it changes. */
  get map(): ShardMap {
    if (this.#map === undefined) {
      const shards = [...this.#shards.byKey.values()].sort((a, b) => a.id - b.id);
      this.#map = { epoch: this.#epoch, shards };
      const fault = shardMapFault(this.#map);
      invariant(fault === undefined, `the shard map is sound: ${fault ?? ''}`);
    }
    return this.#map;
  }

  get nodes(): ReadonlyMap<NodeId, NodeRecord> {
    return this.#nodes.byKey;
  }

  get tenants(): ReadonlyMap<string, Tenant> {
    return this.#tenants.byKey;
  }

  /** By `tenant/name`. */
  get namespaces(): ReadonlyMap<string, Namespace> {
    return this.#namespaces.byKey;
  }

  /** The newest version of each document. */
  get configs(): ReadonlyMap<string, ConfigDocument> {
    return this.#configs.byKey;
  }

  configVersion(name: string, version: number): ConfigDocument | undefined {
    return this.#versions.byKey.get(`${name}/${version}`);
  }

  /** By document. */
  get rollouts(): ReadonlyMap<string, Rollout> {
    return this.#rollouts.byKey;
  }

  get moves(): ReadonlyMap<number, Move> {
    return this.#moves.byKey;
  }

  /** Of the receipts, which are not read here. */
  get receiptKeys(): ReadonlySet<string> {
    return this.#receiptKeys;
  }

  /** Of the key's last change; 0 where there is no such key. */
  revisionOf(key: string): Revision {
    return this.#revisions.get(key) ?? asRevision(0);
  }

  /** That the key is as this state has it. */
  unchanged(key: string): Compare {
    return { key, modRevision: this.revisionOf(key) };
  }

  /** Begins anew with all that `view` has. */
  load(view: StoreView): void {
    for (const key of this.#revisions.keys()) this.#remove(key);
    this.#revisions.clear();
    for (const { key, value, modRevision } of view.list('')) this.#put(key, value, modRevision);
    this.#revision = view.revision;
    this.tenantChanges.restart(view.revision);
  }

  /** All changes of one or more revisions after that of the state. */
  apply(revision: Revision, events: readonly WatchEvent[]): void {
    invariant(revision > this.#revision, 'changes are applied in their order');
    for (const event of events) {
      if (event.kind === 'put') this.#put(event.key, event.value, event.modRevision);
      else this.#remove(event.key);
      this.tenantChanges.note(event.key, event.modRevision);
    }
    this.#revision = revision;
  }

  #put(key: string, value: string, modRevision: Revision): void {
    this.#revisions.set(key, modRevision);
    const table = this.#tableOf(key);
    if (table !== undefined) {
      if (!table.put(key, value)) this.#unreadable(key, value);
    } else if (key === METADATA_KEYS.settings) {
      this.#settings = read(clusterSettingsSchema, key, value);
    } else if (key === METADATA_KEYS.epoch) {
      this.#epoch = asEpoch(read(epochSchema, key, value));
      this.#map = undefined;
    } else if (key === METADATA_KEYS.counters) {
      this.#counters = read(countersSchema, key, value);
    } else if (key.startsWith(METADATA_KEYS.receipts)) {
      this.#receiptKeys.add(key);
    }
  }

  #remove(key: string): void {
    this.#revisions.delete(key);
    const table = this.#tableOf(key);
    if (table !== undefined) table.remove(key);
    else if (key === METADATA_KEYS.settings) this.#settings = undefined;
    else if (key === METADATA_KEYS.epoch) this.#epoch = EMPTY_SHARD_MAP.epoch;
    else if (key === METADATA_KEYS.counters) this.#counters = FIRST_COUNTERS;
    else this.#receiptKeys.delete(key);
  }

  /**
   * A tenant or a move that a newer version has written costs that one; without a shard or a node
   * nothing could be decided rightly, so there this peer had better stop.
   */
  #unreadable(key: string, value: string): void {
    const isVital = key.startsWith(METADATA_KEYS.shards) || key.startsWith(METADATA_KEYS.nodes);
    invariant(!isVital, unknownForm(key, value));
    this.#log?.write('error', unknownForm(key, value));
  }

  /** The table that the key belongs to; notes that it changes. */
  #tableOf(
    key: string,
  ): { put(key: string, value: string): boolean; remove(key: string): void } | undefined {
    const { changes } = this;
    switch (key.slice(0, key.indexOf('/') + 1)) {
      case METADATA_KEYS.shards:
        changes.map++;
        this.#map = undefined;
        return this.#shards;
      case METADATA_KEYS.nodes:
        changes.nodes++;
        return this.#nodes;
      case METADATA_KEYS.tenants:
        changes.tenants++;
        return this.#tenants;
      case METADATA_KEYS.namespaces:
        changes.tenants++;
        return this.#namespaces;
      case METADATA_KEYS.configs:
        changes.configs++;
        return this.#configs;
      case 'config-history/':
        changes.configs++;
        return this.#versions;
      case METADATA_KEYS.rollouts:
        changes.configs++;
        return this.#rollouts;
      case METADATA_KEYS.moves:
        return this.#moves;
      default:
        return undefined;
    }
  }
}

function read<T>(schema: z.ZodType<T>, key: string, value: string): T {
  const parsed = schema.safeParse(JSON.parse(value));
  invariant(parsed.success, unknownForm(key, value));
  return parsed.data;
}

const unknownForm = (key: string, value: string): string =>
  `the record ${key} is of a form that this version does not know: ${value.slice(0, 200)}`;
