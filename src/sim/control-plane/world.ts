/**
 * The world of the control plane: three meta peers, some nodes and clients, each a process with a
 * clock of its own, under all faults; and an oracle for each thing that the cluster rests on.
 */
import {
  asRevision,
  LEASE_TIMES,
  nodeIdOfName,
  type NodeId,
  type ShardId,
} from '../../cluster/index.ts';
import { adminCalls } from '../../meta/admin/index.ts';
import { openMetaPeer, type ControllerRules, type MetaPeer } from '../../meta/index.ts';
import { LEASE_RULES, type LeaseRules } from '../../node/cluster/lease.ts';
import type { RaftCore } from '../../raft/core.ts';
import type { Effects } from '../../raft/effects.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { Draws } from '../keyed-random.ts';
import type { SimProcess } from '../process.ts';
import { OracleViolation, type Simulation } from '../simulation.ts';
import { leaderAmong, Supervisor } from '../supervisor.ts';
import type { BuildHooks, Oracle, Subject, World } from '../world.ts';
import { storeCalls } from './calls.ts';
import { StoreClient, type StoreRequest } from './client.ts';
import { judge } from './judge.ts';
import { SimNode } from './node.ts';
import { isOfTenant, isRequest, probes, tenantProbes } from './requests.ts';
import { Revisions } from './revisions.ts';
import {
  CONTROL_FAULTS,
  controlOperation,
  controlOptions,
  drawControlScenario,
  isClient,
  isNode,
  isTenantClient,
  META_PEERS,
} from './scenario.ts';
import type { ControlOperation, ControlOptions, ControlScenario } from './scenario.ts';
import { storeModel } from './store-model.ts';
import { TenantClient } from './tenant-client.ts';
import { tenantModel } from './tenant-model.ts';
import { StoreWatcher } from './watcher.ts';

const CLUSTER = 'sim';
const PORT = 7500;
const ADMIN_TIMEOUT_MS = 2000;
const UNDRAIN_US = 1_000_000;
const SEGMENT_BYTES_MAX = 64 * 1024;

const ORACLES = [
  {
    name: 'one-leased-primary',
    promise:
      'two nodes never act as primary of one shard at the same true time: with a lease, not frozen',
  },
  { name: 'linearizability', promise: 'what clients are told has one order that explains it all' },
  { name: 'revisions', promise: 'a value has one revision, and later commits have later ones' },
  { name: 'equal-states', promise: 'peers at one revision hold the same' },
  {
    name: 'watch',
    promise: 'a watch is told each change once, in order and whole, or that it comes too late',
  },
] as const satisfies readonly Oracle[];

const POINTS = [
  'control: a second leader takes over',
  'control: a leader changes while nodes hold leases',
  'control: a node is declared dead',
  'control: a shard fails over',
  'control: a primary holds back for a move',
  'control: a node that was dead comes back with its memory',
  'control: a primary’s lease runs out',
  'control: a commit conflicts',
  'control: nobody knows whether a commit was applied',
  'control: a tenant was changed since it was seen',
  'control: nobody knows whether a tenant was changed',
  'control: a watch goes on at another peer',
  'control: a watch has fallen out of the history',
  'control: a peer that runs takes a snapshot in place of its state',
  'control: a peer stops because of its disk',
] as const;

/** One life of a meta peer. */
interface Running {
  /** Once it is open. */
  peer: MetaPeer | undefined;
  core: RaftCore | undefined;
  wasLeading: boolean;
  revision: number;
  nodesSeen: number;
  mapSeen: number;
}

class ControlPlaneSubject implements Subject {
  readonly #simulation: Simulation;
  readonly #scenario: ControlScenario;
  readonly #mistakes: ControlMistakes;
  readonly #revisions = new Revisions();
  readonly #running = new Map<SimProcess, Running>();
  readonly #nodes = new Map<SimProcess, SimNode>();
  readonly #clients: StoreClient[] = [];
  readonly #tenantClients: TenantClient[] = [];
  readonly #watchers: StoreWatcher[];
  readonly #addresses: readonly Address[];
  readonly #bootstrap: ReadonlyMap<string, Address>;
  /** Who was seen to be primary with a lease, when it was last looked at. */
  readonly #hadLease = new Map<SimProcess, boolean>();
  readonly #nodeStates = new Map<NodeId, { readonly state: string; readonly bootId: string }>();
  readonly #primaries = new Map<ShardId, NodeId | null>();
  readonly #supervisor: Supervisor;
  #leaders = 0;

  constructor(
    simulation: Simulation,
    scenario: ControlScenario,
    mistakes: ControlMistakes,
    { addPeer }: BuildHooks,
  ) {
    this.#simulation = simulation;
    this.#supervisor = new Supervisor(simulation, 'control');
    this.#scenario = scenario;
    this.#mistakes = mistakes;
    this.#bootstrap = new Map(META_PEERS.map((name) => [name, { host: name, port: PORT }]));
    this.#addresses = [...this.#bootstrap.values()];
    const requests = scenario.operations.filter(isRequest);
    for (const { name } of scenario.peers) {
      if (isTenantClient(name)) {
        const client = this.#tenantClient(name);
        this.#tenantClients.push(client);
        addPeer(name, (runtime) => client.run(runtime));
      } else if (isClient(name)) {
        const client = this.#client(name, requests);
        this.#clients.push(client);
        addPeer(name, (runtime) => client.run(runtime));
      } else if (isNode(name)) {
        const process = addPeer(name, (runtime) => this.#startNode(process, runtime));
      } else {
        const process = addPeer(name, (runtime) => this.#open(process, runtime));
      }
    }
    this.#watchers = scenario.options.watched.map((prefix, number) =>
      this.#watcher(prefix, number),
    );
  }

  start(): void {
    for (const process of this.#simulation.processes) process.start();
    for (const watcher of this.#watchers) watcher.turn();
    this.#administer(
      this.#scenario.operations.filter((one) => !isRequest(one) && !isOfTenant(one)),
    );
  }

  /** The cluster is there, and every node has its part in it. */
  isReady(): boolean {
    const nodes = [...this.#nodes.values()];
    const hasMap = (this.#leadingPeer()?.state.map.shards.length ?? 0) > 0;
    return hasMap && nodes.every(({ hasLease }) => hasLease);
  }

  leader(): SimProcess | undefined {
    return leaderAmong(this.#running);
  }

  /** A majority of the meta peers, some of the nodes, and all clients. */
  core(draws: Draws): readonly SimProcess[] {
    const { usable } = this.#supervisor;
    const peers = usable.filter(({ name }) => !isNode(name) && !isClient(name));
    const nodes = usable.filter(({ name }) => isNode(name));
    const spared = peers.length > 2 && draws.chance([1, 2]) ? draws.pick(peers) : undefined;
    const gone = nodes.length > 1 && draws.chance([1, 2]) ? draws.pick(nodes) : undefined;
    return usable.filter((process) => process !== spared && process !== gone);
  }

  healed(core: readonly SimProcess[]): void {
    this.#supervisor.healed(core);
    // Each client does more, so that what was done before is no excuse.
    this.#clients.forEach((client, number) => {
      for (const probe of probes(number)) client.add(probe);
    });
    this.#tenantClients.forEach((client, number) => {
      for (const probe of tenantProbes(number)) client.add(probe);
    });
    for (const watcher of this.#watchers) watcher.turn();
    this.#undrain();
  }

  pending(): string | undefined {
    const clients = [...this.#clients, ...this.#tenantClients];
    const left = clients.reduce((sum, client) => sum + client.left, 0);
    if (left > 0) return `${left} operations of clients have no outcome yet`;
    const peer = this.#leadingPeer();
    if (peer === undefined) return 'no meta peer leads';
    const { revision } = peer.store.view();
    for (const process of this.#supervisor.core) {
      const running = this.#running.get(process);
      if (running !== undefined && running.peer?.store.view().revision !== revision) {
        return `${process.name} is not at revision ${revision}`;
      }
    }
    return this.#nodesPending(peer) ?? this.#watchersPending(peer);
  }

  afterStep(process: SimProcess): void {
    const running = this.#running.get(process);
    if (running?.peer !== undefined) this.#lookAtPeer(process, running, running.peer);
    const node = this.#nodes.get(process);
    if (node !== undefined) this.#lookAtNode(process, node);
  }

  ended(process: SimProcess): void {
    this.#running.delete(process);
    this.#nodes.delete(process);
    for (const watcher of this.#watchers) watcher.ended(process);
    this.#simulation.note(process, process.hasPower ? 'killed' : 'power lost');
  }

  settle(): number {
    return 0;
  }

  finalChecks(): void {
    this.#revisions.checkOrder();
    for (const watcher of this.#watchers) watcher.checkComplete();
    judge(
      this.#clients.flatMap((client) => client.history),
      storeModel,
    );
    judge(
      this.#tenantClients.flatMap((client) => client.history),
      tenantModel,
    );
  }

  describe(process: SimProcess): string {
    const node = this.#nodes.get(process);
    if (node !== undefined) {
      return `${node.hasLease ? 'leased' : 'no lease'} map ${node.mapEpoch} primary of ${node.primaryOf.join(' ')}`;
    }
    const running = this.#running.get(process);
    if (running?.core === undefined) return process.status;
    const { role, term } = running.core;
    return `${role} ${term} revision ${running.peer?.store.view().revision ?? 0}`;
  }

  #leadingPeer(): MetaPeer | undefined {
    const leader = this.leader();
    const peer = leader === undefined ? undefined : this.#running.get(leader)?.peer;
    return peer?.isLeading === true ? peer : undefined;
  }

  #nodesPending({ state }: MetaPeer): string | undefined {
    const core = this.#supervisor.core.filter(({ name }) => isNode(name));
    for (const process of core) {
      const node = this.#nodes.get(process);
      if (node?.hasLease !== true) return `${process.name} has no lease`;
      if (node.mapEpoch !== state.map.epoch) return `${process.name} has an old map`;
    }
    const ids = new Set<NodeId | null>(core.map(({ name }) => nodeIdOfName(name)));
    const orphan = state.map.shards.find(({ primary }) => !ids.has(primary));
    if (state.map.shards.length === 0) return 'there is no shard map';
    return orphan === undefined ? undefined : `shard ${orphan.id} has no primary that lives`;
  }

  #watchersPending({ store }: MetaPeer): string | undefined {
    const entries = store.view().list('');
    for (const watcher of this.#watchers) {
      const missing = watcher.pending(entries);
      if (missing !== undefined) return missing;
    }
    return undefined;
  }

  #lookAtPeer(process: SimProcess, running: Running, peer: MetaPeer): void {
    const view = peer.store.view();
    if (view.revision !== running.revision) {
      running.revision = view.revision;
      this.#revisions.reached(process.name, view);
    }
    if (peer.isLeading && !running.wasLeading) {
      this.#leaders += 1;
      this.#simulation.note(process, 'leads');
      this.#simulation.sometimes(this.#leaders > 1, 'control: a second leader takes over');
      this.#simulation.sometimes(
        this.#leaders > 1 && [...this.#nodes.values()].some(({ hasLease }) => hasLease),
        'control: a leader changes while nodes hold leases',
      );
      this.#simulation.signal('leading', process);
    }
    running.wasLeading = peer.isLeading;
    if (peer.isLeading) this.#lookAtCluster(process, running, peer);
  }

  #lookAtCluster(process: SimProcess, running: Running, { state }: MetaPeer): void {
    const { changes } = state;
    if (changes.nodes !== running.nodesSeen) {
      running.nodesSeen = changes.nodes;
      for (const { id, name, state: now, bootId } of state.nodes.values()) {
        const before = this.#nodeStates.get(id);
        this.#nodeStates.set(id, { state: now, bootId });
        if (now === before?.state && bootId === before.bootId) continue;
        this.#simulation.note(process, `${name} is ${now}`);
        this.#simulation.sometimes(now === 'down', 'control: a node is declared dead');
        this.#simulation.sometimes(
          before?.state === 'down' && now !== 'down' && bootId === before.bootId,
          'control: a node that was dead comes back with its memory',
        );
      }
    }
    if (changes.map === running.mapSeen) return;
    running.mapSeen = changes.map;
    for (const { id, primary } of state.map.shards) {
      const before = this.#primaries.get(id);
      this.#primaries.set(id, primary);
      if (before === undefined || before === primary) continue;
      this.#simulation.note(process, `shard ${id} goes to another primary`);
      this.#simulation.reachable('control: a shard fails over');
      this.#simulation.signal('failover', process);
    }
  }

  /** A lease begins or goes on only in a step of its node: it is enough to look then. */
  #lookAtNode(process: SimProcess, node: SimNode): void {
    const hasLease = node.hasLease && node.primaryOf.length > 0;
    const hadLease = this.#hadLease.get(process) ?? false;
    this.#hadLease.set(process, hasLease);
    this.#simulation.sometimes(
      hadLease && !node.hasLease && node.primaryOf.length > 0,
      'control: a primary’s lease runs out',
    );
    if (!hasLease) return;
    const shards = new Set(node.primaryOf);
    for (const [otherProcess, other] of this.#nodes) {
      if (other === node || !other.hasLease) continue;
      const shard = other.primaryOf.find((id) => shards.has(id));
      if (shard === undefined) continue;
      const words = `${process.name} (map ${node.mapEpoch}) and ${otherProcess.name} (map ${other.mapEpoch})`;
      throw new OracleViolation(
        'one-leased-primary',
        `${words} both hold a lease as primary of shard ${shard}`,
      );
    }
  }

  #client(name: string, requests: readonly StoreRequest[]): StoreClient {
    const number = Number(name.slice(1)) - 1;
    return new StoreClient({
      simulation: this.#simulation,
      name,
      operations: requests.filter(({ client }) => client === number),
      addresses: this.#addresses,
      timeoutMs: this.#scenario.options.callTimeoutMs,
      revisions: this.#revisions,
    });
  }

  #tenantClient(name: string): TenantClient {
    const number = Number(name.slice(1)) - 1;
    const requests = this.#scenario.operations.filter(isOfTenant);
    return new TenantClient({
      ...{ simulation: this.#simulation, name, number, revisions: this.#revisions },
      operations: requests.filter(({ client }) => client === number),
      addresses: this.#addresses,
      timeoutMs: this.#scenario.options.callTimeoutMs,
    });
  }

  #watcher(prefix: string, number: number): StoreWatcher {
    return new StoreWatcher({
      simulation: this.#simulation,
      number,
      prefix,
      revisions: this.#revisions,
      hosts: () =>
        [...this.#running].flatMap(([process, { peer }]) => {
          return peer !== undefined && this.#supervisor.isWanted(process)
            ? [[process, peer.store] as const]
            : [];
        }),
    });
  }

  #startNode(process: SimProcess, runtime: Runtime): void {
    const rules = { ...LEASE_RULES, ...this.#mistakes.leaseRules };
    if (process.life > 1) this.#simulation.signal('restart', process);
    const onFrozen = (): void =>
      this.#simulation.reachable('control: a primary holds back for a move');
    this.#nodes.set(process, new SimNode(process, runtime, this.#addresses, { rules, onFrozen }));
  }

  #open(process: SimProcess, runtime: Runtime): void {
    const { options } = this.#scenario;
    const running: Running = {
      peer: undefined,
      core: undefined,
      wasLeading: false,
      revision: 0,
      nodesSeen: -1,
      mapSeen: -1,
    };
    this.#running.set(process, running);
    openMetaPeer(
      runtime,
      {
        name: process.name,
        cluster: CLUSTER,
        listen: { host: process.name, port: PORT },
        bootstrap: this.#bootstrap,
        directory: 'meta',
        shardCount: options.shards,
        replicas: options.replicas,
        initialNodes: this.#scenario.peers.filter(({ name }) => isNode(name)).length,
        makeCalls: (peer) =>
          new Map([...adminCalls(peer), ...storeCalls(peer, options.callTimeoutMs)]),
        raftLimits: {
          electionTimeoutMs: options.electionTimeoutMs,
          heartbeatIntervalMs: options.heartbeatIntervalMs,
          snapshotChunkBytes: options.snapshotChunkBytes,
          trailingEntries: options.trailingEntries,
        },
        raftStorage: {
          snapshotEntries: options.snapshotEveryEntries,
          segmentBytesMax: SEGMENT_BYTES_MAX,
        },
        times: {
          heartbeatMs: LEASE_TIMES.heartbeatMs,
          leaseMs: options.leaseMs,
          marginMs: options.marginMs,
        },
        storeOptions: { historyRevisionsMax: options.historyRevisionsMax },
        rules: this.#mistakes.rules ?? {},
        observer: {
          onStep: (core, _input, effects) => {
            running.core = core;
            this.#stepped(process, core, effects);
          },
        },
        onFailure: (error) => this.#supervisor.gaveUp(process, error),
      },
      (opening) => {
        if (opening.error !== undefined) {
          this.#supervisor.gaveUp(process, opening.error);
          return;
        }
        const { peer } = opening;
        running.peer = peer;
        peer.listen((error) => {
          if (error !== undefined) this.#supervisor.gaveUp(process, error);
        });
      },
    );
  }

  #stepped(process: SimProcess, core: RaftCore, { events }: Effects): void {
    const simulation = this.#simulation;
    for (const event of events) {
      if (event.kind === 'role') {
        simulation.note(process, `${event.role} of term ${event.term}`);
        if (event.role !== 'follower') simulation.signal(event.role, process);
      } else if (event.kind === 'snapshotInstalled') {
        simulation.note(process, `installs a snapshot of ${event.index}, term ${core.term}`);
        simulation.reachable('control: a peer that runs takes a snapshot in place of its state');
        simulation.signal('snapshotInstalled', process);
      }
    }
  }

  /** Whoever drained nodes wants them back: without any, there would be nowhere to put shards. */
  #undrain(): void {
    const process = this.leader();
    const peer = this.#leadingPeer();
    if (process !== undefined && peer !== undefined) {
      const draining = [...peer.state.nodes.values()].filter(({ isDraining }) => isDraining);
      process.enter(process.life, 'administration', () => {
        for (const { name } of draining) setDraining(peer, name, 'undrain');
      });
    }
    this.#simulation.schedule(UNDRAIN_US, 'administration', () => this.#undrain());
  }

  #administer(operations: readonly ControlOperation[]): void {
    const [operation, ...rest] = operations;
    if (operation === undefined) return;
    this.#simulation.schedule(operation.thinkMs * 1000 + 1, 'administration', () => {
      if (this.#supervisor.isHealed) return;
      this.#ask(operation);
      this.#administer(rest);
    });
  }

  #ask(operation: ControlOperation): void {
    const process = this.leader();
    const peer = process === undefined ? undefined : this.#running.get(process)?.peer;
    if (process === undefined || peer === undefined) return;
    process.enter(process.life, 'administration', () => {
      if (operation.kind === 'transfer') {
        this.#simulation.note(process, 'is asked to hand over');
        peer.group.transferLeader(undefined, () => {});
      } else if (operation.kind === 'compact') {
        const through = Math.max(0, peer.store.view().revision - operation.keep);
        peer.store.compact(asRevision(through), () => {});
      } else if ('node' in operation) {
        this.#simulation.note(process, `is asked to ${operation.kind} ${operation.node}`);
        setDraining(peer, operation.node, operation.kind);
      }
    });
  }
}

function setDraining(peer: MetaPeer, node: string, kind: 'drain' | 'undrain'): void {
  peer.call(`node.${kind}`, { node }, ADMIN_TIMEOUT_MS, () => {});
}

/** Rules to be played by in place of the right ones, to prove the oracles. */
export interface ControlMistakes {
  readonly rules?: Partial<ControllerRules>;
  readonly leaseRules?: Partial<LeaseRules>;
}

export const controlPlaneWorld = controlPlaneWorldWith({});

export function controlPlaneWorldWith(
  mistakes: ControlMistakes,
): World<ControlOptions, ControlOperation> {
  return {
    name: 'control-plane',
    summary: 'three meta peers with store and controller, nodes with leases, clients and watchers',
    oracles: ORACLES,
    points: POINTS,
    faults: CONTROL_FAULTS,
    options: controlOptions,
    operation: controlOperation,
    draw: drawControlScenario,
    withoutPeer(scenario, name) {
      const nodes = scenario.peers.filter((peer) => isNode(peer.name));
      const isSpare = isClient(name) || (isNode(name) && nodes.length > 1);
      if (!isSpare) return undefined;
      const peers = scenario.peers.filter((peer) => peer.name !== name);
      const replicas = Math.min(scenario.options.replicas, nodes.length - 2);
      const options = isNode(name)
        ? { ...scenario.options, replicas: Math.max(0, replicas) }
        : scenario.options;
      return { ...scenario, peers, options };
    },
    build: (simulation, scenario, hooks) =>
      new ControlPlaneSubject(simulation, scenario, mistakes, hooks),
  };
}
