/** An attempt to connect: both directions of the link must pass, or it is tried again. */
import { SystemError } from '../runtime/index.ts';
import type { Address, ConnectAttempt, ConnectHandler } from '../runtime/index.ts';
import type { Endpoint } from './connection.ts';
import type { SimEvent } from './event-queue.ts';
import type { Link, SimNetwork } from './network.ts';
import type { SimProcess } from './process.ts';

/** How long until the first second try; doubles each time. */
const RETRY_US = 1_000_000;
const UNKNOWN_HOST_US = 1000;

export class Dial implements ConnectAttempt {
  readonly #network: SimNetwork;
  readonly #process: SimProcess;
  readonly #life: number;
  readonly #local: Address;
  readonly #remote: Address;
  readonly #handler: ConnectHandler;
  #pending: SimEvent | undefined;
  /** There already, while the dialling process has not been told yet. */
  #connected: Endpoint | undefined;

  constructor(
    network: SimNetwork,
    process: SimProcess,
    local: Address,
    remote: Address,
    handler: ConnectHandler,
  ) {
    this.#network = network;
    this.#process = process;
    this.#life = process.life;
    this.#local = local;
    this.#remote = remote;
    this.#handler = handler;
    if (!process.admitEffect()) return;
    const target = network.simulation.processNamed(remote.host);
    if (target === undefined) {
      this.#fail(UNKNOWN_HOST_US, 'ENOTFOUND');
      return;
    }
    const link = network.link(process, target);
    const connection = (link.connections += 1);
    const delayUs = network.handshakeUs(link, connection, 0);
    this.#later(delayUs, () => this.#knock(link, connection, RETRY_US));
  }

  cancel(): void {
    if (this.#pending?.run === undefined) return;
    this.#pending.run = undefined;
    this.#connected?.destroy();
  }

  #knock(link: Link, connection: number, waitUs: number): void {
    const back = this.#network.link(link.to, link.from);
    if (link.cuts > 0 || back.cuts > 0 || !link.to.hasPower) {
      const spentUs = waitUs - RETRY_US;
      if (spentUs >= this.#network.settings.giveUpUs) this.#fail(0, 'ETIMEDOUT');
      else this.#later(waitUs, () => this.#knock(link, connection, waitUs * 2));
      return;
    }
    const answerUs = this.#network.handshakeUs(back, connection, 1);
    const listening = this.#network.listeningAt(link.to, this.#remote.port);
    if (listening === undefined) {
      this.#fail(answerUs, 'ECONNREFUSED');
      return;
    }
    const connected = this.#network.join(listening, link, connection, this.#local, this.#remote);
    this.#connected = connected;
    this.#pending = this.#process.schedule(answerUs, 'connected', () => {
      this.#connected = undefined;
      this.#handler.onConnect(connected);
    });
  }

  #fail(delayUs: number, code: string): void {
    const { host, port } = this.#remote;
    const error = new SystemError(code, `connect ${code} ${host}:${port}`);
    this.#pending = this.#process.schedule(delayUs, 'refused', () => this.#handler.onError(error));
  }

  /** In the network's time: a process that is paused does not hold it up. */
  #later(delayUs: number, run: () => void): void {
    const { queue } = this.#network.simulation;
    this.#pending = queue.schedule(delayUs, () => {
      if (this.#process.life === this.#life && this.#process.status !== 'down') run();
    });
  }
}
