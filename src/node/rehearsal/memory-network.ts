/**
 * A network inside the process: connections between its own parts, which nobody outside can reach,
 * and which take no port of the machine.
 *
 * Takes all that is sent at once, so that whoever uses it must bound what is under way.
 */
import {
  SystemError,
  type Address,
  type ConnectAttempt,
  type ConnectHandler,
  type Connection,
  type ConnectionHandler,
  type ListenHandler,
  type Network,
  type OutputBuffer,
  type Timers,
} from '../../runtime/index.ts';

/** The first that is given where 0 is asked for. */
const PORT_FIRST = 1000;

export class MemoryNetwork implements Network {
  readonly #timers: Timers;
  readonly #listening = new Map<string, ListenHandler>();
  #nextPort = PORT_FIRST;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  listen({ host, port: wanted }: Address, handler: ListenHandler): void {
    const address = { host, port: wanted === 0 ? this.#nextPort++ : wanted };
    const key = keyOf(address);
    this.#timers.defer(() => {
      if (this.#listening.has(key)) {
        handler.onError(new SystemError('EADDRINUSE', `listen EADDRINUSE ${key}`));
        return;
      }
      this.#listening.set(key, handler);
      handler.onListening({
        address,
        close: (done) => {
          this.#listening.delete(key);
          this.#timers.defer(done);
        },
      });
    });
  }

  connect(to: Address, handler: ConnectHandler): ConnectAttempt {
    let isGivenUp = false;
    this.#timers.defer(() => {
      if (isGivenUp) return;
      const key = keyOf(to);
      const listener = this.#listening.get(key);
      if (listener === undefined) {
        handler.onError(new SystemError('ECONNREFUSED', `connect ECONNREFUSED ${key}`));
        return;
      }
      const from = { host: to.host, port: this.#nextPort++ };
      const [near, far] = MemoryConnection.pair(this.#timers, from, to);
      listener.onConnection(far);
      handler.onConnect(near);
    });
    return { cancel: () => (isGivenUp = true) };
  }
}

const keyOf = ({ host, port }: Address): string => `${host}:${port}`;

class MemoryConnection implements Connection {
  readonly local: Address;
  readonly remote: Address;
  readonly bytesQueued = 0;
  readonly #timers: Timers;
  #peer: MemoryConnection | undefined;
  #handler: ConnectionHandler | undefined;
  /** What has come and was not taken yet. */
  #inbox: Uint8Array[] = [];
  #isPaused = false;
  #willTake = false;
  /** The other side sends no more; and was told so. */
  #hasEnded = false;
  #isEndTold = false;
  /** This side sends no more. */
  #isClosing = false;
  #isClosed = false;

  private constructor(timers: Timers, local: Address, remote: Address) {
    this.#timers = timers;
    this.local = local;
    this.remote = remote;
  }

  static pair(timers: Timers, from: Address, to: Address): [MemoryConnection, MemoryConnection] {
    const near = new MemoryConnection(timers, from, to);
    const far = new MemoryConnection(timers, to, from);
    near.#peer = far;
    far.#peer = near;
    return [near, far];
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    this.#takeSoon();
  }

  send(output: OutputBuffer): void {
    const peer = this.#peer;
    if (!this.#isClosing && peer !== undefined && !peer.#isClosed) {
      peer.#inbox.push(output.view().slice());
      peer.#takeSoon();
    }
    output.clear();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#takeSoon();
  }

  close(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    if (this.#peer !== undefined) {
      this.#peer.#hasEnded = true;
      this.#peer.#takeSoon();
    }
    this.#takeSoon();
  }

  destroy(): void {
    const peer = this.#peer;
    if (peer !== undefined) peer.#closeSoon(new SystemError('ECONNRESET', 'read ECONNRESET'));
    this.#closeSoon(undefined);
  }

  #closeSoon(error: SystemError | undefined): void {
    this.#isClosing = true;
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#inbox = [];
    this.#timers.defer(() => this.#handler?.onClose(error));
  }

  #takeSoon(): void {
    if (this.#willTake) return;
    this.#willTake = true;
    this.#timers.defer(() => {
      this.#willTake = false;
      this.#take();
    });
  }

  #take(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    while (!this.#isPaused && !this.#isClosed && this.#inbox.length > 0) {
      const [bytes] = this.#inbox.splice(0, 1);
      // One that is closing reads on, so that its peer can end in order.
      if (!this.#isClosing) handler.onData(bytes, 0, bytes.length);
    }
    if (this.#isClosed || this.#inbox.length > 0 || !this.#hasEnded) return;
    if (!this.#isEndTold) {
      this.#isEndTold = true;
      if (!this.#isClosing) handler.onEnd();
    }
    if (this.#isClosing) this.#closeSoon(undefined);
  }
}
