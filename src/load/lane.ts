/**
 * One connection of the load, and the requests in flight on it: since when each waits, and whether
 * it is a read, in a ring that is as long as the pipeline is deep.
 */
import { ReplySkimmer, SKIMMED_ERROR, encodeRequest } from '../resp/index.ts';
import {
  type Address,
  type ConnectAttempt,
  type Connection,
  type ConnectionHandler,
  OutputBuffer,
  type Runtime,
  type SystemError,
} from '../runtime/index.ts';

export interface Target {
  readonly address: Address;
  readonly tenant: string | undefined;
  readonly secret: string | undefined;
}

export interface LaneOwner {
  /** Connected, and let in where a secret was needed. */
  onOpen(lane: Lane): void;
  /** `reply` is at a reply: what it is, is there to be read. */
  onReply(isRead: boolean, latencyUs: number, reply: ReplySkimmer): void;
  /** All replies that have arrived by now were handed over. */
  onReplies(lane: Lane): void;
  /** Could not connect, or the connection has ended; `inFlight` requests are without a reply. */
  onDown(lane: Lane, error: Error, inFlight: number): void;
}

export class Lane implements ConnectionHandler {
  inFlight = 0;
  isOpen = false;
  readonly #runtime: Runtime;
  readonly #target: Target;
  readonly #owner: LaneOwner;
  readonly #capacity: number;
  readonly #sinceUs: Float64Array;
  readonly #isRead: Uint8Array;
  #first = 0;
  #attempt: ConnectAttempt | undefined;
  #connection: Connection | undefined;
  #replies = new ReplySkimmer();

  /** @param capacity requests in flight at most */
  constructor(runtime: Runtime, target: Target, capacity: number, owner: LaneOwner) {
    this.#runtime = runtime;
    this.#target = target;
    this.#owner = owner;
    this.#capacity = capacity;
    this.#sinceUs = new Float64Array(capacity);
    this.#isRead = new Uint8Array(capacity);
  }

  /** Does nothing where the connection is there, or being made. */
  connect(): void {
    if (this.#attempt !== undefined || this.#connection !== undefined) return;
    this.#replies = new ReplySkimmer();
    this.#attempt = this.#runtime.network.connect(this.#target.address, {
      onConnect: (connection) => {
        this.#attempt = undefined;
        this.#connection = connection;
        connection.start(this);
        this.#greet(connection);
      },
      onError: (error) => this.#down(error),
    });
  }

  /** Notes a request that was appended to what will be sent next. */
  note(sinceUs: number, isRead: boolean): void {
    let at = this.#first + this.inFlight;
    if (at >= this.#capacity) at -= this.#capacity;
    this.#sinceUs[at] = sinceUs;
    this.#isRead[at] = isRead ? 1 : 0;
    this.inFlight++;
  }

  send(output: OutputBuffer): void {
    this.#connection?.send(output);
  }

  /** Ends the connection without waiting for what is in flight. */
  drop(): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
    this.#connection?.destroy();
    this.#connection = undefined;
    this.isOpen = false;
    this.inFlight = 0;
    this.#first = 0;
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#connection === undefined) return;
    const replies = this.#replies;
    replies.push(bytes, start, end);
    if (!this.isOpen && !this.#readGreeting()) return;
    const nowUs = this.#runtime.clock.monotonicUs();
    while (replies.next()) {
      if (this.inFlight === 0) {
        this.#down(new Error('a reply came that no request had asked for'));
        return;
      }
      const at = this.#first;
      this.#first = at + 1 === this.#capacity ? 0 : at + 1;
      this.inFlight--;
      this.#owner.onReply(this.#isRead[at] === 1, nowUs - this.#sinceUs[at], replies);
    }
    if (replies.hasFailed) this.#down(new Error('the server sent something that is not RESP'));
    else this.#owner.onReplies(this);
  }

  onDrain(): void {}

  onEnd(): void {
    this.#down(new Error('the server has closed the connection'));
  }

  onClose(error: SystemError | undefined): void {
    if (this.#connection !== undefined) this.#down(error ?? new Error('the connection was closed'));
  }

  #greet(connection: Connection): void {
    const { tenant, secret } = this.#target;
    if (secret === undefined) {
      this.isOpen = true;
      this.#owner.onOpen(this);
      return;
    }
    const output = new OutputBuffer(1024);
    encodeRequest(output, ['AUTH', tenant ?? 'default', secret]);
    connection.send(output);
  }

  #readGreeting(): boolean {
    if (!this.#replies.next()) return false;
    if (this.#replies.kind === SKIMMED_ERROR) {
      this.#down(new Error(this.#replies.errorText));
      return false;
    }
    this.isOpen = true;
    this.#owner.onOpen(this);
    return true;
  }

  #down(error: Error): void {
    const { inFlight } = this;
    this.drop();
    this.#owner.onDown(this, error, inFlight);
  }
}
