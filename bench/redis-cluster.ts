/** A Redis Cluster of real processes, to be measured beside ours. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../test/support/redis-server.ts';

const PORT_MAX = 55_000;
const READY_ATTEMPTS = 300;

export interface RedisNode {
  readonly port: number;
  readonly directory: string;
  child: ChildProcess;
}

export class RedisCluster implements AsyncDisposable {
  readonly nodes: RedisNode[] = [];
  readonly #options: readonly string[];
  readonly #directory = mkdtempSync(join(tmpdir(), 'redis-cluster-'));

  private constructor(options: readonly string[]) {
    this.#options = options;
  }

  /** @param options such as `--cluster-node-timeout 1000` */
  static async start(
    masters: number,
    replicas: number,
    options: readonly string[] = [],
  ): Promise<RedisCluster> {
    const cluster = new RedisCluster(options);
    const count = masters * (1 + replicas);
    for (let index = 0; index < count; index++) await cluster.addNode();
    const addresses = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`);
    cluster.cli(
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      `${replicas}`,
      '--cluster-yes',
    );
    await cluster.untilOk();
    return cluster;
  }

  async addNode(): Promise<RedisNode> {
    let port = await freePort();
    while (port > PORT_MAX) port = await freePort();
    const directory = mkdtempSync(join(this.#directory, 'node-'));
    const node = { port, directory, child: this.#spawn(port, directory) };
    this.nodes.push(node);
    await this.#untilServing(port);
    return node;
  }

  async restart(node: RedisNode): Promise<void> {
    node.child = this.#spawn(node.port, node.directory);
    await this.#untilServing(node.port);
  }

  async kill({ child }: RedisNode): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill('SIGKILL');
    await ended;
  }

  /** What `redis-cli` prints. */
  cli(...args: readonly string[]): string {
    const { stdout, stderr } = spawnSync('redis-cli', [...args], { encoding: 'utf8' });
    return `${stdout}${stderr}`;
  }

  /** Every node that lives agrees that all slots are served. */
  async untilOk(): Promise<void> {
    for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
      const alive = this.nodes.filter(
        ({ child }) => child.exitCode === null && child.signalCode === null,
      );
      const infos = alive.map(({ port }) => this.cli('-p', `${port}`, 'cluster', 'info'));
      const nodes = this.cli('-p', `${alive[0].port}`, 'cluster', 'nodes');
      const isOk = infos.every(
        (info) =>
          info.includes('cluster_state:ok') &&
          info.includes(`cluster_known_nodes:${this.nodes.length}`),
      );
      const areCopied = alive.every(({ port }) => {
        const info = this.cli('-p', `${port}`, 'info', 'replication');
        return info.includes('role:master') || info.includes('master_link_status:up');
      });
      if (isOk && areCopied && !/fail|handshake/.test(nodes)) return;
      await sleep(200);
    }
    throw new Error('the Redis Cluster does not become ok');
  }

  /** The slots that a node serves as a master: the first of each range; empty for a replica. */
  firstSlotsOf({ port }: RedisNode): number[] {
    const own = this.cli('-p', `${port}`, 'cluster', 'nodes')
      .split('\n')
      .find((line) => line.includes('myself'));
    const ranges = own?.includes('master') === true ? own.split(' ').slice(8) : [];
    return ranges.filter((range) => /^\d/.test(range)).map((range) => Number.parseInt(range, 10));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(async (node) => this.kill(node)));
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #spawn(port: number, directory: string): ChildProcess {
    const args = [
      ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', directory, '--save', ''],
      ...['--appendonly', 'no', '--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'],
    ];
    return spawn('redis-server', [...args, ...this.#options], { stdio: 'ignore' });
  }

  async #untilServing(port: number): Promise<void> {
    for (let attempt = 0; attempt < READY_ATTEMPTS; attempt++) {
      if (this.cli('-p', `${port}`, 'ping').includes('PONG')) return;
      await sleep(50);
    }
    throw new Error(`redis-server does not serve port ${port}`);
  }
}
