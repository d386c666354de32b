/**
 * The one connection to a node, which all calls to it share.
 *
 * - Calls of one turn of the event loop leave in one send; replies match calls by their order.
 * - It connects when there is something to send. Where the node cannot be reached, what waits
 *   fails: nothing is kept for a node that may come back.
 * - Every call is settled by its deadline.
 * - Calls under way are bounded, those that nobody waits for any more included. A node that
 *   answers nothing at all is given up after the connect timeout.
 */
import { CachectlError } from '../cluster/index.ts';
import { INCOMPLETE, PROTOCOL_ERROR, PUSH, ReplyParser, encodeRequest } from '../resp/index.ts';
import {
  type Address,
  type Connection,
  type ConnectionHandler,
  OutputBuffer,
  type Runtime,
  type SystemError,
  type Timer,
} from '../runtime/index.ts';
import type { Call } from './call.ts';
import { type Credentials, Dialer } from './dialer.ts';
import { Fifo } from './fifo.ts';

export interface LinkSettings {
  readonly credentials: Credentials | undefined;
  readonly connectTimeoutMs: number;
  readonly callsMax: number;
}

/** Output leaves in pieces of about this size, each when the network has taken the last. */
const SEND_BYTES = 256 * 1024;

/** One for all links, since a send empties it. */
const output = new OutputBuffer();

export class Link implements ConnectionHandler {
  readonly name: string;
  readonly #runtime: Runtime;
  readonly #settings: LinkSettings;
  readonly #onLost: () => void;
  readonly #dialer: Dialer;
  readonly #unsent = new Fifo<Call>();
  readonly #sent = new Fifo<Call>();
  #parser = new ReplyParser();
  #connection: Connection | undefined;
  #willFlush = false;
  #timer: Timer | undefined;
  #timerUs = Infinity;
  /** Since when there was no byte from the node, though it has something to answer. */
  #silentSinceUs = 0;
  #onIdle: (() => void) | undefined;

  /** @param onLost called when the node could not be reached, or its connection broke */
  constructor(runtime: Runtime, address: Address, settings: LinkSettings, onLost: () => void) {
    this.name = `${address.host}:${address.port}`;
    this.#runtime = runtime;
    this.#settings = settings;
    this.#onLost = onLost;
    const { credentials, connectTimeoutMs } = settings;
    this.#dialer = new Dialer(runtime, address, credentials, connectTimeoutMs);
  }

  get callsUnderWay(): number {
    return this.#unsent.length + this.#sent.length;
  }

  submit(call: Call): void {
    if (this.callsUnderWay >= this.#settings.callsMax) {
      const message = `${this.name}: ${this.callsUnderWay} calls are under way, the most allowed`;
      call.fail(new CachectlError('ERR_CACHECTL_OVERLOADED', message));
      return;
    }
    if (this.#connection === undefined && !this.#dialer.isDialing && !this.#dial()) {
      call.fail(this.#dialer.lastError ?? this.#broken('not connected'));
      return;
    }
    this.#unsent.push(call);
    this.#wakeBy(call.deadlineUs);
    if (this.#willFlush || this.#connection === undefined) return;
    // After what is ready now has been served, so that calls made meanwhile leave together.
    this.#willFlush = true;
    this.#runtime.timers.defer(() => {
      this.#willFlush = false;
      this.#flush();
    });
  }

  /** Calls `done` once nobody waits for a call: at the last deadline at the latest. */
  whenIdle(done: () => void): void {
    this.#onIdle = done;
    this.#checkIdle();
  }

  /** Ends the connection; what is under way fails. */
  close(): void {
    this.#dialer.cancel();
    this.#end(new CachectlError('ERR_CACHECTL_CLOSED', 'the client has been closed'));
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    const parser = this.#parser;
    this.#silentSinceUs = this.#runtime.clock.monotonicUs();
    parser.push(bytes, start, end);
    for (let code = parser.next(); code !== INCOMPLETE; code = parser.next()) {
      if (code === PUSH) continue;
      const call = code === PROTOCOL_ERROR ? undefined : this.#sent.shift();
      if (call === undefined) {
        this.#lose(this.#broken(parser.errorText || 'a reply came that nobody had asked for'));
        return;
      }
      call.reply(parser.reply);
    }
    this.#checkIdle();
  }

  onDrain(): void {
    this.#flush();
  }

  onEnd(): void {
    this.#lose(this.#broken('the node has closed the connection'));
  }

  onClose(error: SystemError | undefined): void {
    if (this.#connection === undefined) return;
    this.#lose(this.#broken(`the connection broke (${error?.code ?? 'closed'})`, error));
  }

  #dial(): boolean {
    return this.#dialer.dial({
      onReady: (connection) => {
        this.#connection = connection;
        this.#parser = new ReplyParser();
        connection.start(this);
        this.#flush();
      },
      onFailed: (error) => this.#lose(error),
    });
  }

  #flush(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (this.#sent.length === 0) this.#silentSinceUs = this.#runtime.clock.monotonicUs();
    while (this.#unsent.length > 0 && connection.bytesQueued === 0) {
      while (output.length < SEND_BYTES) {
        const call = this.#unsent.shift();
        if (call === undefined) break;
        if (call.isSettled) continue;
        encodeRequest(output, call.args);
        this.#sent.push(call);
      }
      connection.send(output);
    }
    this.#checkIdle();
  }

  /**
   * One timer serves all calls, set to the earliest deadline: with equal timeouts it fires about
   * once in the length of one, where a timer a call would cost as much as encoding it.
   */
  #wakeBy(deadlineUs: number): void {
    if (deadlineUs >= this.#timerUs) return;
    this.#timer?.cancel();
    this.#timerUs = deadlineUs;
    const delayMs = Math.ceil((deadlineUs - this.#runtime.clock.monotonicUs()) / 1000);
    this.#timer = this.#runtime.timers.after(Math.max(delayMs, 0), () => {
      this.#timerUs = Infinity;
      this.#settleOverdue(this.#runtime.clock.monotonicUs());
    });
  }

  #settleOverdue(nowUs: number): void {
    let nextUs = Infinity;
    const check = (call: Call): void => {
      if (call.isSettled) return;
      if (call.deadlineUs > nowUs) nextUs = Math.min(nextUs, call.deadlineUs);
      else call.fail(this.#overdue());
    };
    this.#unsent.forEach(check);
    this.#sent.forEach(check);
    if (this.#sent.length > 0) {
      const givenUpUs = this.#silentSinceUs + this.#settings.connectTimeoutMs * 1000;
      if (givenUpUs <= nowUs) this.#lose(this.#broken('the node has stopped answering'));
      else nextUs = Math.min(nextUs, givenUpUs);
    }
    if (nextUs !== Infinity && this.callsUnderWay > 0) this.#wakeBy(nextUs);
    this.#checkIdle();
  }

  #overdue(): CachectlError {
    const state = this.#connection === undefined ? 'is not connected yet' : 'has not answered';
    return new CachectlError('ERR_CACHECTL_TIMEOUT', `${this.name} ${state} in time`);
  }

  #broken(words: string, cause?: Error): CachectlError {
    const options = cause === undefined ? {} : { cause };
    return new CachectlError('ERR_CACHECTL_CONNECT', `${this.name}: ${words}`, options);
  }

  #lose(error: CachectlError): void {
    this.#end(error);
    this.#onLost();
  }

  #end(error: CachectlError): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
    this.#timer?.cancel();
    this.#timerUs = Infinity;
    for (const call of [...this.#sent.takeAll(), ...this.#unsent.takeAll()]) call.fail(error);
    this.#checkIdle();
  }

  #checkIdle(): void {
    if (this.#onIdle === undefined) return;
    let waiting = 0;
    const count = (call: Call): void => {
      if (!call.isSettled) waiting++;
    };
    this.#unsent.forEach(count);
    this.#sent.forEach(count);
    if (waiting > 0) return;
    const done = this.#onIdle;
    this.#onIdle = undefined;
    done();
  }
}
