/**
 * An administrator of tenants: a process of its own with the real RPC client, which has the real
 * admin API create, show, change and delete tenants, one call after another, and remembers what it
 * was told. What was surely not done is done again until it has an outcome; a call of which nobody
 * knows what came is part of the history as such.
 */
import { z } from 'zod';
import {
  asRevision,
  revisionSchema,
  type CachectlError,
  type Revision,
} from '../../cluster/index.ts';
import { RpcClient } from '../../rpc/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { Simulation } from '../simulation.ts';
import type { Revisions } from './revisions.ts';
import type { TenantRequest } from './scenario.ts';
import type { TenantInput, TenantOperation, TenantOutput } from './tenant-model.ts';

export interface TenantClientOptions {
  readonly simulation: Simulation;
  readonly name: string;
  /** Of the client: so that its quotas are nobody else's. */
  readonly number: number;
  readonly operations: readonly TenantRequest[];
  readonly addresses: readonly Address[];
  readonly timeoutMs: number;
  readonly revisions: Revisions;
}

interface Version {
  readonly maxQps: number;
  readonly revision: Revision;
}

interface Attempt {
  readonly tenant: string;
  readonly input: TenantInput;
  readonly calledAt: number;
}

const shownAnswer = z.object({
  tenant: z.object({ maxQps: z.int(), revision: revisionSchema }),
});

const CONNECT_TIMEOUT_MS = 500;
const RETRY_MS = 100;
const QUOTAS_EACH = 1_000_000;
/** Guards a call that knows of no version: no tenant is of this revision. */
const NEVER = { maxQps: 0, revision: asRevision(0) };

export class TenantClient {
  readonly history: TenantOperation[] = [];
  readonly #options: TenantClientOptions;
  readonly #waiting: TenantRequest[];
  /** The version of each tenant that was seen last. */
  readonly #seen = new Map<string, Version>();
  #current: Attempt | undefined;
  #runtime: Runtime | undefined;
  #client: RpcClient | undefined;
  #writes = 0;

  constructor(options: TenantClientOptions) {
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
  add(request: TenantRequest): void {
    this.#waiting.push(request);
    const runtime = this.#runtime;
    if (this.left === 1 && runtime !== undefined) this.#next(runtime);
  }

  #next(runtime: Runtime): void {
    const [request] = this.#waiting;
    if (request !== undefined) this.#later(runtime, request.thinkMs);
  }

  #later(runtime: Runtime, delayMs: number): void {
    runtime.timers.after(delayMs, () => {
      const request = runtime === this.#runtime ? this.#waiting.shift() : undefined;
      if (request !== undefined) this.#attempt(runtime, request);
    });
  }

  #attempt(runtime: Runtime, request: TenantRequest): void {
    const { simulation, timeoutMs } = this.#options;
    const { tenant } = request;
    const input = this.#inputOf(request);
    this.#current = { tenant, input, calledAt: simulation.queue.nowUs };
    const { method, body } = this.#callOf(request, input);
    const options = { isIdempotent: input.kind === 'show' };
    this.#client?.call(
      method,
      body,
      timeoutMs,
      (outcome) => {
        if (runtime !== this.#runtime) return;
        const output = outcome.ok
          ? this.#done(tenant, input, outcome.body)
          : refusalIn(outcome.error);
        if (output !== undefined) {
          this.#finish(output);
          this.#next(runtime);
        } else if (!outcome.ok && outcome.error.details?.['maybeApplied'] === true) {
          simulation.reachable('control: nobody knows whether a tenant was changed');
          this.#lost();
          this.#next(runtime);
        } else {
          this.#current = undefined;
          this.#waiting.unshift(request);
          this.#later(runtime, RETRY_MS);
        }
      },
      options,
    );
  }

  #inputOf({ action, tenant }: TenantRequest): TenantInput {
    const seen = (this.#seen.get(tenant) ?? NEVER).maxQps;
    switch (action) {
      case 'show':
        return { kind: 'show' };
      case 'create':
        return { kind: 'create', maxQps: this.#quota() };
      case 'update':
        return { kind: 'update', maxQps: this.#quota(), seen: undefined };
      case 'update-seen':
        return { kind: 'update', maxQps: this.#quota(), seen };
      case 'delete':
        return { kind: 'delete', seen: undefined };
      case 'delete-seen':
        return { kind: 'delete', seen };
    }
  }

  /** One that no other write gives. */
  #quota(): number {
    this.#writes += 1;
    return (this.#options.number + 1) * QUOTAS_EACH + this.#writes;
  }

  #callOf({ tenant }: TenantRequest, input: TenantInput): { method: string; body: object } {
    const isGuarded = 'seen' in input && input.seen !== undefined;
    const { revision } = this.#seen.get(tenant) ?? NEVER;
    const body = {
      name: tenant,
      ...('maxQps' in input ? { maxQps: input.maxQps } : {}),
      ...(isGuarded ? { ifRevision: revision } : {}),
    };
    return { method: `tenant.${input.kind}`, body };
  }

  #done(tenant: string, input: TenantInput, body: unknown): TenantOutput {
    if (input.kind === 'delete') return { kind: 'done' };
    const { maxQps, revision } = shownAnswer.parse(body).tenant;
    this.#options.revisions.told(`a tenant's quota of ${maxQps}`, revision);
    this.#seen.set(tenant, { maxQps, revision });
    return input.kind === 'show' ? { kind: 'shown', maxQps } : { kind: 'done' };
  }

  /** What was under way has no outcome; of a write, nobody knows whether it was done. */
  #lost(): void {
    const current = this.#current;
    this.#current = undefined;
    if (current !== undefined && current.input.kind !== 'show') {
      this.history.push(this.#operation(current));
    }
  }

  #finish(output: TenantOutput): void {
    const { simulation } = this.#options;
    if (this.#current !== undefined) {
      const returned = { at: simulation.queue.nowUs, output };
      this.history.push({ ...this.#operation(this.#current), returned });
    }
    this.#current = undefined;
    const isStale = output.kind === 'refused' && output.why === 'changed';
    simulation.sometimes(isStale, 'control: a tenant was changed since it was seen');
  }

  #operation({ tenant, input, calledAt }: Attempt): TenantOperation {
    return { client: this.#options.name, key: tenant, input, calledAt };
  }
}

/** What the error says of the tenant; undefined where it says that nothing was done. */
function refusalIn({ code, details }: CachectlError): TenantOutput | undefined {
  if (code === 'ERR_CACHECTL_EXISTS') return { kind: 'refused', why: 'exists' };
  if (code === 'ERR_CACHECTL_NOT_FOUND') return { kind: 'refused', why: 'absent' };
  // Others that changed other records all the time are not what the guard is about.
  const isStale = code === 'ERR_CACHECTL_CONFLICT' && details?.['attempts'] === undefined;
  return isStale ? { kind: 'refused', why: 'changed' } : undefined;
}
