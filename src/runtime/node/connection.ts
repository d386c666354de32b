/**
 * A TCP connection on its handle: reads into one array that all connections share, writes straight
 * from the caller's output buffer.
 *
 * The socket object stays the handle's owner and does what is rare: options, half-closing,
 * destroying. It never reads or writes itself.
 */
import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import {
  SystemError,
  type Address,
  type Connection,
  type ConnectionHandler,
  type OutputBuffer,
} from '../ports.ts';
import {
  createWriteRequest,
  handleOf,
  lastReadResult,
  lastWriteWasAsync,
  type StreamHandle,
  type WriteRequest,
} from './stream-binding.ts';

/** All connections of the process read into this; it is free again when `onData` returns. */
const input = new Uint8Array(64 * 1024);

/** After our side has finished, how long to wait for the peer to finish too. */
const LINGER_MS = 1000;

/** Used for the next write, and again for the one after it unless the kernel made it wait. */
let spareRequest: WriteRequest = createWriteRequest();

const noHandler: ConnectionHandler = {
  onData() {},
  onDrain() {},
  onEnd() {},
  onClose() {},
};

export class HandleConnection implements Connection {
  readonly local: Address;
  readonly remote: Address;
  readonly #socket: Socket;
  readonly #handle: StreamHandle;
  #handler: ConnectionHandler = noHandler;
  #writesPending = 0;
  #started = false;
  #paused = false;
  #ended = false;
  #closing = false;
  #closed = false;
  #error: SystemError | undefined;

  /** @param socket connected, with reading not begun */
  constructor(socket: Socket, handle: StreamHandle) {
    this.#socket = socket;
    this.#handle = handle;
    this.local = { host: socket.localAddress ?? '', port: socket.localPort ?? 0 };
    this.remote = { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    handle.useUserBuffer(input);
    handle.onread = () => this.#onRead(lastReadResult());
    socket.on('error', (error) => (this.#error ??= toSystemError(error)));
    socket.on('close', () => this.#onClosed());
  }

  get bytesQueued(): number {
    return this.#writesPending === 0 ? 0 : this.#handle.writeQueueSize;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#started) return;
    this.#started = true;
    // Nobody could be told when it closed. Later, so that the caller is never called back within.
    if (this.#closed) setImmediate(() => this.#handler.onClose(this.#error));
    else if (!this.#paused) this.#handle.readStart();
  }

  send(output: OutputBuffer): void {
    if (this.#closing || this.#closed || output.length === 0) {
      output.clear();
      return;
    }
    const bytes = output.view();
    const request = spareRequest;
    const status = this.#handle.writeBuffer(request, bytes);
    if (status !== 0) {
      output.clear();
      this.#fail(status, 'write');
    } else if (lastWriteWasAsync()) {
      spareRequest = createWriteRequest();
      request.buffer = bytes;
      request.oncomplete = (result) => this.#onWritten(result);
      this.#writesPending++;
      output.release();
    } else {
      output.clear();
    }
  }

  pause(): void {
    if (this.#paused || this.#closing) return;
    this.#paused = true;
    if (this.#started && !this.#closed) this.#handle.readStop();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#started && !this.#closed && !this.#ended) this.#handle.readStart();
  }

  close(): void {
    if (this.#closing || this.#closed) return;
    this.#closing = true;
    if (this.#writesPending === 0) this.#finish();
  }

  destroy(): void {
    this.#closing = true;
    this.#socket.destroy();
  }

  #onRead(result: number): void {
    if (result > 0) {
      if (!this.#closing) this.#handler.onData(input, 0, result);
    } else if (result < 0) {
      this.#onReadEnd(result);
    }
  }

  #onReadEnd(result: number): void {
    if (getSystemErrorName(result) !== 'EOF') {
      this.#fail(result, 'read');
      return;
    }
    this.#ended = true;
    this.#handle.readStop();
    if (this.#closing) {
      if (this.#writesPending === 0) this.#socket.destroy();
    } else {
      this.#handler.onEnd();
    }
  }

  #onWritten(status: number): void {
    this.#writesPending--;
    if (status !== 0) {
      this.#fail(status, 'write');
    } else if (this.#writesPending === 0 && !this.#closed) {
      if (this.#closing) this.#finish();
      else this.#handler.onDrain();
    }
  }

  /**
   * Ends our side, and reads on until the peer ends its own: closing with unread input would make
   * the kernel reset the connection, and the peer lose the last reply.
   */
  #finish(): void {
    this.#socket.end(() => {
      if (this.#ended) this.#socket.destroy();
      else this.#lingerBriefly();
    });
  }

  #lingerBriefly(): void {
    if (this.#closed) return;
    if (this.#started) this.#handle.readStart();
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #fail(status: number, call: string): void {
    const code = getSystemErrorName(status);
    this.#error ??= new SystemError(code, `${call} ${code}`);
    this.#socket.destroy();
  }

  #onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handler.onClose(this.#error);
  }
}

/** A connection over a connected socket; undefined where the peer has gone already. */
export function connectionOver(socket: Socket): HandleConnection | undefined {
  const handle = handleOf(socket);
  return handle === undefined ? undefined : new HandleConnection(socket, handle);
}

export function toSystemError(error: NodeJS.ErrnoException): SystemError {
  return new SystemError(error.code ?? 'EIO', error.message);
}
