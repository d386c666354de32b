/**
 * One client's connection: reads its requests, has them carried out in order, sends the replies.
 *
 * Memory is bounded both ways. Requests are parsed where they arrived or were gathered, and while a
 * client does not take its replies, its next requests are left unread. What it can make the node
 * keep is one request, and replies up to `outputBytesPaused` plus one reply; past `outputBytesMax`, which
 * only a single huge reply or pushed messages can reach, it is disconnected.
 */
import {
  INCOMPLETE,
  OVERSIZED,
  REQUEST,
  RequestReader,
  writeError,
  type RespVersion,
} from '../resp/index.ts';
import {
  OutputBuffer,
  type Connection,
  type ConnectionHandler,
  type SystemError,
} from '../runtime/index.ts';
import type { Domain } from '../engine/index.ts';
import type { Call } from './call.ts';
import type { NamespaceState } from './cluster/tenants.ts';
import type { HeldShard } from './replication/index.ts';
import type { CacheNode, RequestArguments } from './node.ts';

/** Replies are sent when this much has gathered, and at the end of the event loop's turn. */
const SEND_BYTES = 64 * 1024;

/** A client that waits for a command may send this much ahead; reading on shows when it leaves. */
const CARRIED_BYTES_MAX = 64 * 1024;

/** A client that holds no more than this is never let go for what others hold. */
const INPUT_BYTES_FREE = 64 * 1024;

/** What becomes of replies: `CLIENT REPLY`. */
export type ReplyMode = 'on' | 'off' | 'skip-next' | 'skip-this';

export class Session implements ConnectionHandler {
  readonly id: number;
  readonly connection: Connection;
  readonly reader: RequestReader;
  readonly connectedAtMs: number;
  readonly #node: CacheNode;

  domain: Domain;
  /** Undefined while the node stands alone: then there is but one. */
  namespace: NamespaceState | undefined;
  version: RespVersion = 2;
  authenticated: boolean;
  /** Whether it is authenticated by a secret, rather than for want of one. */
  hasGivenSecret = false;
  name = '';
  libraryName = '';
  libraryVersion = '';
  lastCommand = 'NULL';
  lastActiveMs: number;
  commandCount = 0;
  bytesRead = 0;
  bytesSent = 0;
  readonlyMode = false;
  noEvict = false;
  noTouch = false;
  replyMode: ReplyMode = 'on';
  /** Whether reads are to be remembered for invalidation; kept by `Tracking`. */
  isTracking = false;
  closed = false;
  /** Closes once the replies so far are sent. */
  closeAfterReply = false;
  /** Set while a command of this client takes several turns, or while clients are paused. */
  #suspended = false;
  #running = false;
  /** What this client has of `CacheNode.inputBytesHeld`. */
  #heldBytes = 0;
  /** Input that its tenant's bandwidth has not been charged for. */
  #bytesUncharged = 0;
  /** Output that the network had not taken when it was last looked at, and since when. */
  #outputQueuedBytes = 0;
  #outputStuckSinceMs = 0;
  /** Whether what it has sent waits for the end of the event loop's turn; see `Turn`. */
  #isGathered = false;
  /** Replies that wait for it. */
  #parked: OutputBuffer | undefined;
  /** What it has written, and where the streams of the shards ended then. In a cluster only. */
  readonly writes = new Map<HeldShard, number>();
  /** Those that its replies are to wait for. */
  #unacked = new Map<HeldShard, number>();
  /** Replies that wait for replicas. */
  #unackedOutput: OutputBuffer | undefined;
  #isReleasedAfterAcks = false;
  /** Push messages that wait for the end of a reply which is sent in parts. */
  #pushes: OutputBuffer | undefined;
  /** A request that waits for the end of `CLIENT PAUSE`. */
  #held: RequestArguments | undefined;

  constructor(node: CacheNode, id: number, connection: Connection, domain: Domain) {
    this.#node = node;
    this.id = id;
    this.connection = connection;
    this.domain = domain;
    this.reader = new RequestReader(node.requestLimits);
    this.connectedAtMs = node.nowMs;
    this.lastActiveMs = node.nowMs;
    this.authenticated = true;
    this.setAuthenticated(!node.needsSecret());
  }

  setAuthenticated(authenticated: boolean): void {
    if (this.authenticated !== authenticated) this.reader.request.setAuthenticated(authenticated);
    this.authenticated = authenticated;
  }

  /** Puts everything back to where it was when the connection was made: `RESET`. */
  reset(): void {
    this.#node.tracking.disable(this);
    this.domain = this.#node.defaultDomain;
    this.version = 2;
    this.name = '';
    this.readonlyMode = false;
    this.noEvict = false;
    this.noTouch = false;
    this.replyMode = 'on';
    this.hasGivenSecret = false;
    this.#node.cluster?.reset(this);
    this.setAuthenticated(!this.#node.needsSecret());
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.bytesRead += end - start;
    this.#node.stats.inputBytes += end - start;
    this.#bytesUncharged += end - start;
    const { turn } = this.#node;
    if (this.#isGathered) turn.carryOut();
    if (!this.#isWaiting && turn.gather(this, bytes, start, end)) this.#isGathered = true;
    else this.#take(bytes, start, end);
  }

  /** Carries out what was gathered of it. */
  takeGathered(bytes: Uint8Array, start: number, end: number): void {
    this.#isGathered = false;
    if (!this.closed) this.#take(bytes, start, end);
  }

  #take(bytes: Uint8Array, start: number, end: number): void {
    this.reader.push(bytes, start, end);
    if (!this.#isWaiting) this.#run();
    this.#finishInput();
    if (this.#isWaiting && this.reader.bytesCarried > CARRIED_BYTES_MAX) this.connection.pause();
  }

  onDrain(): void {
    if (this.closed) return;
    if (this.#suspended) this.#node.longCommands.drained(this);
    else if (!this.#isWaiting) this.#goOn();
  }

  onEnd(): void {
    if (this.#isGathered) this.#node.turn.carryOut();
    // Replies under way are still sent; a half-closed client gets no more of the node than that.
    this.sendParked();
    if (this.#isWaiting || this.connection.bytesQueued > 0) this.closeAfterReply = true;
    else this.connection.close();
  }

  onClose(error: SystemError | undefined): void {
    if (this.closed) return;
    if (this.#isGathered) this.#node.turn.carryOut();
    this.closed = true;
    this.sendParked();
    this.releaseInput();
    this.#node.removeSession(this, error);
  }

  /** What this client has sent of an unfinished request counts no more: it is closing. */
  releaseInput(): void {
    this.#node.inputBytesHeld -= this.#heldBytes;
    this.#heldBytes = 0;
  }

  /** Takes no further requests until `wake`. */
  suspend(): void {
    this.#suspended = true;
  }

  /** Goes on after `suspend`. Replies written meanwhile are sent. */
  wake(): void {
    this.#suspended = false;
    if (!this.closed && !this.#isWaiting) this.#goOn();
  }

  get #isWaiting(): boolean {
    return this.#suspended || this.#unackedOutput !== undefined;
  }

  /** A command of this client has changed something in a shard. */
  noteWrite(held: HeldShard): void {
    this.writes.set(held, held.backlog.end);
    if (this.namespace?.tenant.record.ack !== 'primary') this.#unacked.set(held, held.backlog.end);
  }

  /** Keeps the replies so far until replicas have what they say was carried out. */
  #awaitAcks(): void {
    const { cluster } = this.#node;
    const ack = this.namespace?.tenant.record.ack ?? 'primary';
    const writes = this.#unacked;
    this.#unacked = new Map();
    if (cluster === undefined || cluster.durability.areAcked(writes, ack)) return;
    this.#unackedOutput = this.#node.keepOutput();
    cluster.durability.await(writes, ack, (isAcked) => this.#acked(isAcked));
  }

  /** Without an acknowledgement the outcome is unknown: the client is let go without a reply. */
  #acked(isAcked: boolean): void {
    const output = this.#unackedOutput;
    if (output === undefined) return;
    this.#unackedOutput = undefined;
    if (isAcked) this.#send(output);
    else output.clear();
    this.#node.recycle(output);
    if (this.closed) return;
    if (!isAcked) this.destroy();
    else if (this.#isReleasedAfterAcks) this.release();
    else if (this.closeAfterReply && !this.#suspended) this.connection.close();
    else if (!this.#suspended) this.#goOn();
  }

  /** For how long the client has taken none of its output. Looked at by housekeeping. */
  outputStuckMs(nowMs: number): number {
    const queuedBytes = this.connection.bytesQueued;
    if (queuedBytes === 0 || queuedBytes !== this.#outputQueuedBytes) {
      this.#outputQueuedBytes = queuedBytes;
      this.#outputStuckSinceMs = nowMs;
    }
    return nowMs - this.#outputStuckSinceMs;
  }

  /** Keeps the request that is being looked at until `release`. */
  holdBack({ bytes, starts, ends, count }: Call): void {
    const first = starts[0];
    this.#held = {
      argumentBytes: bytes.slice(first, ends[count - 1]),
      starts: starts.slice(0, count).map((start) => start - first),
      ends: ends.slice(0, count).map((end) => end - first),
      argumentCount: count,
    };
    this.suspend();
  }

  /** Carries out what was held back, and goes on. */
  release(): void {
    const held = this.#held;
    if (held === undefined || this.closed) return;
    this.#isReleasedAfterAcks = this.#unackedOutput !== undefined;
    if (this.#isReleasedAfterAcks) return;
    this.#held = undefined;
    this.#suspended = false;
    this.#node.beginBatch();
    this.#openOutput();
    this.#node.execute(this, held);
    if (this.#unacked.size > 0) this.#awaitAcks();
    this.flush();
    if (!this.#suspended) this.wake();
  }

  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** Sends a reply outside of a batch, after whatever was written before it. */
  respond(write: (out: OutputBuffer) => void): void {
    if (this.#unackedOutput !== undefined) {
      write(this.#unackedOutput);
      return;
    }
    this.#openOutput();
    write(this.#node.out);
    this.flush();
  }

  /** A reply is sent in several parts from now on: nothing else may come between them. */
  beginReply(): void {
    this.#pushes = new OutputBuffer(1024);
  }

  endReply(): void {
    const pushes = this.#pushes;
    this.#pushes = undefined;
    if (pushes === undefined || pushes.length === 0) return;
    this.respond((out) => out.append(pushes.bytes, 0, pushes.length));
  }

  /** Adds a push message after what waits to be sent; false where nothing waits. */
  addToParked(write: (out: OutputBuffer) => void): boolean {
    const waiting = this.#pushes ?? this.#unackedOutput ?? this.#parked;
    if (waiting === undefined) return false;
    write(waiting);
    return true;
  }

  /** Sends what was kept until the end of the event loop's turn. */
  sendParked(): void {
    const output = this.#parked;
    if (output === undefined) return;
    this.#parked = undefined;
    this.#send(output);
    this.#node.recycle(output);
  }

  /** Sends what has been written. */
  flush(): void {
    this.#send(this.#node.out);
  }

  #send(output: OutputBuffer): void {
    if (this.closed) {
      output.clear();
      return;
    }
    this.bytesSent += output.length;
    this.#node.stats.outputBytes += output.length;
    if (this.namespace !== undefined) this.#moved(output.length);
    this.connection.send(output);
    const queuedBytes = this.connection.bytesQueued;
    if (queuedBytes === 0) return;
    if (queuedBytes > this.#node.settings.outputBytesMax) this.#node.disconnectSlow(this);
    else if (queuedBytes > this.#node.settings.outputBytesPaused) this.connection.pause();
  }

  #moved(bytes: number): void {
    this.namespace?.tenant.moved(bytes, this.#node.cluster?.nowUs ?? 0);
  }

  /** Lets the node's output be this client's: what it left unsent, or an empty one. */
  #openOutput(): void {
    if (this.#parked === undefined) return;
    this.#node.unpark(this.#parked);
    this.#parked = undefined;
  }

  /** Closes the connection after what has been written so far. */
  close(): void {
    this.closeAfterReply = true;
    if (this.#running) return;
    this.sendParked();
    this.connection.close();
  }

  /** Closes at once. */
  destroy(): void {
    this.connection.destroy();
  }

  /** Ends the use of a piece of input, and accounts for what is kept of it. */
  #finishInput(): void {
    const { reader } = this;
    reader.finish();
    const heldBytes = reader.bytesAllocated;
    if (heldBytes === this.#heldBytes) return;
    this.#node.inputBytesHeld += heldBytes - this.#heldBytes;
    this.#heldBytes = heldBytes;
    if (heldBytes > INPUT_BYTES_FREE) this.#node.checkInput(this);
  }

  #goOn(): void {
    this.#run();
    this.#finishInput();
    if (!this.#isWaiting && !this.closed && !this.isClogged) this.connection.resume();
  }

  /** Whether the client leaves so much unread that nothing more is to be sent to it for now. */
  get isClogged(): boolean {
    return this.connection.bytesQueued > this.#node.settings.outputBytesPaused;
  }

  #run(): void {
    const node = this.#node;
    const { reader } = this;
    node.beginBatch();
    this.#openOutput();
    const { out } = node;
    this.lastActiveMs = node.nowMs;
    this.#running = true;
    const countBefore = this.commandCount;
    while (!this.#isWaiting && !this.closeAfterReply) {
      const code = reader.next();
      if (code === REQUEST) {
        node.turn.requestCame(this);
        node.execute(this, reader.request);
        if (out.length >= SEND_BYTES) {
          if (this.#unacked.size > 0) this.#awaitAcks();
          if (this.#isWaiting) break;
          this.flush();
          if (this.isClogged) break;
        }
      } else if (code === INCOMPLETE) {
        break;
      } else {
        writeError(out, `ERR ${reader.request.errorText}`);
        if (code !== OVERSIZED) {
          node.stats.protocolErrors++;
          this.closeAfterReply = true;
        }
      }
    }
    this.#running = false;
    // Only now, so that a request is not refused for the bytes that it consists of.
    if (this.namespace !== undefined && this.commandCount > countBefore) {
      this.#moved(this.#bytesUncharged);
      this.#bytesUncharged = 0;
    }
    if (this.#unacked.size > 0) this.#awaitAcks();
    if (this.closeAfterReply) {
      if (this.#node.out.length > 0) this.flush();
      if (!this.#isWaiting) this.connection.close();
    } else if (node.out.length > 0) {
      this.#parked = node.keepOutput();
      node.turn.park(this);
    }
  }
}
