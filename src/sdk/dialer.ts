/**
 * Reaches a node: connects, says who calls where that is needed, and hands over a connection that
 * is ready. Tries are spaced out by a random part of a span that doubles with each failure, so
 * that a node that comes back is not met by all its clients at once.
 */
import { CachectlError } from '../cluster/index.ts';
import { INCOMPLETE, REPLY, ReplyError, ReplyParser, encodeRequest } from '../resp/index.ts';
import {
  type Address,
  type ConnectAttempt,
  type Connection,
  OutputBuffer,
  type Runtime,
  type Timer,
} from '../runtime/index.ts';

export interface Credentials {
  readonly tenant: string;
  readonly secret: string;
}

export interface DialHandler {
  /** The connection is started; starting it anew hands it over. */
  onReady(connection: Connection): void;
  onFailed(error: CachectlError): void;
}

const SPAN_MS_MIN = 50;
const SPAN_MS_MAX = 2_000;

export class Dialer {
  readonly #runtime: Runtime;
  readonly #address: Address;
  readonly #credentials: Credentials | undefined;
  readonly #timeoutMs: number;
  #handler: DialHandler | undefined;
  #attempt: ConnectAttempt | undefined;
  #connection: Connection | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #retryUs = 0;
  /** Why the last try failed; undefined after one that did not. */
  lastError: CachectlError | undefined;

  constructor(
    runtime: Runtime,
    address: Address,
    credentials: Credentials | undefined,
    timeoutMs: number,
  ) {
    this.#runtime = runtime;
    this.#address = address;
    this.#credentials = credentials;
    this.#timeoutMs = timeoutMs;
  }

  get isDialing(): boolean {
    return this.#handler !== undefined;
  }

  /** False where it is too soon after a failure; `lastError` tells of that. */
  dial(handler: DialHandler): boolean {
    if (this.#runtime.clock.monotonicUs() < this.#retryUs) return false;
    this.#handler = handler;
    this.#timer = this.#runtime.timers.after(this.#timeoutMs, () => {
      this.#fail('ERR_CACHECTL_CONNECT', `no connection within ${this.#timeoutMs} ms`);
    });
    this.#attempt = this.#runtime.network.connect(this.#address, {
      onConnect: (connection) => {
        this.#attempt = undefined;
        this.#connection = connection;
        this.#greet(connection);
      },
      onError: (error) => {
        this.#attempt = undefined;
        this.#fail('ERR_CACHECTL_CONNECT', `cannot connect: ${error.code}`, error);
      },
    });
    return true;
  }

  cancel(): void {
    this.#handler = undefined;
    this.#timer?.cancel();
    this.#attempt?.cancel();
    this.#attempt = undefined;
    this.#connection?.destroy();
    this.#connection = undefined;
  }

  #greet(connection: Connection): void {
    const parser = new ReplyParser();
    connection.start({
      onData: (bytes, start, end) => {
        parser.push(bytes, start, end);
        const code = parser.next();
        if (code === INCOMPLETE) return;
        if (code === REPLY && !(parser.reply instanceof ReplyError)) {
          this.#succeed(connection);
        } else {
          const answer = parser.reply instanceof ReplyError ? parser.reply.text : parser.errorText;
          this.#fail('ERR_CACHECTL_AUTH', `tenant '${this.#credentials?.tenant}': ${answer}`);
        }
      },
      onDrain() {},
      onEnd: () => this.#fail('ERR_CACHECTL_CONNECT', 'the connection was closed at once'),
      onClose: (error) => {
        const words = `the connection broke at once (${error?.code ?? 'closed'})`;
        if (this.#connection === connection) this.#fail('ERR_CACHECTL_CONNECT', words, error);
      },
    });
    if (this.#credentials === undefined) {
      this.#succeed(connection);
      return;
    }
    const output = new OutputBuffer(1024);
    encodeRequest(output, ['AUTH', this.#credentials.tenant, this.#credentials.secret]);
    connection.send(output);
  }

  #succeed(connection: Connection): void {
    const handler = this.#handler;
    this.#connection = undefined;
    this.#failures = 0;
    this.lastError = undefined;
    this.cancel();
    handler?.onReady(connection);
  }

  #fail(code: 'ERR_CACHECTL_CONNECT' | 'ERR_CACHECTL_AUTH', words: string, cause?: Error): void {
    const handler = this.#handler;
    this.cancel();
    const spanMs = Math.min(SPAN_MS_MAX, SPAN_MS_MIN * 2 ** this.#failures);
    const delayUs = (this.#runtime.random.uint32() % spanMs) * 1000;
    this.#failures++;
    this.#retryUs = this.#runtime.clock.monotonicUs() + delayUs;
    const message = `${this.#address.host}:${this.#address.port}: ${words}`;
    this.lastError = new CachectlError(code, message, cause === undefined ? {} : { cause });
    handler?.onFailed(this.lastError);
  }
}
