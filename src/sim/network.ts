/**
 * A network of byte streams between simulated processes, with the faults of real ones.
 *
 * - Each direction of a connection is a pipe: its bytes arrive complete and in order, or not at
 *   all. Bytes of different connections overtake each other freely.
 * - A link is all that goes from one process to another. It may be cut (nothing passes, for long
 *   enough the sender gives up with `ETIMEDOUT`, and the receiver never hears of it), or be slow.
 *   To connect, both directions must pass.
 * - A cut does not lose bytes: they wait, as TCP's retransmission makes them.
 */
import { OutputBuffer, SystemError } from '../runtime/index.ts';
import type { Address, ListenHandler, Network } from '../runtime/index.ts';
import { Endpoint, joinEndpoints, type Pipe } from './connection.ts';
import { Dial } from './dial.ts';
import { NEVER, type Ratio, type Stream } from './keyed-random.ts';
import { latencyUs, type Latency } from './latency.ts';
import type { SimProcess } from './process.ts';
import type { Simulation } from './simulation.ts';

export interface NetworkSettings {
  readonly latency: Latency;
  /** A packet is lost: it arrives only when it is sent again, 200 ms or more later. */
  readonly loss: Ratio;
  /** A connection breaks as bytes are sent: both sides are told. */
  readonly reset: Ratio;
  /** Bytes arrive in two pieces. */
  readonly split: Ratio;
  /** One bit of what arrives is another one. */
  readonly bitFlip: Ratio;
  /** What a connection carried first arrives once more, later, as a new connection. */
  readonly replay: Ratio;
  /** How long bytes wait at a cut before the sender gives up. */
  readonly giveUpUs: number;
}

/** One that does nothing but take a tenth of a millisecond. */
export const CALM_NETWORK = Object.freeze<NetworkSettings>({
  latency: { shape: 'uniform', minUs: 100, spreadUs: 0 },
  loss: NEVER,
  reset: NEVER,
  split: NEVER,
  bitFlip: NEVER,
  replay: NEVER,
  giveUpUs: 5_000_000,
});

/** How long a first packet waits for its second sending; doubles each time. */
const RETRANSMIT_US = 200_000;
const RETRANSMIT_DOUBLINGS_MAX = 4;
const EPHEMERAL_PORT_FIRST = 49_152;
/** How much of a connection is kept to be replayed. */
const REPLAY_BYTES_MAX = 16 * 1024;

/** All that goes from one process to another. */
export class Link {
  readonly from: SimProcess;
  readonly to: SimProcess;
  /** How many faults cut it now. */
  cuts = 0;
  /** Bytes a millisecond; 0: without bound. */
  bytesPerMs = 0;
  extraUs = 0;
  freeAtUs = 0;
  connections = 0;
  readonly pipes = new Set<Pipe>();

  constructor(from: SimProcess, to: SimProcess) {
    this.from = from;
    this.to = to;
  }

  /** A number that names this pair of processes in draws. */
  get key(): number {
    return this.from.id * 64 + this.to.id;
  }
}

export interface Listening {
  readonly process: SimProcess;
  readonly life: number;
  readonly handler: ListenHandler;
}

export class SimNetwork {
  settings: NetworkSettings;
  readonly simulation: Simulation;
  readonly #stream: Stream;
  readonly #links = new Map<number, Link>();
  readonly #listening = new Map<string, Listening>();
  readonly #endpoints = new Map<SimProcess, Set<Endpoint>>();
  #ports = EPHEMERAL_PORT_FIRST;

  constructor(simulation: Simulation, settings: NetworkSettings) {
    this.simulation = simulation;
    this.settings = settings;
    this.#stream = simulation.stream('network');
  }

  link(from: SimProcess, to: SimProcess): Link {
    const key = from.id * 64 + to.id;
    let link = this.#links.get(key);
    if (link === undefined) {
      link = new Link(from, to);
      this.#links.set(key, link);
    }
    return link;
  }

  cut(link: Link): void {
    link.cuts += 1;
  }

  /** Undoes one `cut`; what waited is sent on once nothing else cuts the link. */
  heal(link: Link): void {
    link.cuts -= 1;
    if (link.cuts === 0) this.#release(link);
  }

  /** Undoes all cuts and slowness of a link. */
  repair(link: Link): void {
    link.cuts = 0;
    link.bytesPerMs = 0;
    link.extraUs = 0;
    this.#release(link);
  }

  /** Breaks the connections between two processes: both sides are told. */
  resetConnections(a: SimProcess, b: SimProcess): void {
    for (const endpoint of this.#between(a, b)) endpoint.fail('ECONNRESET');
  }

  /** What connections between two processes carry from now on is lost, and nobody is told. */
  loseConnections(a: SimProcess, b: SimProcess): void {
    for (const endpoint of this.#between(a, b)) endpoint.out.isLost = true;
  }

  /** A process has started: what waited for its machine gets an answer now. */
  hostChanged(process: SimProcess): void {
    for (const link of this.#links.values()) if (link.to === process) this.#release(link);
  }

  processKilled(process: SimProcess): void {
    this.#stopListening(process);
    for (const endpoint of this.#take(process)) endpoint.abandon(true);
  }

  powerLost(process: SimProcess): void {
    this.#stopListening(process);
    for (const endpoint of this.#take(process)) endpoint.abandon(false);
  }

  /** The seam's network, as one life of a process has it. */
  portOf(process: SimProcess): Network {
    return {
      listen: (address, handler) => this.#listen(process, address, handler),
      connect: (address, handler) => {
        const local = { host: process.name, port: (this.#ports += 1) };
        return new Dial(this, process, local, address, handler);
      },
    };
  }

  /** When bytes sent now on `pipe` arrive, and whether they break it. */
  schedulePiece(pipe: Pipe, bytes: number): { dueUs: number; isReset: boolean } {
    const { settings } = this;
    const { link, key, pieces } = pipe;
    const now = this.simulation.queue.nowUs;
    let leaves = now;
    if (link.bytesPerMs > 0) {
      leaves = Math.max(now, link.freeAtUs) + Math.ceil((bytes * 1000) / link.bytesPerMs);
      link.freeAtUs = leaves;
    }
    let dueUs =
      leaves + link.extraUs + latencyUs(settings.latency, this.#stream.uint32(key, pieces));
    if (settings.loss[0] > 0) dueUs += this.#lossUs(key, pieces);
    const isReset = settings.reset[0] > 0 && this.#stream.chance(settings.reset, key, pieces, 2);
    return { dueUs, isReset };
  }

  /** Where to cut what arrives, 0: nowhere. */
  splitAt(pipe: Pipe, bytes: number): number {
    const { split } = this.settings;
    if (split[0] === 0 || bytes < 2) return 0;
    if (!this.#stream.chance(split, pipe.key, pipe.arrivals, 3)) return 0;
    return 1 + this.#stream.below(Math.min(bytes - 1, 0x10_0000), pipe.key, pipe.arrivals, 4);
  }

  /** Flips a bit where the settings say so. */
  corrupt(pipe: Pipe, bytes: Uint8Array, length: number): void {
    const { bitFlip } = this.settings;
    if (bitFlip[0] === 0 || !this.#stream.chance(bitFlip, pipe.key, pipe.arrivals, 5)) return;
    const bit = this.#stream.below(Math.min(length * 8, 0x20_0000), pipe.key, pipe.arrivals, 6);
    bytes[bit >> 3] ^= 1 << (bit & 7);
    this.simulation.reachable('network: a bit flipped');
  }

  /** How a broken-off connection ends at the other side: in order, or with a reset. */
  endsWithReset(pipe: Pipe): boolean {
    return this.#stream.chance([1, 2], pipe.key, pipe.pieces, 7);
  }

  forget(endpoint: Endpoint): void {
    this.#endpoints.get(endpoint.process)?.delete(endpoint);
  }

  #listen(process: SimProcess, { host, port }: Address, handler: ListenHandler): void {
    if (!process.admitEffect()) return;
    const address = { host, port: port === 0 ? (this.#ports += 1) : port };
    const name = `${process.name}:${address.port}`;
    if (this.#listening.has(name)) {
      const error = new SystemError('EADDRINUSE', `EADDRINUSE: ${name} is taken`);
      process.schedule(0, 'listen', () => handler.onError(error));
      return;
    }
    this.#listening.set(name, { process, life: process.life, handler });
    const listener = {
      address,
      close: (done: () => void) => {
        this.#listening.delete(name);
        process.schedule(0, 'listener closed', done);
      },
    };
    process.schedule(0, 'listen', () => handler.onListening(listener));
  }

  /** How long a piece of a handshake takes; `step` tells those of one connection apart. */
  handshakeUs(link: Link, connection: number, step: number): number {
    const draw = this.#stream.uint32(link.key * 0x10000 + connection, step, 8);
    return link.extraUs + latencyUs(this.settings.latency, draw);
  }

  /** Who listens at an address. */
  listeningAt(process: SimProcess, port: number): Listening | undefined {
    return this.#listening.get(`${process.name}:${port}`);
  }

  /** Makes the two ends of a connection, and hands the listener's to it. */
  join(
    listening: Listening,
    link: Link,
    connection: number,
    client: Address,
    server: Address,
  ): Endpoint {
    const dialled = new Endpoint(this, link.from, client, server);
    const accepted = new Endpoint(this, link.to, server, client);
    joinEndpoints(this, this.#bothWays(link), dialled, accepted, connection);
    this.#keep(dialled);
    this.#accept(listening, accepted);
    this.#scheduleReplay(listening, dialled.out, connection);
    return dialled;
  }

  #accept({ process, life, handler }: Listening, accepted: Endpoint): void {
    this.#keep(accepted);
    process.enter(life, 'accept', () => handler.onConnection(accepted));
  }

  #scheduleReplay(listening: Listening, original: Pipe, connection: number): void {
    const {
      link,
      to: { local, remote },
    } = original;
    const key = link.key * 0x10000 + connection;
    if (!this.#stream.chance(this.settings.replay, key, 9)) return;
    const kept = new OutputBuffer(1024);
    original.tap = (bytes) => {
      kept.append(bytes, 0, Math.min(bytes.length, REPLAY_BYTES_MAX - kept.length));
    };
    const delayUs = this.#stream.between(20_000, 2_000_000, key, 10);
    this.simulation.queue.schedule(delayUs, () => {
      original.tap = undefined;
      const { process, life } = listening;
      if (process.life !== life || process.status === 'down' || kept.length === 0) return;
      const ghost = new Endpoint(this, link.from, remote, local);
      const accepted = new Endpoint(this, process, local, remote);
      joinEndpoints(this, this.#bothWays(link), ghost, accepted, (link.connections += 1));
      ghost.beGhost();
      this.#accept(listening, accepted);
      ghost.out.send(kept);
      ghost.out.end('end');
      this.simulation.reachable('network: bytes arrived twice');
    });
  }

  #lossUs(key: number, piece: number): number {
    let us = 0;
    for (let tries = 0; tries <= RETRANSMIT_DOUBLINGS_MAX; tries += 1) {
      if (!this.#stream.chance(this.settings.loss, key, piece, 16 + tries)) break;
      us += RETRANSMIT_US << tries;
    }
    return us;
  }

  #bothWays(link: Link): [Link, Link] {
    return [link, this.link(link.to, link.from)];
  }

  #release(link: Link): void {
    for (const pipe of link.pipes) pipe.release();
  }

  #stopListening(process: SimProcess): void {
    for (const [name, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(name);
    }
  }

  #keep(endpoint: Endpoint): void {
    const kept = this.#endpoints.get(endpoint.process);
    if (kept === undefined) this.#endpoints.set(endpoint.process, new Set([endpoint]));
    else kept.add(endpoint);
  }

  #take(process: SimProcess): Set<Endpoint> {
    const taken = this.#endpoints.get(process) ?? new Set();
    this.#endpoints.set(process, new Set());
    return taken;
  }

  #between(a: SimProcess, b: SimProcess): Endpoint[] {
    const all = [...(this.#endpoints.get(a) ?? []), ...(this.#endpoints.get(b) ?? [])];
    return all.filter(
      ({ out }) =>
        (out.link.from === a && out.link.to === b) || (out.link.from === b && out.link.to === a),
    );
  }
}
