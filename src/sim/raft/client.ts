/**
 * Clients of the simulated group. Each carries out its operations one after another, and asks
 * again, of another peer, until it knows the outcome: sessions make that safe for changes.
 *
 * Clients are not processes of the simulation: what lies between them and a peer is a delay, and
 * the chance that a request or an answer is lost.
 */
import type { SessionAnswer, SessionCommand } from '../../raft/index.ts';
import type {
  RegisterInput,
  RegisterOperation,
  RegisterOutput,
} from '../linearizability-register.ts';
import type { SimProcess } from '../process.ts';
import type { Simulation } from '../simulation.ts';
import { decodeRegisterAnswer, encodeRegisterCommand } from './machine.ts';
import type { RaftOperation } from './scenario.ts';

/** What a client may ask of a peer that runs. Each calls back later, or never. */
export interface PeerService {
  /** Proposes a command in a session; without an answer where it was refused. */
  propose(command: SessionCommand, done: (answer: SessionAnswer | undefined) => void): void;
  /** Reads a register with linearizability; `false` where that was refused. */
  read(key: string, done: (found: { readonly value: string | undefined } | false) => void): void;
}

export type RegisterRequest = Extract<RaftOperation, { key: string }>;

export interface ClientOptions {
  readonly simulation: Simulation;
  readonly number: number;
  readonly operations: readonly RegisterRequest[];
  readonly timeoutMs: number;
  /** Stays with a peer that answers. */
  readonly stays: boolean;
  /** Peers to ask; some may be down. */
  readonly peers: readonly SimProcess[];
  /** What a process serves now; undefined where it is down or not open yet. */
  readonly serviceOf: (process: SimProcess) => PeerService | undefined;
  readonly onSessionLost: () => void;
}

const LATENCY_US_MAX = 2000;
/** After a refusal, so that a group without a leader is not flooded. */
const RETRY_US = 60_000;

export class RaftClient {
  readonly history: RegisterOperation[] = [];
  readonly #options: ClientOptions;
  readonly #waiting: RegisterRequest[];
  #session: number | undefined;
  #serial = 0;
  #attempts = 0;
  /** Has answered the last request. */
  #lastGood: SimProcess | undefined;
  /** The operation under way, and when it was begun. */
  #current: { readonly request: RegisterRequest; readonly calledAt: number } | undefined;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#waiting = [...options.operations];
  }

  /** Operations that have no outcome yet. */
  get left(): number {
    return this.#waiting.length + (this.#current === undefined ? 0 : 1);
  }

  start(): void {
    this.#next();
  }

  /** Adds an operation after all others. */
  add(request: RegisterRequest): void {
    this.#waiting.push(request);
    if (this.#current === undefined && this.#waiting.length === 1) this.#next();
  }

  /** What it has called and not heard the outcome of is part of the history, too. */
  get wholeHistory(): readonly RegisterOperation[] {
    if (this.#current === undefined) return this.history;
    const { request, calledAt } = this.#current;
    return [...this.history, this.#operation(request, calledAt)];
  }

  #next(): void {
    const [request] = this.#waiting;
    if (request === undefined) return;
    const { simulation } = this.#options;
    simulation.schedule(request.thinkMs * 1000 + 1, 'client', () => {
      this.#waiting.shift();
      this.#serial += 1;
      this.#current = { request, calledAt: simulation.queue.nowUs };
      this.#attempt(request);
    });
  }

  /** Asks one peer, and another when no answer comes in time. */
  #attempt(request: RegisterRequest): void {
    const { simulation, peers, timeoutMs, number } = this.#options;
    const attempt = (this.#attempts += 1);
    const stream = simulation.stream('clients');
    const drawn = stream.pick(peers, number, attempt);
    const peer = (this.#options.stays ? this.#lastGood : undefined) ?? drawn;
    const latencyUs = (way: number): number => stream.below(LATENCY_US_MAX, number, attempt, way);
    let isOver = false;
    const again = (delayUs: number): void => {
      simulation.schedule(delayUs, 'client', () => {
        if (isOver || this.#current?.request !== request) return;
        isOver = true;
        this.#lastGood = undefined;
        this.#attempt(request);
      });
    };
    again(timeoutMs * 1000);
    const answer = (deliver: () => boolean): void => {
      simulation.schedule(latencyUs(1), 'client', () => {
        if (isOver || this.#current?.request !== request) return;
        isOver = deliver();
        if (isOver) this.#lastGood = peer;
        else again(RETRY_US);
      });
    };
    simulation.schedule(latencyUs(0), 'client', () => {
      const service = this.#options.serviceOf(peer);
      if (service === undefined) return;
      // What is asked is fixed now: a peer that is paused hears of it later.
      const command = request.kind === 'read' ? undefined : this.#commandFor(request);
      peer.enter(peer.life, 'request', () => this.#ask(service, request, command, answer));
    });
  }

  #ask(
    service: PeerService,
    request: RegisterRequest,
    command: SessionCommand | undefined,
    answer: (deliver: () => boolean) => void,
  ): void {
    if (request.kind === 'read' || command === undefined) {
      service.read(request.key, (found) =>
        answer(() => found !== false && this.#finish({ kind: 'read', value: found.value })),
      );
      return;
    }
    const { kind } = request;
    service.propose(command, (result) =>
      answer(() => result !== undefined && this.#takeAnswer(kind, result)),
    );
  }

  #commandFor(request: Exclude<RegisterRequest, { kind: 'read' }>): SessionCommand {
    const session = this.#session;
    if (session === undefined) return { kind: 'open', nonce: this.#nonce };
    const { id: tag, key } = request;
    const bytes = encodeRegisterCommand({ tag, key, input: inputOf(request) });
    const serial = this.#serial;
    return { kind: 'command', session, serial, answeredThrough: serial - 1, bytes };
  }

  /** @returns whether the operation under way has come to its end */
  #takeAnswer(kind: 'write' | 'cas' | 'delete', answer: SessionAnswer): boolean {
    switch (answer.kind) {
      case 'opened':
        if (answer.nonce === this.#nonce) this.#session ??= answer.session;
        return false;
      case 'answered':
        if (answer.session !== this.#session || answer.serial !== this.#serial) return false;
        return this.#finish(decodeRegisterAnswer(kind, answer.bytes));
      case 'sessionUnknown':
      case 'answerGone':
        this.#options.onSessionLost();
        return false;
    }
  }

  #finish(output: RegisterOutput): true {
    const { simulation } = this.#options;
    if (this.#current !== undefined) {
      const { request, calledAt } = this.#current;
      const returned = { at: simulation.queue.nowUs, output };
      this.history.push({ ...this.#operation(request, calledAt), returned });
      this.#current = undefined;
      this.#next();
    }
    return true;
  }

  #operation(request: RegisterRequest, calledAt: number): RegisterOperation {
    const client = `c${this.#options.number + 1}`;
    return { client, key: request.key, input: inputOf(request), calledAt };
  }

  get #nonce(): number {
    return this.#options.number + 1;
  }
}

function inputOf(
  request: Exclude<RegisterRequest, { kind: 'read' }>,
): Exclude<RegisterInput, { kind: 'read' }>;
function inputOf(request: RegisterRequest): RegisterInput;
function inputOf(request: RegisterRequest): RegisterInput {
  switch (request.kind) {
    case 'read':
    case 'delete':
      return { kind: request.kind };
    case 'write':
      return { kind: 'write', value: request.value };
    case 'cas':
      return { kind: 'cas', expected: request.expected, value: request.value };
  }
}
