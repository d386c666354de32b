/**
 * Three real processes with real disks, killed and started again under load, and the history that
 * their clients saw.
 *
 * Runs for 8 seconds, or for as many as `CACHECTL_KILL_SECONDS` says.
 */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { checkLinearizable } from '../../src/sim/linearizability.ts';
import { explainViolation } from '../../src/sim/linearizability-explain.ts';
import { registerModel } from '../../src/sim/linearizability-register.ts';
import type {
  RegisterInput,
  RegisterOperation,
  RegisterOutput,
} from '../../src/sim/linearizability-register.ts';
import type { Reply, Request } from './peer-process.ts';
import { freePorts } from './real-cluster.ts';

const SECONDS = Number(process.env['CACHECTL_KILL_SECONDS'] ?? 8);
const NAMES = ['a', 'b', 'c'];
const CLIENTS = 12;
const KEYS = 6;
const PATIENCE_MS = 2000;

type Ask = Request extends infer One ? (One extends Request ? Omit<One, 'id'> : never) : never;

class Peers {
  readonly #directory = mkdtempSync(join(tmpdir(), 'cachectl-kill-'));
  readonly #children = new Map<string, ChildProcess>();
  readonly #waiting = new Map<number, (reply: Reply | undefined) => void>();
  readonly #ports: readonly number[];
  #lastId = 0;
  kills = 0;

  constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  async start(name: string): Promise<void> {
    const list = NAMES.map((each, at) => `${each}=${this.#ports[at]}`).join(',');
    const script = join(import.meta.dirname, 'peer-process.ts');
    const child = fork(script, [this.#directory, name, list]);
    child.on('message', (reply: Reply) => this.#waiting.get(reply.id)?.(reply));
    const [first] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
    expect(first, `peer ${name} starts`).toMatchObject({ id: 0 });
    this.#children.set(name, child);
  }

  async kill(name: string): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (child === undefined) return;
    this.kills++;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** `undefined` where there is no answer in time: its effect is not known. */
  ask(name: string, ask: Ask): Promise<Reply | undefined> {
    const child = this.#children.get(name);
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const end = (reply: Reply | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        resolve(reply);
      };
      const timer = setTimeout(end, PATIENCE_MS, undefined);
      this.#waiting.set(id, end);
      if (child?.connected === true) child.send({ ...ask, id }, () => undefined);
      else end({ id, kind: 'failed' });
    });
  }

  async close(): Promise<void> {
    for (const name of NAMES) await this.kill(name);
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Asks one after another, each time of any peer, and again until the outcome is known. */
class Client {
  readonly history: RegisterOperation[] = [];
  readonly latenciesMs: number[] = [];
  readonly #number: number;
  readonly #peers: Peers;
  #session = 0;
  #serial = 0;
  #written = 0;

  constructor(number: number, peers: Peers) {
    this.#number = number;
    this.#peers = peers;
  }

  async run(untilMs: number): Promise<void> {
    while (this.#session === 0) {
      const opened = await this.#ask({ kind: 'open', nonce: 1000 + this.#number });
      if (opened?.kind === 'opened') this.#session = opened.session;
    }
    while (performance.now() < untilMs) {
      const key = `key ${Math.floor(Math.random() * KEYS)}`;
      const calledAt = performance.now();
      const input = this.#nextInput(key);
      const output = await this.#carryOut(key, input, untilMs);
      const at = performance.now();
      const returned = output === undefined ? {} : { returned: { at, output } };
      if (output !== undefined) this.latenciesMs.push(at - calledAt);
      const client = `client ${this.#number}`;
      this.history.push({ client, key, input, calledAt, ...returned });
    }
  }

  #nextInput(key: string): RegisterInput {
    const value = `${this.#number}.${++this.#written}`;
    const known = this.history.findLast((operation) => operation.key === key)?.returned?.output;
    switch (Math.floor(Math.random() * 5)) {
      case 0:
        return { kind: 'write', value };
      case 1:
        return { kind: 'delete' };
      case 2:
        return { kind: 'cas', expected: known?.kind === 'read' ? known.value : undefined, value };
      default:
        return { kind: 'read' };
    }
  }

  async #carryOut(
    key: string,
    input: RegisterInput,
    untilMs: number,
  ): Promise<RegisterOutput | undefined> {
    this.#serial++;
    const text = JSON.stringify({ key, input });
    while (performance.now() < untilMs + 10_000) {
      const reply = await this.#ask(
        input.kind === 'read'
          ? { kind: 'read', key }
          : { kind: 'command', session: this.#session, serial: this.#serial, text },
      );
      if (reply?.kind === 'value') return { kind: 'read', value: reply.value };
      if (reply?.kind === 'answered') {
        const output: RegisterOutput = JSON.parse(reply.text);
        return output;
      }
      await pause(20);
    }
    return undefined;
  }

  #ask(ask: Ask): Promise<Reply | undefined> {
    return this.#peers.ask(NAMES[Math.floor(Math.random() * NAMES.length)], ask);
  }
}

test(
  'peers killed in the middle of their work lose nothing and make nothing up',
  async () => {
    const peers = new Peers(await freePorts(NAMES.length));
    try {
      await Promise.all(NAMES.map((name) => peers.start(name)));
      const untilMs = performance.now() + SECONDS * 1000;
      const clients = Array.from({ length: CLIENTS }, (_, number) => new Client(number, peers));
      const work = Promise.all(clients.map((client) => client.run(untilMs)));
      while (performance.now() < untilMs - 1500) {
        await pause(300 + Math.random() * 700);
        // Now and then two at a time, so that there is no majority for a while.
        const victims = NAMES.toSorted(() => Math.random() - 0.5).slice(
          0,
          Math.random() < 0.3 ? 2 : 1,
        );
        await Promise.all(victims.map((name) => peers.kill(name)));
        await pause(Math.random() * 400);
        await Promise.all(victims.map((name) => peers.start(name)));
      }
      await work;
      const history = clients.flatMap((client) => client.history);
      const verdict = checkLinearizable(history, registerModel);
      const words =
        verdict.verdict === 'violation' ? explainViolation(verdict, registerModel).words : '';
      expect(words).toBe('');
      expect(verdict.verdict).toBe('linearizable');
      const done = clients.flatMap((client) => client.latenciesMs).sort((a, b) => a - b);
      expect(done.length).toBeGreaterThan(SECONDS * 10);
      const statuses = await Promise.all(NAMES.map((name) => peers.ask(name, { kind: 'status' })));
      const at = (part: number): string => done[Math.floor(done.length * part)].toFixed(1);
      const sums = statuses.map((status) =>
        status?.kind === 'status' ? `${status.batches} batches in ${status.syncs} syncs` : 'none',
      );
      console.log(
        `${history.length} operations in ${SECONDS} s, ${peers.kills} kills, ` +
          `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; since the last start: ${sums.join(', ')}`,
      );
    } finally {
      await peers.close();
    }
  },
  (SECONDS + 40) * 1000,
);
