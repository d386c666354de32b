/** Writes many keys to a cluster, each straight to the node that serves its slot. */
import { spawnSync } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLOT_COUNT, slotOfKey } from '../src/cluster/index.ts';

const BATCH_BYTES = 256 * 1024;
const REPLY_BYTES = '+OK\r\n'.length;
const AHEAD_BYTES_MAX = 1024 * 1024;

/** As any node of ours, or of Redis, tells it; 0 where it does not know. */
function portBySlot(port: number): number[] {
  const { stdout } = spawnSync('redis-cli', ['-p', `${port}`, 'cluster', 'nodes'], {
    encoding: 'utf8',
  });
  const ports: number[] = Array.from({ length: SLOT_COUNT }, () => 0);
  for (const line of stdout.split('\n')) {
    const [, address, , , , , , , ...ranges] = line.split(' ');
    for (const range of ranges) {
      const bounds = /^(\d+)(?:-(\d+))?$/.exec(range);
      if (bounds === null) continue;
      const at = Number(/:(\d+)/.exec(address)?.[1]);
      ports.fill(at, Number(bounds[1]), Number(bounds[2] ?? bounds[1]) + 1);
    }
  }
  return ports;
}

class Writer {
  readonly #socket: Socket;
  #batch: string[] = [];
  #batchBytes = 0;
  #owed = 0;
  #trouble: string | undefined;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port });
    this.#socket.on('data', (bytes) => {
      const error = bytes.indexOf('-');
      if (error !== -1) this.#trouble ??= bytes.toString('latin1', error, error + 200);
      this.#owed -= bytes.length;
    });
    this.#socket.on('error', (error) => (this.#trouble ??= error.message));
  }

  add(key: string, value: string): void {
    const text = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
    this.#batch.push(text);
    this.#batchBytes += text.length;
    this.#owed += REPLY_BYTES;
    if (this.#batchBytes >= BATCH_BYTES) this.#flush();
  }

  get isBehind(): boolean {
    return this.#socket.writableLength > AHEAD_BYTES_MAX;
  }

  async drain(): Promise<void> {
    while (this.isBehind) await this.#check();
  }

  async end(): Promise<void> {
    this.#flush();
    while (this.#owed > 0) await this.#check();
    this.#socket.destroy();
  }

  #flush(): void {
    this.#socket.write(this.#batch.join(''), 'latin1');
    this.#batch = [];
    this.#batchBytes = 0;
  }

  async #check(): Promise<void> {
    await sleep(5);
    if (this.#trouble !== undefined) throw new Error(this.#trouble);
  }
}

/** Keys are named `key:0` and on. */
export async function fillCluster(port: number, keys: number, valueBytes: number): Promise<void> {
  let ports = portBySlot(port);
  while (ports.includes(0)) {
    await sleep(100);
    ports = portBySlot(port);
  }
  const writers = new Map([...new Set(ports)].map((at) => [at, new Writer(at)]));
  const value = 'v'.repeat(valueBytes);
  for (let number = 0; number < keys; number++) {
    const key = `key:${number}`;
    const bytes = Buffer.from(key);
    const writer = writers.get(ports[slotOfKey(bytes, 0, bytes.length)]);
    writer?.add(key, value);
    if (writer?.isBehind === true) await writer.drain();
  }
  await Promise.all([...writers.values()].map(async (writer) => writer.end()));
}
