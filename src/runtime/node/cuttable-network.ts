/**
 * A network that can be cut in two, with this process alone on one side.
 *
 * While it is cut nothing leaves and nothing is read, on all connections that are there and on new
 * ones: what is sent waits here, what others send waits in the kernel, and nobody is told. So both
 * sides see what they would see of a cable that is pulled, silence, and have to come to their own
 * conclusions. Once it heals the bytes go on where they were, as TCP's retransmissions would.
 *
 * One thing differs from a cable: the kernel accepts connections meanwhile. They are as silent.
 */
import {
  OutputBuffer,
  type Address,
  type ConnectAttempt,
  type ConnectHandler,
  type Connection,
  type ConnectionHandler,
  type ListenHandler,
  type Network,
  type SystemError,
} from '../ports.ts';

export class CuttableNetwork implements Network {
  readonly #network: Network;
  readonly #isSpared: (address: Address) => boolean;
  readonly #connections = new Set<CuttableConnection>();
  /** What is done once it heals, in order. */
  #waiting: Array<() => void> = [];
  #isCut = false;

  /** @param isSpared listens at this address as if nothing were: for clients, say */
  constructor(network: Network, isSpared: (address: Address) => boolean) {
    this.#network = network;
    this.#isSpared = isSpared;
  }

  /** Until `heal`. */
  cut(): void {
    this.#isCut = true;
    for (const connection of this.#connections) connection.hold();
  }

  heal(): void {
    this.#isCut = false;
    for (const connection of this.#connections) connection.release();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const action of waiting) this.#onceWhole(action);
  }

  listen(address: Address, handler: ListenHandler): void {
    if (this.#isSpared(address)) {
      this.#network.listen(address, handler);
      return;
    }
    this.#network.listen(address, {
      onListening: (listener) => handler.onListening(listener),
      onConnection: (connection) =>
        this.#onceWhole(() => handler.onConnection(this.#cuttable(connection))),
      onError: (error) => handler.onError(error),
    });
  }

  connect(address: Address, handler: ConnectHandler): ConnectAttempt {
    let isCancelled = false;
    let attempt: ConnectAttempt | undefined;
    const onConnect = (connection: Connection): void => {
      if (isCancelled) connection.destroy();
      else handler.onConnect(this.#cuttable(connection));
    };
    const onError = (error: SystemError): void => {
      if (!isCancelled) handler.onError(error);
    };
    this.#onceWhole(() => {
      if (isCancelled) return;
      attempt = this.#network.connect(address, {
        onConnect: (connection) => this.#onceWhole(() => onConnect(connection)),
        onError: (error) => this.#onceWhole(() => onError(error)),
      });
    });
    const cancel = (): void => {
      isCancelled = true;
      attempt?.cancel();
    };
    return { cancel };
  }

  #onceWhole(action: () => void): void {
    if (this.#isCut) this.#waiting.push(action);
    else action();
  }

  #cuttable(connection: Connection): Connection {
    const cuttable: CuttableConnection = new CuttableConnection(connection, () =>
      this.#connections.delete(cuttable),
    );
    this.#connections.add(cuttable);
    return cuttable;
  }
}

class CuttableConnection implements Connection {
  readonly #connection: Connection;
  readonly #onGone: () => void;
  #handler: ConnectionHandler | undefined;
  #isHeld = false;
  #isPaused = false;
  /** What its owner has done with it while it was held. */
  #end: 'close' | 'destroy' | undefined;
  readonly #outgoing = new OutputBuffer(1024);

  constructor(connection: Connection, onGone: () => void) {
    this.#connection = connection;
    this.#onGone = onGone;
  }

  get local(): Address {
    return this.#connection.local;
  }

  get remote(): Address {
    return this.#connection.remote;
  }

  get bytesQueued(): number {
    return this.#outgoing.length + this.#connection.bytesQueued;
  }

  hold(): void {
    this.#isHeld = true;
    this.#connection.pause();
  }

  release(): void {
    this.#isHeld = false;
    if (this.#end === 'destroy') {
      this.#connection.destroy();
      return;
    }
    const hadOutput = this.#outgoing.length > 0;
    if (hadOutput) this.#connection.send(this.#outgoing);
    if (this.#end === 'close') this.#connection.close();
    else if (hadOutput && this.#connection.bytesQueued === 0) this.#handler?.onDrain();
    if (!this.#isPaused) this.#connection.resume();
  }

  start(handler: ConnectionHandler): void {
    const isFirst = this.#handler === undefined;
    this.#handler = handler;
    if (!isFirst) return;
    this.#connection.start({
      onData: (bytes, start, end) => this.#handler?.onData(bytes, start, end),
      onDrain: () => {
        if (this.#outgoing.length === 0) this.#handler?.onDrain();
      },
      onEnd: () => this.#handler?.onEnd(),
      onClose: (error) => this.#onClose(error),
    });
  }

  send(output: OutputBuffer): void {
    if (!this.#isHeld) {
      this.#connection.send(output);
      return;
    }
    if (this.#end === undefined) this.#outgoing.append(output.view());
    output.clear();
  }

  pause(): void {
    this.#isPaused = true;
    this.#connection.pause();
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isHeld) this.#connection.resume();
  }

  close(): void {
    if (this.#isHeld) this.#end ??= 'close';
    else this.#connection.close();
  }

  destroy(): void {
    if (!this.#isHeld) {
      this.#connection.destroy();
      return;
    }
    if (this.#end === 'destroy') return;
    this.#end = 'destroy';
    this.#outgoing.clear();
    // Its owner is rid of it at once; the other side hears of it once it can.
    setImmediate(() => this.#tell(undefined));
  }

  #onClose(error: SystemError | undefined): void {
    this.#onGone();
    this.#tell(error);
  }

  #tell(error: SystemError | undefined): void {
    const handler = this.#handler;
    this.#handler = undefined;
    handler?.onClose(error);
  }
}
