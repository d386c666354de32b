import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asEpoch,
  asNodeId,
  asRevision,
  asShardId,
  heartbeatCallSchema,
  LEASE_TIMES,
  METADATA_KEYS,
  nodeRecordSchema,
  nodeIdOfName,
  reportCallSchema,
  shardSlots,
  tenantSchema,
  type HeartbeatCall,
  type NodeId,
  type ReportCall,
} from '../../../cluster/index.ts';
import type { Change } from '../../store/index.ts';
import { ClusterState } from '../cluster-state.ts';
import type { LoopStep, LoopView } from '../loop.ts';
import { put } from '../map-commit.ts';
import { CONTROLLER_RULES, type ControllerRules } from '../rules.ts';
import { PromotionLoop } from './promotion.ts';

const [dead, ...replicas] = ['dead', 'r1', 'r2', 'r3'].map(nodeIdOfName);

interface Position {
  readonly epoch: number;
  readonly offset: number;
}

/** What is known of all learners. */
interface LearnerFacts {
  /** A move takes it out. */
  readonly isLeaving?: boolean;
  /** By its last heartbeat, which says that its copy is whole; undefined: there was none. */
  readonly lagBytes?: number;
  /** A move copies to it, since the map of this epoch. Its heartbeats are by that of epoch 5. */
  readonly joinsAt?: number;
}

/** A cluster of one dead primary and its replicas, and a loop that has to replace it. */
class Failover {
  readonly state = new ClusterState();
  readonly alive = new Set<NodeId>(replicas);
  readonly reports = new Map<NodeId, ReportCall>();
  readonly loop: PromotionLoop;
  readonly #facts: LearnerFacts;
  nowMs = 0;
  sealId = 0;

  constructor(
    settings: {
      shards?: number;
      ack?: string;
      isDeadAlive?: boolean;
      learners?: readonly NodeId[];
      facts?: LearnerFacts;
      rules?: Partial<ControllerRules>;
    } = {},
  ) {
    const {
      shards = 1,
      ack = 'primary',
      isDeadAlive = false,
      learners = [],
      facts = {},
      rules = {},
    } = settings;
    this.#facts = facts;
    if (isDeadAlive) this.alive.add(dead);
    const slots = shardSlots(shards);
    const copies = replicas.filter((node) => !learners.includes(node));
    const records: Change[] = [
      put(METADATA_KEYS.epoch, 5),
      put(METADATA_KEYS.settings, { id: 'c', shardCount: shards, replicas: 3, createdAtMs: 0 }),
      put(METADATA_KEYS.tenant('shop'), tenantSchema.parse({ ...TENANT, ack })),
      ...[dead, ...replicas].map((node) => put(METADATA_KEYS.node(node), recordOf(node))),
      ...slots.map((range, id) =>
        put(METADATA_KEYS.shard(asShardId(id)), {
          ...{ id, ...range, primary: dead, replicas: copies, learners, epoch: 3 },
        }),
      ),
      ...(facts.isLeaving === true ? learners : []).map((from, index) =>
        put(METADATA_KEYS.move(index + 1), { ...MOVE, id: index + 1, from }),
      ),
      ...(facts.joinsAt === undefined ? [] : learners).map((to, index) =>
        put(METADATA_KEYS.move(index + 1), {
          ...{ ...MOVE, id: index + 1, from: null, to, phase: 'copying' },
          ...{ leavesAt: undefined, joinsAt: facts.joinsAt },
        }),
      ),
    ];
    const modRevision = asRevision(1);
    const events = records.flatMap((change) =>
      change.kind === 'put'
        ? [{ kind: 'put' as const, key: change.key, value: change.value, modRevision }]
        : [],
    );
    this.state.apply(modRevision, events);
    this.loop = new PromotionLoop(LEASE_TIMES, { ...CONTROLLER_RULES, ...rules });
  }

  step(afterMs = 0): LoopStep {
    this.nowMs += afterMs;
    const { state, alive, reports } = this;
    const view: LoopView = {
      state,
      lives: {
        isAlive: (node) => alive.has(node),
        heartbeatOf: (node) => this.#heartbeatOf(node),
        heardAgoMs: () => undefined,
      },
      reportsTo: (id) => (id === this.sealId ? reports : new Map()),
    };
    const step = this.loop.step(view, { nowUs: this.nowMs * 1000, wallMs: this.nowMs });
    for (const push of step.pushes ?? []) if (push.topic === 'seal') this.sealId = push.body.id;
    return step;
  }

  #heartbeatOf(node: NodeId): HeartbeatCall | undefined {
    const { lagBytes } = this.#facts;
    if (lagBytes === undefined || !this.state.map.shards[0].learners.includes(node)) return;
    const report = {
      ...{ shard: 0, role: 'learner', epoch: 3, offset: 7, isCaughtUp: true, lagBytes, lagMs: 0 },
      ...{ bytes: 0, items: 0, opsPerSecond: 0, writes: 0, copiedBytes: 0, copyTotalBytes: 0 },
    };
    return heartbeatCallSchema.parse({
      ...{ id: node, bootId: '0123456789abcdef', mapEpoch: 5, shards: [report], tenants: [] },
      ...{ tenantsRevision: 0, configVersion: '', usedBytes: 0, memoryBytes: 1 },
    });
  }

  report(node: NodeId, positions: readonly Position[]): void {
    const said = positions.map((position, shard) => ({ shard, ...position }));
    const report = { id: this.sealId, nodeId: node, positions: said };
    this.reports.set(node, reportCallSchema.parse(report));
  }
}

const MOVE = {
  ...{ shard: 0, reason: 'rebalance', to: null, toPrimary: false, phase: 'dropping', leavesAt: 4 },
  ...{ isPaused: false, plan: 0, createdAtMs: 0, updatedAtMs: 0 },
};

const TENANT = { name: 'shop', number: 1, createdAtMs: 0 };

function recordOf(node: NodeId): unknown {
  return nodeRecordSchema.parse({
    ...{ id: node, name: 'n', host: 'h', port: 1, replicationPort: 1, zone: 'z', machine: 'm' },
    ...{ weight: 1, memoryBytes: 1, bootId: '0123456789abcdef', version: '1' },
    ...{ state: node === dead ? 'down' : 'up', isDraining: false, registeredAtMs: 0 },
  });
}

/** The new primaries that a step commits, by shard. */
function promoted(step: LoopStep): Array<NodeId | null> {
  return (step.commit?.changes ?? []).flatMap((change) => {
    if (change.kind !== 'put' || !change.key.startsWith(METADATA_KEYS.shards)) return [];
    const { primary } = JSON.parse(change.value) as { primary: string | null };
    return [primary === null ? null : asNodeId(primary)];
  });
}

describe('a promotion', () => {
  test('takes of each shard the whole copy that is furthest, all in one epoch', () => {
    const position = fc.record({ epoch: fc.nat({ max: 3 }), offset: fc.nat({ max: 9 }) });
    const table = fc.array(fc.tuple(position, position, position), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(table, (shards) => {
        const failover = new Failover({ shards: shards.length });
        expect(promoted(failover.step())).toEqual([]);
        for (const [index, node] of replicas.entries()) {
          failover.report(
            node,
            shards.map((positions) => positions[index]),
          );
        }
        // Those without a whole copy are left as they are.
        const step = failover.step(200);
        const expected = shards.filter((row) => row.some(({ epoch }) => epoch > 0));
        const primaries = promoted(step);
        expect(primaries).toHaveLength(expected.length);
        for (const [shard, row] of expected.entries()) {
          const chosen = row[replicas.indexOf(asNodeId(primaries[shard] ?? ''))];
          for (const { epoch, offset } of row) {
            const isFurther =
              epoch > chosen.epoch || (epoch === chosen.epoch && offset > chosen.offset);
            expect(isFurther).toBe(false);
          }
        }
        const epochs = (step.commit?.changes ?? []).filter(({ kind, ...change }) => {
          return kind === 'put' && 'key' in change && change.key === METADATA_KEYS.epoch;
        });
        expect(epochs).toHaveLength(expected.length > 0 ? 1 : 0);
      }),
    );
  });

  test('rests on the dead node, the new one and the epoch', () => {
    const failover = new Failover();
    failover.step();
    for (const node of replicas) failover.report(node, [{ epoch: 3, offset: 1 }]);
    const keys = failover.step().commit?.compares.map(({ key }) => key);
    expect(keys).toContain(METADATA_KEYS.epoch);
    expect(keys).toContain(METADATA_KEYS.node(dead));
    expect(keys).toContain(METADATA_KEYS.node(replicas[0]));
  });

  test('is not begun while the primary may hold a lease, whatever the store says', () => {
    const failover = new Failover({ isDeadAlive: true });
    expect(failover.step().pushes ?? []).toEqual([]);
    failover.alive.delete(dead);
    expect(failover.step().pushes).toHaveLength(replicas.length);
  });

  test.each([
    ['primary', 1],
    ['quorum', 2],
    ['replica', 3],
  ])('with acknowledgements by %s waits for %i of three replicas', (ack, needed) => {
    const failover = new Failover({ ack });
    failover.step();
    for (const [index, node] of replicas.entries()) {
      expect(promoted(failover.step(200))).toEqual([]);
      failover.report(node, [{ epoch: 3, offset: index }]);
      if (index + 1 === needed) break;
    }
    expect(promoted(failover.step(200))).toEqual([replicas[needed - 1]]);
  });

  test('does not wait for a replica that is dead', () => {
    const failover = new Failover({ ack: 'replica' });
    failover.step();
    failover.report(replicas[0], [{ epoch: 3, offset: 1 }]);
    failover.report(replicas[1], [{ epoch: 3, offset: 2 }]);
    expect(promoted(failover.step(200))).toEqual([]);
    failover.state.apply(asRevision(2), [
      {
        kind: 'put',
        key: METADATA_KEYS.node(replicas[2]),
        value: JSON.stringify({ ...(recordOf(replicas[2]) as object), state: 'down' }),
        modRevision: asRevision(2),
      },
    ]);
    expect(promoted(failover.step(200))).toEqual([replicas[1]]);
  });

  test('never takes a copy that is not whole, be it a learner’s or a replica’s', () => {
    const [learner, partial, whole] = replicas;
    const failover = new Failover({ learners: [learner] });
    failover.step();
    failover.report(learner, [{ epoch: 0, offset: 9 }]);
    failover.report(partial, [{ epoch: 0, offset: 9 }]);
    expect(promoted(failover.step(200))).toEqual([]);
    failover.report(whole, [{ epoch: 1, offset: 0 }]);
    expect(promoted(failover.step(200))).toEqual([whole]);
  });

  const asGood: ReadonlyArray<readonly [string, LearnerFacts]> = [
    ['leaves the shard', { isLeaving: true }],
    ['has all, and might have joined', { lagBytes: 0 }],
    ['has said so since it joined', { lagBytes: 0, joinsAt: 5 }],
  ];

  test.each(asGood)('takes a learner that %s where it is furthest', (_words, facts) => {
    const [learner, ...others] = replicas;
    for (const [offset, chosen] of [
      [8, learner],
      [7, others[0]],
    ] as const) {
      const failover = new Failover({ learners: [learner], facts });
      failover.step();
      failover.report(learner, [{ epoch: 3, offset }]);
      for (const node of others) failover.report(node, [{ epoch: 3, offset: 7 }]);
      expect(promoted(failover.step())).toEqual([chosen]);
    }
  });

  test.each(asGood)('takes a learner that %s where nothing else is left', (_words, facts) => {
    const failover = new Failover({ learners: replicas, facts });
    failover.step();
    failover.report(replicas[1], [{ epoch: 3, offset: 1 }]);
    expect(promoted(failover.step(200))).toEqual([replicas[1]]);
  });

  test('takes no learner that may have a copy of long ago', () => {
    for (const facts of [{}, { lagBytes: 1_000_000 }, { lagBytes: 0, joinsAt: 6 }]) {
      const failover = new Failover({ learners: replicas, facts });
      failover.step();
      for (const node of replicas) failover.report(node, [{ epoch: 3, offset: 9 }]);
      expect(promoted(failover.step(200))).toEqual([]);
    }
  });

  test.each([
    ['primary', false],
    ['quorum', true],
    ['replica', true],
  ])('with acknowledgements by %s, waits for a learner that leaves: %s', (ack, isAwaited) => {
    const [learner, ...others] = replicas;
    const failover = new Failover({ ack, learners: [learner], facts: { isLeaving: true } });
    failover.step();
    for (const node of others) failover.report(node, [{ epoch: 3, offset: 7 }]);
    expect(promoted(failover.step(200))).toEqual(isAwaited ? [] : [others[0]]);
    failover.report(learner, [{ epoch: 3, offset: 9 }]);
    expect(promoted(failover.step(200))).toEqual([learner]);
  });

  test('repeats the seal until it is answered', () => {
    const failover = new Failover();
    const seals = [0, 200, 200, 200, 200, 200].map((ms) => failover.step(ms).pushes?.length ?? 0);
    expect(seals.filter((count) => count > 0).length).toBeGreaterThan(1);
    expect(failover.state.map.epoch).toBe(asEpoch(5));
  });
});
