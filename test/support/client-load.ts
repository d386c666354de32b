/**
 * Steady load by stock clients, with all that they were told written down, to be judged afterwards.
 *
 * Each key has one writer, which writes one value of its own after another. A write of which it is
 * not known whether it was carried out is the last one to its key: it may still be under way.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { judgeKey, type KeyRead, type KeyWrite } from '../../src/sim/cluster/key-history.ts';

/** What is used of a client. */
export interface LoadClient {
  readonly name: string;
  /** Its tenant acknowledges a write once a majority has it: so nothing may be lost. */
  readonly isQuorum: boolean;
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  close(): void;
}

export interface LoadOptions {
  /** Of each client; each has one operation under way. */
  readonly workers: number;
  readonly keysAWorker: number;
  /** Between two operations of a worker. */
  readonly gapMs: number;
}

/** A failover may lose what was acknowledged from `fromUs` to `toUs`. */
export interface LossWindow {
  readonly fromUs: number;
  readonly toUs: number;
}

/** An operation that a client was given an error for. */
export interface LoadError {
  readonly client: string;
  readonly operation: 'get' | 'set';
  readonly atMs: number;
  readonly words: string;
}

interface Key {
  readonly name: string;
  readonly owner: LoadClient;
  readonly writes: KeyWrite[];
  readonly reads: KeyRead[];
}

const READ_SHARE = 0.5;
let loads = 0;

export class ClientLoad implements AsyncDisposable {
  readonly errors: LoadError[] = [];
  /** Of all operations that were carried out, in ms, with when they began. */
  readonly took: Array<{ readonly atMs: number; readonly ms: number }> = [];
  readonly #clients: readonly LoadClient[];
  readonly #options: LoadOptions;
  readonly #keys: Key[] = [];
  /** Others of this process have written other keys. */
  readonly #number = loads++;
  readonly #workers: Array<Promise<void>>;
  #isStopping = false;

  constructor(clients: readonly LoadClient[], options: LoadOptions) {
    this.#clients = clients;
    this.#options = options;
    this.#workers = clients.flatMap((client) =>
      Array.from({ length: options.workers }, async (_, index) => this.#work(client, index)),
    );
  }

  /** Ends the load, and reads every key once more. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    await Promise.all(this.#workers);
    await Promise.all(this.#keys.map(async (key) => this.#read(key)));
  }

  /** The first sentence for each key that a promise about it was broken. */
  faults(windows: readonly LossWindow[]): string[] {
    return this.#keys.flatMap(({ name, owner, writes, reads }) => {
      const fault = judgeKey(name, writes, reads, (write, read) =>
        owner.isQuorum ? 'a majority had it' : excuse(write, read, windows),
      );
      return fault === undefined ? [] : [fault.sentence];
    });
  }

  /** What clients were told, and how often. */
  get errorWords(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { client, operation, words } of this.errors) {
      const what = `${client} ${operation}: ${words}`;
      counts[what] = (counts[what] ?? 0) + 1;
    }
    return counts;
  }

  get counts(): { readonly keys: number; readonly writes: number; readonly reads: number } {
    const sum = (of: (key: Key) => number): number =>
      this.#keys.reduce((total, key) => total + of(key), 0);
    return {
      keys: this.#keys.length,
      writes: sum(({ writes }) => writes.length),
      reads: sum(({ reads }) => reads.length),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    for (const client of this.#clients) client.close();
    await Promise.all(this.#workers);
  }

  async #work(client: LoadClient, worker: number): Promise<void> {
    const { keysAWorker, gapMs } = this.#options;
    const own: Key[] = [];
    let number = 0;
    const begin = (index: number): Key => {
      const name = `${client.name}:${this.#number}:${worker}:${number++}`;
      const key: Key = { name, owner: client, writes: [], reads: [] };
      own[index] = key;
      this.#keys.push(key);
      return key;
    };
    for (let index = 0; index < keysAWorker; index++) begin(index);
    for (let turn = 0; !this.#isStopping; turn++) {
      const index = turn % keysAWorker;
      if (Math.random() < READ_SHARE) {
        await this.#read(own[Math.floor(Math.random() * own.length)]);
      } else if (!(await this.#write(own[index], turn))) begin(index);
      await sleep(gapMs);
    }
  }

  /** @returns whether it is known to have been carried out */
  async #write(key: Key, turn: number): Promise<boolean> {
    const write: KeyWrite = {
      value: `${key.name}=${turn}`,
      calledAtUs: nowUs(),
      returnedAtUs: undefined,
      isRefused: false,
    };
    key.writes.push(write);
    try {
      await key.owner.set(key.name, write.value ?? '');
    } catch (error) {
      this.#failed(key.owner, 'set', error);
      return false;
    }
    write.returnedAtUs = nowUs();
    this.#succeeded(write.calledAtUs);
    return true;
  }

  async #read(key: Key): Promise<void> {
    const calledAtUs = nowUs();
    try {
      const value = (await key.owner.get(key.name)) ?? undefined;
      key.reads.push({ calledAtUs, returnedAtUs: nowUs(), value });
      this.#succeeded(calledAtUs);
    } catch (error) {
      this.#failed(key.owner, 'get', error);
    }
  }

  #succeeded(calledAtUs: number): void {
    this.took.push({ atMs: calledAtUs / 1000, ms: (nowUs() - calledAtUs) / 1000 });
  }

  #failed({ name }: LoadClient, operation: LoadError['operation'], error: unknown): void {
    const words = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.errors.push({ client: name, operation, atMs: performance.now(), words });
  }
}

function excuse(
  write: KeyWrite,
  read: KeyRead,
  windows: readonly LossWindow[],
): string | undefined {
  const acknowledgedAtUs = write.returnedAtUs ?? 0;
  const isCovered = windows.some(
    ({ fromUs, toUs }) =>
      acknowledgedAtUs >= fromUs && write.calledAtUs <= toUs && toUs <= read.returnedAtUs,
  );
  return isCovered ? undefined : 'there was no failover then';
}

export function nowUs(): number {
  return Math.round(performance.now() * 1000);
}
