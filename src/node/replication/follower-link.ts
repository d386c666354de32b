/**
 * The follower's side: one connection to a node, for all shards that are followed from it.
 *
 * Frames of an epoch that is not the followed one, or below a seal, change nothing. A stream is
 * applied where it goes on exactly where this node is; anything else means that bytes were lost, and
 * ends the connection: the next one says anew how far this node is.
 */
import { asEpoch, type NodeId, type ShardId } from '../../cluster/index.ts';
import {
  OutputBuffer,
  type Address,
  type ConnectAttempt,
  type Connection,
  type Runtime,
  type SystemError,
  type Timer,
} from '../../runtime/index.ts';
import {
  FRAME_BYTES_MAX,
  FrameReader,
  REPLICATION_VERSION,
  writeFrame,
  type Frame,
} from './frames.ts';
import type { HeldShard } from './held-shard.ts';
import { RowReader, writeRow } from './rows.ts';
import type { LinkFacts } from './source-link.ts';
import type { StreamPosition } from './stream-history.ts';

export interface FollowerHost {
  readonly runtime: Runtime;
  readonly clusterId: () => string | undefined;
  readonly nodeId: NodeId;
  readonly token: string;
  readonly rules: FollowerRules;
  /** Effects that have come together are about to be applied. */
  begin(): void;
  /** Applies `effects[start, end)`, which follow on what was applied; false: they make no sense. */
  apply(held: HeldShard, effects: Uint8Array, start: number, end: number): boolean;
  /** Removes all records of the shard, in steps; `done` at the end, unless it was called again. */
  clear(held: HeldShard, done: () => void): void;
  /** A copy of it is whole. */
  onWhole(held: HeldShard): void;
}

/** Replaced by tests, which put mistakes in their place. */
export interface FollowerRules {
  /** Whether a frame of this epoch is to be taken. */
  takesEpoch(held: HeldShard, epoch: number): boolean;
}

export const FOLLOWER_RULES: FollowerRules = Object.freeze({
  takesEpoch: (held: HeldShard, epoch: number) => epoch === held.epoch && epoch >= held.epochMin,
});

const NOTHING = new Uint8Array(0);

interface Copying {
  copy: number;
  state: 'clearing' | 'copying' | 'finishing';
  /** Whole once this is applied; `finishing` only. */
  wholeAt: number;
}

const RETRY_MS_MIN = 20;
const RETRY_MS_MAX = 1000;
const CONNECT_MS_MAX = 1000;
const SILENT_US_MAX = 2_000_000;
const WATCH_MS = 250;
const ACK_GATHER_MS = 10;
/** Then it says something, so that its source does not take it for gone. */
const SILENCE_US_MAX = 1_000_000;

export class FollowerLink {
  readonly node: NodeId;
  readonly #host: FollowerHost;
  readonly #address: Address;
  readonly #shards = new Map<ShardId, HeldShard>();
  /** Of shards whose source has been asked, on this connection. */
  readonly #asked = new Set<ShardId>();
  readonly #refusedAtUs = new Map<ShardId, number>();
  readonly #copies = new Map<ShardId, Copying>();
  /** The last copy of each shard on this connection. */
  readonly #copyTaken = new Map<ShardId, number>();
  readonly #unacked = new Set<HeldShard>();
  readonly #rows = new RowReader();
  readonly #table = new OutputBuffer(1024);
  readonly #out = new OutputBuffer(4096);
  #attempt: ConnectAttempt | undefined;
  #connection: Connection | undefined;
  #isWelcome = false;
  #willAck = false;
  #willAckNow = false;
  #failures = 0;
  #heardAtUs = 0;
  #saidAtUs = 0;
  #sinceMs = 0;
  #watch: Timer | undefined;
  #isClosed = false;

  constructor(host: FollowerHost, node: NodeId, address: Address) {
    this.#host = host;
    this.node = node;
    this.#address = address;
    this.#connect();
    this.#scheduleWatch();
  }

  get isAt(): Address {
    return this.#address;
  }

  /** Undefined while there is no connection. */
  get facts(): LinkFacts | undefined {
    if (!this.#isWelcome || this.#connection === undefined) return undefined;
    const { bytesQueued } = this.#connection;
    return { sinceMs: this.#sinceMs, bytesAllocated: this.#out.bytes.length, bytesQueued };
  }

  /** Follows a shard, from where this node is now; again after its epoch has changed. */
  follow(held: HeldShard): void {
    this.#shards.set(held.id, held);
    this.#copies.delete(held.id);
    this.#copyTaken.delete(held.id);
    this.#ask(held);
  }

  unfollow(shard: ShardId): void {
    if (!this.#shards.delete(shard)) return;
    this.#copies.delete(shard);
    if (this.#asked.delete(shard)) {
      writeFrame(this.#out, ['UNFOLLOW', shard]);
      this.#send();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.cancel();
    this.#attempt?.cancel();
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#isWelcome = false;
  }

  #connect(): void {
    const { runtime } = this.#host;
    const timer = runtime.timers.after(CONNECT_MS_MAX, () => {
      this.#attempt?.cancel();
      this.#attempt = undefined;
      this.#retry('no connection came about in time');
    });
    this.#attempt = runtime.network.connect(this.#address, {
      onConnect: (connection) => {
        timer.cancel();
        this.#attempt = undefined;
        this.#open(connection);
      },
      onError: (error) => {
        timer.cancel();
        this.#attempt = undefined;
        this.#retry(error.code);
      },
    });
  }

  #open(connection: Connection): void {
    const { runtime, clusterId, nodeId, token } = this.#host;
    this.#connection = connection;
    this.#heardAtUs = runtime.clock.monotonicUs();
    this.#sinceMs = Math.floor(runtime.clock.wallUs() / 1000);
    const reader = new FrameReader(FRAME_BYTES_MAX, (frame) => this.#take(frame));
    const lose = (words: string): void => {
      if (this.#connection === connection) this.#retry(words);
    };
    connection.start({
      onData: (bytes, start, end) => {
        if (this.#connection !== connection) return;
        this.#heardAtUs = runtime.clock.monotonicUs();
        const words = reader.push(bytes, start, end);
        if (words !== undefined) lose(words);
      },
      onDrain: () => {},
      onEnd: () => lose('it has ended the connection'),
      onClose: (error: SystemError | undefined) => lose(error?.code ?? 'closed'),
    });
    writeFrame(this.#out, ['HELLO', REPLICATION_VERSION, clusterId() ?? '', nodeId, token]);
    this.#send();
  }

  #retry(words: string): void {
    const { runtime } = this.#host;
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#isWelcome = false;
    this.#asked.clear();
    this.#copies.clear();
    this.#copyTaken.clear();
    this.#unacked.clear();
    this.#out.clear();
    if (this.#isClosed) return;
    runtime.log.write('debug', 'a source is lost', { node: this.node, reason: words });
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.#failures, 10));
    this.#failures++;
    runtime.timers.after(delayMs, () => {
      const isBusy = this.#connection !== undefined || this.#attempt !== undefined;
      if (!this.#isClosed && !isBusy) this.#connect();
    });
  }

  #ask(held: HeldShard): void {
    if (!this.#isWelcome) return;
    const { epoch, offset } = held.position;
    this.#asked.add(held.id);
    writeFrame(this.#out, ['FOLLOW', held.id, held.epoch, epoch, offset]);
    this.#send();
  }

  #take(frame: Frame): string | undefined {
    if (!this.#isWelcome) return this.#takeWelcome(frame);
    if (frame.name === 'DATA') return this.#takeData(frame);
    if (frame.name === 'TICK') return this.#takeTick(frame);
    if (frame.name === 'ASK') {
      this.#ackNow();
      return undefined;
    }
    if (frame.name === 'STEP') {
      writeFrame(this.#out, ['STEPPED', frame.number(1)]);
      this.#send();
      return undefined;
    }
    const held = this.#find(frame, 1);
    if (held === undefined || !this.#asked.has(held.id)) return undefined;
    switch (frame.name) {
      case 'ITEMS':
        return this.#takeItems(held, frame);
      case 'STREAM':
        return this.#takeStream(held, frame);
      case 'COPY':
        return this.#takeCopy(held, frame);
      case 'COPIED':
        return this.#takeCopied(held, frame);
      case 'REFUSED':
        this.#asked.delete(held.id);
        this.#refusedAtUs.set(held.id, this.#host.runtime.clock.monotonicUs());
        return undefined;
      default:
        return `'${frame.name.slice(0, 32)}' is nothing that a source says`;
    }
  }

  #find(frame: Frame, index: number): HeldShard | undefined {
    const shard = frame.shard(index);
    return shard === undefined ? undefined : this.#shards.get(shard);
  }

  #takeWelcome(frame: Frame): string | undefined {
    if (frame.name !== 'WELCOME') return frame.name === 'REFUSED' ? frame.text(2) : 'no WELCOME';
    if (frame.text(2) !== this.node) return 'another node answers at that address';
    this.#isWelcome = true;
    this.#failures = 0;
    for (const held of this.#shards.values()) this.#ask(held);
    return undefined;
  }

  #takes(held: HeldShard, epoch: number): boolean {
    return held.role !== 'primary' && this.#host.rules.takesEpoch(held, epoch);
  }

  #takeStream(held: HeldShard, frame: Frame): string | undefined {
    const offset = frame.number(3);
    if (!this.#takes(held, frame.number(2))) return undefined;
    const copying = this.#copies.get(held.id);
    if (copying === undefined && (!held.isWhole || offset !== held.backlog.end)) {
      return 'a stream that does not go on where this node is';
    }
    if (copying?.state === 'clearing') return 'a stream before the shard was cleared';
    const parts = partsOf(frame);
    if (Number.isNaN(offset) || parts === undefined) return 'STREAM without its numbers';
    held.beginStream(parts, offset);
    this.#unacked.add(held);
    this.#ackNow();
    return undefined;
  }

  #takeCopy(held: HeldShard, frame: Frame): string | undefined {
    if (!this.#takes(held, frame.number(2))) return undefined;
    const copying: Copying = { copy: frame.number(3), state: 'clearing', wholeAt: Infinity };
    this.#copies.set(held.id, copying);
    this.#copyTaken.set(held.id, copying.copy);
    held.beginCopy();
    this.#host.clear(held, () => {
      if (this.#copies.get(held.id) !== copying) return;
      copying.state = 'copying';
      writeFrame(this.#out, ['CLEARED', held.id, copying.copy]);
      this.#send();
    });
    return undefined;
  }

  #takeItems(held: HeldShard, frame: Frame): string | undefined {
    const copying = this.#copies.get(held.id);
    if (copying?.copy !== frame.number(2) || copying.state !== 'copying') return undefined;
    const items = frame.bytes(3);
    held.copiedBytes += items.length;
    this.#host.begin();
    return this.#host.apply(held, items, 0, items.length) ? undefined : 'ITEMS that make no sense';
  }

  #takeCopied(held: HeldShard, frame: Frame): string | undefined {
    const copying = this.#copies.get(held.id);
    if (copying?.copy !== frame.number(2) || copying.state !== 'copying') return undefined;
    copying.state = 'finishing';
    copying.wholeAt = frame.number(3);
    this.#finishCopy(held);
    return undefined;
  }

  #finishCopy(held: HeldShard): void {
    const copying = this.#copies.get(held.id);
    if (copying?.state !== 'finishing' || held.backlog.end < copying.wholeAt) return;
    held.isWhole = true;
    this.#copies.delete(held.id);
    this.#unacked.add(held);
    this.#ackNow();
    this.#host.onWhole(held);
  }

  #takeData(frame: Frame): string | undefined {
    const rows = this.#rows;
    const effects = frame.bytes(2);
    if (!rows.begin(frame.bytes(1))) return 'DATA without its table';
    this.#host.begin();
    const nowUs = this.#host.runtime.clock.monotonicUs();
    let end = 0;
    while (rows.next()) {
      const { shard, epoch, offset } = rows;
      const start = end;
      end += rows.number;
      if (end > effects.length) return 'a table that its effects do not fit';
      const held = shard === undefined ? undefined : this.#shards.get(shard);
      if (held === undefined || !this.#asked.has(held.id)) continue;
      if (!this.#takes(held, epoch)) continue;
      if (offset !== held.backlog.end) return 'effects that do not follow on what is here';
      if (!this.#host.apply(held, effects, start, end)) return 'effects that make no sense';
      held.backlog.appendFrom(effects, start, end);
      this.#finishCopy(held);
      if (rows.isLast) this.#hasAll(held, nowUs);
      this.#ackSoon(held);
    }
    return undefined;
  }

  #takeTick(frame: Frame): string | undefined {
    const nowUs = this.#host.runtime.clock.monotonicUs();
    for (let index = 1; index + 4 < frame.count; index += 5) {
      const held = this.#find(frame, index);
      if (held === undefined || !this.#takes(held, frame.number(index + 1))) continue;
      const end = frame.number(index + 2);
      held.copyTotalBytes = frame.number(index + 4);
      if (end <= held.backlog.end) this.#hasAll(held, nowUs);
      else held.lagBytes = end - held.backlog.end;
    }
    if (nowUs - this.#saidAtUs > SILENCE_US_MAX) {
      writeFrame(this.#out, ['ACK', NOTHING]);
      this.#send();
    }
    return undefined;
  }

  /** Of the stream, as it was a moment ago. */
  #hasAll(held: HeldShard, nowUs: number): void {
    held.lagBytes = 0;
    if (held.isWhole) held.freshAtUs = nowUs;
  }

  /** Once for all that arrives within a few milliseconds: an ACK costs as much as several effects. */
  #ackSoon(held: HeldShard): void {
    this.#unacked.add(held);
    if (this.#willAck) return;
    this.#willAck = true;
    this.#host.runtime.timers.after(ACK_GATHER_MS, () => {
      this.#willAck = false;
      this.#sendAcks();
    });
  }

  /** Once for all that arrived together. */
  #ackNow(): void {
    if (this.#willAckNow) return;
    this.#willAckNow = true;
    this.#host.runtime.timers.defer(() => {
      this.#willAckNow = false;
      this.#sendAcks();
    });
  }

  /** A copy is acknowledged when it is whole. */
  #sendAcks(): void {
    const table = this.#table;
    for (const held of this.#unacked) {
      if (!held.isWhole || !this.#asked.has(held.id)) continue;
      const copy = this.#copyTaken.get(held.id) ?? 0;
      writeRow(table, held.id, held.epoch, held.backlog.end, copy);
    }
    this.#unacked.clear();
    if (table.length === 0) return;
    writeFrame(this.#out, ['ACK', table.view()]);
    table.clear();
    this.#send();
  }

  /** Asks again where it was refused, and gives up a source that has gone silent. */
  #scheduleWatch(): void {
    const { runtime } = this.#host;
    this.#watch = runtime.timers.after(WATCH_MS, () => {
      const nowUs = runtime.clock.monotonicUs();
      if (this.#connection !== undefined && nowUs - this.#heardAtUs > SILENT_US_MAX) {
        this.#retry('it has been silent for too long');
      }
      for (const held of this.#shards.values()) {
        const refusedAtUs = this.#refusedAtUs.get(held.id) ?? 0;
        if (!this.#asked.has(held.id) && nowUs - refusedAtUs > WATCH_MS * 500) this.#ask(held);
      }
      this.#scheduleWatch();
    });
  }

  #send(): void {
    if (this.#out.length === 0 || this.#connection === undefined) return;
    this.#saidAtUs = this.#host.runtime.clock.monotonicUs();
    this.#connection.send(this.#out);
  }
}

/** A history, from the frame's fourth argument on. */
function partsOf(frame: Frame): StreamPosition[] | undefined {
  const parts: StreamPosition[] = [];
  for (let index = 4; index + 1 < frame.count; index += 2) {
    const epoch = frame.number(index);
    const offset = frame.number(index + 1);
    if (Number.isNaN(epoch + offset)) return undefined;
    parts.push({ epoch: asEpoch(epoch), offset });
  }
  return parts.length === 0 ? undefined : parts;
}
