/** What the tests of this folder share: a group of meta peers and nodes in a simulated world. */
import {
  asShardId,
  heartbeatAnswerSchema,
  heartbeatCallSchema,
  registerAnswerSchema,
  METADATA_KEYS,
  nodeIdOfName,
  PUSHES,
  shardPositionSchema,
  shardSlots,
  type HeartbeatCall,
  type NodeFacts,
  type NodeId,
  type Push,
  type RegisterAnswer,
  type Shard,
  type ShardPosition,
} from '../cluster/index.ts';
import { RpcClient, type RpcOutcome } from '../rpc/index.ts';
import type { Runtime } from '../runtime/index.ts';
import { CALM_NETWORK, type NetworkSettings, type SimProcess, Simulation } from '../sim/index.ts';
import { put } from './controller/map-commit.ts';
import { type MetaPeer, type MetaPeerOptions, openMetaPeer } from './index.ts';
import type { CommitOutcome, Transaction } from './store/index.ts';

const CALM: NetworkSettings = {
  ...CALM_NETWORK,
  latency: { shape: 'uniform', minUs: 200, spreadUs: 100 },
};

const PORT = 7500;
const PEER_NAMES = ['m1', 'm2', 'm3'];
const ADDRESSES = PEER_NAMES.map((host) => ({ host, port: PORT }));

export class MetaWorld {
  readonly simulation: Simulation;
  readonly processes: SimProcess[];
  /** Of the present life of each process. */
  readonly peers = new Map<string, MetaPeer>();
  /** By process: why it could not be opened, or has stopped. */
  readonly failures = new Map<string, Error>();

  constructor(
    settings: {
      seed?: number;
      network?: Partial<NetworkSettings>;
      options?: Partial<MetaPeerOptions>;
      driftPpm?: readonly number[];
    } = {},
  ) {
    const { seed = 1, network = {}, options = {}, driftPpm = [] } = settings;
    this.simulation = new Simulation({ seed, network: { ...CALM, ...network } });
    const bootstrap = new Map(PEER_NAMES.map((host) => [host, { host, port: PORT }]));
    this.processes = PEER_NAMES.map((name, index) =>
      this.add(name, driftPpm[index] ?? 0, (runtime) => {
        this.peers.delete(name);
        const own: MetaPeerOptions = {
          name,
          cluster: 'test',
          listen: { host: name, port: PORT },
          bootstrap,
          directory: 'meta',
          shardCount: 4,
          replicas: 1,
          // Tests place shards by hand, before the two seconds are over.
          initialNodes: 1000,
          onFailure: (error) => this.failures.set(name, error),
          ...options,
        };
        openMetaPeer(runtime, own, (opening) => {
          if (opening.error !== undefined) {
            this.failures.set(name, opening.error);
            return;
          }
          const { peer } = opening;
          this.peers.set(name, peer);
          peer.listen((error) => {
            if (error !== undefined) throw error;
          });
        });
      }),
    );
  }

  add(name: string, driftPpm: number, program: (runtime: Runtime) => void): SimProcess {
    const process = this.simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm, wallUs: 1_700_000_000_000_000 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 100 }),
      program,
    });
    process.start();
    return process;
  }

  run(milliseconds: number): void {
    this.simulation.queue.runUntil(this.simulation.queue.nowUs + milliseconds * 1000);
  }

  /** Runs until it is so, for ten seconds at most. */
  until(words: string, condition: () => boolean, limitMs = 10_000): void {
    for (let ms = 0; ms < limitMs; ms += 10) {
      if (condition()) return;
      this.run(10);
    }
    throw new Error(`not within ${limitMs} ms: ${words}`);
  }

  get leader(): MetaPeer {
    this.until('a peer leads', () => this.#leading() !== undefined);
    const leader = this.#leading();
    if (leader === undefined) throw new Error('no peer leads');
    return leader;
  }

  processOf(peer: MetaPeer): SimProcess {
    const process = this.simulation.processNamed(peer.name);
    if (process === undefined) throw new Error(`no process ${peer.name}`);
    return process;
  }

  commit(transaction: Transaction): CommitOutcome {
    let outcome: CommitOutcome | undefined;
    const { leader } = this;
    leader.store.commit(transaction, 3000, (result) => (outcome = result));
    this.until('a commit ends', () => outcome !== undefined);
    if (outcome === undefined) throw new Error('no outcome');
    return outcome;
  }

  /** Writes a map of as many shards as are given, all at epoch 1. */
  placeShards(copies: ReadonlyArray<Pick<Shard, 'primary' | 'replicas'>>): void {
    const slots = shardSlots(copies.length);
    const shards = copies.map((copy, index) => ({
      id: asShardId(index),
      ...slots[index],
      ...copy,
      learners: [],
      epoch: 1,
    }));
    const outcome = this.commit({
      compares: [],
      changes: [
        put(METADATA_KEYS.epoch, 1),
        ...shards.map((shard) => put(METADATA_KEYS.shard(shard.id), shard)),
      ],
    });
    if (outcome.kind !== 'committed') throw new Error(`not placed: ${outcome.kind}`);
  }

  #leading(): MetaPeer | undefined {
    return [...this.peers.values()].find(
      (peer) => peer.isLeading && this.processOf(peer).status === 'running',
    );
  }
}

export const idOf = nodeIdOfName;

/** In the first epoch. */
export function at(shard: number, offset: number): ShardPosition {
  return shardPositionSchema.parse({ shard, epoch: 1, offset });
}

/**
 * What a node says to the meta peers, and no more: it registers, sends heartbeats, keeps what it is
 * pushed, and answers seals with the positions that it was given.
 */
export class StubNode {
  readonly id: NodeId;
  readonly process: SimProcess;
  readonly pushes: Array<{ topic: string; body: unknown }> = [];
  readonly refusals: string[] = [];
  registered: RegisterAnswer | undefined;
  /** On its own clock. */
  leasedUntilUs = -Infinity;
  map: Push<'map'> | undefined;
  /** Of the shards that it holds. */
  positions: ShardPosition[] = [];
  answersSeals = true;
  /** What it says of tenants: the rest is 0. */
  usage: ReadonlyArray<{ tenant: string; bytes: number; connections: number }> = [];
  bootId = '';
  client: RpcClient | undefined;
  clockUs: () => number = () => 0;
  #runtime: Runtime | undefined;
  #tenantsRevision = 0;
  #configVersion = '';
  #facts: NodeFacts | undefined;
  #leaseUs = 0;

  /** May act as primary, as it sees it. */
  get holdsLease(): boolean {
    return this.process.status !== 'down' && this.clockUs() < this.leasedUntilUs;
  }

  constructor(
    world: MetaWorld,
    name: string,
    settings: { driftPpm?: number; facts?: Partial<NodeFacts> } = {},
  ) {
    const host = `${name}-${world.simulation.processes.length}`;
    this.id = idOf(name);
    this.process = world.add(host, settings.driftPpm ?? 0, (runtime) => {
      this.#runtime = runtime;
      this.clockUs = () => runtime.clock.monotonicUs();
      this.bootId = Buffer.from(runtime.random.bytes(8)).toString('hex');
      this.registered = undefined;
      this.leasedUntilUs = -Infinity;
      this.map = undefined;
      this.#tenantsRevision = 0;
      this.#configVersion = '';
      const facts: NodeFacts = {
        id: this.id,
        name,
        host,
        port: 7400,
        replicationPort: 17_400,
        zone: 'z1',
        machine: host,
        weight: 1,
        memoryBytes: 1024 * 1024,
        bootId: this.bootId,
        version: '1.0.0',
        ...settings.facts,
      };
      this.client = new RpcClient(runtime, {
        addresses: ADDRESSES,
        connectTimeoutMs: 500,
        onPush: (topic, body) => this.#pushed(topic, body),
      });
      this.#register(facts);
      this.#beat();
    });
  }

  #register(facts: NodeFacts): void {
    const runtime = this.#runtime;
    this.client?.call('node.register', { facts }, 2000, (outcome) => {
      if (outcome.ok) {
        this.registered = registerAnswerSchema.parse(outcome.body);
        this.#leaseUs = this.registered.leaseMs * 1000;
        this.#facts = facts;
        return;
      }
      this.refusals.push(outcome.error.message);
      runtime?.timers.after(100, () => this.#register(facts));
    });
  }

  #beat(): void {
    const runtime = this.#runtime;
    if (runtime === undefined) return;
    runtime.timers.after(250, () => this.#beat());
    if (this.registered === undefined) return;
    const sentAtUs = runtime.clock.monotonicUs();
    this.client?.call('node.heartbeat', this.#heartbeat(), 900, (outcome) => {
      if (outcome.ok) this.#renew(sentAtUs, outcome.body);
      else this.#refused(outcome);
    });
  }

  /** An answer that speaks of a map that the node does not have renews nothing. */
  #renew(sentAtUs: number, body: unknown): void {
    const { mapEpoch } = heartbeatAnswerSchema.parse(body);
    if (mapEpoch > (this.map?.map.epoch ?? 0)) return;
    this.leasedUntilUs = Math.max(this.leasedUntilUs, sentAtUs + this.#leaseUs);
  }

  #refused(outcome: RpcOutcome): void {
    if (outcome.ok || outcome.error.code !== 'ERR_CACHECTL_NOT_FOUND') return;
    if (this.registered === undefined || this.#facts === undefined) return;
    this.registered = undefined;
    this.#register(this.#facts);
  }

  #heartbeat(): HeartbeatCall {
    return heartbeatCallSchema.parse({
      id: this.id,
      bootId: this.bootId,
      mapEpoch: this.map?.map.epoch ?? 0,
      tenantsRevision: this.#tenantsRevision,
      configVersion: this.#configVersion,
      shards: this.positions.map((position) => ({ ...REPORT, ...position })),
      tenants: this.usage.map((usage) => ({ ...USAGE, ...usage })),
      usedBytes: 0,
      memoryBytes: 1024 * 1024,
    });
  }

  #pushed(topic: string, body: unknown): void {
    this.pushes.push({ topic, body });
    if (topic === 'map') this.map = PUSHES.map.parse(body);
    if (topic === 'tenants') this.#tenantsRevision = PUSHES.tenants.parse(body).revision;
    if (topic === 'config') this.#configVersion = PUSHES.config.parse(body).version;
    if (topic === 'seal' && this.answersSeals) {
      const { id, shards } = PUSHES.seal.parse(body);
      const positions = this.positions.filter(({ shard }) => shards.includes(shard));
      this.client?.call('node.report', { id, nodeId: this.id, positions }, 1000, () => {});
    }
  }
}

const USAGE = {
  items: 0,
  opsPerSecond: 0,
  demandPerSecond: 0,
  bandwidthPerSecond: 0,
  hits: 0,
  misses: 0,
  evicted: 0,
};

const REPORT = {
  role: 'replica',
  isCaughtUp: true,
  lagBytes: 0,
  lagMs: 0,
  bytes: 0,
  items: 0,
  opsPerSecond: 0,
  copiedBytes: 0,
  copyTotalBytes: 0,
  writes: 0,
};
