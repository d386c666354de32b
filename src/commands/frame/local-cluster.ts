/**
 * A whole cluster in one tree of processes: each peer and node is a process of its own, so that any
 * of them can be killed alone. They end when this one does, in whatever way it ends.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalPart, type PartListener, type PartPlan } from './local-part.ts';

export interface LocalClusterOptions {
  readonly basePort: number;
  readonly metaPeers: number;
  readonly nodes: number;
  readonly replicas: number;
  /** Further flags of each node. */
  readonly nodeFlags: readonly string[];
}

/** Ports of the parts, counted from the base. */
const OFFSETS = { node: 0, meta: 100, metaHttp: 180 };
const HOST = '127.0.0.1';

/** Nodes that have room between the base port and what follows. */
export const LOCAL_NODES_MAX = 50;

export class LocalCluster {
  readonly metas: readonly LocalPart[];
  readonly #options: LocalClusterOptions;
  readonly #listener: PartListener;
  readonly #directory = makeDirectory();
  readonly #nodes: LocalPart[] = [];
  #isStopping = false;

  constructor(options: LocalClusterOptions, listener: PartListener) {
    this.#options = options;
    this.#listener = listener;
    this.metas = this.#metaPlans().map((plan) => new LocalPart(plan, listener));
    for (let index = 0; index < options.nodes; index++) this.#defineNode();
  }

  get nodes(): readonly LocalPart[] {
    return this.#nodes;
  }

  /** Of all that run, the metadata peers first. */
  get endpoints(): readonly LocalPart[] {
    return [...this.metas, ...this.#nodes].filter(({ pid }) => pid > 0);
  }

  get metaAddresses(): string {
    return this.metas.map(({ plan }) => plan.address).join(',');
  }

  /**
   * Returns once all of them serve.
   *
   * @throws {CachectlError} `ERR_CACHECTL_FAILED`, with the words of the one that could not start
   */
  async start(): Promise<void> {
    await Promise.all(this.metas.map(async (part) => part.start()));
    if (!this.#isStopping) await Promise.all(this.#nodes.map(async (part) => part.start()));
  }

  /**
   * Starts one more node, which has no shards yet.
   *
   * @throws {CachectlError} `ERR_CACHECTL_FAILED`
   */
  async addNode(): Promise<LocalPart> {
    const part = this.#defineNode();
    await part.start();
    return part;
  }

  /** The nodes first, so that they can say goodbye. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#nodes.map(async (part) => part.stop()));
    await Promise.all(this.metas.map(async (part) => part.stop()));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #metaAddress(index: number): string {
    return `${HOST}:${this.#options.basePort + OFFSETS.meta + index}`;
  }

  #metaPlans(): PartPlan[] {
    const { basePort, metaPeers, nodes, replicas } = this.#options;
    const peers = Array.from(
      { length: metaPeers },
      (_, index) => `m${index + 1}=${this.#metaAddress(index)}`,
    ).join(',');
    return Array.from({ length: metaPeers }, (_, index): PartPlan => {
      const name = `m${index + 1}`;
      const address = this.#metaAddress(index);
      const http = `${HOST}:${basePort + OFFSETS.metaHttp + index}`;
      const args = [
        ...['meta', 'start', '--name', name, '--listen', address, '--http', http],
        ...['--peers', peers, '--data-dir', join(this.#directory, name)],
        ...['--replicas', String(replicas), '--initial-nodes', String(nodes)],
        ...['--log-level', 'error', '--log-format', 'text'],
      ];
      return { name, role: 'meta', address, http, args };
    });
  }

  #defineNode(): LocalPart {
    const { basePort, nodeFlags } = this.#options;
    const index = this.#nodes.length;
    const name = `n${index + 1}`;
    const address = `${HOST}:${basePort + OFFSETS.node + index}`;
    const args = [
      ...['node', 'start', '--name', name, '--listen', address],
      ...['--meta', this.metaAddresses, '--zone', `z${index + 1}`],
      ...['--log-level', 'error', '--log-format', 'text', ...nodeFlags],
    ];
    const part = new LocalPart(
      { name, role: 'node', address, http: undefined, args },
      this.#listener,
    );
    this.#nodes.push(part);
    return part;
  }
}

const DIRECTORY = /^cachectl-dev-(?<pid>\d+)-/;

/** Named after this process; what others have left that were killed is removed. */
function makeDirectory(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = DIRECTORY.exec(name)?.groups?.['pid'];
    if (pid === undefined || isRunning(Number(pid))) continue;
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(join(tmpdir(), `cachectl-dev-${process.pid}-`));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
