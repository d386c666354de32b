/**
 * One connection to one server: dialed, authenticated where there is a token, then used for calls
 * until it breaks or falls silent.
 *
 * A server that owes something (it is asked for a sign of life where nothing else is owed) and
 * sends no byte for `silenceMs` to twice that is given up: a paused process keeps its connections.
 */
import { CachectlError } from '../cluster/errors.ts';
import {
  encodeRequest,
  INCOMPLETE,
  PUSH,
  REPLY,
  REPLY_LIMITS,
  ReplyError,
  ReplyParser,
} from '../resp/index.ts';
import { OutputBuffer } from '../runtime/index.ts';
import type {
  Address,
  ConnectAttempt,
  Connection,
  ConnectionHandler,
  Runtime,
  SystemError,
  Timer,
} from '../runtime/index.ts';
import { decodeServerMessage, type RpcOutcome } from './messages.ts';

export interface LinkHandler {
  /** Calls may be sent from now on. */
  onReady(): void;
  onReply(id: number, outcome: RpcOutcome): void;
  onPush(topic: string, body: unknown): void;
  /** The last call; not after `close`. */
  onLost(error: CachectlError): void;
}

export interface LinkSettings {
  readonly token: string | undefined;
  readonly connectTimeoutMs: number;
  readonly silenceMs: number;
  readonly messageBytesMax: number;
}

export type ClientRuntime = Pick<Runtime, 'clock' | 'network' | 'random' | 'timers'>;

export class ClientLink implements ConnectionHandler {
  readonly address: Address;
  readonly name: string;
  readonly #runtime: ClientRuntime;
  readonly #settings: LinkSettings;
  readonly #handler: LinkHandler;
  readonly #output = new OutputBuffer(1024);
  readonly #parser: ReplyParser;
  #attempt: ConnectAttempt | undefined;
  #connection: Connection | undefined;
  #isReady = false;
  #isOver = false;
  #willFlush = false;
  #timer: Timer;
  #hasArrived = false;
  #isPinged = false;

  constructor(
    runtime: ClientRuntime,
    address: Address,
    settings: LinkSettings,
    handler: LinkHandler,
  ) {
    this.address = address;
    this.name = `${address.host}:${address.port}`;
    this.#runtime = runtime;
    this.#settings = settings;
    this.#handler = handler;
    const { messageBytesMax: replyBytesMax, connectTimeoutMs } = settings;
    this.#parser = new ReplyParser({
      ...REPLY_LIMITS,
      depthMax: 1,
      elementCountMax: 4,
      replyBytesMax,
    });
    this.#timer = runtime.timers.after(connectTimeoutMs, () => {
      this.#lose('ERR_CACHECTL_CONNECT', `no connection within ${connectTimeoutMs} ms`);
    });
    this.#attempt = runtime.network.connect(address, {
      onConnect: (connection) => this.#greet(connection),
      onError: (error) => {
        this.#lose('ERR_CACHECTL_CONNECT', `cannot connect (${error.code})`, error);
      },
    });
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Bytes that wait to be taken by the network. */
  get bytesQueued(): number {
    return this.#output.length + (this.#connection?.bytesQueued ?? 0);
  }

  /** @param text JSON */
  send(id: number, method: string, text: string): void {
    encodeRequest(this.#output, ['CALL', String(id), method, text]);
    this.#flushLater();
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#isReady = false;
    this.#timer.cancel();
    this.#attempt?.cancel();
    this.#connection?.destroy();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    this.#hasArrived = true;
    this.#parser.push(bytes, start, end);
    for (;;) {
      const code = this.#parser.next();
      if (code === INCOMPLETE) return;
      if (code === REPLY) this.#takeAnswer();
      else if (code === PUSH) this.#takeMessage();
      else
        this.#lose('ERR_CACHECTL_CONNECT', `not a server of cachectl: ${this.#parser.errorText}`);
      if (this.#isOver) return;
    }
  }

  onDrain(): void {}

  onEnd(): void {
    this.#lose('ERR_CACHECTL_CONNECT', 'the server has closed the connection');
  }

  onClose(error: SystemError | undefined): void {
    this.#lose('ERR_CACHECTL_CONNECT', `the connection broke (${error?.code ?? 'closed'})`, error);
  }

  #greet(connection: Connection): void {
    this.#attempt = undefined;
    this.#connection = connection;
    connection.start(this);
    if (this.#settings.token === undefined) {
      this.#ready();
    } else {
      encodeRequest(this.#output, ['AUTH', this.#settings.token]);
      this.#flushLater();
    }
  }

  #ready(): void {
    this.#isReady = true;
    this.#watch();
    this.#handler.onReady();
  }

  /** The answer to `AUTH` or `PING`, or an error that ends the connection. */
  #takeAnswer(): void {
    const { reply } = this.#parser;
    if (reply instanceof ReplyError) {
      const code = this.#isReady ? 'ERR_CACHECTL_CONNECT' : 'ERR_CACHECTL_AUTH';
      this.#lose(code, `the server answered: ${reply.text}`);
    } else if (!this.#isReady) {
      this.#ready();
    }
  }

  #takeMessage(): void {
    const message = decodeServerMessage(this.#parser.reply);
    if (message === undefined) {
      this.#lose('ERR_CACHECTL_CONNECT', 'not a server of cachectl: a message that makes no sense');
    } else if (message.kind === 'reply') {
      this.#handler.onReply(message.id, message.outcome);
    } else {
      this.#handler.onPush(message.topic, message.body);
    }
  }

  #watch(): void {
    this.#timer.cancel();
    this.#hasArrived = false;
    this.#timer = this.#runtime.timers.after(this.#settings.silenceMs, () => {
      if (this.#hasArrived) {
        this.#isPinged = false;
      } else if (this.#isPinged) {
        this.#lose('ERR_CACHECTL_CONNECT', 'the server has fallen silent');
        return;
      } else {
        this.#isPinged = true;
        encodeRequest(this.#output, ['PING']);
        this.#flushLater();
      }
      this.#watch();
    });
  }

  /** Calls of one turn of the event loop leave together. */
  #flushLater(): void {
    if (this.#willFlush) return;
    this.#willFlush = true;
    this.#runtime.timers.defer(() => {
      this.#willFlush = false;
      if (!this.#isOver) this.#connection?.send(this.#output);
    });
  }

  #lose(code: 'ERR_CACHECTL_AUTH' | 'ERR_CACHECTL_CONNECT', words: string, cause?: Error): void {
    if (this.#isOver) return;
    this.close();
    const options = cause === undefined ? {} : { cause };
    this.#handler.onLost(new CachectlError(code, `${this.name}: ${words}`, options));
  }
}
