/** Clients that read and write a few keys, and remember what they were told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Reply, ReplyError, replyText } from '../src/resp/index.ts';
import type { RegisterInput, RegisterOperation, RegisterOutput } from '../src/sim/index.ts';
import { RealClient } from './raft-real-client.ts';

const TIMEOUT_MS = 2000;
/** After a refusal, so that a cluster without a leader is not asked in a tight loop. */
const PAUSE_MS = 20;

export interface LoadPlan {
  readonly ports: readonly number[];
  readonly clients: number;
  readonly keys: number;
  /** 0 to 1. */
  readonly readShare: number;
}

export class HistoryLoad {
  readonly history: RegisterOperation[] = [];
  /** Of answered operations, in ms. */
  readonly latenciesMs: number[] = [];
  refused = 0;
  /** The longest time between two answered writes. */
  longestGapMs = 0;
  readonly #plan: LoadPlan;
  #isOver = false;
  #lastWriteAt = performance.now();
  #values = 0;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
  }

  /** Ends some time after `stop`. */
  async run(): Promise<void> {
    const clients = Array.from({ length: this.#plan.clients }, (_, index) => this.#client(index));
    await Promise.all(clients);
  }

  stop(): void {
    this.#isOver = true;
  }

  async #client(index: number): Promise<void> {
    const client = new RealClient();
    const { ports, keys } = this.#plan;
    // What the client believes its keys to hold, so that some comparisons succeed.
    const seen = new Map<string, string | undefined>();
    let port = ports[index % ports.length];
    while (!this.#isOver) {
      if (Math.random() < 0.1) port = ports[Math.floor(Math.random() * ports.length)];
      const key = `k${Math.floor(Math.random() * keys)}`;
      const input = this.#draw(seen.get(key));
      const calledAt = performance.now();
      const answer = await client.call(port, argumentsOf(key, input), TIMEOUT_MS);
      const operation = { client: String(index), key, input, calledAt };
      const output = typeof answer === 'string' ? answer : outputOf(input, answer.reply);
      if (output === 'unsent' || output === 'refused') {
        this.refused += 1;
        port = ports[(ports.indexOf(port) + 1) % ports.length];
        await sleep(PAUSE_MS);
      } else if (output === 'lost') {
        seen.delete(key);
        if (input.kind !== 'read') this.history.push(operation);
        port = ports[(ports.indexOf(port) + 1) % ports.length];
      } else {
        this.#note({ ...operation, returned: { at: performance.now(), output } });
        if (output.kind === 'read') seen.set(key, output.value);
        else if (input.kind === 'write') seen.set(key, input.value);
      }
    }
    client.close();
  }

  #draw(held: string | undefined): RegisterInput {
    if (Math.random() < this.#plan.readShare) return { kind: 'read' };
    this.#values += 1;
    const value = `v${this.#values}`;
    const kind = Math.random();
    if (kind < 0.6) return { kind: 'write', value };
    if (kind < 0.9) return { kind: 'cas', expected: held, value };
    return { kind: 'delete' };
  }

  #note(operation: RegisterOperation & Required<Pick<RegisterOperation, 'returned'>>): void {
    const { at, output } = operation.returned;
    this.history.push(operation);
    this.latenciesMs.push(at - operation.calledAt);
    if (output.kind === 'read') return;
    this.longestGapMs = Math.max(this.longestGapMs, at - this.#lastWriteAt);
    this.#lastWriteAt = at;
  }
}

function argumentsOf(key: string, input: RegisterInput): string[] {
  switch (input.kind) {
    case 'read':
      return ['GET', key];
    case 'write':
      return ['SET', key, input.value];
    case 'cas':
      return ['CAS', key, input.expected ?? '-', input.value];
    case 'delete':
      return ['DEL', key];
  }
}

function outputOf(input: RegisterInput, reply: Reply): RegisterOutput | 'refused' | 'lost' {
  if (reply instanceof ReplyError) return reply.code === 'REFUSED' ? 'refused' : 'lost';
  switch (input.kind) {
    case 'read':
      return { kind: 'read', value: reply === null ? undefined : replyText(reply) };
    case 'write':
      return { kind: 'write' };
    case 'cas':
      return { kind: 'cas', swapped: reply === 1 };
    case 'delete':
      return { kind: 'delete', existed: reply === 1 };
  }
}
