/**
 * What a node does for practice when it starts: two small nodes inside its process serve clients and
 * hand shards to each other, over and over, by the very code that it will run.
 *
 * Code that a process runs for the first time is compiled while it runs. Where that is the code by
 * which shards change hands, on a node that was just added, clients wait for it: what that comes to
 * is printed by `npm run bench:reshard`, and recorded in docs/benchmarks.md.
 *
 * Takes about 0.3 s of processor time in a second and a half, in pieces of a few milliseconds; and
 * memory of its own, which it leaves to the collector. Nothing of it is seen outside the process.
 */
import {
  asEpoch,
  asShardId,
  changeShards,
  nodeIdOfName,
  shardSlots,
  type NodeId,
  type Shard,
  type ShardId,
} from '../../cluster/index.ts';
import { writeArrayHeader, writeBulk, writeBulkText } from '../../resp/index.ts';
import {
  OutputBuffer,
  type Address,
  type Connection,
  type Runtime,
  type Timer,
} from '../../runtime/index.ts';
import { CacheNode, type ProcessFacts } from '../node.ts';
import { MemoryNetwork } from './memory-network.ts';
import { TableLeader } from './table-leader.ts';

const NAMES = ['rehearsal-1', 'rehearsal-2'] as const;
const SHARDS = 16;
/** The first of them change hands. */
const MOVING: readonly ShardId[] = Array.from({ length: SHARDS / 2 }, (_, id) => asShardId(id));
const MEMORY_BYTES = 8 * 1024 * 1024;
const BACKLOG_BYTES = 2 * 1024 * 1024;
const KEYS = 4096;
const VALUES = [100, 1000].map((length) => new Uint8Array(length));

const TICK_MS = 10;
/** To each node; a part of them is for the other. */
const COMMANDS_A_TICK = 128;
const PIPELINE = 16;
/** So long clients are served before shards move, and after they have. */
const SERVING_TICKS = 20;
const MOVED_TICKS = 4;
/** Times that shards change hands: by then what runs often is compiled as well as it ever is. */
const ROUNDS = 6;
/** It is given up where something does not come about by then. */
const TICKS_MAX = 1000;

const FACTS: ProcessFacts = {
  ...{ pid: 0, residentBytes: 0, userCpuUs: 0, systemCpuUs: 0, version: '' },
};

/** To be called at each tick; says whether what it waits for has come about. */
type Stage = () => boolean;

export class Rehearsal {
  readonly #runtime: Runtime;
  readonly #leader: TableLeader;
  readonly #onEnd: () => void;
  readonly #out = new OutputBuffer();
  #nodes: readonly CacheNode[] = [];
  #clients: Connection[] = [];
  /** What comes next; begun anew with each round. */
  #stages: Stage[] = [];
  #timer: Timer | undefined;
  #ticks = 0;
  #stageTicks = 0;
  #round = 0;
  #key = 0;
  #freezes = 0;
  /** Clients have heard something since this stage began. */
  #isAnswered = false;
  #isOver = false;

  /**
   * Begins at once.
   *
   * @param runtime whose clock and timers it uses, but neither its network nor its log
   * @param onEnd called once, when nothing of it is left
   */
  constructor(runtime: Runtime, onEnd: () => void = () => {}) {
    const network = new MemoryNetwork(runtime.timers);
    this.#runtime = { ...runtime, network, log: { write: () => {} } };
    this.#onEnd = onEnd;
    this.#leader = new TableLeader(this.#runtime, anyPortOf('leader'), () => this.stop());
    this.#stages = [
      () => this.#open(),
      () => this.#meet(),
      () => this.#clients.length === NAMES.length,
      () => this.#serves(SERVING_TICKS),
    ];
    this.#tickLater();
  }

  /** How often shards have changed hands. */
  get rounds(): number {
    return this.#round;
  }

  /** Harmless after its end. */
  stop(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    for (const client of this.#clients) client.destroy();
    let left = this.#nodes.length + 1;
    const done = (): void => {
      left--;
      if (left === 0) this.#onEnd();
    };
    for (const node of this.#nodes) node.stop(done);
    this.#leader.close(done);
    this.#clients = [];
    this.#nodes = [];
    this.#stages = [];
  }

  #tickLater(): void {
    this.#timer = this.#runtime.timers.after(TICK_MS, () => this.#tick());
  }

  #tick(): void {
    this.#ticks++;
    this.#stageTicks++;
    if (this.#stages[0]()) {
      this.#stages.shift();
      this.#stageTicks = 0;
      this.#isAnswered = false;
    }
    if (this.#stages.length === 0) this.#beginRound();
    if (this.#round === ROUNDS || this.#ticks === TICKS_MAX) this.stop();
    if (!this.#isOver) this.#tickLater();
  }

  #open(): boolean {
    const { address } = this.#leader;
    if (address === undefined) return false;
    this.#nodes = NAMES.map((name) => this.#nodeOf(name, address));
    for (const node of this.#nodes) node.start((error) => error !== undefined && this.stop());
    return true;
  }

  #nodeOf(name: string, leader: Address): CacheNode {
    const cluster = {
      ...{ meta: [leader], name, zone: name, weight: 1, machine: name, announceHost: name },
      ...{ replicationPort: undefined, version: '', replicaLagMsMax: 1000 },
      settingsOf: () => ({ settings: {}, problems: [] }),
      backlogBytesMax: BACKLOG_BYTES,
    };
    const settings = { memoryBytes: MEMORY_BYTES };
    const options = { listen: anyPortOf(name), name, settings, cluster };
    return new CacheNode(this.#runtime, options, () => FACTS);
  }

  /** The first node is the primary of all shards. */
  #meet(): boolean {
    if (this.#leader.registered.size < NAMES.length) return false;
    const epoch = asEpoch(1);
    const copies = { primary: this.#nodeAt(0), replicas: [], learners: [] };
    const shards = shardSlots(SHARDS).map((slots, id): Shard => ({
      id: asShardId(id),
      ...slots,
      ...copies,
      epoch,
    }));
    this.#leader.pushMap({ epoch, shards });
    for (const { address } of this.#nodes) {
      this.#runtime.network.connect(address, {
        onConnect: (connection) => {
          connection.start({
            onData: () => (this.#isAnswered = true),
            onDrain() {},
            onEnd: () => this.stop(),
            onClose: () => this.stop(),
          });
          this.#clients.push(connection);
        },
        onError: () => this.stop(),
      });
    }
    return true;
  }

  /** The shards that move go from the one node to the other. */
  #beginRound(): void {
    const from = this.#nodeAt(this.#round);
    const to = this.#nodeAt(this.#round + 1);
    this.#change({ learners: [to] });
    this.#stages = [
      () => this.#isCopied(to) && this.#freeze(from),
      () => this.#isFrozen() && this.#change({ primary: to, learners: [from] }),
      () => this.#serves(MOVED_TICKS) && this.#change({ learners: [] }),
      () => this.#serves(MOVED_TICKS) && this.#endRound(),
    ];
  }

  #endRound(): true {
    this.#round++;
    return true;
  }

  #change(change: Partial<Pick<Shard, 'primary' | 'learners'>>): true {
    this.#leader.pushMap(
      changeShards(
        this.#leader.map,
        MOVING.map((id) => ({ id, ...change })),
      ),
    );
    return true;
  }

  #serves(ticks: number): boolean {
    this.#send();
    return this.#stageTicks >= ticks && this.#isAnswered;
  }

  #isCopied(to: NodeId): boolean {
    this.#send();
    const { heartbeats, map } = this.#leader;
    const last = heartbeats.findLast(({ id, mapEpoch }) => id === to && mapEpoch === map.epoch);
    heartbeats.length = 0;
    const whole = last?.shards.filter(({ shard, isCaughtUp }) => isCaughtUp && isMoving(shard));
    return whole?.length === MOVING.length;
  }

  /** Clients wait from now on. */
  #freeze(from: NodeId): true {
    const { registered, map, reports } = this.#leader;
    const session = registered.get(from)?.session;
    reports.length = 0;
    for (const shard of MOVING) {
      this.#freezes++;
      session?.push('freeze', { id: this.#freezes, shard, epoch: map.shards[shard].epoch });
    }
    return true;
  }

  #isFrozen(): boolean {
    this.#send();
    return this.#leader.reports.length >= MOVING.length;
  }

  #send(): void {
    for (const client of this.#clients) {
      for (let sent = 0; sent < COMMANDS_A_TICK; sent += PIPELINE) {
        for (let at = 0; at < PIPELINE; at++) this.#writeCommand();
        client.send(this.#out);
      }
    }
  }

  #writeCommand(): void {
    this.#key = (this.#key * 5 + 3) % KEYS;
    const isSet = this.#key % 3 === 0;
    const out = this.#out;
    writeArrayHeader(out, isSet ? 3 : 2);
    writeBulkText(out, isSet ? 'SET' : 'GET');
    writeBulkText(out, `key:${this.#key}`);
    if (isSet) writeBulk(out, VALUES[this.#key % VALUES.length]);
  }

  #nodeAt(turn: number): NodeId {
    return nodeIdOfName(NAMES[turn % NAMES.length]);
  }
}

const isMoving = (shard: ShardId): boolean => shard < MOVING.length;

const anyPortOf = (host: string): Address => ({ host, port: 0 });
