/**
 * Peers over real disks and real sockets, in one process, for tests of the shell.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Disk, Listener, Runtime } from '../../src/runtime/index.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';
import { openPeer } from '../../src/raft/peer-open.ts';
import type { PeerOptions } from '../../src/raft/peer-open.ts';
import type { RaftPeer } from '../../src/raft/peer.ts';
import type { ProposeOutcome } from '../../src/raft/proposer.ts';
import { PeerTransport } from '../../src/raft/transport.ts';
import { asClusterId, asPeerId } from '../../src/raft/types.ts';
import type { PeerId } from '../../src/raft/types.ts';
import { ListMachine } from '../../src/raft/testing/peer.ts';

const CLUSTER = asClusterId('real');
const TIMEOUT_MS = 20_000;

export interface RunningPeer {
  readonly id: PeerId;
  readonly peer: RaftPeer;
  readonly machine: ListMachine;
  /** Set when it has stopped by itself. */
  failure: Error | undefined;
}

export class RealCluster {
  readonly root = mkdtempSync(join(tmpdir(), 'cachectl-raft-'));
  readonly running = new Map<string, RunningPeer>();
  readonly #addresses = new Map<PeerId, Address>();
  readonly #options: Partial<PeerOptions>;

  constructor(options: Partial<PeerOptions> = {}) {
    this.#options = options;
  }

  get peers(): readonly RunningPeer[] {
    return [...this.running.values()];
  }

  get leader(): RunningPeer | undefined {
    return this.peers
      .filter(({ peer }) => !peer.status().isStopped && peer.status().role === 'leader')
      .sort((a, b) => b.peer.status().term - a.peer.status().term)
      .at(0);
  }

  addressOf(name: string): Address {
    const address = this.#addresses.get(asPeerId(name));
    if (address === undefined) throw new Error(`${name} has no address`);
    return address;
  }

  /** Finds free ports for these, so that all know where the others will be. */
  async reserve(names: readonly string[]): Promise<void> {
    const ports = await freePorts(names.length);
    names.forEach((name, at) => {
      this.#addresses.set(asPeerId(name), { host: '127.0.0.1', port: ports[at] });
    });
  }

  /** The voters of a new cluster. */
  async begin(names: readonly string[]): Promise<void> {
    await this.reserve(names);
    const bootstrap = this.voters(names);
    for (const name of names) await this.start(name, { bootstrap });
  }

  voters(names: readonly string[]): ReadonlyMap<PeerId, Address> {
    return new Map(names.map((name) => [asPeerId(name), this.addressOf(name)]));
  }

  /** Starts or restarts a peer over its own directory. Rejects where that is refused. */
  async start(
    name: string,
    options: Partial<PeerOptions> = {},
    wrapDisk: (disk: Disk) => Disk = (disk) => disk,
  ): Promise<RunningPeer> {
    const id = asPeerId(name);
    const address = this.addressOf(name);
    const real = createRuntime({ dataDirectory: this.root, log: { level: 'error' } });
    const runtime: Runtime = { ...real, disk: wrapDisk(real.disk) };
    const machine = new ListMachine();
    const failures: Error[] = [];
    let transport: PeerTransport | undefined;
    const peer = await new Promise<RaftPeer>((resolve, reject) => {
      openPeer(
        {
          runtime,
          cluster: CLUSTER,
          peer: id,
          directory: name,
          stateMachine: machine,
          transport: (store) =>
            (transport = new PeerTransport(runtime, {
              cluster: CLUSTER,
              peer: id,
              store,
              address,
            })),
          ...this.#options,
          ...options,
          observer: { onFailure: (error) => failures.push(error) },
        },
        (opening) => (opening.error === undefined ? resolve(opening.peer) : reject(opening.error)),
      );
    });
    await new Promise<void>((resolve, reject) => {
      transport?.listen(address, (error) => (error === undefined ? resolve() : reject(error)));
    });
    const started: RunningPeer = {
      id,
      peer,
      machine,
      get failure() {
        return failures.at(0);
      },
    };
    this.running.set(name, started);
    return started;
  }

  async stop(name: string): Promise<void> {
    const found = this.running.get(name);
    this.running.delete(name);
    await new Promise<void>((resolve) => {
      if (found === undefined) resolve();
      else found.peer.stop(resolve);
    });
  }

  async close(): Promise<void> {
    for (const name of this.running.keys()) await this.stop(name);
    rmSync(this.root, { recursive: true, force: true });
  }

  propose(name: string, command: string, timeoutMs = 10_000): Promise<ProposeOutcome> {
    const bytes = new TextEncoder().encode(command);
    const { peer } = this.#runningPeer(name);
    return new Promise((resolve) => {
      peer.propose(bytes, timeoutMs, resolve);
    });
  }

  /** The commands that a linearizable read at this peer sees. */
  async read(name: string): Promise<readonly string[]> {
    const { peer, machine } = this.#runningPeer(name);
    for (;;) {
      const seen = await new Promise<readonly string[] | undefined>((resolve) => {
        peer.read(({ kind }) => resolve(kind === 'ready' ? [...machine.commands] : undefined));
      });
      if (seen !== undefined) return seen;
      await pause(50);
    }
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`it does not come true that ${what}`);
      await pause(20);
    }
  }

  #runningPeer(name: string): RunningPeer {
    const found = this.running.get(name);
    if (found === undefined) throw new Error(`${name} does not run`);
    return found;
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Ports on which nobody listens now. All are held until the last is found, so no two are equal. */
export async function freePorts(count: number): Promise<number[]> {
  const { network } = createRuntime();
  const listeners: Listener[] = [];
  for (let found = 0; found < count; found++) {
    listeners.push(
      await new Promise<Listener>((resolve, reject) => {
        network.listen(
          { host: '127.0.0.1', port: 0 },
          {
            onListening: resolve,
            onConnection: (connection) => connection.destroy(),
            onError: reject,
          },
        );
      }),
    );
  }
  await Promise.all(
    listeners.map((listener) => new Promise<void>((resolve) => listener.close(resolve))),
  );
  return listeners.map(({ address }) => address.port);
}
