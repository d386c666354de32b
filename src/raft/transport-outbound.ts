/**
 * The connection on which one peer's messages go out: made, greeted, watched, and made again.
 *
 * - What waits to go out is bounded. What is over the bound is dropped, and said to be: consensus
 *   sends again what matters, and an old message is worth less than memory.
 * - Messages of one turn of the event loop leave together.
 * - A connection that answers no ping is given up, however well the kernel thinks of it: after a
 *   partition TCP may wait minutes before it tries again, and a peer cannot.
 */
import { OutputBuffer } from '../runtime/index.ts';
import type {
  Address,
  ConnectAttempt,
  Connection,
  Runtime,
  SystemError,
  Timer,
} from '../runtime/index.ts';
import {
  INCOMPLETE,
  PROTOCOL_ERROR,
  type Reply,
  ReplyError,
  ReplyParser,
  encodeRequest,
} from '../resp/index.ts';
import {
  CHECKSUM_BYTES,
  type Hello,
  connectionSeed,
  isPong,
  parseWelcome,
  PING,
  writeHello,
  writeMessage,
} from './transport-frames.ts';

export interface OutboundLimits {
  /** Bytes that wait for one peer; one message always fits. */
  readonly queueBytesMax: number;
  /** To be connected and greeted. */
  readonly connectTimeoutMs: number;
  readonly pingIntervalMs: number;
  /** A ping that is not answered for so long ends the connection. */
  readonly silenceMaxMs: number;
  /** Before a second attempt; doubles up to the maximum, and half of it is drawn by lot. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
}

const REPLY_LIMITS = Object.freeze({
  depthMax: 4,
  elementCountMax: 16,
  replyBytesMax: 4096,
  lineBytesMax: 2048,
});

type OutboundRuntime = Pick<Runtime, 'clock' | 'log' | 'network' | 'random' | 'timers'>;

/** What is there of the way to the peer. */
type State =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'connecting'; readonly attempt: ConnectAttempt }
  | { readonly kind: 'greeting'; readonly connection: Connection }
  | { readonly kind: 'open'; readonly connection: Connection; readonly seed: number }
  | { readonly kind: 'ended' };

export class Outbound {
  readonly address: Address;
  readonly #runtime: OutboundRuntime;
  readonly #limits: OutboundLimits;
  readonly #hello: Hello;
  readonly #onLost: () => void;

  #state: State = { kind: 'waiting' };
  readonly #output = new OutputBuffer(4096);
  /** Messages for a connection that is being made. */
  #early: Uint8Array[] = [];
  #earlyBytes = 0;
  #sentCount = 0;
  #isFlushPlanned = false;
  #failureCount = 0;
  #pingedAtUs: number | undefined;
  #timer: Timer | undefined;
  #lastWords = '';

  /** @param onLost is told, later, that messages were dropped; once for any number of them. */
  constructor(
    runtime: OutboundRuntime,
    limits: OutboundLimits,
    hello: Hello,
    address: Address,
    onLost: () => void,
  ) {
    this.#runtime = runtime;
    this.#limits = limits;
    this.#hello = hello;
    this.address = address;
    this.#onLost = coalesced(runtime, onLost);
    this.#connect();
  }

  send(message: Uint8Array): void {
    const state = this.#state;
    switch (state.kind) {
      case 'open':
        this.#sendOpen(state.connection, state.seed, message);
        break;
      case 'connecting':
      case 'greeting':
        this.#sendEarly(message);
        break;
      case 'waiting':
        this.#onLost();
        break;
      case 'ended':
        break;
    }
  }

  /** No more messages, and nobody is told of anything. */
  end(): void {
    const state = this.#state;
    this.#state = { kind: 'ended' };
    this.#timer?.cancel();
    if (state.kind === 'connecting') state.attempt.cancel();
    if (state.kind === 'greeting' || state.kind === 'open') state.connection.destroy();
  }

  #sendOpen(connection: Connection, seed: number, message: Uint8Array): void {
    const waiting = connection.bytesQueued + this.#output.length;
    if (waiting > 0 && waiting + message.length > this.#limits.queueBytesMax) {
      this.#onLost();
      return;
    }
    writeMessage(this.#output, seed, this.#sentCount, message);
    this.#sentCount += 1;
    this.#planFlush();
  }

  #sendEarly(message: Uint8Array): void {
    const bytes = this.#earlyBytes + message.length + CHECKSUM_BYTES;
    if (this.#earlyBytes > 0 && bytes > this.#limits.queueBytesMax) {
      this.#onLost();
      return;
    }
    this.#early.push(message);
    this.#earlyBytes = bytes;
  }

  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    this.#runtime.timers.defer(() => {
      this.#isFlushPlanned = false;
      if (this.#state.kind === 'open') this.#state.connection.send(this.#output);
    });
  }

  #connect(): void {
    const timeoutMs = this.#limits.connectTimeoutMs;
    this.#after(timeoutMs, () => this.#fail(`no answer within ${timeoutMs} ms`));
    const attempt = this.#runtime.network.connect(this.address, {
      onConnect: (connection) => this.#greet(connection),
      onError: (error) => this.#fail(error.message),
    });
    this.#state = { kind: 'connecting', attempt };
  }

  #greet(connection: Connection): void {
    this.#state = { kind: 'greeting', connection };
    const replies = new ReplyParser(REPLY_LIMITS);
    const isCurrent = (): boolean =>
      (this.#state.kind === 'greeting' || this.#state.kind === 'open') &&
      this.#state.connection === connection;
    connection.start({
      onData: (bytes, start, end) => {
        if (isCurrent()) this.#takeReplies(replies, bytes, start, end);
      },
      onDrain: () => {},
      onEnd: () => {
        if (isCurrent()) this.#fail('the peer has closed the connection');
      },
      onClose: (error: SystemError | undefined) => {
        if (isCurrent()) this.#fail(error?.message ?? 'the peer has closed the connection');
      },
    });
    writeHello(this.#output, this.#hello);
    connection.send(this.#output);
  }

  #takeReplies(replies: ReplyParser, bytes: Uint8Array, start: number, end: number): void {
    replies.push(bytes, start, end);
    for (;;) {
      const code = replies.next();
      if (code === INCOMPLETE) return;
      if (code === PROTOCOL_ERROR) this.#fail(`what answers is no peer: ${replies.errorText}`);
      else this.#takeReply(replies.reply);
      if (this.#state.kind !== 'greeting' && this.#state.kind !== 'open') return;
    }
  }

  #takeReply(reply: Reply): void {
    if (reply instanceof ReplyError) {
      this.#fail(reply.text);
    } else if (this.#state.kind === 'greeting') {
      const welcome = parseWelcome(reply);
      if (welcome === undefined) this.#fail('what answers is no peer');
      else this.#open(this.#state.connection, connectionSeed(this.#hello, welcome.nonce));
    } else if (isPong(reply)) {
      this.#pingedAtUs = undefined;
    } else {
      this.#fail('an answer to nothing that was asked');
    }
  }

  #open(connection: Connection, seed: number): void {
    this.#state = { kind: 'open', connection, seed };
    this.#sentCount = 0;
    this.#failureCount = 0;
    this.#lastWords = '';
    this.#pingedAtUs = undefined;
    for (const message of this.#early) {
      writeMessage(this.#output, seed, this.#sentCount, message);
      this.#sentCount += 1;
    }
    this.#forgetEarly();
    connection.send(this.#output);
    this.#watch(connection);
  }

  /** Pings now and then, and gives up a connection that does not answer. */
  #watch(connection: Connection): void {
    const { pingIntervalMs, silenceMaxMs } = this.#limits;
    this.#after(pingIntervalMs, () => {
      const nowUs = this.#runtime.clock.monotonicUs();
      if (this.#pingedAtUs === undefined) {
        this.#pingedAtUs = nowUs;
        encodeRequest(this.#output, [PING]);
        connection.send(this.#output);
      } else if (nowUs - this.#pingedAtUs >= silenceMaxMs * 1000) {
        this.#fail(`no answer for ${silenceMaxMs} ms`);
        return;
      }
      this.#watch(connection);
    });
  }

  #fail(words: string): void {
    const state = this.#state;
    this.#state = { kind: 'waiting' };
    if (state.kind === 'connecting') state.attempt.cancel();
    if (state.kind === 'greeting' || state.kind === 'open') state.connection.destroy();
    this.#output.clear();
    this.#forgetEarly();
    this.#report(words);
    this.#onLost();
    const { retryMinMs, retryMaxMs } = this.#limits;
    const boundMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.#failureCount, 20));
    this.#failureCount += 1;
    const drawn = this.#runtime.random.uint32() % (Math.floor(boundMs / 2) + 1);
    this.#after(Math.ceil(boundMs / 2) + drawn, () => this.#connect());
  }

  /** Each reason once, until a connection is made. */
  #report(words: string): void {
    if (words === this.#lastWords) return;
    this.#lastWords = words;
    this.#runtime.log.write('warn', 'messages to a peer are being lost', {
      peer: this.#hello.to,
      host: this.address.host,
      port: this.address.port,
      reason: words,
    });
  }

  #forgetEarly(): void {
    this.#early = [];
    this.#earlyBytes = 0;
  }

  #after(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#runtime.timers.after(delayMs, run);
  }
}

/** A function that has `call` called once, later, however often it is called before that. */
function coalesced({ timers }: OutboundRuntime, call: () => void): () => void {
  let isPlanned = false;
  return () => {
    if (isPlanned) return;
    isPlanned = true;
    timers.defer(() => {
      isPlanned = false;
      call();
    });
  };
}
