/** Three peers as processes on this machine, and how to kill them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import type { PeerPlan } from './peer-plan.ts';

export interface PeerProcess {
  readonly name: string;
  readonly clientPort: number;
  child: ChildProcess | undefined;
}

export class RealCluster {
  readonly peers: PeerProcess[] = [];
  readonly #plans = new Map<string, PeerPlan>();
  readonly #script: string;

  private constructor(script: string) {
    this.#script = join(import.meta.dirname, script);
  }

  /** @param script what each peer runs, with its `PeerPlan` as the argument */
  static async start(
    count: number,
    directory: string,
    options: Pick<PeerPlan, 'snapshotEntries' | 'segmentBytesMax'>,
    script = 'raft-real-peer.ts',
  ): Promise<RealCluster> {
    const cluster = new RealCluster(script);
    const names = Array.from({ length: count }, (_, index) => `m${index + 1}`);
    const ports = await freePorts(count * 2);
    const peers = names.map((name, index) => ({ name, port: ports[index] }));
    names.forEach((name, index) => {
      const clientPort = ports[count + index];
      const dataDirectory = join(directory, name);
      cluster.#plans.set(name, { name, peers, clientPort, dataDirectory, ...options });
      cluster.peers.push({ name, clientPort, child: undefined });
    });
    await Promise.all(cluster.peers.map((peer) => cluster.startPeer(peer)));
    return cluster;
  }

  /** @throws where it does not come up; with what it has said. */
  async startPeer(peer: PeerProcess): Promise<void> {
    const plan = JSON.stringify(this.#plans.get(peer.name));
    const child = spawn(process.execPath, [this.#script, plan], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    peer.child = child;
    const words = text(child.stderr);
    const ended = once(child, 'exit').then(async () => {
      // Whoever kills it has let go of it before.
      if (peer.child !== child) return;
      throw new Error(`peer ${peer.name} has ended by itself: ${await words}`);
    });
    await Promise.race([once(child.stdout, 'data'), ended]);
    ended.catch((error: unknown) => {
      console.error(error);
      process.exitCode = 1;
    });
  }

  async kill(peer: PeerProcess): Promise<void> {
    const { child } = peer;
    if (child === undefined) return;
    peer.child = undefined;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** The process stands still, and does not know it. */
  async pause(peer: PeerProcess, milliseconds: number): Promise<void> {
    peer.child?.kill('SIGSTOP');
    await sleep(milliseconds);
    peer.child?.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map((peer) => this.kill(peer)));
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a server has a port');
    ports.push(address.port);
  }
  for (const server of servers) server.close();
  return ports;
}
