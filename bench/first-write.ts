/**
 * How long a slot stays without a primary that takes writes, as a client without patience sees it:
 * asks the nodes that live, follows where they send it, and asks again until a write is accepted.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const GAP_MS = 4;
const ANSWER_MS = 300;
const HOPS_MAX = 3;

/** A connection that answers one request at a time, in lines. */
class Line {
  readonly #socket: Socket;
  #wake: (line: string) => void = () => {};
  isBroken = false;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true });
    const broken = (): void => {
      this.isBroken = true;
      this.#socket.destroy();
      this.#wake('');
    };
    this.#socket.on('error', broken);
    this.#socket.on('close', broken);
    this.#socket.on('data', (bytes) => this.#wake(bytes.toString('latin1')));
  }

  /** The reply; empty where there was none in time. */
  async ask(key: string): Promise<string> {
    const arrived = new Promise<string>((resolve) => (this.#wake = resolve));
    this.#socket.write(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$1\r\nx\r\n`);
    const reply = await Promise.race([arrived, sleep(ANSWER_MS, '', { ref: false })]);
    if (reply === '') this.#socket.destroy();
    return reply;
  }

  end(): void {
    this.#socket.destroy();
  }
}

/**
 * Milliseconds from `startMs` (of `performance.now`) until a write of each key was accepted.
 *
 * @param ports of the nodes that may be asked
 * @param limitMs throws after so long
 */
export async function untilWritten(
  keys: readonly string[],
  ports: readonly number[],
  startMs: number,
  limitMs: number,
): Promise<number[]> {
  return Promise.all(
    keys.map(async (key, index) => firstWrite(key, ports, index, startMs, limitMs)),
  );
}

async function firstWrite(
  key: string,
  ports: readonly number[],
  first: number,
  startMs: number,
  limitMs: number,
): Promise<number> {
  const lines = new Map<number, Line>();
  const lineTo = (port: number): Line => {
    let line = lines.get(port);
    if (line === undefined || line.isBroken) {
      line = new Line(port);
      lines.set(port, line);
    }
    return line;
  };
  let last = '';
  try {
    for (let turn = first; performance.now() - startMs < limitMs; turn++) {
      let port = ports[turn % ports.length];
      for (let hop = 0; hop < HOPS_MAX; hop++) {
        const reply = await lineTo(port).ask(key);
        if (reply.startsWith('+OK')) return performance.now() - startMs;
        if (reply !== '') last = reply.trim();
        const moved = /^-MOVED \d+ [^:]*:(\d+)/.exec(reply);
        if (moved === null || !ports.includes(Number(moved[1]))) break;
        port = Number(moved[1]);
      }
      await sleep(GAP_MS);
    }
  } finally {
    for (const line of lines.values()) line.end();
  }
  throw new Error(`${key} was not written within ${limitMs} ms; the last answer: ${last}`);
}
