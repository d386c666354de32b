/** Serves calls on connections that others accept: the port may be shared with another protocol. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { writeError } from '../resp/index.ts';
import { OutputBuffer } from '../runtime/index.ts';
import type { Connection, Runtime, Timer } from '../runtime/index.ts';
import { RPC_SERVER_LIMITS, type RpcServerLimits } from './limits.ts';
import type { RpcOutcome } from './messages.ts';
import { type RpcSession, ServerSession } from './server-session.ts';

export interface RpcHandler {
  /**
   * @param body JSON, of whatever form: to be validated
   * @param answer to be called once, now or later; after the session's end it does nothing
   */
  onCall(
    session: RpcSession,
    method: string,
    body: unknown,
    answer: (outcome: RpcOutcome) => void,
  ): void;
  /** The session is over: nothing pushed to it from now on arrives. */
  onClose?(session: RpcSession): void;
}

export interface RpcServerOptions {
  /** Whom to serve: those who give it by `AUTH`. Undefined: everybody. */
  readonly token?: string | undefined;
  readonly limits?: Partial<RpcServerLimits>;
}

type ServerRuntime = Pick<Runtime, 'clock' | 'log' | 'timers'>;

export class RpcServer {
  readonly limits: RpcServerLimits;
  readonly #runtime: ServerRuntime;
  readonly #handler: RpcHandler;
  readonly #tokenHash: Uint8Array | undefined;
  readonly #sessions = new Set<ServerSession>();
  #lastId = 0;
  #idleTimer: Timer | undefined;
  #isClosed = false;

  constructor(runtime: ServerRuntime, handler: RpcHandler, options: RpcServerOptions = {}) {
    this.limits = { ...RPC_SERVER_LIMITS, ...options.limits };
    this.#runtime = runtime;
    this.#handler = handler;
    this.#tokenHash = options.token === undefined ? undefined : hashOf(options.token);
    this.#watchIdle();
  }

  get sessions(): ReadonlySet<RpcSession> {
    return this.#sessions;
  }

  /** @param received what the client has said so far */
  accept(connection: Connection, received = new Uint8Array(0)): void {
    if (this.#isClosed) {
      connection.destroy();
      return;
    }
    if (this.#sessions.size >= this.limits.sessionsMax) {
      const output = new OutputBuffer(256);
      writeError(output, `ERR ${this.#sessions.size} connections are open, the most allowed`);
      connection.send(output);
      connection.close();
      return;
    }
    this.#lastId++;
    const isOpenToAll = this.#tokenHash === undefined;
    const owner = {
      limits: this.limits,
      isToken: (text: string) => this.#isToken(text),
      onCall: this.#handler.onCall.bind(this.#handler),
      onClose: (ended: RpcSession) => {
        this.#sessions.delete(session);
        this.#handler.onClose?.(ended);
      },
    };
    const session = new ServerSession(this.#runtime, owner, this.#lastId, connection, isOpenToAll);
    this.#sessions.add(session);
    connection.start(session);
    session.onData(received, 0, received.length);
  }

  /** Ends all sessions; what they were answered so far is still sent. */
  close(): void {
    this.#isClosed = true;
    this.#idleTimer?.cancel();
    for (const session of this.#sessions) session.close();
  }

  /** Equal time for all guesses, whatever their length. */
  #isToken(text: string): boolean {
    return this.#tokenHash === undefined || timingSafeEqual(hashOf(text), this.#tokenHash);
  }

  #watchIdle(): void {
    this.#idleTimer = this.#runtime.timers.after(this.limits.idleTimeoutMs / 4, () => {
      const nowUs = this.#runtime.clock.monotonicUs();
      for (const session of this.#sessions) {
        if (session.idleMs(nowUs) >= this.limits.idleTimeoutMs) session.close();
      }
      this.#watchIdle();
    });
  }
}

function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
