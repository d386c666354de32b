import { describe, expect, it } from 'vitest';
import {
  OutputBuffer,
  type Address,
  type Connection,
  type Listener,
  type SystemError,
} from '../ports.ts';
import { network } from './network.ts';

const ANY: Address = { host: '127.0.0.1', port: 0 };

function listen(onConnection: (connection: Connection) => void): Promise<Listener> {
  return new Promise((resolve, reject) => {
    network.listen(ANY, { onListening: resolve, onConnection, onError: reject });
  });
}

function connect(address: Address): Promise<Connection> {
  return new Promise((resolve, reject) => {
    network.connect(address, { onConnect: resolve, onError: reject });
  });
}

function closed(listener: Listener): Promise<void> {
  return new Promise((resolve) => listener.close(resolve));
}

function output(bytes: Uint8Array): OutputBuffer {
  const buffer = new OutputBuffer();
  buffer.append(bytes);
  return buffer;
}

/** Collects all that arrives until the peer ends or the connection closes. */
function collect(connection: Connection): Promise<Buffer> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    const done = (): void => resolve(Buffer.concat(pieces));
    connection.start({
      onData: (bytes, start, end) => pieces.push(Buffer.from(bytes.slice(start, end))),
      onDrain() {},
      onEnd: done,
      onClose: done,
    });
  });
}

describe('the real network', () => {
  it('carries bytes both ways unchanged, and closes in order', async () => {
    const listener = await listen((connection) => {
      connection.start({
        onData(bytes, start, end) {
          const echo = new OutputBuffer();
          echo.append(bytes, start, end);
          connection.send(echo);
        },
        onDrain() {},
        onEnd: () => connection.close(),
        onClose() {},
      });
    });
    const client = await connect(listener.address);
    const sent = Buffer.alloc(3_000_000, 'abcdefg');
    const received = collect(client);
    client.send(output(sent));
    client.close();
    // `close` drops what arrives after it: only the peer's orderly end is seen.
    await received;
    const second = await connect(listener.address);
    const echoed = new Promise<Buffer>((resolve) => {
      const pieces: Buffer[] = [];
      let length = 0;
      second.start({
        onData(bytes, start, end) {
          pieces.push(Buffer.from(bytes.slice(start, end)));
          length += end - start;
          if (length === sent.length) resolve(Buffer.concat(pieces));
        },
        onDrain() {},
        onEnd() {},
        onClose() {},
      });
    });
    second.send(output(sent));
    expect((await echoed).equals(sent)).toBe(true);
    second.destroy();
    await closed(listener);
  });

  it('delivers a last reply although unread input was left behind', async () => {
    const listener = await listen((connection) => {
      connection.start({
        onData() {
          connection.send(output(Buffer.from('-ERR go away\r\n')));
          connection.close();
        },
        onDrain() {},
        onEnd() {},
        onClose() {},
      });
    });
    const client = await connect(listener.address);
    const received = collect(client);
    for (let i = 0; i < 20; i++) client.send(output(Buffer.alloc(100_000, 'x')));
    expect((await received).toString()).toBe('-ERR go away\r\n');
    client.destroy();
    await closed(listener);
  });

  it('queues what the peer does not read, tells how much, and drains when it reads', async () => {
    const accepted = Promise.withResolvers<Connection>();
    const listener = await listen((connection) => accepted.resolve(connection));
    const client = await connect(listener.address);
    const server = await accepted.promise;
    const drained = Promise.withResolvers<void>();
    server.start({ onData() {}, onDrain: drained.resolve, onEnd() {}, onClose() {} });
    const sent = Buffer.alloc(16_000_000, 'z');
    server.send(output(sent));
    expect(server.bytesQueued).toBeGreaterThan(0);
    let length = 0;
    client.start({
      onData: (_bytes, start, end) => (length += end - start),
      onDrain() {},
      onEnd() {},
      onClose() {},
    });
    await drained.promise;
    expect(server.bytesQueued).toBe(0);
    server.close();
    await collect(client);
    expect(length).toBeLessThanOrEqual(sent.length);
    await closed(listener);
  });

  it('delivers nothing while paused, and the rest after resume', async () => {
    const accepted = Promise.withResolvers<Connection>();
    const listener = await listen((connection) => accepted.resolve(connection));
    const client = await connect(listener.address);
    const server = await accepted.promise;
    let length = 0;
    const all = Promise.withResolvers<void>();
    server.start({
      onData(_bytes, start, end) {
        length += end - start;
        if (length === 500_000) all.resolve();
      },
      onDrain() {},
      onEnd() {},
      onClose() {},
    });
    server.pause();
    client.send(output(Buffer.alloc(500_000, 'p')));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(length).toBe(0);
    server.resume();
    await all.promise;
    client.destroy();
    await closed(listener);
  });

  it('tells of the close of a connection that closed before it was started, once', async () => {
    const listener = await listen(() => {});
    const client = await connect(listener.address);
    client.destroy();
    await closed(listener);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const calls: string[] = [];
    const told = Promise.withResolvers<void>();
    client.start({
      onData: () => calls.push('data'),
      onDrain: () => calls.push('drain'),
      onEnd: () => calls.push('end'),
      onClose() {
        calls.push('close');
        told.resolve();
      },
    });
    expect(calls).toEqual([]);
    await told.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toEqual(['close']);
  });

  it('names a refused connection and a port that is taken', async () => {
    const listener = await listen(() => {});
    const taken = await new Promise<SystemError>((resolve, reject) => {
      network.listen(listener.address, {
        onListening: () => reject(new Error('listened twice on one port')),
        onConnection() {},
        onError: resolve,
      });
    });
    expect(taken.code).toBe('EADDRINUSE');
    await closed(listener);
    await expect(connect(listener.address)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});
