/**
 * A connection that another peer has made: greeted or refused, then a source of its messages.
 *
 * Whatever does not check ends the connection, with an error that says why: it is made again, and
 * consensus sends again what was lost.
 */
import { OutputBuffer } from '../runtime/index.ts';
import type { Connection, Runtime, Timer } from '../runtime/index.ts';
import {
  INCOMPLETE,
  REQUEST,
  type RequestParser,
  RequestReader,
  writeError,
  writeSimpleString,
} from '../resp/index.ts';
import { decodeMessage } from './transport-codec.ts';
import {
  CHECKSUM_BYTES,
  HELLO,
  connectionSeed,
  type Hello,
  MESSAGE,
  parseHello,
  PING,
  unframed,
  VERSION_MAX,
  VERSION_MIN,
  writeWelcome,
} from './transport-frames.ts';
import type { Message } from './types.ts';

export interface InboundLimits {
  /** A longer message is a protocol error. */
  readonly messageBytesMax: number;
  /** To say who it is. */
  readonly greetingTimeoutMs: number;
  /** A connection on which nothing arrives for so long is given up. */
  readonly idleMaxMs: number;
}

/** What the transport decides about a connection. */
export interface InboundHandler {
  /** Words of refusal, or undefined. */
  judge(hello: Hello): string | undefined;
  onMessage(message: Message): void;
  onClose(): void;
}

const decoder = new TextDecoder();

const ARGUMENTS_MAX = 16;
const HELLO_LINE_BYTES_MAX = 4096;

export class Inbound {
  /** Set once it was welcomed. */
  hello: Hello | undefined;
  readonly #runtime: Pick<Runtime, 'log' | 'random' | 'timers'>;
  readonly #limits: InboundLimits;
  readonly #store: string;
  readonly #handler: InboundHandler;
  readonly #connection: Connection;
  readonly #reader: RequestReader;
  readonly #output = new OutputBuffer(1024);
  #seed = 0;
  #takenCount = 0;
  #hasArrived = false;
  #isEnded = false;
  #timer: Timer;

  constructor(
    runtime: Pick<Runtime, 'log' | 'random' | 'timers'>,
    limits: InboundLimits,
    store: string,
    handler: InboundHandler,
    connection: Connection,
  ) {
    this.#runtime = runtime;
    this.#limits = limits;
    this.#store = store;
    this.#handler = handler;
    this.#connection = connection;
    this.#reader = new RequestReader({
      argumentCountMax: ARGUMENTS_MAX,
      argumentBytesMax: limits.messageBytesMax + CHECKSUM_BYTES,
      requestBytesMax: limits.messageBytesMax + HELLO_LINE_BYTES_MAX,
      lineBytesMax: HELLO_LINE_BYTES_MAX,
    });
    this.#timer = runtime.timers.after(limits.greetingTimeoutMs, () =>
      this.#refuse('no greeting came'),
    );
    connection.start({
      onData: (bytes, start, end) => this.take(bytes, start, end),
      onDrain: () => {},
      onEnd: () => this.end(),
      onClose: () => this.end(),
    });
  }

  /** Bytes of the connection, in order. */
  take(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isEnded) return;
    this.#hasArrived = true;
    this.#reader.push(bytes, start, end);
    for (;;) {
      const code = this.#reader.next();
      if (code === INCOMPLETE) break;
      if (code === REQUEST) this.#takeRequest(this.#reader.request);
      else this.#refuse(this.#reader.request.errorText);
      if (this.#isEnded) return;
    }
    this.#reader.finish();
  }

  end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#timer.cancel();
    this.#connection.destroy();
    this.#handler.onClose();
  }

  #takeRequest(request: RequestParser): void {
    const name = textOf(request, 0);
    if (this.hello === undefined) {
      if (name === HELLO) this.#takeHello(request);
      else this.#refuse(`expected ${HELLO}: this port is for peers of a cachectl cluster`);
    } else if (name === MESSAGE && request.argumentCount === 2) {
      this.#takeMessage(request, this.hello);
    } else if (name === PING) {
      writeSimpleString(this.#output, 'PONG');
      this.#connection.send(this.#output);
    } else {
      this.#refuse('not a request between peers');
    }
  }

  #takeHello(request: RequestParser): void {
    const args = Array.from({ length: request.argumentCount }, (_, index) =>
      textOf(request, index),
    );
    const hello = parseHello(args);
    if (hello === undefined) {
      this.#refuse(`${HELLO} says too little, or not what it should`);
      return;
    }
    const isVersionShared = hello.versionMin <= VERSION_MAX && hello.versionMax >= VERSION_MIN;
    const words = isVersionShared
      ? this.#handler.judge(hello)
      : `this peer speaks versions ${VERSION_MIN} to ${VERSION_MAX} of the protocol, and the other ${hello.versionMin} to ${hello.versionMax}: update the older one`;
    if (words !== undefined) {
      this.#refuse(words);
      return;
    }
    this.hello = hello;
    const nonce = this.#runtime.random.uint32();
    this.#seed = connectionSeed(hello, nonce);
    const version = Math.min(hello.versionMax, VERSION_MAX);
    writeWelcome(this.#output, { version, nonce }, this.#store);
    this.#connection.send(this.#output);
    this.#watch();
  }

  #takeMessage(request: RequestParser, hello: Hello): void {
    // Copied: the bytes are the connection's, and the message keeps what it is made of.
    const framed = request.argumentBytes.slice(request.starts[1], request.ends[1]);
    const bytes = unframed(framed, this.#seed, this.#takenCount);
    this.#takenCount += 1;
    if (bytes === undefined) {
      this.#refuse('a message was altered on its way, or is not of this connection');
      return;
    }
    const { cluster, from, to } = hello;
    const message = decodeMessage(bytes, { cluster, from, to });
    if (message === undefined) this.#refuse('a message that makes no sense');
    else this.#handler.onMessage(message);
  }

  /** Ends a connection whose peer has gone without a word. */
  #watch(): void {
    this.#timer.cancel();
    this.#hasArrived = false;
    this.#timer = this.#runtime.timers.after(this.#limits.idleMaxMs, () => {
      if (this.#hasArrived) this.#watch();
      else this.end();
    });
  }

  #refuse(words: string): void {
    const { host, port } = this.#connection.remote;
    const peer = this.hello?.from;
    this.#runtime.log.write('warn', 'a connection is refused', { host, port, peer, reason: words });
    writeError(this.#output, `REFUSED ${words}`);
    this.#connection.send(this.#output);
    this.#isEnded = true;
    this.#timer.cancel();
    this.#connection.close();
    this.#handler.onClose();
  }
}

function textOf(request: RequestParser, index: number): string {
  const { argumentBytes, starts, ends } = request;
  return decoder.decode(argumentBytes.subarray(starts[index], ends[index]));
}
