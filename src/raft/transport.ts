/**
 * Messages between peers, over the seam's network.
 *
 * Each peer makes one connection to each other one and sends on that; it takes messages from those
 * that others have made. A message arrives once or not at all, and unaltered; messages on one
 * connection arrive in order. What cannot go out is dropped and said to be.
 *
 * Reading order: `transport-codec.ts` (a message's bytes), `transport-frames.ts` (what is said on a
 * connection), `transport-outbound.ts`, `transport-inbound.ts`, and this (who talks to whom).
 */
import { invariant } from '../runtime/index.ts';
import type { Address, Connection, Done, Listener, Runtime } from '../runtime/index.ts';
import type { Transport, TransportHandler } from './stores.ts';
import { encodeMessage } from './transport-codec.ts';
import { type Hello, VERSION_MAX, VERSION_MIN } from './transport-frames.ts';
import { Inbound, type InboundLimits } from './transport-inbound.ts';
import { Outbound, type OutboundLimits } from './transport-outbound.ts';
import type { ClusterId, Message, PeerId } from './types.ts';

export interface TransportLimits extends InboundLimits, OutboundLimits {
  /** Connections that others have made, greeted or not. */
  readonly inboundMax: number;
}

export const TRANSPORT_LIMITS: TransportLimits = Object.freeze({
  messageBytesMax: 16 * 1024 * 1024,
  greetingTimeoutMs: 2000,
  idleMaxMs: 10_000,
  queueBytesMax: 64 * 1024 * 1024,
  connectTimeoutMs: 2000,
  pingIntervalMs: 1000,
  silenceMaxMs: 3000,
  retryMinMs: 50,
  retryMaxMs: 2000,
  inboundMax: 256,
});

export interface TransportOptions {
  readonly cluster: ClusterId;
  readonly peer: PeerId;
  /** Names this peer's disk; see `OpenedLog.store`. */
  readonly store: Uint8Array;
  /** Where other peers reach this one. */
  readonly address: Address;
  readonly limits?: Partial<TransportLimits>;
}

type TransportRuntime = Pick<Runtime, 'clock' | 'log' | 'network' | 'random' | 'timers'>;

export class PeerTransport implements Transport {
  readonly #runtime: TransportRuntime;
  readonly #options: TransportOptions;
  readonly #limits: TransportLimits;
  readonly #store: string;
  readonly #outbound = new Map<PeerId, Outbound>();
  readonly #inbound = new Set<Inbound>();
  #peers: ReadonlyMap<PeerId, Address> = new Map();
  #handler: TransportHandler | undefined;
  #listener: Listener | undefined;
  #isStopped = false;

  constructor(runtime: TransportRuntime, options: TransportOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#limits = { ...TRANSPORT_LIMITS, ...options.limits };
    this.#store = Buffer.from(options.store).toString('hex');
  }

  start(handler: TransportHandler): void {
    this.#handler = handler;
  }

  /** Takes connections there. Where peers share a port with others, use `adopt` instead. */
  listen(address: Address, done: Done<Address>): void {
    let isListening = false;
    this.#runtime.network.listen(address, {
      onListening: (listener) => {
        isListening = true;
        this.#listener = listener;
        if (this.#isStopped) listener.close(() => undefined);
        done(undefined, listener.address);
      },
      onConnection: (connection) => this.adopt(connection),
      onError: (error) => {
        if (!isListening) done(error, address);
        else this.#runtime.log.write('error', 'peers cannot connect', { reason: error.message });
      },
    });
  }

  /**
   * Takes over a connection on which a peer has begun to speak.
   *
   * @param received what it has said so far.
   */
  adopt(connection: Connection, received = new Uint8Array(0)): void {
    if (this.#isStopped || this.#inbound.size >= this.#limits.inboundMax) {
      connection.destroy();
      return;
    }
    const inbound: Inbound = new Inbound(
      this.#runtime,
      this.#limits,
      this.#store,
      {
        judge: (hello) => this.#judge(hello),
        onMessage: (message) => this.#handler?.onMessage(message),
        onClose: () => this.#onInboundClosed(inbound),
      },
      connection,
    );
    this.#inbound.add(inbound);
    inbound.take(received, 0, received.length);
  }

  send(message: Message): void {
    const { cluster, peer } = this.#options;
    invariant(message.cluster === cluster && message.from === peer, 'a peer speaks for itself');
    invariant(message.to !== peer, 'a peer sends itself no messages');
    if (this.#isStopped) return;
    const outbound = this.#outboundTo(message.to);
    if (outbound !== undefined) outbound.send(encodeMessage(message));
    else this.#runtime.timers.defer(() => this.#handler?.onUnreachable(message.to));
  }

  setPeers(peers: ReadonlyMap<PeerId, Address>): void {
    this.#peers = peers;
    if (this.#isStopped) return;
    for (const [peer, outbound] of this.#outbound) {
      const address = this.#addressOf(peer);
      if (address !== undefined && isSame(address, outbound.address)) continue;
      this.#outbound.delete(peer);
      outbound.end();
    }
    for (const peer of peers.keys()) this.#outboundTo(peer);
  }

  stop(done: () => void): void {
    this.#isStopped = true;
    for (const outbound of this.#outbound.values()) outbound.end();
    this.#outbound.clear();
    for (const inbound of this.#inbound) inbound.end();
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) this.#runtime.timers.defer(done);
    else listener.close(done);
  }

  #outboundTo(peer: PeerId): Outbound | undefined {
    const existing = this.#outbound.get(peer);
    if (existing !== undefined) return existing;
    const address = this.#addressOf(peer);
    if (address === undefined || peer === this.#options.peer) return undefined;
    const hello: Hello = {
      versionMin: VERSION_MIN,
      versionMax: VERSION_MAX,
      cluster: this.#options.cluster,
      from: this.#options.peer,
      to: peer,
      store: this.#store,
      address: this.#options.address,
    };
    const outbound = new Outbound(this.#runtime, this.#limits, hello, address, () => {
      if (!this.#isStopped) this.#handler?.onUnreachable(peer);
    });
    this.#outbound.set(peer, outbound);
    return outbound;
  }

  /**
   * Of a peer that this one's configuration does not name, where it said that it is: a peer that
   * joins has heard of nobody, and must answer the leader all the same.
   */
  #addressOf(peer: PeerId): Address | undefined {
    return this.#peers.get(peer) ?? this.#inboundFrom(peer).at(-1)?.hello?.address;
  }

  #inboundFrom(peer: PeerId): Inbound[] {
    return [...this.#inbound].filter(({ hello }) => hello?.from === peer);
  }

  #judge({ cluster, from, to, store }: Hello): string | undefined {
    const own = this.#options;
    if (cluster !== own.cluster) {
      return `this is a peer of cluster ${own.cluster}, and not of ${cluster}: correct the address of ${to}, or the name of the cluster`;
    }
    if (to !== own.peer) {
      return `this is peer ${own.peer}, and not ${to}: correct the address of ${to}`;
    }
    const other = this.#inboundFrom(from).find(({ hello }) => hello?.store !== store);
    if (other === undefined) return undefined;
    return `another peer named ${from} is connected, with other data: stop one of the two, and give it a name of its own`;
  }

  #onInboundClosed(inbound: Inbound): void {
    this.#inbound.delete(inbound);
    const peer = inbound.hello?.from;
    if (peer === undefined || this.#addressOf(peer) !== undefined) return;
    this.#outbound.get(peer)?.end();
    this.#outbound.delete(peer);
  }
}

function isSame(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port;
}
