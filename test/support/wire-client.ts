/** A client that shows replies as the bytes they are, to compare two servers byte by byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeRequest } from '../../src/resp/index.ts';
import { OutputBuffer } from '../../src/runtime/index.ts';

export type Argument = string | Uint8Array;
export type Request = readonly Argument[];

const PUSH = 0x3e;

export class WireClient implements AsyncDisposable {
  /** Push messages, in order of arrival. */
  readonly pushes: Buffer[] = [];
  /** Set once the server has closed the connection. */
  isClosed = false;
  readonly #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #replies: Buffer[] = [];
  #wanted = 0;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.#take(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async to(port: number): Promise<WireClient> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    await once(socket, 'connect');
    return new WireClient(socket);
  }

  /** Sends requests in one piece; as many replies, or fewer where the connection was closed. */
  async exchange(requests: readonly Request[]): Promise<Buffer[]> {
    const out = new OutputBuffer();
    for (const request of requests) encodeRequest(out, request);
    return this.exchangeBytes(out.view(), requests.length);
  }

  async exchangeBytes(bytes: Uint8Array, replyCount: number): Promise<Buffer[]> {
    this.#wanted = replyCount;
    const arrived = new Promise<void>((resolve) => (this.#wake = resolve));
    if (!this.isClosed) {
      this.#socket.write(bytes);
      if (replyCount > this.#replies.length) await arrived;
    }
    return this.#replies.splice(0, replyCount);
  }

  /** The reply to one request. */
  async ask(...request: Argument[]): Promise<Buffer> {
    const [reply] = await this.exchange([request]);
    return reply ?? Buffer.from('(closed)');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy();
    if (!this.isClosed) await once(this.#socket, 'close');
  }

  #take(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    let start = 0;
    for (let end = replyEnd(this.#unread, 0); end !== -1; end = replyEnd(this.#unread, start)) {
      const reply = Buffer.from(this.#unread.subarray(start, end));
      if (reply[0] === PUSH) this.pushes.push(reply);
      else this.#replies.push(reply);
      start = end;
    }
    this.#unread = this.#unread.subarray(start);
    if (this.#replies.length >= this.#wanted) this.#wake();
  }
}

/** Where the reply that begins at `start` ends, or -1 where its end has not come. */
function replyEnd(bytes: Buffer, start: number): number {
  const lineEnd = bytes.indexOf('\r\n', start);
  if (lineEnd === -1) return -1;
  const type = String.fromCharCode(bytes[start]);
  const count = Number(bytes.subarray(start + 1, lineEnd).toString('latin1'));
  let end = lineEnd + 2;
  if ('$!='.includes(type)) {
    if (count < 0) return end;
    return end + count + 2 <= bytes.length ? end + count + 2 : -1;
  }
  if (!'*%~>|'.includes(type)) return end;
  for (let left = '%|'.includes(type) ? count * 2 : count; left > 0; left--) {
    end = replyEnd(bytes, end);
    if (end === -1) return -1;
  }
  return end;
}

/** The elements of an array, set, map or push, as the bytes they are. */
export function elementsOf(reply: Buffer): Buffer[] {
  const elements: Buffer[] = [];
  let start = reply.indexOf('\r\n') + 2;
  while (start < reply.length) {
    const end = replyEnd(reply, start);
    elements.push(reply.subarray(start, end));
    start = end;
  }
  return elements;
}
