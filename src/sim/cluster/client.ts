/**
 * A client of the cache: a process of its own with the SDK's router, which carries out its
 * operations one after another and remembers what it was told.
 *
 * What was surely not carried out is tried again. A write of which nobody knows what came ends the
 * use of its key: the client goes on with another one in its place. So it does when it is started
 * again after its process has ended.
 */
import type { CachectlError } from '../../cluster/index.ts';
import type { Reply } from '../../resp/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import { Router } from '../../sdk/router.ts';
import type { Simulation } from '../simulation.ts';
import type { KeyRead } from './key-history.ts';
import type { TrackedWrite } from './ledger.ts';
import type { DataOperation, Promised } from './scenario.ts';

export interface ClientOptions {
  readonly simulation: Simulation;
  readonly name: string;
  readonly number: number;
  readonly promised: Promised;
  /** Of the tenant's only key space. */
  readonly namespace: number;
  readonly seeds: readonly Address[];
  readonly operations: readonly DataOperation[];
  readonly timeoutMs: number;
  /** Written before all else. */
  readonly keys: number;
  /** All clients, by number. */
  readonly clients: readonly DataClient[];
  onAcknowledged(write: TrackedWrite, key: string): void;
}

/** One key, with all that was asked of it. */
export interface KeyRecord {
  readonly key: string;
  readonly keyId: string;
  readonly writes: TrackedWrite[];
  readonly reads: KeyRead[];
}

interface Task {
  readonly thinkMs: number;
  /** It is tried again until it is done, or so often. */
  triesLeft: number;
  /** Calls `end` once. */
  attempt(end: (isDone: boolean) => void): void;
}

const CONNECT_TIMEOUT_MS = 1000;
const RETRY_MS = 60;
const TRIES_MAX = 4;
const CALLS_MAX = 1000;
const PADDING = 'x'.repeat(8192);

/** Errors that an answer of a node was: nothing was carried out. */
const REFUSALS: ReadonlySet<string> = new Set([
  'ERR_CACHECTL_SERVER',
  'ERR_CACHECTL_AUTH',
  'ERR_CACHECTL_OVERLOADED',
]);

export class DataClient {
  readonly name: string;
  readonly promised: Promised;
  /** All keys that this client has ever written. */
  readonly records: KeyRecord[] = [];
  readonly #options: ClientOptions;
  readonly #waiting: Task[];
  /** By the key's number: the one in use. */
  readonly #current = new Map<number, KeyRecord>();
  #isBusy = false;
  #isOpen = false;
  /** The number of the key that a write is under way to. */
  #writing: number | undefined;
  #runtime: Runtime | undefined;
  #router: Router | undefined;
  #writes = 0;
  /** What the last call that failed was told. */
  lastError = 'no error yet';

  constructor(options: ClientOptions) {
    this.name = options.name;
    this.promised = options.promised;
    this.#options = options;
    this.#waiting = [
      ...Array.from({ length: options.keys }, (_, key): Task => {
        const common = { id: 0, client: options.number, thinkMs: 0 };
        return this.#task({ ...common, kind: 'set', key, bytes: 30 }, Infinity);
      }),
      ...options.operations.map((operation) => this.#task(operation, TRIES_MAX)),
    ];
  }

  /** Operations that have no outcome yet. */
  get left(): number {
    return this.#waiting.length + (this.#isBusy ? 1 : 0);
  }

  /** Whether all its keys have been written once. */
  get isWarm(): boolean {
    return this.left <= this.#options.operations.length;
  }

  /** The program of its process: goes on where its life before has ended. */
  run(runtime: Runtime): void {
    this.#runtime = runtime;
    this.#isBusy = false;
    this.#isOpen = false;
    if (this.#writing !== undefined) this.#current.delete(this.#writing);
    const { seeds, timeoutMs, promised } = this.#options;
    this.#router = new Router(runtime, {
      ...{ seeds, timeoutMs, connectTimeoutMs: CONNECT_TIMEOUT_MS, callsPerNodeMax: CALLS_MAX },
      credentials: promised === 'default' ? undefined : { tenant: promised, secret: 'any' },
      onReadError: 'throw',
    });
    this.#open(runtime, this.#router);
  }

  #open(runtime: Runtime, router: Router): void {
    router.open((error) => {
      if (error === undefined) {
        this.#isOpen = true;
        this.#next(runtime);
      } else {
        this.lastError = error.message;
        runtime.timers.after(RETRY_MS, () => this.#open(runtime, router));
      }
    });
  }

  /** Adds an operation after all others, to be tried until it is done. */
  insist(operation: DataOperation): void {
    this.#add(this.#task(operation, Infinity));
  }

  /** Reads all keys that it has ever written, to be tried until it is done. */
  readAll(): void {
    for (const record of this.records) {
      const attempt: Task['attempt'] = (end) => this.#read(record, end);
      this.#add({ thinkMs: 1, triesLeft: Infinity, attempt });
    }
  }

  #add(task: Task): void {
    this.#waiting.push(task);
    if (this.#runtime !== undefined) this.#next(this.#runtime);
  }

  #task(operation: DataOperation, triesLeft: number): Task {
    const { thinkMs } = operation;
    if (operation.kind !== 'get') {
      return { thinkMs, triesLeft, attempt: (end) => this.#write(operation, end) };
    }
    const attempt: Task['attempt'] = (end) => {
      const owner = this.#options.clients.at(operation.owner);
      const record = owner?.recordOf(operation.key);
      if (record === undefined || owner?.promised !== this.promised) end(true);
      else this.#read(record, end);
    };
    return { thinkMs, triesLeft, attempt };
  }

  recordOf(key: number): KeyRecord | undefined {
    return this.#current.get(key);
  }

  #next(runtime: Runtime): void {
    if (this.#isBusy || !this.#isOpen) return;
    const task = this.#waiting.shift();
    if (task === undefined) return;
    this.#isBusy = true;
    runtime.timers.after(task.thinkMs, () => this.#attempt(runtime, task));
  }

  #attempt(runtime: Runtime, task: Task): void {
    task.triesLeft -= 1;
    task.attempt((isDone) => {
      if (!isDone && task.triesLeft > 0) {
        runtime.timers.after(RETRY_MS, () => this.#attempt(runtime, task));
        return;
      }
      this.#isBusy = false;
      this.#next(runtime);
    });
  }

  #read(record: KeyRecord, end: (isDone: boolean) => void): void {
    const { queue } = this.#options.simulation;
    const calledAtUs = queue.nowUs;
    this.#call(record.key, ['GET', record.key], (outcome) => {
      if (outcome.kind === 'reply') {
        const value =
          outcome.reply instanceof Uint8Array
            ? Buffer.from(outcome.reply).toString('latin1')
            : undefined;
        record.reads.push({ calledAtUs, returnedAtUs: queue.nowUs, value });
      }
      end(outcome.kind === 'reply');
    });
  }

  #write(
    operation: Extract<DataOperation, { kind: 'set' | 'delete' }>,
    end: (isDone: boolean) => void,
  ): void {
    const { queue } = this.#options.simulation;
    const record = this.#recordToWrite(operation.key);
    this.#writes += 1;
    const value =
      operation.kind === 'delete'
        ? undefined
        : `${this.#options.name}.${this.#writes}.${PADDING.slice(0, operation.bytes)}`;
    const write: TrackedWrite = {
      ...{ value, calledAtUs: queue.nowUs, returnedAtUs: undefined, isRefused: false },
      ...{ promised: this.promised, keyId: record.keyId, position: undefined, holders: [] },
    };
    record.writes.push(write);
    const { key } = record;
    this.#writing = operation.key;
    this.#call(key, value === undefined ? ['DEL', key] : ['SET', key, value], (outcome) => {
      this.#writing = undefined;
      if (outcome.kind === 'reply') {
        write.returnedAtUs = queue.nowUs;
        this.#options.onAcknowledged(write, key);
      } else if (outcome.kind === 'refused') {
        write.isRefused = true;
      } else {
        this.#current.delete(operation.key);
      }
      end(outcome.kind === 'reply');
    });
  }

  #recordToWrite(number: number): KeyRecord {
    let record = this.#current.get(number);
    if (record === undefined) {
      const key = `${this.#options.name}:${number}:${this.records.length}`;
      record = { key, keyId: `${this.#options.namespace}/${key}`, writes: [], reads: [] };
      this.#current.set(number, record);
      this.records.push(record);
    }
    return record;
  }

  #call(key: string, args: readonly string[], done: (outcome: Outcome) => void): void {
    const fail = (error: CachectlError): void => {
      this.lastError = `${key}: ${error.message}`;
      this.#options.simulation.sometimes(
        error.message.includes('NOREPLICAS'),
        'cluster: a write is refused for want of replicas',
      );
      done({ kind: REFUSALS.has(error.code) ? 'refused' : 'unknown' });
    };
    const { timeoutMs } = this.#options;
    this.#router?.call(key, args, timeoutMs, (reply) => done({ kind: 'reply', reply }), fail);
  }
}

type Outcome =
  | { readonly kind: 'reply'; readonly reply: Reply }
  /** Surely not carried out. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unknown' };
