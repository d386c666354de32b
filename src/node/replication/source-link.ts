/**
 * The primary's side of a connection from a node that follows some of its shards.
 *
 * Sends what the follower lacks, as fast as the connection takes it and no faster: between sends
 * nothing is kept but a cursor a shard, so a follower that is slow or silent costs nothing. Where its
 * cursor falls off the backlog it is sent a copy of the whole shard anew, while writes go on.
 *
 * A copy is a walk over the records, sent on the same connection as the stream. A record is sent as
 * it is when the walk comes by, which may be newer than the stream sent so far; the stream then
 * brings the follower through older states to the same one. It is whole when it has applied the
 * stream up to where that was when the walk ended.
 */
import {
  asEpoch,
  asNodeId,
  asShardId,
  SLOT_COUNT,
  type NodeId,
  type ShardId,
} from '../../cluster/index.ts';
import {
  OutputBuffer,
  type Connection,
  type Runtime,
  type SystemError,
  type Timer,
} from '../../runtime/index.ts';
import type { Backlog } from './backlog.ts';
import { setBytes, writeSet } from './effects.ts';
import { FrameReader, REPLICATION_VERSION, writeFrame, type Frame } from './frames.ts';
import { CopyCredit } from './copy-credit.ts';
import type { HeldShard } from './held-shard.ts';
import { Rests } from './rests.ts';
import { ROW_BYTES, RowReader, writeRow } from './rows.ts';
import { RESTS_A_STEP, ShardWalk, type KeySpaces } from './shard-records.ts';

export interface SourceHost {
  readonly runtime: Runtime;
  readonly spaces: KeySpaces;
  readonly clusterId: () => string | undefined;
  readonly nodeId: NodeId;
  readonly token: string;
  readonly rules: SourceRules;
  /** Index buckets that one step of a copy looks into. */
  readonly walkBuckets: number;
  held(shard: ShardId): HeldShard | undefined;
  /** Bytes of the shard's records, as far as that is known. */
  bytesOf(shard: ShardId): number;
  /** Of copies of this shard, a second; undefined: no limit. 0: paused. */
  throttleOf(shard: ShardId): number | undefined;
  /** A follower has got further. */
  onAck(held: HeldShard): void;
  onClose(link: SourceLink): void;
}

/** A connection, as `CLUSTER LINKS` shows it. */
export interface LinkFacts {
  /** Since 1970. */
  readonly sinceMs: number;
  readonly bytesAllocated: number;
  readonly bytesQueued: number;
}

/** Replaced by tests, which put mistakes in their place. */
export interface SourceRules {
  /** Whether a follower at this position can go on with the stream. */
  mayResume(held: HeldShard, epoch: number, offset: number): boolean;
}

export const SOURCE_RULES: SourceRules = Object.freeze({
  mayResume: (held: HeldShard, epoch: number, offset: number) =>
    held.history.includes({ epoch: asEpoch(epoch), offset }, held.backlog.end) &&
    held.backlog.holds(offset),
});

/** What one shard's follower is being sent. */
interface Following {
  readonly held: HeldShard;
  readonly epoch: number;
  /** `clearing`: a copy was announced, and waits for `CLEARED`; nothing is sent meanwhile. */
  state: 'clearing' | 'streaming';
  /** The offset of the next effect to send. */
  cursor: number;
  /** Of the copy under way, or the last; 0: none. */
  copy: number;
  /** The walk under way has to see this shard; `waiting`: the next one. */
  walk: 'none' | 'waiting' | 'walking';
  readonly credit: CopyCredit;
  /** When the follower was last told where the stream ends. */
  toldAtUs: number;
}

/** Sent ahead of what the network has taken. */
const QUEUED_BYTES_MAX = 1024 * 1024;
/** Sent in one turn, so that other connections come in between. */
const TURN_BYTES = 512 * 1024;
const ITEMS_BYTES = 48 * 1024;
const TABLE_BYTES = 128 * ROW_BYTES;
/** As long a step of a copy waits for the one before to be applied. */
const STEP_US_MAX = 4000;
const TICK_MS = 50;
const SILENT_US_MAX = 5_000_000;
/** A follower says little. */
const HEARD_BYTES_MAX = 4 * 1024 * 1024;

export class SourceLink {
  /** Who follows; known after its `HELLO`. */
  node: NodeId | undefined;
  readonly #host: SourceHost;
  readonly #connection: Connection;
  readonly #reader: FrameReader;
  readonly #out = new OutputBuffer(64 * 1024);
  readonly #following = new Map<ShardId, Following>();
  readonly #items = new Map<ShardId, OutputBuffer>();
  /** Of the next DATA. */
  readonly #table = new OutputBuffer(TABLE_BYTES);
  readonly #effects = new OutputBuffer(ITEMS_BYTES);
  readonly #rows = new RowReader();
  /** Somebody waits for an acknowledgement of all that there is. */
  #isAsking = false;
  #walk: ShardWalk | undefined;
  /** Of the walk under way: the shards it began with; -1 elsewhere. */
  readonly #walkedBySlot = new Int16Array(SLOT_COUNT);
  readonly #rests = new Rests();
  /** The next step of the walk is not to come before this. */
  #restUntilUs = 0;
  #restTimer: Timer | undefined;
  #stepsSent = 0;
  #nextCopy = 1;
  #willPump = false;
  #isClosed = false;
  #heardAtUs: number;
  readonly #sinceMs: number;

  constructor(host: SourceHost, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
    this.#sinceMs = Math.floor(host.runtime.clock.wallUs() / 1000);
    this.#heardAtUs = host.runtime.clock.monotonicUs();
    this.#reader = new FrameReader(HEARD_BYTES_MAX, (frame) => this.#take(frame));
    connection.start({
      onData: (bytes, start, end) => {
        this.#heardAtUs = host.runtime.clock.monotonicUs();
        const words = this.#reader.push(bytes, start, end);
        if (words !== undefined) this.close(words);
        else this.pump();
      },
      onDrain: () => this.pumpNow(),
      onEnd: () => this.close('it has ended the connection'),
      onClose: (error: SystemError | undefined) => this.close(error?.code ?? 'closed'),
    });
    this.#scheduleTick();
  }

  get remote(): string {
    const { host, port } = this.#connection.remote;
    return `${host}:${port}`;
  }

  get facts(): LinkFacts {
    const { bytesQueued } = this.#connection;
    return { sinceMs: this.#sinceMs, bytesAllocated: this.#out.bytes.length, bytesQueued };
  }

  /** Sends what there is to send, once all that is ready now was served. */
  pump(): void {
    if (this.#willPump || this.#isClosed) return;
    this.#willPump = true;
    this.#host.runtime.timers.defer(() => {
      this.#willPump = false;
      this.pumpNow();
    });
  }

  close(words: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { runtime, onClose } = this.#host;
    runtime.log.write('debug', 'a follower is gone', { node: this.node, reason: words });
    this.#connection.destroy();
    onClose(this);
  }

  /** This node no longer is the shard's primary, or of another epoch. */
  drop(shard: ShardId): void {
    if (!this.#following.delete(shard)) return;
    this.#items.delete(shard);
    writeFrame(this.#out, ['REFUSED', shard, 'the shard has another primary']);
    this.#send();
  }

  #take(frame: Frame): string | undefined {
    if (this.node === undefined) return this.#takeHello(frame);
    switch (frame.name) {
      case 'FOLLOW':
        return this.#takeFollow(frame);
      case 'CLEARED':
        return this.#takeCleared(frame);
      case 'ACK':
        return this.#takeAcks(frame);
      case 'STEPPED':
        this.#takeStepped(frame.number(1));
        return undefined;
      case 'UNFOLLOW':
        this.#unfollow(frame.shard(1));
        return undefined;
      default:
        return `'${frame.name.slice(0, 32)}' is nothing that a follower says`;
    }
  }

  #unfollow(shard: ShardId | undefined): void {
    if (shard !== undefined) this.#following.delete(shard);
  }

  #find(frame: Frame, index: number): Following | undefined {
    const shard = frame.shard(index);
    return shard === undefined ? undefined : this.#following.get(shard);
  }

  #takeHello(frame: Frame): string | undefined {
    const { clusterId, nodeId, token } = this.#host;
    if (frame.name !== 'HELLO') return 'the first thing is not HELLO';
    const words = this.#refusalOf(frame);
    if (words !== undefined || frame.text(2) !== clusterId() || frame.text(4) !== token) {
      const reason = words ?? 'another cluster, or a wrong token';
      this.#host.runtime.log.write('warn', 'a follower is refused', { from: this.remote, reason });
      writeFrame(this.#out, ['REFUSED', 0, reason]);
      this.#send();
      return reason;
    }
    this.node = asNodeId(frame.text(3));
    writeFrame(this.#out, ['WELCOME', REPLICATION_VERSION, nodeId]);
    return undefined;
  }

  #refusalOf(frame: Frame): string | undefined {
    if (frame.number(1) !== REPLICATION_VERSION) {
      return `this node speaks version ${REPLICATION_VERSION} of replication, the other ${frame.text(1)}`;
    }
    return /^[0-9a-f]{40}$/.test(frame.text(3)) ? undefined : 'that is no node id';
  }

  #takeFollow(frame: Frame): string | undefined {
    const shard = frame.shard(1);
    const [epoch, atEpoch, atOffset] = [2, 3, 4].map((index) => frame.number(index));
    if (shard === undefined || Number.isNaN(epoch + atEpoch + atOffset)) {
      return 'FOLLOW without its numbers';
    }
    const held = this.#host.held(shard);
    const { node } = this;
    const isPrimary = held?.role === 'primary' && held.epoch === epoch;
    if (!isPrimary || node === undefined || !held.watchers.has(node)) {
      writeFrame(this.#out, ['REFUSED', shard, 'by the map of this node it is not to be followed']);
      return undefined;
    }
    const follower = held.follower(node);
    const following: Following = {
      held,
      epoch,
      state: 'streaming',
      cursor: atOffset,
      copy: 0,
      walk: 'none',
      credit: new CopyCredit(this.#host.runtime.clock.monotonicUs()),
      toldAtUs: -Infinity,
    };
    this.#following.set(held.id, following);
    follower.isCaughtUp = this.#host.rules.mayResume(held, atEpoch, atOffset);
    if (follower.isCaughtUp) {
      // Held by both: it counts as acknowledged.
      follower.ackedOffset = Math.min(atOffset, held.backlog.end);
      this.#writeStream(following);
    } else {
      follower.ackedOffset = 0;
      this.#beginCopy(following);
    }
    return undefined;
  }

  #writeStream({ held, epoch, cursor }: Following): void {
    const parts = held.history.parts.flatMap((part) => [part.epoch, part.offset]);
    writeFrame(this.#out, ['STREAM', held.id, epoch, cursor, ...parts]);
  }

  #beginCopy(following: Following): void {
    const { held, epoch } = following;
    if (this.node !== undefined) held.follower(this.node).isCaughtUp = false;
    following.state = 'clearing';
    following.walk = 'none';
    following.copy = this.#nextCopy++;
    this.#items.delete(held.id);
    writeFrame(this.#out, ['COPY', held.id, epoch, following.copy]);
  }

  #takeCleared(frame: Frame): string | undefined {
    const following = this.#find(frame, 1);
    if (following?.copy !== frame.number(2) || following.state !== 'clearing') return undefined;
    following.state = 'streaming';
    following.cursor = following.held.backlog.end;
    following.walk = 'waiting';
    if (this.node !== undefined) following.held.follower(this.node).copiedBytes = 0;
    this.#writeStream(following);
    return undefined;
  }

  #takeAcks(frame: Frame): string | undefined {
    const rows = this.#rows;
    if (!rows.begin(frame.bytes(1))) return 'an ACK without its table';
    while (rows.next()) {
      const { shard, epoch, offset, number } = rows;
      const following = shard === undefined ? undefined : this.#following.get(shard);
      if (following === undefined || this.node === undefined) continue;
      // What was said before the last copy, or of another epoch, is about another state.
      if (following.epoch !== epoch) continue;
      if (following.copy !== number || following.walk !== 'none') continue;
      if (following.state !== 'streaming') continue;
      if (!(offset <= following.cursor)) return 'an ACK of what was never sent';
      const { held } = following;
      held.follower(this.node).isCaughtUp = true;
      held.acked(this.node, offset);
      this.#host.onAck(held);
    }
    return undefined;
  }

  /** Sends what there is to send, as far as the connection takes it. */
  pumpNow(): void {
    if (this.#isClosed) return;
    let budget = TURN_BYTES;
    while (this.#connection.bytesQueued + this.#out.length < QUEUED_BYTES_MAX) {
      const before = this.#out.length;
      this.#writeData();
      this.#stepWalk();
      if (this.#out.length === before && !this.#isWalkRunnable()) {
        this.#writeAsk();
        break;
      }
      budget -= this.#out.length - before;
      if (this.#out.length >= ITEMS_BYTES || budget <= 0) this.#send();
      if (budget <= 0) {
        this.pump();
        return;
      }
      if (this.#isWalkRunnable()) {
        // A step a turn: clients come in between.
        this.#send();
        this.pump();
        return;
      }
    }
    this.#send();
  }

  /** Sends what there is, and asks for an acknowledgement after it. */
  ask(): void {
    this.#isAsking = true;
    this.pumpNow();
  }

  #writeAsk(): void {
    if (!this.#isAsking) return;
    this.#isAsking = false;
    writeFrame(this.#out, ['ASK']);
  }

  /** All before `offset` is about to go: sends it, where the network keeps up. */
  sendAhead(backlog: Backlog, offset: number): void {
    if (this.#isClosed || this.#connection.bytesQueued >= QUEUED_BYTES_MAX) return;
    for (const following of this.#following.values()) {
      if (following.held.backlog !== backlog || following.cursor >= offset) continue;
      if (following.state === 'streaming') this.#collect(following);
    }
    this.#writeCollected();
    if (this.#out.length > 0) this.pump();
  }

  /** The live streams: what has been appended since the last time. */
  #writeData(): void {
    for (const following of this.#following.values()) {
      const { held, state } = following;
      if (state !== 'streaming' || following.cursor === held.backlog.end) continue;
      if (held.backlog.holds(following.cursor)) this.#collect(following);
      else this.#beginCopy(following);
    }
    this.#writeCollected();
  }

  /** Adds what a stream has to the next DATA. A frame is not much longer than one effect may be. */
  #collect(following: Following): void {
    const { held, epoch } = following;
    while (this.#out.length < QUEUED_BYTES_MAX && held.backlog.read(following.cursor)) {
      const { readBytes, readStart, readEnd } = held.backlog;
      const length = readEnd - readStart;
      const isLast = following.cursor + length === held.backlog.end;
      writeRow(this.#table, held.id, epoch, following.cursor, length, isLast);
      this.#effects.append(readBytes, readStart, readEnd);
      following.cursor += length;
      if (isLast) following.toldAtUs = this.#host.runtime.clock.monotonicUs();
      if (this.#effects.length >= ITEMS_BYTES) this.#writeCollected();
    }
  }

  #writeCollected(): void {
    if (this.#table.length === 0) return;
    writeFrame(this.#out, ['DATA', this.#table.view(), this.#effects.view()]);
    this.#table.clear();
    this.#effects.clear();
  }

  #isWalkRunnable(): boolean {
    if (!this.#isCopying() || this.#isResting()) return false;
    const followings = [...this.#following.values()];
    if (this.#walk === undefined) {
      return !this.#isClearing() && followings.some((of) => this.#mayBegin(of));
    }
    const walking = followings.filter(({ walk }) => walk === 'walking');
    return walking.every((of) => this.#isPaused(of) || this.#hasCredit(of));
  }

  #isCopying(): boolean {
    if (this.#walk !== undefined) return true;
    for (const { walk } of this.#following.values()) if (walk !== 'none') return true;
    return false;
  }

  /** Copies that the follower makes room for are waited for: one walk then serves all of them. */
  #isClearing(): boolean {
    for (const { state } of this.#following.values()) if (state === 'clearing') return true;
    return false;
  }

  #mayBegin(following: Following): boolean {
    return following.walk === 'waiting' && this.#hasCredit(following);
  }

  #isPaused({ held }: Following): boolean {
    return this.#host.throttleOf(held.id) === 0;
  }

  #hasCredit({ held, credit }: Following): boolean {
    const { throttleOf, runtime } = this.#host;
    return credit.left(throttleOf(held.id), runtime.clock.monotonicUs()) > 0;
  }

  /**
   * A walk serves all copies that waited when it began. It goes at the pace of the slowest; one that
   * is paused leaves it, and is begun anew by a later walk.
   */
  #stepWalk(): void {
    if (!this.#isCopying() || this.#isResting()) return;
    const followings = [...this.#following.values()];
    if (this.#walk === undefined) {
      const waiting = followings.filter((of) => this.#mayBegin(of));
      if (waiting.length === 0 || this.#isClearing()) return;
      this.#walkedBySlot.fill(-1);
      for (const following of waiting) {
        const { id, slotFirst, slotLast } = following.held;
        following.walk = 'walking';
        this.#walkedBySlot.fill(id, slotFirst, slotLast + 1);
      }
      this.#walk = new ShardWalk(
        this.#host.spaces,
        (slot) => this.#walkedShardOf(slot),
        (domain, ref, shard) => this.#copyRecord(this.#host.spaces.numberOf(domain), ref, shard),
      );
    }
    for (const following of followings) {
      if (following.walk !== 'walking' || !this.#isPaused(following)) continue;
      this.#flushItems(following);
      following.walk = 'waiting';
    }
    const walking = followings.filter(({ walk }) => walk === 'walking');
    if (!walking.every((following) => this.#hasCredit(following))) return;
    const { clock } = this.#host.runtime;
    const beganAtUs = clock.monotonicUs();
    const isDone = walking.length === 0 || this.#walk.step(this.#host.walkBuckets);
    const tookUs = clock.monotonicUs() - beganAtUs;
    const before = this.#out.length;
    for (const following of walking) this.#flushItems(following);
    if (this.#out.length > before) this.#awaitStep();
    else this.#rest(this.#rests.after(tookUs, RESTS_A_STEP));
    if (!isDone) return;
    this.#walk = undefined;
    for (const following of walking) {
      following.walk = 'none';
      const { held, copy } = following;
      writeFrame(this.#out, ['COPIED', held.id, copy, held.backlog.end]);
    }
  }

  /**
   * The next step comes when the follower has applied this one, or after a while where the network is
   * slow. So of the two nodes one works at a time, and where they share a machine with others they
   * take a core, not all; and what is written meanwhile has little of the copy before it.
   */
  #awaitStep(): void {
    this.#stepsSent++;
    writeFrame(this.#out, ['STEP', this.#stepsSent]);
    this.#rest(STEP_US_MAX);
  }

  #takeStepped(step: number): void {
    if (step !== this.#stepsSent) return;
    this.#restUntilUs = 0;
    this.#restTimer?.cancel();
  }

  #rest(restUs: number): void {
    if (restUs === 0) return;
    const { clock, timers } = this.#host.runtime;
    this.#restUntilUs = clock.monotonicUs() + restUs;
    this.#restTimer = timers.after(restUs / 1000, () => this.pumpNow());
  }

  #isResting(): boolean {
    return this.#host.runtime.clock.monotonicUs() < this.#restUntilUs;
  }

  #walkedShardOf(slot: number): ShardId | undefined {
    if (this.#walkedBySlot[slot] === -1) return undefined;
    const shard = asShardId(this.#walkedBySlot[slot]);
    // Not one that left the walk, or is followed no more.
    return this.#following.get(shard)?.walk === 'walking' ? shard : undefined;
  }

  #copyRecord(namespace: number, ref: number, shard: ShardId): void {
    const { arena } = this.#host.spaces.engine;
    let items = this.#items.get(shard);
    if (items === undefined) {
      items = new OutputBuffer(ITEMS_BYTES);
      this.#items.set(shard, items);
    }
    const keyLength = arena.keyLength(ref);
    const valueLength = arena.valueLength(ref);
    const length = setBytes(keyLength, valueLength);
    items.reserve(length);
    writeSet(
      items.bytes,
      items.length,
      namespace,
      arena.octets(ref),
      arena.keyStart(ref),
      keyLength,
      valueLength,
      arena.deadline(ref),
    );
    items.length += length;
  }

  #flushItems(following: Following): void {
    const { held, copy } = following;
    const items = this.#items.get(held.id);
    if (items === undefined || items.length === 0) return;
    writeFrame(this.#out, ['ITEMS', held.id, copy, items.view()]);
    if (this.node !== undefined) held.follower(this.node).copiedBytes += items.length;
    following.credit.spend(items.length);
    items.clear();
  }

  /** Tells how far the streams are, after all that was sent of them. */
  #scheduleTick(): void {
    const { runtime } = this.#host;
    runtime.timers.after(TICK_MS, () => {
      if (this.#isClosed) return;
      if (runtime.clock.monotonicUs() - this.#heardAtUs > SILENT_US_MAX) {
        this.close('it has been silent for too long');
        return;
      }
      this.#writeTick();
      this.pumpNow();
      this.#scheduleTick();
    });
  }

  #writeTick(): void {
    const args: [string, ...number[]] = ['TICK'];
    const toldBeforeUs = this.#host.runtime.clock.monotonicUs() - TICK_MS * 1000;
    let isToldOfSome = false;
    for (const { held, epoch, state, copy, walk, toldAtUs } of this.#following.values()) {
      if (state !== 'streaming' || this.node === undefined) continue;
      if (walk === 'none' && toldAtUs > toldBeforeUs) {
        isToldOfSome = true;
        continue;
      }
      const total = walk === 'none' || copy === 0 ? 0 : this.#host.bytesOf(held.id);
      args.push(held.id, epoch, held.backlog.end, held.follower(this.node).copiedBytes, total);
    }
    if (args.length > 1 || !isToldOfSome) writeFrame(this.#out, args);
  }

  #send(): void {
    if (this.#out.length > 0 && !this.#isClosed) this.#connection.send(this.#out);
  }
}
