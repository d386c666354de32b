/**
 * A whole node in the simulator, between parties that a test speaks for: the meta leader, a client,
 * and a follower of the node's shards.
 */
import { asShardId, type Ack, type ShardMap } from '../cluster/index.ts';
import { encodeRequest } from '../resp/index.ts';
import { OutputBuffer, type Connection, type Runtime } from '../runtime/index.ts';
import { CALM_NETWORK, Simulation } from '../sim/index.ts';
import type { LeaseRules } from './cluster/lease.ts';
import {
  factsOf,
  idOf,
  mapOf,
  namespaceOf,
  tenantOf,
  tenantsPush,
  TestLeader,
} from './cluster/test-support.ts';
import { CacheNode } from './node.ts';
import {
  FRAME_BYTES_MAX,
  FrameReader,
  REPLICATION_VERSION,
  writeFrame,
  type Frame,
  type FrameArgument,
} from './replication/frames.ts';
import { RowReader, writeRow } from './replication/rows.ts';

const META = { host: 'meta', port: 7500 };
const CLIENT_PORT = 7400;
const REPLICATION_PORT = 17_400;

/** The node that the test speaks for, where it follows shards. */
export const OTHER = idOf('b');

/** Many more than anything takes that a test waits for at one time. */
const EVENTS_MAX = 1_000_000;

/** In which the node begins to lead. */
export const FIRST_EPOCH = 2;

export interface WorldOptions {
  readonly leaseRules?: LeaseRules;
  readonly walkBuckets?: number;
  /** All led by the node, with a replica at the other one where `isReplicated`. */
  readonly shards?: number;
  readonly isReplicated?: boolean;
  /** Of the default tenant. */
  readonly ack?: Ack;
}

/** What a follower was told: the frame's name, and its arguments, a character for each byte. */
export type Heard = readonly string[];

/** What a `DATA` brings: for each shard the name, its number, the epoch, the offset and effects. */
function piecesOf(frame: Frame): Heard[] {
  const rows = new RowReader();
  rows.begin(frame.bytes(1));
  const effects = Buffer.from(frame.bytes(2)).toString('latin1');
  const pieces: Heard[] = [];
  let at = 0;
  while (rows.next()) {
    const { shard, epoch, offset, number } = rows;
    pieces.push([frame.name, `${shard}`, `${epoch}`, `${offset}`, effects.slice(at, at + number)]);
    at += number;
  }
  return pieces;
}

/** Each party in a process of its own; messages take 100 µs. */
export class NodeWorld {
  readonly simulation = new Simulation({
    seed: 1,
    network: CALM_NETWORK,
  });
  readonly replies: string[] = [];
  readonly heard: Heard[] = [];
  /** As many as arrived, of however many shards each. */
  dataFrames = 0;
  readonly #options: WorldOptions;
  #leader: TestLeader | undefined;
  #runtimeOfClient: Runtime | undefined;
  #runtimeOfFollower: Runtime | undefined;
  #client: Connection | undefined;
  #follower: Connection | undefined;

  constructor(options: WorldOptions = {}) {
    this.#options = options;
    this.#start('meta', (runtime) => (this.#leader = new TestLeader(runtime, META)));
    this.#start('node', (runtime) => this.#runNode(runtime));
    this.#start('client', (runtime) => (this.#runtimeOfClient = runtime));
    this.#start('follower', (runtime) => (this.#runtimeOfFollower = runtime));
    this.run(300);
    const defaults = [namespaceOf('default', 'default', 0)];
    const { ack = 'primary' } = options;
    this.leader.push('tenants', tenantsPush(1, [tenantOf('default', 0, { ack })], defaults));
    this.lead(FIRST_EPOCH);
    this.run(600);
    this.#connectClient();
    this.run(5);
  }

  get leader(): TestLeader {
    if (this.#leader === undefined) throw new Error('the leader has not started');
    return this.#leader;
  }

  get node() {
    const found = this.simulation.processNamed('node');
    if (found === undefined) throw new Error('there is no such process');
    return found;
  }

  run(milliseconds: number): void {
    const { queue } = this.simulation;
    const untilUs = queue.nowUs + milliseconds * 1000;
    for (let events = 0; (queue.nextTimeUs ?? Infinity) <= untilUs; events++) {
      if (events > EVENTS_MAX) throw new Error('an event loop turns without end');
      queue.runNext();
    }
    queue.runUntil(untilUs);
  }

  /** The node becomes the primary of all shards, in this epoch. */
  lead(epoch: number): void {
    const { shards = 1, isReplicated = false } = this.#options;
    const [facts] = this.leader.nodes();
    const primaries = Array.from({ length: shards }, () => facts.id);
    const map: ShardMap = mapOf(epoch, primaries, isReplicated ? [OTHER] : []);
    this.leader.map = map;
    this.leader.push('map', {
      map: { epoch: map.epoch, shards: [...map.shards] },
      nodes: [facts, factsOf('b', CLIENT_PORT, 'follower')],
      replicas: isReplicated ? 1 : 0,
    });
  }

  ask(...words: string[]): void {
    const output = new OutputBuffer();
    encodeRequest(output, words);
    this.#client?.send(output);
  }

  /** The other node connects, and follows these shards from the beginning of an epoch's stream. */
  follow(shards: readonly number[], atEpoch: number): void {
    const reader = new FrameReader(FRAME_BYTES_MAX, (frame) => {
      const parts = Array.from({ length: frame.count }, (_, index) => frame.bytes(index));
      const heard = parts.map((part) => Buffer.from(part).toString('latin1'));
      if (frame.name === 'DATA') this.dataFrames++;
      this.heard.push(...(frame.name === 'DATA' ? piecesOf(frame) : [heard]));
      return undefined;
    });
    this.#runtimeOfFollower?.network.connect(
      { host: 'node', port: REPLICATION_PORT },
      {
        onConnect: (connection) => {
          this.#follower = connection;
          connection.start({
            onData: (bytes, start, end) => void reader.push(bytes, start, end),
            onDrain() {},
            onEnd() {},
            onClose() {},
          });
          const { epoch } = this.leader.map;
          this.say('HELLO', REPLICATION_VERSION, this.leader.clusterId, OTHER, '');
          for (const shard of shards) this.say('FOLLOW', shard, epoch, atEpoch, 0);
        },
        onError: (error) => {
          throw error;
        },
      },
    );
    this.run(3);
  }

  /** The follower says this to the node. */
  say(...frame: readonly [string, ...FrameArgument[]]): void {
    const output = new OutputBuffer();
    writeFrame(output, frame);
    this.#follower?.send(output);
  }

  /** The follower says that it has applied this `DATA`, and all before. */
  ack([, shard, epoch, offset, effects]: Heard): void {
    const table = new OutputBuffer();
    const end = Number(offset) + effects.length;
    writeRow(table, asShardId(Number(shard)), Number(epoch), end, 0);
    this.say('ACK', table.view());
  }

  /**
   * What the follower has been told under this name, about this shard where one is given. A `DATA` of
   * several shards counts as one of each.
   */
  told(name: string, shard?: number): Heard[] {
    const isMeant = (heard: Heard): boolean =>
      heard[0] === name && (shard === undefined || heard[1] === `${shard}`);
    return this.heard.filter(isMeant);
  }

  #start(name: string, program: (runtime: Runtime) => void): void {
    this.simulation
      .addProcess({
        name,
        zone: 'z1',
        clock: { offsetUs: 0, driftPpm: 0, wallUs: 1_000_000 },
        timerLatenessUsMax: 0,
        decideDisk: () => ({ delayUs: 1 }),
        program,
      })
      .start();
    this.run(1);
  }

  #runNode(runtime: Runtime): void {
    const { leaseRules, walkBuckets } = this.#options;
    const node = new CacheNode(
      runtime,
      {
        listen: { host: 'node', port: CLIENT_PORT },
        settings: { memoryBytes: 16 * 1024 ** 2 },
        cluster: {
          meta: [META],
          name: 'n1',
          zone: 'z1',
          weight: 1,
          machine: 'm1',
          announceHost: 'node',
          replicationPort: REPLICATION_PORT,
          version: '0',
          replicaLagMsMax: 1000,
          backlogBytesMax: 1024 ** 2,
          settingsOf: () => ({ settings: {}, problems: [] }),
          ...(leaseRules === undefined ? {} : { leaseRules }),
          ...(walkBuckets === undefined ? {} : { walkBuckets }),
        },
      },
      () => ({ pid: 1, residentBytes: 0, userCpuUs: 0, systemCpuUs: 0, version: '0' }),
    );
    node.start(() => {});
  }

  #connectClient(): void {
    this.#runtimeOfClient?.network.connect(
      { host: 'node', port: CLIENT_PORT },
      {
        onConnect: (connection) => {
          this.#client = connection;
          connection.start({
            onData: (bytes, start, end) =>
              void this.replies.push(Buffer.from(bytes.slice(start, end)).toString()),
            onDrain() {},
            onEnd() {},
            onClose() {},
          });
        },
        onError: (error) => {
          throw error;
        },
      },
    );
  }
}
