/**
 * The world of the whole cluster: three meta peers, cache nodes and clients, each a process with a
 * clock of its own, under all faults; and an oracle for each thing that is promised to clients.
 */
import {
  asShardId,
  nodeIdOfName,
  shardSlots,
  slotOfKey,
  type NodeId,
  type ShardId,
} from '../../cluster/index.ts';
import { openMetaPeer, type MetaPeer } from '../../meta/index.ts';
import { CacheNode, DUTY, type ProcessFacts } from '../../node/index.ts';
import type { RaftCore } from '../../raft/core.ts';
import type { Effects } from '../../raft/effects.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Draws } from '../keyed-random.ts';
import type { SimProcess } from '../process.ts';
import { OracleViolation, type Simulation } from '../simulation.ts';
import { leaderAmong, Supervisor } from '../supervisor.ts';
import type { BuildHooks, Oracle, Subject, World } from '../world.ts';
import { Administrator } from './administrator.ts';
import { Chronicle } from './chronicle.ts';
import { DataClient } from './client.ts';
import { Convergence } from './convergence.ts';
import { judgeKey } from './key-history.ts';
import { Ledger, type TrackedWrite } from './ledger.ts';
import {
  cacheNodeOptions,
  META_ADDRESSES,
  metaPeerOptions,
  nodeAddress,
  type ClusterMistakes,
} from './parts.ts';
import { CLUSTER_POINTS } from './points.ts';
import {
  clientNumber,
  CLUSTER_FAULTS,
  clusterOperation,
  clusterOptions,
  drawClusterScenario,
  isClient,
  isData,
  isMetaPeer,
  isNode,
  type AdminOperation,
  type ClusterOperation,
  type ClusterOptions,
  type ClusterScenario,
  type DataOperation,
} from './scenario.ts';
import { createTenants, TENANT_NUMBERS } from './tenants.ts';

/** What a supervisor waits before it starts a process again that has stopped by itself. */
const SETUP_US = 100_000;
/** How often it is looked whether the cluster has converged. */
const LOOK_US = 20_000;

const ORACLES = [
  {
    name: 'one-primary',
    promise: 'two nodes never serve one shard as its primary at the same true time',
  },
  {
    name: 'no-loss',
    promise:
      'no acknowledged write is lost but by a failover, and then no more than its tenant has been told; nothing old comes back',
  },
  {
    name: 'acknowledged-by-quorum',
    promise: 'a quorum write is acknowledged when a majority has it',
  },
  { name: 'equal-copies', promise: 'at rest, replicas are equal to their primaries' },
  { name: 'memory', promise: 'a node’s memory stays within its limit' },
] as const satisfies readonly Oracle[];

const FACTS: ProcessFacts = {
  ...{ pid: 1, residentBytes: 0, userCpuUs: 0, systemCpuUs: 0, version: 'sim' },
};

/** One life of a meta peer. */
interface Running {
  /** Once it is open. */
  peer: MetaPeer | undefined;
  core: RaftCore | undefined;
  wasLeading: boolean;
}

class ClusterSubject implements Subject {
  readonly #simulation: Simulation;
  readonly #scenario: ClusterScenario;
  readonly #mistakes: ClusterMistakes;
  readonly #running = new Map<SimProcess, Running>();
  readonly #nodes = new Map<SimProcess, CacheNode>();
  readonly #ids = new Map<SimProcess, NodeId>();
  readonly #byId = new Map<NodeId | null, SimProcess>();
  readonly #clients: DataClient[] = [];
  readonly #administrator: Administrator;
  readonly #ledger: Ledger;
  readonly #chronicle: Chronicle;
  readonly #convergence: Convergence;
  /** Who served as a primary, when it was last looked at. */
  readonly #wasOpen = new Map<SimProcess, boolean>();
  readonly #wasFrozen = new Map<SimProcess, string>();
  readonly #supervisor: Supervisor;
  #isReadingAll = false;
  #leaders = 0;
  #lookedAtUs = -Infinity;
  #missing: string | undefined = 'nobody has looked yet';

  constructor(
    simulation: Simulation,
    scenario: ClusterScenario,
    mistakes: ClusterMistakes,
    { addPeer }: BuildHooks,
  ) {
    this.#simulation = simulation;
    this.#supervisor = new Supervisor(simulation, 'cluster');
    this.#scenario = scenario;
    this.#mistakes = mistakes;
    this.#ledger = new Ledger(simulation, this.#nodes, (process) => nodeIdOfName(process.name));
    this.#convergence = new Convergence(this.#nodes, this.#byId);
    this.#chronicle = new Chronicle(simulation, this.#ledger, (id) => this.#byId.get(id));
    this.#administrator = new Administrator({
      simulation,
      addresses: META_ADDRESSES,
      operations: scenario.operations.filter(isAdministration),
      // Some tenants' writes are refused for good where there are too few copies.
      undrains: scenario.options.tenants.some((promised) => promised !== 'default'),
      perform: (operation) => this.#perform(operation),
    });
    for (const { name } of scenario.peers) {
      if (isMetaPeer(name)) {
        const process = addPeer(name, (runtime) => this.#openPeer(process, runtime));
      } else if (isNode(name)) {
        const process = addPeer(name, (runtime) => this.#startNode(process, runtime));
        this.#ids.set(process, nodeIdOfName(name));
        this.#byId.set(nodeIdOfName(name), process);
      } else if (isClient(name)) {
        const client = this.#client(name, scenario.operations.filter(isData));
        this.#clients.push(client);
        addPeer(name, (runtime) => client.run(runtime));
      } else {
        addPeer(name, (runtime) => this.#administrator.run(runtime));
      }
    }
  }

  start(): void {
    const { lateNodes } = this.#scenario.options;
    for (const process of this.#simulation.processes) {
      if (!lateNodes.includes(process.name)) process.start();
    }
    this.#setUp();
  }

  /** Every node has its part in it, every copy is there, and clients have written. */
  isReady(): boolean {
    if (!this.#clients.every(({ isWarm }) => isWarm)) return false;
    const peer = this.#leadingPeer();
    if (peer === undefined) return false;
    return this.#convergence.pending(peer, this.#startedNodes()) === undefined;
  }

  leader(): SimProcess | undefined {
    return leaderAmong(this.#running);
  }

  /** A majority of the meta peers, most nodes, and all clients. */
  core(draws: Draws): readonly SimProcess[] {
    const { usable } = this.#supervisor;
    const peers = usable.filter(({ name }) => isMetaPeer(name));
    const nodes = this.#startedNodes();
    const spared = peers.length > 2 && draws.chance([1, 2]) ? draws.pick(peers) : undefined;
    const isSpare = nodes.length > this.#scenario.options.replicas + 1;
    const gone = draws.chance([1, 4]) && isSpare ? draws.pick(nodes) : undefined;
    const isLate = (process: SimProcess): boolean => isNode(process.name) && process.life === 0;
    return usable.filter((process) => process !== spared && process !== gone && !isLate(process));
  }

  healed(core: readonly SimProcess[]): void {
    this.#supervisor.healed(core);
    this.#administrator.tidyUp();
    // Each client does more, so that what was done before is no excuse.
    this.#clients.forEach((client, number) => {
      for (const probe of probes(number)) client.insist(probe);
    });
  }

  pending(): string | undefined {
    const { nowUs } = this.#simulation.queue;
    if (nowUs < this.#lookedAtUs + LOOK_US) return this.#missing;
    this.#lookedAtUs = nowUs;
    this.#missing = this.#look();
    return this.#missing;
  }

  #look(): string | undefined {
    for (const { name, left, lastError } of this.#clients) {
      if (left > 0) return `${left} operations of ${name} have no outcome yet (${lastError})`;
    }
    const core = this.#supervisor.core.filter(({ name }) => isNode(name));
    const peer = this.#leadingPeer();
    if (peer === undefined) return 'no meta peer leads';
    const missing = this.#convergence.pending(peer, core);
    if (missing !== undefined || this.#isReadingAll) return missing;
    this.#isReadingAll = true;
    const isDrained = [...peer.state.nodes.values()].some(({ state }) => state === 'draining');
    this.#simulation.sometimes(isDrained, 'cluster: a drained node is empty');
    for (const client of this.#clients) client.readAll();
    return 'all keys are being read';
  }

  afterStep(process: SimProcess): void {
    const running = this.#running.get(process);
    if (running?.peer !== undefined) {
      this.#lookAtPeer(process, running, running.peer);
      return;
    }
    const node = this.#nodes.get(process);
    if (node === undefined) return;
    this.#ledger.stepped(process, node);
    this.#lookAtNode(process, node);
  }

  ended(process: SimProcess): void {
    this.#ledger.ended(process);
    this.#running.delete(process);
    this.#nodes.delete(process);
    this.#wasOpen.delete(process);
    this.#wasFrozen.delete(process);
    this.#simulation.note(process, process.hasPower ? 'killed' : 'power lost');
  }

  settle(): number {
    return 0;
  }

  finalChecks(): void {
    this.#checkHistories();
    const peer = this.#leadingPeer();
    const words = peer && this.#convergence.difference(peer, this.#supervisor.core);
    if (words !== undefined) throw new OracleViolation('equal-copies', words);
  }

  describe(process: SimProcess): string {
    const node = this.#nodes.get(process);
    if (node?.cluster !== undefined) {
      const { routing } = node.cluster;
      const own = routing.map.shards.filter(({ id }) => routing.duties[id] === DUTY.primary);
      const isOpen = node.cluster.isOpenAt(process.clock.monotonicUs());
      const leased = isOpen ? 'leased' : 'no lease';
      return `${leased} map ${routing.map.epoch} primary of ${own.map(({ id }) => id).join(' ')}`;
    }
    const core = this.#running.get(process)?.core;
    return core === undefined ? process.status : `${core.role} ${core.term}`;
  }

  #startedNodes(): SimProcess[] {
    return [...this.#ids.keys()].filter(({ life }) => life > 0);
  }

  #leadingPeer(): MetaPeer | undefined {
    const leader = this.leader();
    const peer = leader === undefined ? undefined : this.#running.get(leader)?.peer;
    return peer?.isLeading === true ? peer : undefined;
  }

  #checkHistories(): void {
    for (const client of this.#clients) {
      for (const { key, writes, reads } of client.records) {
        const fault = judgeKey(key, writes, reads, (write, read) => {
          const why = this.#ledger.excuse(write, read);
          this.#simulation.sometimes(
            why === undefined,
            'cluster: acknowledged writes are lost by a failover',
          );
          return why;
        });
        if (fault === undefined) continue;
        throw new OracleViolation('no-loss', `tenant ${client.promised}: ${fault.sentence}`);
      }
    }
  }

  #lookAtPeer(process: SimProcess, running: Running, peer: MetaPeer): void {
    this.#chronicle.stepped(process, peer);
    if (peer.isLeading && !running.wasLeading) {
      this.#leaders += 1;
      this.#simulation.note(process, 'leads');
      this.#simulation.sometimes(this.#leaders > 1, 'cluster: a second leader takes over');
      this.#simulation.signal('leading', process);
    }
    running.wasLeading = peer.isLeading;
  }

  #lookAtNode(process: SimProcess, node: CacheNode): void {
    const { cluster, engine } = node;
    if (cluster === undefined) return;
    if (engine.usedBytes > engine.memoryBytes) {
      const words = `${process.name} uses ${engine.usedBytes} bytes of ${engine.memoryBytes}`;
      throw new OracleViolation('memory', words);
    }
    const { routing } = cluster;
    const isOpen = cluster.isOpenAt(process.clock.monotonicUs());
    const wasOpen = this.#wasOpen.get(process) ?? false;
    this.#wasOpen.set(process, isOpen);
    if (wasOpen && !isOpen && routing.duties.includes(DUTY.primary)) {
      this.#simulation.reachable('cluster: a primary’s lease runs out');
    }
    this.#lookAtFreezes(process, cluster);
    if (!isOpen) return;
    for (const [other, { cluster: otherCluster }] of this.#nodes) {
      if (other === process || otherCluster === undefined) continue;
      const { duties } = otherCluster.routing;
      for (let shard = 0; shard < duties.length; shard += 1) {
        if (duties[shard] !== DUTY.primary || routing.duties[shard] !== DUTY.primary) continue;
        if (!otherCluster.isOpenAt(other.clock.monotonicUs())) break;
        const epochs = `${routing.map.epoch} and ${otherCluster.routing.map.epoch}`;
        throw new OracleViolation(
          'one-primary',
          `${process.name} and ${other.name} both serve shard ${shard}, by maps ${epochs}`,
        );
      }
    }
  }

  #lookAtFreezes(
    process: SimProcess,
    { routing, states, replication }: NonNullable<CacheNode['cluster']>,
  ): void {
    let frozen = '';
    for (const held of replication.shards) {
      if (held.isFrozen && held.role === 'primary' && states.isReady(held.id))
        frozen += `${held.id} `;
    }
    const before = this.#wasFrozen.get(process) ?? '';
    if (frozen !== '') {
      const leader = this.leader();
      this.#simulation.sometimes(
        leader === undefined,
        'cluster: a shard is held back while its leader is dead',
      );
    }
    if (frozen === before) return;
    this.#wasFrozen.set(process, frozen);
    this.#simulation.note(process, frozen === '' ? 'holds nothing back' : `holds back ${frozen}`);
    if (frozen.length > before.length) {
      this.#simulation.reachable('cluster: a shard is held back');
      this.#simulation.signal('frozen', process);
    }
    const letGo = before.split(' ').find((id) => id !== '' && !frozen.includes(`${id} `));
    this.#simulation.sometimes(
      letGo !== undefined && routing.duties[Number(letGo)] === DUTY.primary,
      'cluster: a shard is let go on',
    );
  }

  #client(name: string, operations: readonly DataOperation[]): DataClient {
    const { options, peers } = this.#scenario;
    const number = clientNumber(name);
    const promised = options.tenants.at(number) ?? 'default';
    return new DataClient({
      simulation: this.#simulation,
      ...{ name, number, promised, namespace: TENANT_NUMBERS[promised] },
      seeds: peers.filter((peer) => isNode(peer.name)).map((peer) => nodeAddress(peer.name)),
      operations: operations.filter(({ client }) => client === number),
      timeoutMs: options.callTimeoutMs,
      keys: options.keys,
      clients: this.#clients,
      onAcknowledged: (write, key) => this.#acknowledged(write, key),
    });
  }

  #acknowledged(write: TrackedWrite, key: string): void {
    const bytes = Buffer.from(key);
    const slot = slotOfKey(bytes, 0, bytes.length);
    const { shards, replicas } = this.#scenario.options;
    const shard = shardOfSlot(slot, shards);
    this.#ledger.acknowledged(write, shard, replicas + 1);
  }

  /** Tenants are created as soon as there is a cluster. */
  #setUp(): void {
    this.#simulation.schedule(SETUP_US, 'set up', () => {
      const process = this.leader();
      const peer = this.#leadingPeer();
      if (process !== undefined && peer !== undefined) {
        const { tenants } = this.#scenario.options;
        process.enter(process.life, 'set up', () => createTenants(peer, tenants));
      }
      if (!this.#supervisor.isHealed) this.#setUp();
    });
  }

  #perform(operation: Extract<AdminOperation, { kind: 'join' | 'stop' }>): void {
    const process = this.#simulation.processNamed(operation.node);
    if (process === undefined) return;
    if (operation.kind === 'join') {
      if (process.life === 0) process.start();
      return;
    }
    const node = this.#nodes.get(process);
    if (node === undefined || process.status !== 'running') return;
    const { life } = process;
    const { restartMs } = operation;
    this.#simulation.note(process, 'is stopped in order');
    process.enter(life, 'stop', () => {
      node.stop(() => {
        process.kill();
        this.#simulation.schedule(restartMs * 1000, 'restart', () => {
          if (process.status === 'down' && this.#supervisor.isWanted(process)) process.start();
        });
      });
    });
  }

  #startNode(process: SimProcess, runtime: Runtime): void {
    if (process.life > 1) this.#simulation.signal('restart', process);
    const options = cacheNodeOptions(process, this.#scenario, this.#mistakes);
    const node = new CacheNode(runtime, options, () => FACTS);
    this.#nodes.set(process, node);
    node.start((error) => {
      if (error !== undefined) throw error;
    });
  }

  #openPeer(process: SimProcess, runtime: Runtime): void {
    const running: Running = { peer: undefined, core: undefined, wasLeading: false };
    this.#running.set(process, running);
    openMetaPeer(
      runtime,
      {
        ...metaPeerOptions(process.name, this.#scenario, this.#mistakes),
        observer: {
          onStep: (core, _input, effects) => {
            running.core = core;
            this.#stepped(process, effects);
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

  #stepped(process: SimProcess, { events }: Effects): void {
    for (const event of events) {
      if (event.kind !== 'role') continue;
      this.#simulation.note(process, `${event.role} of term ${event.term}`);
      if (event.role !== 'follower') this.#simulation.signal(event.role, process);
    }
  }
}

const isAdministration = (operation: ClusterOperation): operation is AdminOperation =>
  !isData(operation);

/** Of the first map, whose slots stay. */
function shardOfSlot(slot: number, shards: number): ShardId {
  return asShardId(shardSlots(shards).findIndex(({ slotLast }) => slot <= slotLast));
}

/** Ids that no drawn operation has. */
const PROBE_ID = 1_000_000;
/** Nor do they write these. */
const PROBE_KEY = 1000;

function probes(client: number): DataOperation[] {
  const common = { client, thinkMs: 10, key: PROBE_KEY };
  const id = PROBE_ID + client * 2;
  return [
    { ...common, id, kind: 'set', bytes: 10 },
    { ...common, id: id + 1, kind: 'get', owner: client },
  ];
}

export const clusterWorld = clusterWorldWith({});

export function clusterWorldWith(
  mistakes: ClusterMistakes,
): World<ClusterOptions, ClusterOperation> {
  return {
    name: 'cluster',
    summary: 'three meta peers, cache nodes with replication, moves and failover, and clients',
    oracles: ORACLES,
    points: CLUSTER_POINTS,
    faults: CLUSTER_FAULTS,
    options: clusterOptions,
    operation: clusterOperation,
    draw: drawClusterScenario,
    withoutPeer(scenario, name) {
      const clients = scenario.peers.filter((peer) => isClient(peer.name));
      const nodes = scenario.peers.filter((peer) => isNode(peer.name));
      const isLastClient = clients.length > 1 && clients.at(-1)?.name === name;
      if (!isLastClient && !(isNode(name) && nodes.length > 1)) return undefined;
      const peers = scenario.peers.filter((peer) => peer.name !== name);
      if (isLastClient) return { ...scenario, peers };
      const lateNodes = scenario.options.lateNodes.filter((late) => late !== name);
      // So that no tenant's writes are refused for good.
      const replicas = Math.min(scenario.options.replicas, nodes.length - 2 - lateNodes.length);
      if (replicas < 0) return undefined;
      const operations = scenario.operations.filter(
        (operation) => !('node' in operation && operation.node === name),
      );
      return {
        ...scenario,
        peers,
        operations,
        options: { ...scenario.options, lateNodes, replicas },
      };
    },
    build: (simulation, scenario, hooks) =>
      new ClusterSubject(simulation, scenario, mistakes, hooks),
  };
}
