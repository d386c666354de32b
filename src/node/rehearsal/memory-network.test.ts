import { beforeEach, expect, test } from 'vitest';
import { OutputBuffer, type Connection, type Listener } from '../../runtime/index.ts';
import { MemoryNetwork } from './memory-network.ts';

const SERVER = { host: 'server', port: 7 };

let deferred: Array<() => void> = [];
let network: MemoryNetwork;

beforeEach(() => {
  deferred = [];
  network = new MemoryNetwork({
    after: () => expect.unreachable(),
    defer: (callback) => deferred.push(callback),
  });
});

function settle(): void {
  for (let next = deferred.shift(); next !== undefined; next = deferred.shift()) next();
}

/** One end of a connection, and what it has heard. */
class End {
  readonly connection: Connection;
  readonly heard: string[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start({
      onData: (bytes, start, end) =>
        this.heard.push(Buffer.from(bytes.subarray(start, end)).toString()),
      onDrain: () => this.heard.push('drain'),
      onEnd: () => this.heard.push('end'),
      onClose: (error) => this.heard.push(`closed ${error?.code ?? 'in order'}`),
    });
  }

  send(text: string): void {
    const output = new OutputBuffer();
    output.append(Buffer.from(text));
    this.connection.send(output);
    expect(output.length).toBe(0);
  }
}

function listen(address = SERVER): { listener?: Listener; ends: End[]; errors: string[] } {
  const at: ReturnType<typeof listen> = { ends: [], errors: [] };
  network.listen(address, {
    onListening: (listener) => (at.listener = listener),
    onConnection: (connection) => at.ends.push(new End(connection)),
    onError: ({ code }) => at.errors.push(code),
  });
  settle();
  return at;
}

function connect(address = SERVER): { ends: End[]; errors: string[] } {
  const at: ReturnType<typeof connect> = { ends: [], errors: [] };
  network.connect(address, {
    onConnect: (connection) => at.ends.push(new End(connection)),
    onError: ({ code }) => at.errors.push(code),
  });
  settle();
  return at;
}

function pair(): [End, End] {
  const server = listen();
  const [near] = connect().ends;
  return [near, server.ends[0]];
}

test('carries bytes both ways, in order, and never at once', () => {
  const [near, far] = pair();
  near.send('one');
  near.send('two');
  far.send('three');
  expect(far.heard).toEqual([]);
  settle();
  expect(far.heard.join('')).toBe('onetwo');
  expect(near.heard.join('')).toBe('three');
  expect(near.connection.remote).toEqual(SERVER);
  expect(far.connection.local).toEqual(SERVER);
});

test('gives nothing to one that is paused, and all of it later', () => {
  const [near, far] = pair();
  far.connection.pause();
  near.send('one');
  settle();
  expect(far.heard).toEqual([]);
  far.connection.resume();
  settle();
  expect(far.heard).toEqual(['one']);
});

test('closes in order where both sides do, after what was sent', () => {
  const [near, far] = pair();
  near.send('last words');
  near.connection.close();
  settle();
  expect(far.heard).toEqual(['last words', 'end']);
  far.send('too late to be heard');
  far.connection.close();
  settle();
  expect(near.heard).toEqual(['closed in order']);
  expect(far.heard).toEqual(['last words', 'end', 'closed in order']);
  near.send('nobody is there');
  settle();
});

test('is broken where one side destroys it', () => {
  const [near, far] = pair();
  near.send('lost');
  near.connection.destroy();
  near.connection.destroy();
  settle();
  expect(near.heard).toEqual(['closed in order']);
  expect(far.heard).toEqual(['closed ECONNRESET']);
});

test('refuses where nobody listens, or somebody does already', () => {
  expect(connect().errors).toEqual(['ECONNREFUSED']);
  const { listener } = listen();
  expect(listen().errors).toEqual(['EADDRINUSE']);
  let isClosed = false;
  listener?.close(() => (isClosed = true));
  settle();
  expect(isClosed).toBe(true);
  expect(connect().errors).toEqual(['ECONNREFUSED']);
});

test('gives ports where none is asked for, and forgets attempts that are given up', () => {
  const one = listen({ host: 'a', port: 0 });
  const other = listen({ host: 'a', port: 0 });
  expect(one.listener?.address.port).not.toBe(other.listener?.address.port);
  network
    .connect(one.listener?.address ?? SERVER, {
      onConnect: () => expect.unreachable(),
      onError: () => expect.unreachable(),
    })
    .cancel();
  settle();
  expect(one.ends).toEqual([]);
});
