/**
 * A client of the store: a process of its own with the real RPC client, which carries out its
 * operations one after another and remembers what it was told.
 *
 * A commit of which nobody knows what came is part of the history as such, and the client goes on;
 * what was surely not done is done again until it has an outcome.
 */
import { asRevision, type Revision } from '../../cluster/index.ts';
import type { Change, Entry } from '../../meta/index.ts';
import { RpcClient, type RpcOutcome } from '../../rpc/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { Simulation } from '../simulation.ts';
import { commitAnswer, readAnswer, type CommitAnswer, type CommitCall } from './calls.ts';
import type { Revisions } from './revisions.ts';
import type { ControlOperation } from './scenario.ts';
import type { ModelCompare, StoreInput, StoreOperation, StoreOutput } from './store-model.ts';

export type StoreRequest = Exclude<
  ControlOperation,
  { kind: 'compact' | 'transfer' | 'tenant' } | { node: string }
>;

export interface ClientOptions {
  readonly simulation: Simulation;
  readonly name: string;
  readonly operations: readonly StoreRequest[];
  readonly addresses: readonly Address[];
  readonly timeoutMs: number;
  readonly revisions: Revisions;
}

interface Version {
  readonly value: string | undefined;
  readonly modRevision: Revision;
}

interface Attempt {
  readonly group: string;
  readonly input: StoreInput;
  readonly calledAt: number;
}

const ABSENT: Version = { value: undefined, modRevision: asRevision(0) };
const CONNECT_TIMEOUT_MS = 500;
/** After a refusal, so that a group without a leader is not flooded. */
const RETRY_MS = 100;

const SIM_PREFIX = 'sim/';
const keyOf = (key: string): string => `${SIM_PREFIX}${key}`;
const groupOf = (key: string): string => key.slice(0, 1);
const PAIRS = { a: ['a/1', 'a/2'], b: ['b/1', 'b/2'] } as const;

export class StoreClient {
  readonly history: StoreOperation[] = [];
  readonly #options: ClientOptions;
  readonly #waiting: StoreRequest[];
  /** By key, as far as it is known. */
  readonly #seen = new Map<string, Version>();
  #current: Attempt | undefined;
  #runtime: Runtime | undefined;
  #client: RpcClient | undefined;
  #writes = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#waiting = [...options.operations];
  }

  /** Operations that have no outcome yet. */
  get left(): number {
    return this.#waiting.length + (this.#current === undefined ? 0 : 1);
  }

  /** The program of its process: goes on where its life before has ended. */
  run(runtime: Runtime): void {
    this.#lost();
    this.#runtime = runtime;
    this.#client = new RpcClient(runtime, {
      addresses: this.#options.addresses,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    });
    this.#next(runtime);
  }

  /** Adds an operation after all others. */
  add(request: StoreRequest): void {
    this.#waiting.push(request);
    const runtime = this.#runtime;
    if (this.left === 1 && runtime !== undefined) this.#next(runtime);
  }

  #next(runtime: Runtime): void {
    const [request] = this.#waiting;
    if (request === undefined) return;
    runtime.timers.after(request.thinkMs, () => {
      if (runtime !== this.#runtime) return;
      this.#waiting.shift();
      this.#attempt(runtime, request);
    });
  }

  #attempt(runtime: Runtime, request: StoreRequest): void {
    const { simulation, timeoutMs } = this.#options;
    const calledAt = simulation.queue.nowUs;
    const again = (): void => {
      this.#current = undefined;
      this.#waiting.unshift(request);
      runtime.timers.after(RETRY_MS, () => {
        if (runtime !== this.#runtime) return;
        this.#waiting.shift();
        this.#attempt(runtime, request);
      });
    };
    if (request.kind === 'read') {
      const { group } = request;
      this.#current = { group, input: { kind: 'read' }, calledAt };
      const body = { prefix: keyOf(`${group}/`) };
      const options = { isIdempotent: true };
      const done = (outcome: RpcOutcome): void => {
        if (outcome.ok) this.#finish(runtime, this.#read(group, outcome.body));
        else again();
      };
      this.#client?.call('sim.read', body, timeoutMs, done, options);
      return;
    }
    const { call, input, group } = this.#prepare(request);
    this.#current = { group, input, calledAt };
    this.#client?.call('sim.commit', call, timeoutMs, (outcome) => {
      if (outcome.ok) {
        const answer = commitAnswer.parse(outcome.body);
        this.#finish(runtime, this.#committed(call, answer, calledAt));
      } else if (outcome.error.details?.['maybeApplied'] === true) {
        simulation.reachable('control: nobody knows whether a commit was applied');
        this.#lost();
        this.#next(runtime);
      } else again();
    });
  }

  /** What was under way has no outcome; of a commit, nobody knows whether it was applied. */
  #lost(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current === undefined || current.input.kind === 'read') return;
    this.history.push(this.#operation(current));
  }

  #finish(runtime: Runtime, output: StoreOutput): void {
    const { simulation } = this.#options;
    if (this.#current !== undefined) {
      const returned = { at: simulation.queue.nowUs, output };
      this.history.push({ ...this.#operation(this.#current), returned });
    }
    this.#current = undefined;
    simulation.sometimes(output.kind === 'conflict', 'control: a commit conflicts');
    this.#next(runtime);
  }

  #operation({ group, input, calledAt }: Attempt): StoreOperation {
    return { client: this.#options.name, key: group, input, calledAt };
  }

  #prepare(request: Exclude<StoreRequest, { kind: 'read' }>): {
    readonly call: CommitCall;
    readonly input: StoreInput;
    readonly group: string;
  } {
    if (request.kind === 'sweep') {
      const changes = [{ kind: 'deletePrefix', prefix: keyOf(`${request.group}/`) } as const];
      return this.#call(request.group, [], [], changes);
    }
    if (request.kind === 'pair') {
      const keys = PAIRS[request.group].map(keyOf);
      return this.#call(
        request.group,
        keys,
        [],
        keys.map((key) => this.#put(key)),
      );
    }
    const key = keyOf(request.key);
    const group = groupOf(request.key);
    switch (request.kind) {
      case 'put':
        return this.#call(group, [], [], [this.#put(key)]);
      case 'update':
        return this.#call(group, [key], [], [this.#put(key)]);
      case 'remove':
        return this.#call(group, [], [key], [{ kind: 'delete', key }]);
      case 'create':
        this.#seen.set(key, ABSENT);
        return this.#call(group, [key], [], [this.#put(key)]);
    }
  }

  #call(
    group: string,
    unchanged: readonly string[],
    present: readonly string[],
    changes: Change[],
  ): { readonly call: CommitCall; readonly input: StoreInput; readonly group: string } {
    const versions = unchanged.map((key) => ({ key, version: this.#seen.get(key) ?? ABSENT }));
    const isPresent = true as const;
    const call: CommitCall = {
      compares: [
        ...versions.map(({ key, version }) => ({ key, modRevision: version.modRevision })),
        ...present.map((key) => ({ key, isPresent })),
      ],
      changes,
    };
    const compares: ModelCompare[] = [
      ...versions.map(({ key, version }) => ({ key, expected: version.value })),
      ...present.map((key) => ({ key, isPresent })),
    ];
    return { call, input: { kind: 'commit', compares, changes }, group };
  }

  /** A value that nobody has written before. */
  #put(key: string): Change & { kind: 'put' } {
    this.#writes += 1;
    return { kind: 'put', key, value: `${this.#options.name}-${this.#writes}` };
  }

  #read(group: string, body: unknown): StoreOutput {
    const { entries } = readAnswer.parse(body);
    for (const key of this.#seen.keys()) {
      if (groupOf(key.slice(SIM_PREFIX.length)) === group) this.#seen.set(key, ABSENT);
    }
    for (const entry of entries) this.#see(entry.key, entry);
    return { kind: 'read', values: new Map(entries.map(({ key, value }) => [key, value])) };
  }

  #committed(call: CommitCall, answer: CommitAnswer, calledAt: number): StoreOutput {
    const { revisions, simulation } = this.#options;
    if (answer.kind === 'conflict') {
      for (const { key, current } of answer.failed) this.#see(key, current);
      const failed = answer.failed.map(({ key, current }) => [key, current?.value] as const);
      return { kind: 'conflict', failed };
    }
    const { revision } = answer;
    const returnedAt = simulation.queue.nowUs;
    revisions.committed({ revision, calledAt, returnedAt, changes: call.changes });
    for (const change of call.changes) {
      if (change.kind === 'put') {
        this.#seen.set(change.key, { value: change.value, modRevision: revision });
      } else if (change.kind === 'delete') this.#seen.set(change.key, ABSENT);
    }
    return { kind: 'committed' };
  }

  #see(key: string, entry: Pick<Entry, 'value' | 'modRevision'> | undefined): void {
    this.#seen.set(key, entry ?? ABSENT);
    if (entry !== undefined) this.#options.revisions.told(entry.value, entry.modRevision);
  }
}
