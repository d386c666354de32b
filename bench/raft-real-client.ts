/** A client of the peers: one request at a time, on a connection to each of them. */
import { connect, type Socket } from 'node:net';
import { OutputBuffer } from '../src/runtime/index.ts';
import { encodeRequest, INCOMPLETE, type Reply, ReplyParser } from '../src/resp/index.ts';

/** `unsent`: nobody has got it. `lost`: nobody knows what came of it. */
export type Answer = { readonly reply: Reply } | 'unsent' | 'lost';

interface Line {
  readonly socket: Socket;
  readonly parser: ReplyParser;
  /** Whoever waits for the next reply. */
  settle: ((answer: Answer) => void) | undefined;
}

export class RealClient {
  readonly #lines = new Map<number, Line>();

  async call(port: number, args: readonly string[], timeoutMs: number): Promise<Answer> {
    const line = this.#lines.get(port) ?? (await this.#connect(port));
    if (line === undefined) return 'unsent';
    return new Promise<Answer>((resolve) => {
      const timer = setTimeout(() => this.#drop(port, line), timeoutMs);
      line.settle = (answer) => {
        clearTimeout(timer);
        line.settle = undefined;
        resolve(answer);
      };
      const output = new OutputBuffer(256);
      encodeRequest(output, args);
      line.socket.write(output.view());
    });
  }

  close(): void {
    for (const [port, line] of this.#lines) this.#drop(port, line);
  }

  async #connect(port: number): Promise<Line | undefined> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const isConnected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isConnected) return undefined;
    const line: Line = { socket, parser: new ReplyParser(), settle: undefined };
    this.#lines.set(port, line);
    socket.on('error', () => {});
    socket.on('close', () => this.#drop(port, line));
    socket.on('data', (piece) => {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      line.parser.push(bytes, 0, bytes.length);
      while (line.parser.next() !== INCOMPLETE) line.settle?.({ reply: line.parser.reply });
    });
    return line;
  }

  #drop(port: number, line: Line): void {
    if (this.#lines.get(port) === line) this.#lines.delete(port);
    line.socket.destroy();
    line.settle?.('lost');
  }
}
