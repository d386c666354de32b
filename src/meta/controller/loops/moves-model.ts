/**
 * A cluster for tests of moves: the store's real key space and the real loops, and nodes that obey
 * pushes late, or miss them. Steps are taken by the test, in any order.
 *
 * Invariants, checked at each step: nobody acknowledges for a shard that the store has given to
 * another; a new primary has all that was acknowledged; no commit leaves a shard with fewer whole
 * copies than it had or is to have, nor without one that its primary counts.
 */
import {
  asEpoch,
  asRevision,
  asShardId,
  FIRST_COUNTERS,
  holders,
  isMoveOver,
  METADATA_KEYS,
  nodeIdOfName,
  placeShards,
  replicaSet,
  roleOf,
  type HeartbeatCall,
  type Move,
  type NodeId,
  type NodeRecord,
  type PlannedMove,
  type ReportCall,
  type Shard,
  type ShardMap,
  type ShardReport,
} from '../../../cluster/index.ts';
import { invariant } from '../../../runtime/index.ts';
import { Keyspace } from '../../store/keyspace.ts';
import { ClusterState } from '../cluster-state.ts';
import type { ControllerLoop, LoopCommit, LoopView, NodePush } from '../loop.ts';
import { put } from '../map-commit.ts';
import type { ControllerRules } from '../rules.ts';
import { MoveLoop } from './moves.ts';
import { RepairLoop } from './repair.ts';

const BOUND = { revisionsMax: 1000, lengthMax: 1 << 24 };
const COPY_STEPS = 3;

/** A node's copy of a shard. */
interface Copy {
  epoch: number;
  offset: number;
  /** Steps of the full copy that are still to be taken; 0: it is whole. */
  toCopy: number;
  frozenBy: number | undefined;
  thawedBy: number;
}

class ModelNode {
  readonly id: NodeId;
  readonly name: string;
  map: ShardMap;
  isAlive = true;
  readonly copies = new Map<number, Copy>();
  readonly inbox: NodePush[] = [];

  constructor(name: string, map: ShardMap) {
    this.name = name;
    this.id = nodeIdOfName(name);
    this.map = map;
  }

  copyOf(shard: number): Copy {
    const copy = this.copies.get(shard) ?? {
      ...{ epoch: 0, offset: 0, toCopy: COPY_STEPS, frozenBy: undefined, thawedBy: -1 },
    };
    this.copies.set(shard, copy);
    return copy;
  }
}

export class MoveModel {
  readonly #keyspace = new Keyspace();
  readonly state = new ClusterState();
  readonly nodes: ModelNode[];
  readonly #rules: ControllerRules;
  #loops: ControllerLoop[] = [];
  #reports = new Map<number, Map<NodeId, ReportCall>>();
  #heartbeats = new Map<NodeId, HeartbeatCall>();
  /** Commits of which the leader was not told what became of them. */
  readonly #late: LoopCommit[] = [];
  /** By shard: how far the stream was acknowledged. */
  readonly #acknowledged: number[];
  nowUs = 0;

  constructor(settings: {
    nodes: number;
    shards: number;
    replicas: number;
    rules: ControllerRules;
  }) {
    const { shards: shardCount, replicas } = settings;
    this.#rules = settings.rules;
    const names = Array.from({ length: settings.nodes }, (_, index) => `n${index}`);
    const records = names.map(recordOf);
    const epoch = asEpoch(1);
    // The last node is new: it holds nothing.
    const map = placeShards({ shardCount, replicas, nodes: records.slice(0, -1), epoch });
    this.nodes = names.map((name) => new ModelNode(name, map));
    this.#acknowledged = map.shards.map(() => 0);
    for (const shard of map.shards) {
      for (const id of replicaSet(shard)) {
        Object.assign(this.#node(id).copyOf(shard.id), { epoch: 1, toCopy: 0 });
      }
    }
    this.#keyspace.commit(
      {
        compares: [],
        changes: [
          put(METADATA_KEYS.settings, { id: 'c', shardCount, replicas, createdAtMs: 0 }),
          put(METADATA_KEYS.epoch, epoch),
          put(METADATA_KEYS.counters, FIRST_COUNTERS),
          ...map.shards.map((shard) => put(METADATA_KEYS.shard(shard.id), shard)),
          ...records.map((record) => put(METADATA_KEYS.node(record.id), record)),
        ],
      },
      BOUND,
    );
    this.#load();
    this.newLeader();
  }

  get moves(): readonly Move[] {
    return [...this.state.moves.values()];
  }

  newLeader(): void {
    this.#loops = [new MoveLoop(this.#rules), new RepairLoop()];
    this.#reports = new Map();
    this.#heartbeats = new Map();
    // What its predecessor had on the way to nodes may still arrive.
  }

  begin(planned: readonly PlannedMove[]): void {
    const { counters } = this.state;
    const moves = planned.map((move, index): Move => {
      const times = { createdAtMs: 0, updatedAtMs: 0 };
      const id = counters.move + index;
      return { id, ...move, phase: 'pending', isPaused: false, plan: asEpoch(0), ...times };
    });
    this.#write([
      put(METADATA_KEYS.counters, { ...counters, move: counters.move + moves.length }),
      ...moves.map((move) => put(METADATA_KEYS.move(move.id), move)),
    ]);
  }

  /** As the admin API does it. */
  change(pick: number, change: Partial<Move>): void {
    const open = this.moves.filter((move) => !isMoveOver(move) && move.phase !== 'dropping');
    if (open.length === 0) return;
    const move = open[pick % open.length];
    this.#write([put(METADATA_KEYS.move(move.id), { ...move, ...change })]);
  }

  setState(pick: number, state: NodeRecord['state']): void {
    const node = this.nodes[pick % this.nodes.length];
    const record = this.state.nodes.get(node.id);
    invariant(record !== undefined, 'every node is known');
    this.#write([put(METADATA_KEYS.node(node.id), { ...record, state })]);
  }

  /** A replica or learner that dies, or comes back with what it had. */
  setAlive(pick: number, isAlive: boolean): void {
    const node = this.nodes[pick % this.nodes.length];
    // Failover is another loop's matter: primaries live on, here.
    const leads = this.state.map.shards.some(({ primary }) => primary === node.id);
    if (leads || node.isAlive === isAlive) return;
    node.isAlive = isAlive;
    node.inbox.length = 0;
    this.#heartbeats.delete(node.id);
    this.setState(pick, isAlive ? 'up' : 'down');
  }

  /** The leader looks. `fate` of its commit: it is carried out, or later, perhaps. */
  step(fate: 'now' | 'late' | 'never'): void {
    for (const loop of this.#loops) {
      const view: LoopView = {
        state: this.state,
        lives: {
          isAlive: (node) => this.#node(node).isAlive,
          heartbeatOf: (node) => this.#heartbeats.get(node),
          heardAgoMs: () => 0,
        },
        reportsTo: (id) => this.#reports.get(id) ?? new Map<NodeId, ReportCall>(),
      };
      const { commit, pushes } = loop.step(view, { nowUs: this.nowUs, wallMs: 0 });
      for (const push of pushes ?? []) {
        const node = this.#node(push.node);
        if (node.isAlive) node.inbox.push(push);
      }
      if (commit === undefined) continue;
      if (fate === 'now') this.#carryOut(commit);
      else if (fate === 'late') this.#late.push(commit);
    }
  }

  /** A commit whose fate was unknown arrives after all. */
  lateCommit(): void {
    const commit = this.#late.shift();
    if (commit !== undefined) this.#carryOut(commit);
  }

  /** A node takes the oldest push, or loses it; and hears of the map, or not. */
  deliver(pick: number, isLost: boolean): void {
    const node = this.nodes[pick % this.nodes.length];
    const push = node.inbox.shift();
    if (push !== undefined && !isLost && node.isAlive) this.#take(node, push);
  }

  tellMap(pick: number): void {
    const node = this.nodes[pick % this.nodes.length];
    if (!node.isAlive || node.map.epoch === this.state.map.epoch) return;
    const before = node.map;
    node.map = this.state.map;
    for (const shard of node.map.shards) {
      const copy = node.copyOf(shard.id);
      const role = roleOf(shard, node.id);
      if (role === undefined) {
        node.copies.set(shard.id, {
          ...{ epoch: 0, offset: 0, toCopy: COPY_STEPS, frozenBy: undefined },
          thawedBy: copy.thawedBy,
        });
      } else if (shard.epoch !== before.shards[shard.id].epoch) {
        copy.frozenBy = undefined;
        if (role === 'primary') copy.epoch = shard.epoch;
      }
    }
  }

  heartbeat(pick: number): void {
    const node = this.nodes[pick % this.nodes.length];
    if (node.isAlive) this.#heartbeats.set(node.id, heartbeatOf(node));
  }

  /** The primary of a shard, if the node takes itself for it, takes a write. */
  write(pick: number, shard: number): void {
    const node = this.nodes[pick % this.nodes.length];
    const own = node.map.shards[shard % node.map.shards.length];
    const copy = node.copyOf(own.id);
    if (!node.isAlive || own.primary !== node.id || copy.frozenBy !== undefined) return;
    const truth = this.state.map.shards[own.id];
    invariant(
      truth.primary === node.id && truth.epoch === own.epoch,
      `${node.name} acknowledges for shard ${own.id} of another`,
    );
    invariant(copy.offset >= this.#acknowledged[own.id], `shard ${own.id} lost writes in a switch`);
    copy.offset += 10;
    this.#acknowledged[own.id] = copy.offset;
  }

  /** A follower takes a step of its copy, or what is new of the stream. */
  follow(pick: number, shard: number): void {
    const node = this.nodes[pick % this.nodes.length];
    const own = node.map.shards[shard % node.map.shards.length];
    const role = roleOf(own, node.id);
    if (!node.isAlive || own.primary === null || role === undefined || role === 'primary') return;
    const primary = this.#node(own.primary);
    const source = primary.copyOf(own.id);
    if (!primary.isAlive || primary.map.shards[own.id].primary !== primary.id) return;
    const copy = node.copyOf(own.id);
    if (source.epoch < copy.epoch) return;
    if (copy.toCopy > 0) copy.toCopy--;
    if (copy.toCopy === 0) Object.assign(copy, { epoch: source.epoch, offset: source.offset });
  }

  /** All is well from now on: until no more is to be done. */
  heal(): void {
    for (const [index] of this.nodes.entries()) this.setAlive(index, true);
    for (let round = 0; round < 3000; round++) {
      this.nowUs += 50_000;
      this.lateCommit();
      this.step('now');
      for (const [index, node] of this.nodes.entries()) {
        while (node.inbox.length > 0) this.deliver(index, false);
        this.tellMap(index);
        for (const { id } of node.map.shards) {
          this.write(index, id);
          // Followers are behind, as a rule.
          if (round % 4 === 0) this.follow(index, id);
        }
        this.heartbeat(index);
      }
      if (this.moves.every(isMoveOver) && this.#isQuiet() && round > 300) return;
    }
    throw new Error(`moves do not end: ${JSON.stringify(this.moves)}`);
  }

  get isAnythingFrozen(): boolean {
    return this.nodes.some((node) =>
      [...node.copies.values()].some(({ frozenBy }) => frozenBy !== undefined),
    );
  }

  /** Live nodes with a whole copy, by the map. */
  wholeCopies(shard: Shard): number {
    return replicaSet(shard).filter((id) => {
      const node = this.#node(id);
      return node.isAlive && node.copyOf(shard.id).toCopy === 0;
    }).length;
  }

  #isQuiet(): boolean {
    return !this.isAnythingFrozen && this.#late.length === 0;
  }

  #take(node: ModelNode, push: NodePush): void {
    if (push.topic === 'freeze') {
      const { id, shard, epoch } = push.body;
      const copy = node.copyOf(shard);
      const own = node.map.shards[shard];
      const isPrimary = own.primary === node.id && own.epoch === epoch;
      if (!isPrimary || id < (copy.frozenBy ?? 0) || id <= copy.thawedBy) return;
      copy.frozenBy = id;
      this.#report(id, node, shard);
    } else if (push.topic === 'thaw') {
      const { id, shard } = push.body;
      const copy = node.copyOf(shard);
      copy.thawedBy = Math.max(copy.thawedBy, id);
      if (copy.frozenBy !== undefined && copy.frozenBy < id) copy.frozenBy = undefined;
    } else if (push.topic === 'seal') {
      for (const shard of push.body.shards) this.#report(push.body.id, node, shard);
    }
  }

  #report(id: number, node: ModelNode, shard: number): void {
    const { epoch, offset } = positionOf(node, shard);
    const position = { shard: asShardId(shard), epoch: asEpoch(epoch), offset };
    const reports = this.#reports.get(id) ?? new Map<NodeId, ReportCall>();
    reports.set(node.id, { id, nodeId: node.id, positions: [position] });
    this.#reports.set(id, reports);
  }

  #carryOut({ compares, changes, movesBegun = 0 }: LoopCommit): void {
    const { counters } = this.state;
    const numbers =
      movesBegun === 0
        ? []
        : [put(METADATA_KEYS.counters, { ...counters, move: counters.move + movesBegun })];
    const unchanged = movesBegun === 0 ? [] : [this.state.unchanged(METADATA_KEYS.counters)];
    const transaction = {
      compares: [...compares, ...unchanged],
      changes: [...changes, ...numbers],
    };
    const before = this.state.map;
    this.#keyspace.commit(transaction, BOUND);
    this.#load();
    for (const shard of this.state.map.shards) {
      const had = this.wholeCopies(before.shards[shard.id]);
      const floor = Math.min(had, (this.state.settings?.replicas ?? 0) + 1);
      invariant(this.wholeCopies(shard) >= floor, `shard ${shard.id} has a copy less`);
      this.#checkCounted(shard);
    }
  }

  /** What it has is asked for when the primary dies: who has left the shard is not asked. */
  #checkCounted(shard: Shard): void {
    if (shard.primary === null) return;
    const { primary, epoch, replicas } = this.#node(shard.primary).map.shards[shard.id];
    if (primary !== shard.primary || epoch !== shard.epoch) return;
    for (const node of replicas) {
      invariant(
        holders(shard).includes(node),
        `the primary of shard ${shard.id} counts ${this.#node(node).name}, which has left`,
      );
    }
  }

  #write(changes: LoopCommit['changes']): void {
    this.#keyspace.commit({ compares: [], changes }, BOUND);
    this.#load();
  }

  #load(): void {
    this.state.load(this.#keyspace);
  }

  #node(id: NodeId): ModelNode {
    const found = this.nodes.find((node) => node.id === id);
    invariant(found !== undefined, 'every node is one of the model');
    return found;
  }
}

function positionOf(node: ModelNode, shard: number): { epoch: number; offset: number } {
  const { epoch, offset, toCopy } = node.copyOf(shard);
  return toCopy > 0 ? { epoch: 0, offset: 0 } : { epoch, offset };
}

function heartbeatOf(node: ModelNode): HeartbeatCall {
  const shards = node.map.shards.flatMap((shard): ShardReport[] => {
    const role = roleOf(shard, node.id);
    if (role === undefined) return [];
    const { frozenBy, toCopy } = node.copyOf(shard.id);
    const { epoch, offset } = positionOf(node, shard.id);
    return [
      {
        ...{ shard: shard.id, epoch: asEpoch(epoch), offset, role, isCaughtUp: toCopy === 0 },
        ...{ lagBytes: 0, lagMs: 0, bytes: 0, items: 0, opsPerSecond: 0, writes: 0 },
        ...{ copiedBytes: 0, copyTotalBytes: 0 },
        ...(frozenBy === undefined ? {} : { frozenBy }),
      },
    ];
  });
  return {
    ...{ id: node.id, bootId: '0'.repeat(16), mapEpoch: node.map.epoch, shards, tenants: [] },
    ...{ tenantsRevision: asRevision(0), configVersion: '', usedBytes: 0, memoryBytes: 0 },
  };
}

function recordOf(name: string, index: number): NodeRecord {
  return {
    ...{ id: nodeIdOfName(name), name, host: '127.0.0.1', port: 7400 + index },
    ...{ replicationPort: 17_400 + index, zone: 'z', machine: name, weight: 1, memoryBytes: 0 },
    ...{ bootId: '0'.repeat(16), version: '1', state: 'up', isDraining: false, registeredAtMs: 0 },
  };
}
