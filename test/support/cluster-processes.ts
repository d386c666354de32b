/**
 * A cluster of real processes: meta peers and nodes, each started by the command that a person
 * would use, on ports of their own, to be killed, frozen and started again one by one.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeIdOfName } from '../../src/cluster/index.ts';
import { FaultProxy, PROXY_HOST } from './fault-proxy.ts';
import { freePort } from './redis-server.ts';

const BIN = join(import.meta.dirname, '../../bin/cachectl.js');
const HEALTHY_ATTEMPTS = 600;
const HEALTHY_GAP_MS = 100;
/** The nodes' port for each other is the one for clients and this. */
const BUS = 10_000;

export interface ClusterShape {
  readonly nodes: number;
  readonly replicas: number;
  readonly metaPeers?: number;
  /** By the number of the node, from 0. Default: one for each. */
  readonly zoneOf?: (node: number) => string;
  readonly nodeFlags?: readonly string[];
  readonly metaFlags?: readonly string[];
  /** All connections go through a proxy that can cut a node off. */
  readonly isProxied?: boolean;
}

/** One process, which may be started again under the same name and port. */
export interface Part {
  readonly name: string;
  readonly port: number;
  readonly args: readonly string[];
  child: ChildProcess | undefined;
}

/** What came of a command. */
export interface Ran {
  readonly code: number | null;
  /** What it wrote to its output alone, and with what it said beside it. */
  readonly data: string;
  readonly output: string;
}

export interface ClusterStatus {
  readonly isHealthy: boolean;
  readonly shards: {
    readonly total: number;
    readonly healthy: number;
    readonly degraded: number;
    readonly down: number;
  };
}

export class ClusterProcesses implements AsyncDisposable {
  readonly metas: Part[] = [];
  readonly nodes: Part[] = [];
  readonly network: FaultProxy | undefined;
  readonly #shape: ClusterShape;
  readonly #directory = mkdtempSync(join(tmpdir(), 'cachectl-cluster-'));

  private constructor(shape: ClusterShape) {
    this.#shape = shape;
    if (shape.isProxied === true) this.network = new FaultProxy();
  }

  static async start(shape: ClusterShape): Promise<ClusterProcesses> {
    const cluster = new ClusterProcesses(shape);
    try {
      await cluster.#startMetas();
      for (let index = 0; index < shape.nodes; index++) await cluster.#define();
      await Promise.all(cluster.nodes.map(async (part) => cluster.start(part)));
      await cluster.untilHealthy();
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
    return cluster;
  }

  /** By which its processes are known. */
  get host(): string {
    return this.network === undefined ? '127.0.0.1' : PROXY_HOST;
  }

  /** The addresses of the meta peers, for `--meta`. */
  get meta(): string {
    return this.metas.map(({ port }) => `${this.host}:${port}`).join(',');
  }

  /** Nothing passes between the node and the others; clients reach it all the same, if they may. */
  cutOff({ name, port }: Part, { mayClientsPass }: { readonly mayClientsPass: boolean }): void {
    const ports = mayClientsPass ? [port + BUS] : [port, port + BUS];
    this.network?.cut({ node: nodeIdOfName(name), ports });
  }

  node(name: string): Part {
    const part = this.nodes.find((one) => one.name === name);
    if (part === undefined) throw new Error(`there is no node ${name}`);
    return part;
  }

  /** Starts one more node, which has no shards yet. */
  async addNode(): Promise<Part> {
    const part = await this.#define();
    await this.start(part);
    return part;
  }

  async start(part: Part): Promise<void> {
    const child = spawn(process.execPath, [BIN, ...part.args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    part.child = child;
    let words = '';
    child.stderr.on('data', (chunk) => (words = (words + String(chunk)).slice(-4000)));
    for await (const line of createInterface(child.stdout)) {
      if (!line.includes(' serves ')) continue;
      child.stdout.resume();
      return;
    }
    throw new Error(`${part.name} did not start: ${words}`);
  }

  /** Ends it as `kill -9` does; returns once it is gone. */
  async kill(part: Part): Promise<void> {
    const { child } = part;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  freeze({ child }: Part): void {
    child?.kill('SIGSTOP');
  }

  resume({ child }: Part): void {
    child?.kill('SIGCONT');
  }

  /** Runs a command of the admin client. */
  async cachectl(...args: readonly string[]): Promise<Ran> {
    const child = spawn(process.execPath, [BIN, ...args, '--meta', this.meta], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let data = '';
    let output = '';
    child.stdout.on('data', (chunk) => {
      data += String(chunk);
      output += String(chunk);
    });
    child.stderr.on('data', (chunk) => (output += String(chunk)));
    const [code] = await once(child, 'close');
    return { code: typeof code === 'number' ? code : null, data, output };
  }

  /** What a command with `-o json` answers, without its envelope. */
  async data(...args: readonly string[]): Promise<unknown> {
    const ran = await this.cachectl(...args, '-o', 'json');
    const envelope: unknown = JSON.parse(ran.data);
    return envelope instanceof Object && 'data' in envelope ? envelope.data : undefined;
  }

  /** Waits until there are shards, and every one has all of its copies. */
  async untilHealthy(): Promise<void> {
    let last = '';
    for (let attempt = 0; attempt < HEALTHY_ATTEMPTS; attempt++) {
      const { code, output } = await this.cachectl('status');
      const isPlaced = /^shards +[1-9]/m.test(output);
      if (code === 0 && isPlaced && output.includes(': healthy')) return;
      last = output;
      await sleep(HEALTHY_GAP_MS);
    }
    throw new Error(`the cluster does not become healthy:\n${last}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const part of [...this.nodes, ...this.metas]) this.resume(part);
    await Promise.all([...this.nodes, ...this.metas].map(async (part) => this.kill(part)));
    await this.network?.[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #startMetas(): Promise<void> {
    const { metaPeers = 3, nodes, replicas, metaFlags = [] } = this.#shape;
    const ports: number[] = [];
    while (ports.length < metaPeers) ports.push(await freePort());
    const peers = ports.map((port, index) => `m${index + 1}=${this.host}:${port}`).join(',');
    for (const [index, port] of ports.entries()) {
      const name = `m${index + 1}`;
      const args = [
        ...['meta', 'start', '--name', name, '--listen', `127.0.0.1:${port}`, '--peers', peers],
        ...['--data-dir', join(this.#directory, name), '--replicas', String(replicas)],
        ...['--initial-nodes', String(nodes), '--log-level', 'error', ...metaFlags],
      ];
      this.metas.push({ name, port, args, child: undefined });
      await this.network?.forward(port);
    }
    await Promise.all(this.metas.map(async (part) => this.start(part)));
  }

  async #define(): Promise<Part> {
    const index = this.nodes.length;
    const { zoneOf = (node) => `z${node + 1}`, nodeFlags = [] } = this.#shape;
    const name = `n${index + 1}`;
    let port = await freePort();
    while (port > 65_535 - BUS) port = await freePort();
    const args = [
      ...['node', 'start', '--name', name, '--listen', `127.0.0.1:${port}`, '--meta', this.meta],
      ...['--zone', zoneOf(index), '--machine', name, '--log-level', 'error', ...nodeFlags],
      ...['--announce-host', this.host],
    ];
    await this.network?.forward(port);
    await this.network?.forward(port + BUS);
    const part = { name, port, args, child: undefined };
    this.nodes.push(part);
    return part;
  }
}
