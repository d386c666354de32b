/**
 * The administrator: a process of its own that asks the leader for what people ask for, one thing
 * after another, whatever comes of it; and in the end lets go on what was paused.
 */
import { z } from 'zod';
import { RpcClient, type RpcOutcome } from '../../rpc/index.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import type { Simulation } from '../simulation.ts';
import type { AdminOperation } from './scenario.ts';

export interface AdministratorOptions {
  readonly simulation: Simulation;
  readonly addresses: readonly Address[];
  readonly operations: readonly AdminOperation[];
  /** Whether drained nodes are needed in the end. */
  readonly undrains: boolean;
  /** Carries out what is asked of processes, not of the leader. */
  perform(operation: Extract<AdminOperation, { kind: 'join' | 'stop' }>): void;
}

const TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 500;
const TIDY_MS = 500;

export class Administrator {
  readonly #options: AdministratorOptions;
  readonly #waiting: AdminOperation[];
  #isTidying = false;

  constructor(options: AdministratorOptions) {
    this.#options = options;
    this.#waiting = [...options.operations];
  }

  /** The program of its process: goes on where its life before has ended. */
  run(runtime: Runtime): void {
    const { addresses } = this.#options;
    const client = new RpcClient(runtime, { addresses, connectTimeoutMs: CONNECT_TIMEOUT_MS });
    this.#work(runtime, client);
    this.#tidy(runtime, client);
  }

  /** Asks for nothing more, lets go on what is paused, and takes drained nodes back. */
  tidyUp(): void {
    this.#isTidying = true;
  }

  #work(runtime: Runtime, client: RpcClient): void {
    const [operation] = this.#waiting;
    if (operation === undefined) return;
    runtime.timers.after(operation.thinkMs, () => {
      if (this.#isTidying) return;
      this.#waiting.shift();
      this.#ask(client, operation, () => this.#work(runtime, client));
    });
  }

  #ask(client: RpcClient, operation: AdminOperation, done: () => void): void {
    const call = (method: string, body: unknown): void =>
      client.call(method, body, TIMEOUT_MS, (outcome) => {
        this.#note(method, body, outcome);
        done();
      });
    switch (operation.kind) {
      case 'drain':
      case 'undrain':
      case 'remove':
        call(`node.${operation.kind}`, { node: operation.node });
        return;
      case 'failover':
        call('shard.failover', { shard: operation.shard });
        return;
      case 'transfer':
        call('meta.transfer-leader', {});
        return;
      case 'rebalance':
        client.call('rebalance.plan', {}, TIMEOUT_MS, (outcome) => {
          const plan = bodyOf(outcome, planBody);
          if (plan === undefined) done();
          else call('rebalance.apply', { plan: plan.plan });
        });
        return;
      case 'pause':
      case 'resume':
      case 'abort':
        client.call('move.list', {}, TIMEOUT_MS, (outcome) => {
          const move = bodyOf(outcome, movesBody)?.moves[0];
          if (move === undefined) done();
          else call(`move.${operation.kind}`, { move: move.id });
        });
        return;
      case 'join':
      case 'stop':
        this.#options.perform(operation);
        done();
    }
  }

  #tidy(runtime: Runtime, client: RpcClient): void {
    runtime.timers.after(TIDY_MS, () => {
      this.#tidy(runtime, client);
      if (!this.#isTidying) return;
      client.call('move.list', {}, TIMEOUT_MS, (outcome) => {
        for (const move of bodyOf(outcome, movesBody)?.moves ?? []) {
          if (move.isPaused) client.call('move.resume', { move: move.id }, TIMEOUT_MS, () => {});
        }
      });
      if (!this.#options.undrains) return;
      client.call('node.list', {}, TIMEOUT_MS, (outcome) => {
        for (const { name, isDraining } of bodyOf(outcome, nodesBody)?.nodes ?? []) {
          if (isDraining) client.call('node.undrain', { node: name }, TIMEOUT_MS, () => {});
        }
      });
    });
  }

  #note(method: string, body: unknown, outcome: RpcOutcome): void {
    const words = outcome.ok ? 'done' : outcome.error.message;
    this.#options.simulation.note(undefined, `${method} ${JSON.stringify(body)}: ${words}`);
  }
}

/** What is looked at of the answers. */
const planBody = z.object({ plan: z.int() });
const movesBody = z.object({ moves: z.array(z.object({ id: z.int(), isPaused: z.boolean() })) });
const nodesBody = z.object({
  nodes: z.array(z.object({ name: z.string(), isDraining: z.boolean() })),
});

function bodyOf<Body>(outcome: RpcOutcome, schema: z.ZodType<Body>): Body | undefined {
  return outcome.ok ? schema.parse(outcome.body) : undefined;
}
