import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRuntime } from '../runtime/node/index.ts';
import { type Connection, OutputBuffer, type Runtime } from '../runtime/index.ts';
import { encodeRequest } from '../resp/index.ts';
import { RpcClient, type RpcHandler, RpcServer, type RpcSession } from './index.ts';
import { Echo, follower, Outcomes, PORT, RpcWorld } from './test-support.ts';

/** A client that sends bytes as they are, and keeps what comes. */
class RawClient {
  text = '';
  isClosed = false;
  connection: Connection | undefined;
  readonly #world: RpcWorld;

  constructor(world: RpcWorld, server: string, reads = true) {
    this.#world = world;
    world.add(`raw${world.simulation.processes.length}`, (runtime: Runtime) => {
      runtime.network.connect(
        { host: server, port: PORT },
        {
          onConnect: (connection) => {
            this.connection = connection;
            connection.start({
              onData: (bytes, start, end) => {
                this.text += Buffer.from(bytes.subarray(start, end)).toString('latin1');
              },
              onDrain() {},
              onEnd: () => (this.isClosed = true),
              onClose: () => (this.isClosed = true),
            });
            if (!reads) connection.pause();
          },
          onError(error) {
            throw error;
          },
        },
      );
    });
    world.run(5);
  }

  send(bytes: Uint8Array): void {
    const output = new OutputBuffer();
    output.append(bytes);
    this.connection?.send(output);
    this.#world.run(50);
  }

  request(...args: string[]): void {
    const output = new OutputBuffer();
    encodeRequest(output, args);
    this.send(output.view().slice());
  }
}

const bytesOf = (text: string) => new TextEncoder().encode(text);

describe('a server', () => {
  test('outlives any bytes, and serves others meanwhile', () => {
    const word = fc.constantFrom(
      'CALL',
      'AUTH',
      'PING',
      '1',
      'a.b',
      '{}',
      '*4\r\n',
      '$3\r\n',
      '\r\n',
    );
    const noise = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.array(word, { maxLength: 12 }).map((words) => bytesOf(words.join(''))),
      fc.array(word, { maxLength: 8 }).map((args) => {
        const output = new OutputBuffer();
        encodeRequest(output, args);
        return output.view().slice();
      }),
    );
    fc.assert(
      fc.property(fc.array(noise, { maxLength: 6 }), fc.boolean(), (pieces, hasToken) => {
        const world = new RpcWorld();
        const echo = new Echo();
        world.serve('m1', echo, hasToken ? { token: 'sesame' } : {});
        const raw = new RawClient(world, 'm1');
        for (const piece of pieces) raw.send(piece);
        if (hasToken) expect(echo.calls).toEqual([]);
        const client = world.client(['m1'], { token: hasToken ? 'sesame' : undefined });
        const outcomes = new Outcomes();
        client.call('still.there', 1, 500, outcomes.take);
        world.run(300);
        expect(outcomes.last).toMatchObject({ ok: true });
        client.close();
      }),
      { numRuns: 300 },
    );
  });

  test.each([
    ['GET / HTTP/1.1\r\n\r\n', 'not HTTP'],
    ['*1\r\n$3\r\nGET\r\n', 'this port is for CALL, AUTH and PING'],
    ['*4\r\n$4\r\nCALL\r\n$2\r\n-1\r\n$1\r\na\r\n$2\r\n{}\r\n', 'CALL takes a number'],
    ['*4\r\n$4\r\nCALL\r\n$1\r\n1\r\n$3\r\n../\r\n$2\r\n{}\r\n', 'CALL takes a number'],
  ])('says what is wrong with %j, and closes', (bytes, words) => {
    const world = new RpcWorld();
    world.serve('m1', new Echo());
    const raw = new RawClient(world, 'm1');
    raw.send(bytesOf(bytes));
    expect(raw.text).toMatch(/^-ERR /);
    expect(raw.text).toContain(words);
    expect(raw.isClosed).toBe(true);
  });

  test('answers a person who types', () => {
    const world = new RpcWorld();
    world.serve('m1', new Echo());
    const raw = new RawClient(world, 'm1');
    raw.send(bytesOf('ping\r\n'));
    raw.request('CALL', '7', 'a', '{"x":');
    expect(raw.text).toMatch(
      /^\+PONG\r\n>4\r\n\$5\r\nreply\r\n\$1\r\n7\r\n\$18\r\nERR_CACHECTL_VALUE/,
    );
    expect(raw.isClosed).toBe(false);
  });

  test('lets one guess at the token a connection', () => {
    const world = new RpcWorld();
    const echo = new Echo();
    world.serve('m1', echo, { token: 'sesame' });
    const raw = new RawClient(world, 'm1');
    raw.request('CALL', '1', 'a', '1');
    expect(raw.text).toContain('ERR_CACHECTL_AUTH');
    raw.request('AUTH', 'open');
    raw.request('AUTH', 'sesame');
    raw.request('CALL', '2', 'a', '1');
    expect(raw.text).toContain('-WRONGPASS');
    expect(raw.isClosed).toBe(true);
    expect(echo.calls).toEqual([]);
  });

  test('refuses more calls under way than it takes, and a number that is used', () => {
    const world = new RpcWorld();
    const answers: Array<() => void> = [];
    const slow: RpcHandler = {
      onCall: (_session, _method, body, answer) => {
        answers.push(() => answer({ ok: true, body }));
      },
    };
    world.serve('m1', slow, { limits: { callsMax: 2 } });
    const raw = new RawClient(world, 'm1');
    for (const id of ['1', '2', '3']) raw.request('CALL', id, 'a', id);
    expect(answers).toHaveLength(2);
    expect(raw.text).toContain('ERR_CACHECTL_OVERLOADED');
    raw.request('CALL', '2', 'a', '2');
    expect(raw.text).toContain('call 2 is under way already');
    // Answers that come after the end do nothing.
    for (const answer of answers) answer();
    expect(raw.isClosed).toBe(true);
  });

  test('disconnects a client that reads nothing', () => {
    const world = new RpcWorld();
    const sessions: RpcSession[] = [];
    const closed: RpcSession[] = [];
    const handler: RpcHandler = {
      onCall: (session, _method, _body, answer) => {
        sessions.push(session);
        answer({ ok: true, body: null });
      },
      onClose: (session) => closed.push(session),
    };
    world.serve('m1', handler, { limits: { outputBytesMax: 1024 * 1024 } });
    const raw = new RawClient(world, 'm1', false);
    raw.request('CALL', '1', 'a', '1');
    const text = JSON.stringify('x'.repeat(64 * 1024));
    let pushes = 0;
    while (closed.length === 0 && pushes < 1000) {
      sessions[0].pushText('flood', text);
      pushes++;
      world.run(1);
    }
    expect(pushes).toBeLessThan(100);
    sessions[0].push('flood', 1);
  });

  test('closes a session that is silent, and keeps one that gives signs of life', () => {
    const world = new RpcWorld();
    const closed: number[] = [];
    const onClose = ({ id }: RpcSession) => closed.push(id);
    const echo = new Echo();
    const handler: RpcHandler = { onCall: echo.onCall.bind(echo), onClose };
    world.serve('m1', handler, { limits: { idleTimeoutMs: 2000 } });
    const raw = new RawClient(world, 'm1');
    const client = world.client(['m1']);
    world.run(10_000);
    expect(closed).toEqual([1]);
    expect(raw.isClosed).toBe(true);
    client.close();
  });

  test('turns an answer that is too long into an error', () => {
    const world = new RpcWorld();
    const body = 'x'.repeat(5000);
    world.serve(
      'm1',
      { onCall: (_session, _method, _body, answer) => answer({ ok: true, body }) },
      { limits: { messageBytesMax: 4096 } },
    );
    const client = world.client(['m1']);
    const outcomes = new Outcomes();
    client.call('a', 1, 500, outcomes.take);
    world.run(100);
    expect(outcomes.error?.code).toBe('ERR_CACHECTL_FAILED');
    client.close();
  });

  test('tells the one client too many, and takes a next one later', () => {
    const world = new RpcWorld();
    world.serve('m1', new Echo(), { limits: { sessionsMax: 1 } });
    const first = new RawClient(world, 'm1');
    const second = new RawClient(world, 'm1');
    expect(second.text).toContain('the most allowed');
    first.connection?.destroy();
    world.run(20);
    const third = new RawClient(world, 'm1');
    third.request('PING');
    expect(third.text).toBe('+PONG\r\n');
  });
});

const runtime = createRuntime({ log: { level: 'silent' } });

async function serve(handler: RpcHandler): Promise<{ port: number; server: RpcServer }> {
  const server = new RpcServer(runtime, handler);
  const port = await new Promise<number>((resolve, reject) => {
    runtime.network.listen(
      { host: '127.0.0.1', port: 0 },
      {
        onListening: ({ address }) => resolve(address.port),
        onConnection: (connection) => server.accept(connection),
        onError: reject,
      },
    );
  });
  return { port, server };
}

describe('over the real network', () => {
  test('many calls, large bodies, a redirect', async () => {
    const leader = await serve(new Echo());
    const other = await serve(follower(() => `127.0.0.1:${leader.port}`));
    const client = new RpcClient(runtime, {
      addresses: [{ host: '127.0.0.1', port: other.port }],
      connectTimeoutMs: 5000,
    });
    const large = 'x'.repeat(8 * 1024 * 1024);
    const bodies = [large, ...Array.from({ length: 500 }, (_, index) => index)];
    const call = (body: unknown) =>
      new Promise<unknown>((resolve) => {
        client.call('echo', body, 20_000, (outcome) => {
          resolve(outcome.ok ? outcome.body : outcome.error);
        });
      });
    const answers = await Promise.all(bodies.map(call));
    expect(answers).toEqual(bodies.map((body) => ({ method: 'echo', body })));
    client.close();
    leader.server.close();
    other.server.close();
  });

  test('a client that has finished sending is answered what is under way', async () => {
    let answerNow = (): void => {};
    const asked = Promise.withResolvers<void>();
    const { port, server } = await serve({
      onCall: (_session, _method, body, answer) => {
        answerNow = () => answer({ ok: true, body });
        asked.resolve();
      },
    });
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const output = new OutputBuffer();
    encodeRequest(output, ['CALL', '1', 'a', '"late"']);
    socket.end(output.view());
    await asked.promise;
    answerNow();
    const text = await new Promise<string>((resolve) => {
      let received = '';
      socket.on('data', (data) => (received += data.toString()));
      socket.on('end', () => resolve(received));
    });
    expect(text).toContain('"late"');
    server.close();
  });
});
