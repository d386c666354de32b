/** Real meta peers and nodes, each a process of its own, and the command line beside them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCachectl, type Started } from './cachectl.ts';
import { freePort } from './redis-server.ts';

const bin = join(import.meta.dirname, '../../bin/cachectl.js');

export interface Ran {
  readonly exit: number | null;
  readonly out: string;
  readonly words: string;
}

/** Runs a command to its end, as a shell without a terminal would. */
export async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = spawn(process.execPath, [bin, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...environment },
  });
  let out = '';
  let words = '';
  child.stdout.on('data', (chunk) => (out += String(chunk)));
  child.stderr.on('data', (chunk) => (words += String(chunk)));
  await once(child, 'close');
  return { exit: child.exitCode, out, words };
}

export class ControlPlane implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'cachectl-control-'));
  readonly ports = new Map<string, number>();
  readonly #running = new Map<string, Started>();
  readonly #environment: Readonly<Record<string, string>>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.#environment = environment;
  }

  get meta(): string {
    return this.#peers.map((name) => `127.0.0.1:${this.#portOf(name)}`).join(',');
  }

  get #peers(): readonly string[] {
    return [...this.ports.keys()].filter((name) => name.startsWith('m'));
  }

  #portOf(name: string): number {
    return this.ports.get(name) ?? 0;
  }

  /** As `--peers` takes them. */
  get peers(): string {
    return this.#peers.map((peer) => `${peer}=127.0.0.1:${this.#portOf(peer)}`).join(',');
  }

  /** Finds ports for parts that are started later. */
  async reserve(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (!this.ports.has(name)) this.ports.set(name, await freePort());
    }
  }

  /** Starts parts by their names: `m1` is a meta peer, `n1` a node. Peers of a group all at once. */
  async start(...names: readonly string[]): Promise<void> {
    await this.reserve(...names);
    await Promise.all(names.map(async (name) => this.#start(name)));
  }

  async #start(name: string): Promise<void> {
    const listen = ['--name', name, '--listen', `127.0.0.1:${this.#portOf(name)}`];
    const { peers } = this;
    const args = name.startsWith('m')
      ? ['meta', 'start', ...listen, '--peers', peers, '--data-dir', join(this.directory, name)]
      : ['node', 'start', ...listen, '--meta', this.meta, '--memory', '32mb'];
    const started = startCachectl([...args, '--log-level', 'error'], this.#environment);
    this.#running.set(name, started);
    await started.line(/ serves /);
  }

  async kill(...names: readonly string[]): Promise<void> {
    await Promise.all(names.map(async (name) => this.#running.get(name)?.[Symbol.asyncDispose]()));
    for (const name of names) this.#running.delete(name);
  }

  /** A command, asked of these peers. */
  async command(...args: readonly string[]): Promise<Ran> {
    return run(args, { ...this.#environment, CACHECTL_META: this.meta });
  }

  /** The data of a command's envelope; fails unless it exits with one of `exits`. */
  async data(args: readonly string[], exits: readonly number[] = [0]): Promise<unknown> {
    const { exit, out, words } = await this.command(...args, '--json');
    if (exit === null || !exits.includes(exit))
      throw new Error(`${args.join(' ')}: ${exit} ${words}`);
    return (JSON.parse(out) as { data: unknown }).data;
  }

  async leader(): Promise<string> {
    for (;;) {
      const { exit, out } = await this.command('meta', 'peers', '--json');
      if (exit === 0) {
        const { data } = JSON.parse(out) as { data: Array<{ name: string; role: string }> };
        const leader = data.find(({ role }) => role === 'leader');
        if (leader !== undefined) return leader.name;
      }
      await sleep(50);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill(...this.#running.keys());
    rmSync(this.directory, { recursive: true });
  }
}
