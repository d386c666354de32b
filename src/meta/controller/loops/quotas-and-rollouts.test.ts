import { describe, expect, it } from 'vitest';
import {
  asEpoch,
  asRevision,
  LEASE_TIMES,
  METADATA_KEYS,
  nodeIdOfName,
  tenantSettingsSchema,
  type HeartbeatCall,
  type NodeId,
  type NodeRecord,
  type QuotaShare,
  type Rollout,
  type TenantUsage,
} from '../../../cluster/index.ts';
import { Keyspace } from '../../store/keyspace.ts';
import { ClusterState } from '../cluster-state.ts';
import type { ControllerLoop, LoopView } from '../loop.ts';
import { put } from '../map-commit.ts';
import { configOf } from '../node-config.ts';
import { QuotaLoop } from './quotas.ts';
import { RolloutLoop } from './rollouts.ts';

const BOUND = { revisionsMax: 1000, lengthMax: 1 << 24 };
const NAMES = ['a', 'b', 'c', 'd'];

/** A store with nodes, and their heartbeats. */
class Scene {
  readonly #keyspace = new Keyspace();
  readonly state = new ClusterState();
  readonly heartbeats = new Map<NodeId, HeartbeatCall>();
  readonly dead = new Set<NodeId>();
  nowUs = 0;

  constructor() {
    for (const [index, name] of NAMES.entries()) {
      const record: NodeRecord = {
        ...{ id: nodeIdOfName(name), name, host: 'h', port: 1 + index, replicationPort: 99 },
        ...{ zone: 'z', machine: name, weight: 1, memoryBytes: 0, bootId: '0'.repeat(16) },
        ...{ version: '1', state: 'up', isDraining: false, registeredAtMs: 0 },
      };
      this.put(METADATA_KEYS.node(record.id), record);
      this.heartbeats.set(record.id, {
        ...{ id: record.id, bootId: record.bootId, mapEpoch: asEpoch(0), configVersion: '' },
        ...{ tenantsRevision: asRevision(0), shards: [], tenants: [], usedBytes: 0 },
        memoryBytes: 0,
      });
    }
  }

  put(key: string, record: unknown): void {
    this.#keyspace.commit({ compares: [], changes: [put(key, record)] }, BOUND);
    this.state.load(this.#keyspace);
  }

  change(name: string, change: Partial<HeartbeatCall>): void {
    const id = nodeIdOfName(name);
    const before = this.heartbeats.get(id);
    if (before !== undefined) this.heartbeats.set(id, { ...before, ...change });
  }

  /** @returns what nodes are told of their shares */
  step(loop: ControllerLoop): Map<NodeId, readonly QuotaShare[]> {
    const view: LoopView = {
      state: this.state,
      lives: {
        isAlive: (node) => !this.dead.has(node),
        heartbeatOf: (node) => this.heartbeats.get(node),
        heardAgoMs: () => 0,
      },
      reportsTo: () => new Map(),
    };
    const { commit, pushes = [] } = loop.step(view, { nowUs: this.nowUs, wallMs: 0 });
    if (commit !== undefined) {
      this.#keyspace.commit(commit, BOUND);
      this.state.load(this.#keyspace);
    }
    return new Map(
      pushes.flatMap(({ node, topic, body }) => (topic === 'quotas' ? [[node, body.shares]] : [])),
    );
  }
}

function usage(changes: Partial<TenantUsage>): TenantUsage {
  return {
    ...{ tenant: 'shop', bytes: 0, items: 0, opsPerSecond: 0, demandPerSecond: 0, connections: 0 },
    ...{ bandwidthPerSecond: 0, hits: 0, misses: 0, evicted: 0 },
    ...changes,
  };
}

describe('the quotas of a tenant', () => {
  function scene(): Scene {
    const made = new Scene();
    const settings = tenantSettingsSchema.parse({ maxQps: 1000, maxConnections: 40 });
    made.put(METADATA_KEYS.tenant('shop'), {
      ...settings,
      name: 'shop',
      number: 1,
      createdAtMs: 0,
    });
    return made;
  }

  it('go where they are asked for, within a few seconds, all kinds in one push', () => {
    const made = scene();
    const loop = new QuotaLoop(LEASE_TIMES);
    made.change('a', { tenants: [usage({ demandPerSecond: 5000, connections: 3 })] });
    let told = made.step(loop);
    for (let second = 0; second < 4; second++) {
      made.nowUs += 1_000_000;
      told = made.step(loop);
    }
    const [share] = told.get(nodeIdOfName('a')) ?? [];
    expect(share.tenant).toBe('shop');
    expect(share.opsPerSecond).toBeGreaterThanOrEqual(950);
    expect(share.connections).toBeGreaterThanOrEqual(3);
    const together = [...told.values()].flat();
    expect(
      together.reduce((sum, { opsPerSecond = 0 }) => sum + opsPerSecond, 0),
    ).toBeLessThanOrEqual(1000);
    expect(together.reduce((sum, { connections = 0 }) => sum + connections, 0)).toBeLessThanOrEqual(
      40,
    );
  });

  it('stay where they are under a new leader, by what nodes say is in force', () => {
    const made = scene();
    const tenants = [usage({ demandPerSecond: 5000 })];
    const shareOf = (opsPerSecond: number) => [{ tenant: 'shop', opsPerSecond }];
    made.change('a', { tenants, quotaShares: shareOf(970) });
    for (const name of ['b', 'c', 'd']) made.change(name, { quotaShares: shareOf(10) });
    const told = made.step(new QuotaLoop(LEASE_TIMES));
    expect(told.get(nodeIdOfName('a'))?.[0].opsPerSecond).toBeGreaterThanOrEqual(960);
    expect(told.get(nodeIdOfName('b'))?.[0].opsPerSecond).toBeLessThanOrEqual(10);
  });

  it('are not divided while nobody uses them', () => {
    expect(scene().step(new QuotaLoop(LEASE_TIMES)).size).toBe(0);
  });
});

describe('the rollout of a document', () => {
  function scene(): Scene {
    const made = new Scene();
    for (const version of [1, 2]) {
      const values = { 'max-value': version };
      const document = { name: 'main', version, values, author: '', message: '', createdAtMs: 0 };
      made.put(METADATA_KEYS.configVersion('main', version), document);
      made.put(METADATA_KEYS.config('main'), document);
    }
    const rollout: Rollout = {
      ...{ document: 'main', version: 2, versionBefore: 1, phase: 'canary', isPaused: false },
      ...{ nodes: [], waveSinceMs: 0 },
    };
    made.put(METADATA_KEYS.rollout('main'), rollout);
    return made;
  }

  /** All nodes apply what they are to have. */
  function apply(made: Scene): void {
    for (const name of NAMES) {
      const { version } = configOf(made.state, nodeIdOfName(name));
      made.change(name, { configVersion: version });
    }
  }

  it('reaches all nodes in waves, and is done', () => {
    const made = scene();
    const loop = new RolloutLoop();
    const sizes = new Set<number>();
    for (let second = 0; second < 30; second++) {
      made.step(loop);
      apply(made);
      const having = NAMES.filter(
        (name) => configOf(made.state, nodeIdOfName(name)).values['max-value'] === 2,
      );
      sizes.add(having.length);
      made.nowUs += 1_000_000;
    }
    expect([...sizes]).toEqual([1, 4]);
    expect(made.state.rollouts.get('main')?.phase).toBe('done');
  });

  it('is taken back from all where its canary dies', () => {
    const made = scene();
    const loop = new RolloutLoop();
    made.step(loop);
    apply(made);
    made.nowUs += 1_000_000;
    made.step(loop);
    const [canary] = made.state.rollouts.get('main')?.nodes ?? [];
    made.dead.add(canary);
    made.nowUs += 1_000_000;
    made.step(loop);
    expect(made.state.rollouts.get('main')).toMatchObject({ phase: 'rolled-back', nodes: [] });
    for (const name of NAMES) {
      expect(configOf(made.state, nodeIdOfName(name)).values['max-value']).toBe(1);
    }
  });
});
