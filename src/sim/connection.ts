/** The two ends of a simulated connection, and the pipes between them. */
import {
  SystemError,
  type Address,
  type Connection,
  type ConnectionHandler,
  type OutputBuffer,
} from '../runtime/index.ts';
import type { Link, SimNetwork } from './network.ts';
import type { SimProcess } from './process.ts';

/** Bytes under way or unread, beyond which the sender's network takes no more. */
const WINDOW_BYTES = 256 * 1024;
/** After our side has finished, how long to wait for the peer to finish too. */
const LINGER_US = 1_000_000;
/** The second piece of what was split comes at most this much later. */
const SPLIT_US_MAX = 2000;

/** What a spent array is filled with. */
const SPENT_BYTE = 0xdb;

/** Bytes, or how the sender's side ends: in order, or broken. */
type Piece =
  { readonly bytes: OutputBytes; dueUs: number } | { readonly end: 'end' | 'reset'; dueUs: number };

interface OutputBytes {
  array: Uint8Array;
  length: number;
}

/** One direction of a connection. */
export class Pipe {
  readonly link: Link;
  readonly key: number;
  /** Count what was sent and what arrived, for draws. */
  pieces = 0;
  arrivals = 0;
  /** What is sent from now on goes nowhere. */
  isLost = false;
  /** Is shown all that is sent. */
  tap: ((bytes: Uint8Array) => void) | undefined;
  readonly #network: SimNetwork;
  readonly #from: Endpoint;
  readonly to: Endpoint;
  /** Under way; the first one's arrival is scheduled unless the pipe is held. */
  readonly #underWay: Piece[] = [];
  #unreadBytes = 0;
  /** Waits for room in the window. */
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #endAfterWaiting = false;
  #isHeld = false;
  #lastSentUs = -1;
  #holds = 0;

  constructor(network: SimNetwork, link: Link, from: Endpoint, to: Endpoint, connection: number) {
    this.#network = network;
    this.link = link;
    this.key = link.key * 0x10000 + connection;
    this.#from = from;
    this.to = to;
  }

  get bytesQueued(): number {
    return this.#waitingBytes;
  }

  send(output: OutputBuffer): void {
    const bytes = output.view();
    this.tap?.(bytes);
    if (this.#waitingBytes > 0 || this.#unreadBytes + bytes.length > WINDOW_BYTES) {
      this.#waiting.push(bytes.slice());
      this.#waitingBytes += bytes.length;
      this.#fill();
    } else {
      this.#transmit(bytes);
    }
  }

  /** After what was sent, the stream ends. */
  end(how: 'end' | 'reset'): void {
    if (how === 'end' && this.#waitingBytes > 0) {
      this.#endAfterWaiting = true;
      return;
    }
    const { dueUs } = this.#network.schedulePiece(this, 0);
    this.#push({ end: how, dueUs });
  }

  /** The receiver has taken so many bytes. */
  consumed(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (this.#waitingBytes > 0) this.#fill();
  }

  /** Goes on after a cut has healed or a machine is back. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#underWay[0].dueUs = this.#network.schedulePiece(this, 0).dueUs;
    this.#scheduleFirst();
  }

  /** Nothing of what is under way arrives any more. */
  discard(): void {
    this.#underWay.length = 0;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#isHeld = false;
    this.link.pipes.delete(this);
  }

  #fill(): void {
    while (this.#waiting.length > 0 && this.#unreadBytes < WINDOW_BYTES) {
      const room = WINDOW_BYTES - this.#unreadBytes;
      const first = this.#waiting[0];
      if (first.length <= room) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(room);
      const taken = first.subarray(0, room);
      this.#waitingBytes -= taken.length;
      this.#transmit(taken);
      if (this.#waitingBytes > 0) continue;
      if (this.#endAfterWaiting) this.end('end');
      else this.#from.drained();
    }
  }

  #transmit(bytes: Uint8Array): void {
    const now = this.#network.simulation.queue.nowUs;
    this.#unreadBytes += bytes.length;
    const last = this.#underWay.at(-1);
    if (last !== undefined && 'bytes' in last && this.#lastSentUs === now) {
      append(last.bytes, bytes);
      return;
    }
    this.pieces += 1;
    this.#lastSentUs = now;
    const { dueUs, isReset } = this.#network.schedulePiece(this, bytes.length);
    this.#push({ bytes: { array: bytes.slice(), length: bytes.length }, dueUs });
    if (isReset) {
      this.#network.simulation.queue.schedule(0, () => {
        this.#from.fail('ECONNRESET');
        this.to.fail('ECONNRESET');
      });
    }
  }

  #push(piece: Piece): void {
    if (this.isLost) {
      this.#giveUpLater(() => this.isLost);
      return;
    }
    const last = this.#underWay.at(-1);
    if (last !== undefined && last.dueUs > piece.dueUs) piece.dueUs = last.dueUs;
    this.link.pipes.add(this);
    this.#underWay.push(piece);
    if (this.#underWay.length === 1) this.#scheduleFirst();
  }

  #scheduleFirst(): void {
    const { queue } = this.#network.simulation;
    const first = this.#underWay[0];
    queue.schedule(Math.max(0, first.dueUs - queue.nowUs), () => {
      if (this.#underWay[0] === first && !this.#isHeld) this.#arrive(first);
    });
  }

  #arrive(piece: Piece): void {
    const { link } = this;
    if (link.cuts > 0 || !link.to.hasPower) {
      this.#isHeld = true;
      const hold = (this.#holds += 1);
      this.#giveUpLater(() => this.#isHeld && this.#holds === hold);
      return;
    }
    if ('end' in piece) {
      this.#underWay.shift();
      this.to.arrive(piece.end);
      link.pipes.delete(this);
    } else {
      this.#deliver(piece);
    }
    if (this.#underWay.length > 0) this.#scheduleFirst();
  }

  #deliver(piece: { readonly bytes: OutputBytes; dueUs: number }): void {
    const { bytes } = piece;
    this.arrivals += 1;
    const at = this.#network.splitAt(this, bytes.length);
    const now = bytes.array.subarray(0, at === 0 ? bytes.length : at);
    this.#network.corrupt(this, now, now.length);
    if (at === 0) {
      this.#underWay.shift();
    } else {
      bytes.array = bytes.array.subarray(at, bytes.length);
      bytes.length -= at;
      piece.dueUs += 1 + (at % SPLIT_US_MAX);
    }
    this.to.arrive(now);
  }

  /** The sender is told that nothing gets through, if `isStuck` still holds after a long time. */
  #giveUpLater(isStuck: () => boolean): void {
    const { simulation, settings } = this.#network;
    simulation.queue.schedule(settings.giveUpUs, () => {
      if (isStuck()) this.#from.fail('ETIMEDOUT');
    });
  }
}

function append(to: OutputBytes, bytes: Uint8Array): void {
  const length = to.length + bytes.length;
  if (length > to.array.length) {
    const grown = new Uint8Array(Math.max(length, to.array.length * 2));
    grown.set(to.array.subarray(0, to.length));
    to.array = grown;
  }
  to.array.set(bytes, to.length);
  to.length = length;
}

const noHandler: ConnectionHandler = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};

/** Lays the pipes between two endpoints. `link` goes from `client` to `server`, `back` returns. */
export function joinEndpoints(
  network: SimNetwork,
  [link, back]: readonly [Link, Link],
  client: Endpoint,
  server: Endpoint,
  connection: number,
): void {
  client.out = new Pipe(network, link, client, server, connection);
  server.incoming = client.out;
  server.out = new Pipe(network, back, server, client, connection);
  client.incoming = server.out;
}

/** A connection as one of its two processes has it. */
export class Endpoint implements Connection {
  readonly local: Address;
  readonly remote: Address;
  readonly process: SimProcess;
  /** Set by `joinEndpoints`, before anything else happens. */
  declare out: Pipe;
  declare incoming: Pipe;
  readonly #network: SimNetwork;
  readonly #life: number;
  #handler: ConnectionHandler = noHandler;
  #isStarted = false;
  #isPaused = false;
  #hasEnded = false;
  #isClosing = false;
  #isClosed = false;
  #error: SystemError | undefined;
  /** Arrived and not yet read. */
  #inbox: Array<Uint8Array | 'end'> = [];

  constructor(network: SimNetwork, process: SimProcess, local: Address, remote: Address) {
    this.#network = network;
    this.process = process;
    this.#life = process.life;
    this.local = local;
    this.remote = remote;
  }

  get bytesQueued(): number {
    return this.out.bytesQueued;
  }

  start(handler: ConnectionHandler): void {
    const isFirst = !this.#isStarted;
    this.#handler = handler;
    this.#isStarted = true;
    this.#readSoon();
    if (isFirst && this.#isClosed) this.#tellClosed();
  }

  send(output: OutputBuffer): void {
    const canSend = !this.#isClosing && !this.#isClosed && output.length > 0;
    if (this.process.admitEffect() && canSend) this.out.send(output);
    output.clear();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#readSoon();
  }

  close(): void {
    if (this.#isClosing || this.#isClosed || !this.process.admitEffect()) return;
    this.#isClosing = true;
    this.#dropInbox();
    this.out.end('end');
    if (this.#hasEnded) this.#close(undefined);
    else this.process.schedule(LINGER_US, 'linger', () => this.#close(undefined));
  }

  destroy(): void {
    if (this.#isClosed || !this.process.admitEffect()) return;
    const isReset = this.#inbox.length > 0 || this.#network.endsWithReset(this.out);
    if (!this.#isClosing) this.out.end(isReset ? 'reset' : 'end');
    this.#isClosing = true;
    this.#close(undefined);
  }

  /** Reads nothing and says nothing: the sender of bytes that arrive a second time. */
  beGhost(): void {
    this.#isClosing = true;
  }

  /** Something has come out of the pipe. */
  arrive(piece: Uint8Array | 'end' | 'reset'): void {
    if (this.#isClosed || this.process.life !== this.#life) {
      // The machine is there, the connection is not: whoever sent this is told.
      if (typeof piece !== 'string' && this.process.hasPower) this.out.end('reset');
      return;
    }
    this.process.enter(this.#life, 'arrival', () => this.#take(piece));
  }

  /** All that was waiting has been handed to the network. */
  drained(): void {
    this.process.schedule(0, 'drain', () => {
      if (!this.#isClosed && !this.#isClosing && this.bytesQueued === 0) this.#handler.onDrain();
    });
  }

  /** Breaks this side; the other one is not told. */
  fail(code: string): void {
    if (this.#isClosed || this.process.life !== this.#life) return;
    this.out.discard();
    this.#close(new SystemError(code, `connection to ${this.remote.host}: ${code}`));
  }

  /** The process is gone. Its machine says so where it still can. */
  abandon(isTold: boolean): void {
    this.#isClosed = true;
    if (!isTold) this.out.discard();
    else if (!this.#isClosing)
      this.out.end(this.#network.endsWithReset(this.out) ? 'reset' : 'end');
  }

  #take(piece: Uint8Array | 'end' | 'reset'): void {
    if (this.#isClosed) return;
    if (piece === 'reset') {
      this.#close(new SystemError('ECONNRESET', `connection to ${this.remote.host}: ECONNRESET`));
    } else if (this.#isClosing) {
      if (piece === 'end') this.#close(undefined);
      else this.incoming.consumed(piece.length);
    } else if (!this.#isStarted || this.#isPaused || this.#inbox.length > 0) {
      this.#inbox.push(piece);
    } else {
      this.#hand(piece);
    }
  }

  #hand(piece: Uint8Array | 'end'): void {
    if (piece === 'end') {
      this.#hasEnded = true;
      this.#handler.onEnd();
      return;
    }
    this.#handler.onData(piece, 0, piece.length);
    // The array was the handler's only during that call: what it kept without a copy is lost.
    piece.fill(SPENT_BYTE);
    this.incoming.consumed(piece.length);
  }

  #readSoon(): void {
    if (this.#inbox.length === 0) return;
    this.process.schedule(0, 'read', () => {
      while (this.#inbox.length > 0 && this.#isStarted && !this.#isPaused && !this.#isClosed) {
        const piece = this.#inbox.shift();
        if (piece !== undefined) this.#hand(piece);
      }
    });
  }

  #dropInbox(): void {
    for (const piece of this.#inbox) {
      if (piece === 'end') this.#hasEnded = true;
      else this.incoming.consumed(piece.length);
    }
    this.#inbox = [];
  }

  #close(error: SystemError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#error = error;
    this.#network.forget(this);
    if (this.#isStarted) this.#tellClosed();
  }

  #tellClosed(): void {
    this.process.schedule(0, 'closed', () => this.#handler.onClose(this.#error));
  }
}
