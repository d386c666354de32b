/**
 * Calls to whichever of several servers leads.
 *
 * - It keeps one connection, to the server that answered last, and goes through the addresses when
 *   that one is lost; a server that does not lead says who does, and is believed.
 * - A call that a server refused because it does not lead, or because it finds no majority, is sent
 *   on until its deadline where nothing was done. One whose connection broke is sent again only
 *   where the caller says that doing it twice is harmless.
 * - Every call is settled, once, by its deadline, and what is under way is bounded.
 */
import { CachectlError, type ErrorCode } from '../cluster/errors.ts';
import { parseAddress } from '../cluster/quantities.ts';
import type { Address, Timer } from '../runtime/index.ts';
import { ClientLink, type ClientRuntime } from './client-link.ts';
import { RPC_CLIENT_LIMITS, type RpcClientLimits } from './limits.ts';
import { encodeBody, type RpcOutcome } from './messages.ts';

/** Whether there is a connection. It may be to a server that does not lead. */
export type RpcClientState =
  | { readonly kind: 'connected'; readonly address: Address }
  | { readonly kind: 'disconnected'; readonly error: CachectlError | undefined };

export interface RpcClientOptions {
  /** At least one. */
  readonly addresses: readonly Address[];
  readonly token?: string | undefined;
  /** Also: how long a server may owe an answer and send nothing at all. */
  readonly connectTimeoutMs: number;
  readonly onPush?: (topic: string, body: unknown) => void;
  /** A session at the server begins with each `connected`: what was registered there is anew. */
  readonly onState?: (state: RpcClientState) => void;
  readonly limits?: Partial<RpcClientLimits>;
}

export interface RpcCallOptions {
  /** Carrying it out twice does no more than once: it is sent again when a connection breaks. */
  readonly isIdempotent?: boolean;
}

interface Call {
  readonly id: number;
  readonly method: string;
  readonly text: string;
  readonly isIdempotent: boolean;
  readonly sinceUs: number;
  readonly timeoutMs: number;
  readonly timer: Timer;
  readonly done: (outcome: RpcOutcome) => void;
  /** Where an answer may come from; undefined: it waits to be sent. */
  link: ClientLink | undefined;
  /** It was sent somewhere, and no answer came. */
  mayBeApplied: boolean;
}

/** A first try that fails is followed at once; later ones by up to this, doubled each round. */
const RETRY_MS_MIN = 25;
/** Servers that name each other as the leader are believed so many times in a row. */
const REDIRECTS_MAX = 3;

/** Whether a server that answered so has done nothing, and another may, or the same one later. */
function isSentOn({ code, details }: CachectlError): boolean {
  if (code === 'ERR_CACHECTL_NOT_LEADER') return true;
  return code === 'ERR_CACHECTL_NO_QUORUM' && details?.['maybeApplied'] === false;
}

const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

export class RpcClient {
  readonly #runtime: ClientRuntime;
  readonly #options: RpcClientOptions;
  readonly #limits: RpcClientLimits;
  readonly #calls = new Map<number, Call>();
  #lastId = 0;
  /** To which calls are sent, once it is ready. */
  #link: ClientLink | undefined;
  /** Lead no more, and may still answer what they were sent. */
  readonly #retired = new Set<ClientLink>();
  #retryTimer: Timer | undefined;
  #addressIndex: number;
  /** Tries, or answers that led nowhere, since a server answered a call. */
  #attempts = 0;
  #redirects = 0;
  #lastError: CachectlError | undefined;
  /** When a server last said that it does not lead. */
  readonly #heardAtUs = new Map<string, number>();
  #isClosed = false;

  constructor(runtime: ClientRuntime, options: RpcClientOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#limits = { ...RPC_CLIENT_LIMITS, ...options.limits };
    // Not all clients begin at the same server.
    this.#addressIndex = runtime.random.uint32() % options.addresses.length;
    this.#dial(this.#address());
  }

  /** @param done called once, never before `call` has returned */
  call(
    method: string,
    body: unknown,
    timeoutMs: number,
    done: (outcome: RpcOutcome) => void,
    { isIdempotent = false }: RpcCallOptions = {},
  ): void {
    const refusal = this.#refusal();
    if (refusal !== undefined) {
      this.#runtime.timers.defer(() => done({ ok: false, error: refusal }));
      return;
    }
    this.#lastId++;
    const id = this.#lastId;
    const call: Call = {
      id,
      method,
      text: encodeBody(body),
      isIdempotent,
      sinceUs: this.#runtime.clock.monotonicUs(),
      timeoutMs,
      timer: this.#runtime.timers.after(timeoutMs, () => this.#expire(call)),
      done,
      link: undefined,
      mayBeApplied: false,
    };
    this.#calls.set(id, call);
    if (this.#link?.isReady === true) this.#send(call, this.#link);
  }

  /** Ends the connection; what is under way fails. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#retryTimer?.cancel();
    this.#link?.close();
    for (const link of this.#retired) link.close();
    for (const call of this.#calls.values()) {
      this.#fail(call, 'ERR_CACHECTL_CLOSED', 'the client has been closed');
    }
  }

  #refusal(): CachectlError | undefined {
    if (this.#isClosed) {
      return new CachectlError('ERR_CACHECTL_CLOSED', 'the client has been closed');
    }
    const { callsMax, outputBytesMax } = this.#limits;
    const isFull = this.#calls.size >= callsMax || (this.#link?.bytesQueued ?? 0) >= outputBytesMax;
    if (!isFull) return undefined;
    const words = `${this.#calls.size} calls are under way, as many as are allowed`;
    return new CachectlError('ERR_CACHECTL_OVERLOADED', words);
  }

  #address(): Address {
    return this.#options.addresses[this.#addressIndex];
  }

  #send(call: Call, link: ClientLink): void {
    call.link = link;
    link.send(call.id, call.method, call.text);
  }

  #dial(address: Address): void {
    const { token, connectTimeoutMs } = this.#options;
    const { messageBytesMax } = this.#limits;
    const settings = { token, connectTimeoutMs, silenceMs: connectTimeoutMs / 2, messageBytesMax };
    this.#attempts++;
    const link: ClientLink = new ClientLink(this.#runtime, address, settings, {
      onReady: () => {
        this.#options.onState?.({ kind: 'connected', address });
        for (const call of this.#calls.values()) {
          if (call.link === undefined) this.#send(call, link);
        }
      },
      onReply: (id, outcome) => this.#replied(link, id, outcome),
      onPush: (topic, body) => {
        if (link === this.#link) this.#options.onPush?.(topic, body);
      },
      onLost: (error) => this.#lost(link, error),
    });
    this.#link = link;
  }

  #replied(link: ClientLink, id: number, outcome: RpcOutcome): void {
    const call = this.#calls.get(id);
    // One that was given up.
    if (call?.link !== link) return;
    if (!outcome.ok && isSentOn(outcome.error)) {
      this.#refused(link, call, outcome.error);
      return;
    }
    if (link === this.#link) {
      this.#attempts = 0;
      this.#redirects = 0;
    }
    this.#settle(call, outcome);
  }

  /** The server does not lead, or is about to lead no more, and has done nothing. */
  #refused(link: ClientLink, call: Call, error: CachectlError): void {
    call.link = undefined;
    this.#lastError = error;
    this.#heardAtUs.set(link.name, this.#runtime.clock.monotonicUs());
    if (link !== this.#link) {
      this.#dropIfIdle(link);
      if (this.#link?.isReady === true) this.#send(call, this.#link);
      return;
    }
    this.#link = undefined;
    this.#retired.add(link);
    this.#dropIfIdle(link);
    const named = error.details?.['leader'];
    const leader = typeof named === 'string' ? parseAddress(named) : undefined;
    this.#redirects++;
    if (leader === undefined || this.#redirects > REDIRECTS_MAX) {
      this.#tryNext(error);
      return;
    }
    this.#dial(leader);
    this.#options.onState?.({ kind: 'disconnected', error });
  }

  #lost(link: ClientLink, error: CachectlError): void {
    this.#lastError = error;
    const isCurrent = link === this.#link;
    if (isCurrent) this.#link = undefined;
    this.#retired.delete(link);
    for (const call of this.#calls.values()) {
      if (call.link === link) {
        call.link = undefined;
        call.mayBeApplied = true;
        if (!call.isIdempotent) this.#fail(call, error.code, error.message);
        else if (this.#link?.isReady === true) this.#send(call, this.#link);
      } else if (call.link === undefined && isCurrent && error.code === 'ERR_CACHECTL_AUTH') {
        this.#fail(call, error.code, error.message);
      }
    }
    if (!isCurrent) return;
    this.#tryNext(error);
  }

  /** Goes on at the next address: at once, but with a pause after each round of all of them. */
  #tryNext(error: CachectlError): void {
    const count = this.#options.addresses.length;
    this.#addressIndex = (this.#addressIndex + 1) % count;
    const rounds = Math.floor(this.#attempts / count);
    const spanMs = Math.min(this.#limits.retryMsMax, RETRY_MS_MIN * 2 ** Math.min(rounds, 16));
    const isRoundOver = this.#attempts % count === 0;
    if (isRoundOver) this.#redirects = 0;
    const delayMs = isRoundOver ? this.#runtime.random.uint32() % spanMs : 0;
    this.#retryTimer?.cancel();
    this.#retryTimer = this.#runtime.timers.after(delayMs, () => this.#dial(this.#address()));
    this.#options.onState?.({ kind: 'disconnected', error });
  }

  #expire(call: Call): void {
    const { link, method, timeoutMs } = call;
    const answered = [...this.#heardAtUs]
      .filter(([, atUs]) => atUs >= call.sinceUs)
      .map(([name]) => name);
    if (link !== undefined) {
      call.mayBeApplied = true;
      // A server that knows of no leader keeps calls for a moment, in case one is elected.
      if (answered.includes(link.name)) {
        this.#failWithoutLeader(call, answered);
      } else {
        const words = `${link.name} has not answered '${method}' within ${timeoutMs} ms`;
        this.#fail(call, 'ERR_CACHECTL_TIMEOUT', words);
      }
      this.#dropIfIdle(link);
      return;
    }
    if (answered.length > 0) {
      this.#failWithoutLeader(call, answered);
    } else if (this.#lastError === undefined || call.mayBeApplied) {
      const words = `no server has answered '${method}' within ${timeoutMs} ms`;
      this.#fail(call, 'ERR_CACHECTL_TIMEOUT', words);
    } else {
      this.#fail(call, this.#lastError.code, this.#lastError.message);
    }
  }

  #failWithoutLeader(call: Call, answered: readonly string[]): void {
    const silent = this.#options.addresses.map(nameOf).filter((name) => !answered.includes(name));
    const rest = silent.length === 0 ? '' : `; ${silent.join(', ')} did not`;
    const words = `no meta peer leads: ${answered.join(', ')} answered${rest}`;
    this.#fail(call, 'ERR_CACHECTL_NO_QUORUM', words, { answered, silent });
  }

  #fail(
    call: Call,
    code: ErrorCode,
    words: string,
    more: Readonly<Record<string, unknown>> = {},
  ): void {
    const details = { ...more, maybeApplied: call.mayBeApplied };
    this.#settle(call, { ok: false, error: new CachectlError(code, words, { details }) });
  }

  #settle(call: Call, outcome: RpcOutcome): void {
    if (!this.#calls.delete(call.id)) return;
    call.timer.cancel();
    if (call.link !== undefined) this.#dropIfIdle(call.link);
    call.done(outcome);
  }

  /** Ends a connection that is of no more use. */
  #dropIfIdle(link: ClientLink): void {
    if (!this.#retired.has(link)) return;
    for (const call of this.#calls.values()) if (call.link === link) return;
    this.#retired.delete(link);
    link.close();
  }
}
