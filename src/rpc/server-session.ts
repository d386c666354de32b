/**
 * One client's connection to a server: its calls, and what is pushed to it.
 *
 * What a client can make it keep is bounded: one unfinished request, calls under way, and output
 * that is not taken; a client that takes none is disconnected.
 */
import { CachectlError } from '../cluster/errors.ts';
import {
  INCOMPLETE,
  OVERSIZED,
  REPLIES,
  REQUEST,
  type RequestParser,
  RequestReader,
  writeEncoded,
  writeError,
} from '../resp/index.ts';
import { OutputBuffer } from '../runtime/index.ts';
import type {
  Address,
  Connection,
  ConnectionHandler,
  Runtime,
  SystemError,
} from '../runtime/index.ts';
import type { RpcServerLimits } from './limits.ts';
import {
  encodeBody,
  encodeOutcome,
  parseCallId,
  parseJson,
  type RpcOutcome,
  writePush,
  writeReply,
} from './messages.ts';

/** What a server's user sees of a client. */
export interface RpcSession {
  /** Differs between all sessions of a server. */
  readonly id: number;
  readonly remote: Address;
  readonly isAuthenticated: boolean;
  /** Sends `body` unasked. Harmless after the session's end. */
  push(topic: string, body: unknown): void;
  /** The same, of a body that is JSON text already: for what many sessions are sent. */
  pushText(topic: string, text: string): void;
  /** Ends the session once what was written so far has been sent. */
  close(): void;
}

export interface SessionOwner {
  readonly limits: RpcServerLimits;
  isToken(text: string): boolean;
  onCall(
    session: RpcSession,
    method: string,
    body: unknown,
    answer: (outcome: RpcOutcome) => void,
  ): void;
  onClose(session: RpcSession): void;
}

const ARGUMENTS_MAX = 16;
const LINE_BYTES_MAX = 1024;
/** Of a message: all but its JSON. */
const ENVELOPE_BYTES_MAX = 1024;
const METHOD = /^[a-z][a-zA-Z0-9.-]{0,63}$/;
const PURPOSE = 'this port is for CALL, AUTH and PING of cachectl, and for its meta peers';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export class ServerSession implements RpcSession, ConnectionHandler {
  readonly id: number;
  readonly #runtime: Pick<Runtime, 'clock' | 'log' | 'timers'>;
  readonly #owner: SessionOwner;
  readonly #connection: Connection;
  readonly #reader: RequestReader;
  readonly #output = new OutputBuffer(1024);
  #isAuthenticated: boolean;
  #heardAtUs: number;
  /** Calls without an answer. */
  readonly #underWay = new Set<number>();
  #willFlush = false;
  /** Takes no more requests; closed when what is under way is answered. */
  #isEnding = false;
  #isClosed = false;

  constructor(
    runtime: Pick<Runtime, 'clock' | 'log' | 'timers'>,
    owner: SessionOwner,
    id: number,
    connection: Connection,
    isAuthenticated: boolean,
  ) {
    this.id = id;
    this.#runtime = runtime;
    this.#owner = owner;
    this.#connection = connection;
    this.#isAuthenticated = isAuthenticated;
    this.#heardAtUs = runtime.clock.monotonicUs();
    const { messageBytesMax } = owner.limits;
    this.#reader = new RequestReader({
      argumentCountMax: ARGUMENTS_MAX,
      argumentBytesMax: messageBytesMax,
      requestBytesMax: messageBytesMax + ENVELOPE_BYTES_MAX,
      lineBytesMax: LINE_BYTES_MAX,
    });
    this.#reader.request.setAuthenticated(isAuthenticated);
  }

  get remote(): Address {
    return this.#connection.remote;
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  /** For how long nothing has come. */
  idleMs(nowUs: number): number {
    return (nowUs - this.#heardAtUs) / 1000;
  }

  push(topic: string, body: unknown): void {
    this.pushText(topic, encodeBody(body));
  }

  pushText(topic: string, text: string): void {
    if (this.#isClosed) return;
    writePush(this.#output, topic, text);
    this.#flushLater();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#end(undefined);
    this.#connection.close();
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#heardAtUs = this.#runtime.clock.monotonicUs();
    this.#reader.push(bytes, start, end);
    for (;;) {
      const code = this.#reader.next();
      if (code === INCOMPLETE) break;
      if (code === REQUEST) this.#takeRequest(this.#reader.request);
      else this.#refuse(this.#reader.request.errorText, code === OVERSIZED);
      if (this.#isEnding || this.#isClosed) return;
    }
    this.#reader.finish();
  }

  onDrain(): void {}

  onEnd(): void {
    this.#isEnding = true;
    this.#closeWhenAnswered();
  }

  onClose(error: SystemError | undefined): void {
    this.#end(error?.message);
  }

  #takeRequest(request: RequestParser): void {
    const name = textOf(request, 0)?.toUpperCase();
    if (name === 'CALL' && request.argumentCount === 4) {
      this.#takeCall(request);
    } else if (name === 'AUTH' && request.argumentCount === 2) {
      this.#authenticate(textOf(request, 1));
    } else if (name === 'PING' && request.argumentCount === 1) {
      writeEncoded(this.#output, REPLIES.pong);
      this.#flushLater();
    } else {
      this.#refuse(PURPOSE, false);
    }
  }

  #authenticate(token: string | undefined): void {
    if (token === undefined || !this.#owner.isToken(token)) {
      // One guess a connection.
      this.#write((out) => writeError(out, 'WRONGPASS the token is wrong'));
      this.#runtime.log.write('warn', 'a token is refused', { host: this.remote.host });
      this.close();
      return;
    }
    this.#isAuthenticated = true;
    this.#reader.request.setAuthenticated(true);
    this.#write((out) => writeEncoded(out, REPLIES.ok));
  }

  #takeCall(request: RequestParser): void {
    const id = parseCallId(textOf(request, 1) ?? '');
    const method = textOf(request, 2) ?? '';
    if (id === undefined || !METHOD.test(method)) {
      this.#refuse('CALL takes a number, the name of a method, and JSON', false);
      return;
    }
    if (this.#underWay.has(id)) {
      this.#refuse(`call ${id} is under way already`, false);
      return;
    }
    const body = parseJson(textOf(request, 3));
    const fault = this.#faultOf(method, body);
    if (fault !== undefined) {
      this.#answer(id, { ok: false, error: fault });
      return;
    }
    this.#underWay.add(id);
    this.#owner.onCall(this, method, body, (outcome) => {
      if (!this.#underWay.delete(id) || this.#isClosed) return;
      this.#answer(id, outcome);
      if (this.#isEnding) this.#closeWhenAnswered();
    });
  }

  #faultOf(method: string, body: unknown): CachectlError | undefined {
    if (!this.#isAuthenticated) {
      const hint =
        'Give the token of the meta peers: CACHECTL_ADMIN_TOKEN; a node, CACHECTL_META_TOKEN.';
      return new CachectlError('ERR_CACHECTL_AUTH', 'this cluster asks for a token', { hint });
    }
    if (body === undefined) {
      return new CachectlError('ERR_CACHECTL_VALUE', `the body of '${method}' is not JSON`);
    }
    const { callsMax } = this.#owner.limits;
    if (this.#underWay.size < callsMax) return undefined;
    const words = `${callsMax} calls of this connection are under way, the most allowed`;
    return new CachectlError('ERR_CACHECTL_OVERLOADED', words);
  }

  #answer(id: number, outcome: RpcOutcome): void {
    const { status, text } = encodeOutcome(outcome);
    const { messageBytesMax } = this.#owner.limits;
    if (text.length > messageBytesMax) {
      const words = `the answer has more than ${messageBytesMax} bytes`;
      const error = new CachectlError('ERR_CACHECTL_FAILED', words, { hint: 'Ask for less.' });
      this.#answer(id, { ok: false, error });
      return;
    }
    this.#write((out) => writeReply(out, id, status, text));
  }

  #write(write: (out: OutputBuffer) => void): void {
    if (this.#isClosed) return;
    write(this.#output);
    this.#flushLater();
  }

  /** What is written in one turn of the event loop leaves together. */
  #flushLater(): void {
    this.#checkOutput();
    if (this.#willFlush || this.#isClosed) return;
    this.#willFlush = true;
    this.#runtime.timers.defer(() => {
      this.#willFlush = false;
      if (!this.#isClosed) this.#flush();
    });
  }

  #flush(): void {
    if (this.#output.length > 0) this.#connection.send(this.#output);
  }

  #checkOutput(): void {
    const queuedBytes = this.#output.length + this.#connection.bytesQueued;
    if (this.#isClosed || queuedBytes <= this.#owner.limits.outputBytesMax) return;
    const { host, port } = this.remote;
    this.#runtime.log.write('warn', 'a client is disconnected: it reads too slowly', {
      ...{ host, port, queuedBytes },
    });
    this.#output.release();
    this.#connection.destroy();
    this.#end('too slow');
  }

  /** Says what is wrong; then only a request that was too large lets the session live on. */
  #refuse(words: string, livesOn: boolean): void {
    this.#write((out) => writeError(out, `ERR ${words}`));
    if (livesOn) return;
    const { host, port } = this.remote;
    this.#runtime.log.write('warn', 'a connection is refused', { host, port, reason: words });
    this.close();
  }

  #closeWhenAnswered(): void {
    if (this.#underWay.size === 0) this.close();
  }

  #end(words: string | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#underWay.clear();
    if (words !== undefined) {
      this.#runtime.log.write('debug', 'a session has ended', { session: this.id, reason: words });
    }
    this.#owner.onClose(this);
  }
}

/** Undefined where it is not UTF-8. */
function textOf(request: RequestParser, index: number): string | undefined {
  const { argumentBytes, starts, ends } = request;
  try {
    return decoder.decode(argumentBytes.subarray(starts[index], ends[index]));
  } catch {
    return undefined;
  }
}
