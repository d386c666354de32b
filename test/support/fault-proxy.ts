/**
 * The network between the processes of a cluster, as connections that can be cut.
 *
 * Each process listens on 127.0.0.1 and is known by 127.0.0.2, on the same port: there, this
 * forwards. Who has opened a connection shows in its first words, since a node says its id to
 * whomever it speaks to. What a cut holds back arrives when it is healed, as TCP has it.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

const REAL_HOST = '127.0.0.1';
/** By this host the processes are known. */
export const PROXY_HOST = '127.0.0.2';
/** What somebody says first; later it says nothing new about who it is. */
const WORDS_BYTES = 64 * 1024;
/** To a meta peer, and to a node that it follows. */
const NODE_SAYS =
  /(?:node\.(?:register|heartbeat)\r\n[^]*?"id":"|HELLO\r\n[^]*?\r\n)([0-9a-f]{40})/;

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  readonly port: number;
  /** The node that has opened the connection, as far as it has said so. */
  from: string | undefined;
  wordsHeard: number;
}

/** Which connections pass nothing. */
export interface Cut {
  /** The id of the node that reaches nobody. */
  readonly node: string;
  /** Its ports at which nobody reaches it. */
  readonly ports: readonly number[];
}

export class FaultProxy implements AsyncDisposable {
  readonly #servers: Server[] = [];
  readonly #pairs = new Set<Pair>();
  #cut: Cut | undefined;
  #held: Array<() => void> = [];

  /** Forwards this port. */
  async forward(port: number): Promise<void> {
    const server = createServer({ noDelay: true }, (client) => this.#accept(client, port));
    server.listen(port, PROXY_HOST);
    await once(server, 'listening');
    this.#servers.push(server);
  }

  /** From now on nothing passes between the node and others, in either direction. */
  cut(cut: Cut): void {
    this.#cut = cut;
  }

  /** All that was held back goes on its way. */
  heal(): void {
    this.#cut = undefined;
    const held = this.#held;
    this.#held = [];
    for (const pass of held) pass();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
    await Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
    );
  }

  #accept(client: Socket, port: number): void {
    const server = connect({ host: REAL_HOST, port, noDelay: true });
    const pair: Pair = { client, server, port, from: undefined, wordsHeard: 0 };
    this.#pairs.add(pair);
    client.on('data', (bytes: Buffer) => {
      if (pair.wordsHeard < WORDS_BYTES) this.#listen(pair, bytes);
      this.#pass(pair, client, server, bytes);
    });
    server.on('data', (bytes: Buffer) => this.#pass(pair, server, client, bytes));
    const end = (): void => {
      this.#pairs.delete(pair);
      this.#whenOpen(pair, () => {
        client.destroy();
        server.destroy();
      });
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
  }

  #listen(pair: Pair, bytes: Buffer): void {
    pair.wordsHeard += bytes.length;
    pair.from ??= NODE_SAYS.exec(bytes.toString('latin1'))?.[1];
  }

  #pass(pair: Pair, from: Socket, to: Socket, bytes: Buffer): void {
    if (this.#isCut(pair)) {
      from.pause();
      this.#held.push(() => {
        to.write(bytes);
        from.resume();
      });
    } else if (!to.write(bytes) && !from.isPaused()) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  }

  /** The end of a connection does not pass a cut, either. */
  #whenOpen(pair: Pair, pass: () => void): void {
    if (this.#isCut(pair)) this.#held.push(pass);
    else pass();
  }

  #isCut({ from, port }: Pair): boolean {
    return this.#cut !== undefined && (from === this.#cut.node || this.#cut.ports.includes(port));
  }
}
