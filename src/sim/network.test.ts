import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OutputBuffer } from '../runtime/index.ts';
import type { Connection, Runtime } from '../runtime/index.ts';
import { CALM_NETWORK, type NetworkSettings } from './network.ts';
import type { SimProcess } from './process.ts';
import { Simulation } from './simulation.ts';

/** What one side of a connection has seen. */
class Side {
  readonly connection: Connection;
  received = Buffer.alloc(0);
  drains = 0;
  hasEnded = false;
  closed: string | undefined;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start({
      onData: (bytes, start, end) => {
        this.received = Buffer.concat([this.received, bytes.subarray(start, end)]);
      },
      onDrain: () => (this.drains += 1),
      onEnd: () => (this.hasEnded = true),
      onClose: (error) => (this.closed = error?.code ?? 'in order'),
    });
  }

  send(text: string | Uint8Array): void {
    const output = new OutputBuffer(64);
    output.append(Buffer.from(text));
    this.connection.send(output);
    if (output.length > 0) throw new Error('send leaves the buffer empty');
  }
}

interface Pair {
  readonly simulation: Simulation;
  readonly a: SimProcess;
  readonly b: SimProcess;
  readonly accepted: Side[];
  readonly errors: string[];
  /** Dials b from a; the side is there once it is connected. */
  dial(): { side: Side | undefined; cancel: () => void };
  run(milliseconds: number): void;
}

/** Two processes; b listens on port 7. */
function makePair(settings: Partial<NetworkSettings> = {}, seed = 1, start = true): Pair {
  const simulation = new Simulation({ seed, network: { ...CALM_NETWORK, ...settings } });
  const runtimes = new Map<string, Runtime>();
  const accepted: Side[] = [];
  const errors: string[] = [];
  const add = (name: string): SimProcess =>
    simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program: (runtime) => {
        runtimes.set(name, runtime);
        if (name !== 'b') return;
        runtime.network.listen(
          { host: 'b', port: 7 },
          {
            onListening() {},
            onConnection: (connection) => accepted.push(new Side(connection)),
            onError: (error) => errors.push(error.code),
          },
        );
      },
    });
  const a = add('a');
  const b = add('b');
  const run = (milliseconds: number): void =>
    simulation.queue.runUntil(simulation.queue.nowUs + milliseconds * 1000);
  if (start) {
    a.start();
    b.start();
    run(1);
  }
  const dial: Pair['dial'] = () => {
    const dialled: ReturnType<Pair['dial']> = { side: undefined, cancel: () => undefined };
    const attempt = runtimes.get('a')?.network.connect(
      { host: 'b', port: 7 },
      {
        onConnect: (connection) => (dialled.side = new Side(connection)),
        onError: (error) => errors.push(error.code),
      },
    );
    dialled.cancel = () => attempt?.cancel();
    return dialled;
  };
  return { simulation, a, b, accepted, errors, dial, run };
}

/** A connection with both its sides. */
function connectPair(settings: Partial<NetworkSettings> = {}, seed = 1) {
  const pair = makePair(settings, seed);
  const dialled = pair.dial();
  while (dialled.side === undefined) pair.run(1);
  return { ...pair, client: dialled.side, server: pair.accepted[0] };
}

describe('a connection', () => {
  test('carries all bytes both ways, in order, once, cut anywhere', () => {
    const messages = fc.array(
      fc.record({
        isFromClient: fc.boolean(),
        length: fc.integer({ min: 1, max: 3000 }),
        waitMs: fc.nat(3),
      }),
      { maxLength: 20 },
    );
    fc.assert(
      fc.property(messages, fc.nat(), (list, seed) => {
        const { client, server, run } = connectPair(
          { latency: { shape: 'bimodal', minUs: 50, spreadUs: 900 }, split: [1, 2], loss: [1, 9] },
          seed,
        );
        const sent = { client: '', server: '' };
        list.forEach(({ isFromClient, length, waitMs }, i) => {
          const text = String.fromCharCode(97 + (i % 26)).repeat(length);
          sent[isFromClient ? 'client' : 'server'] += text;
          (isFromClient ? client : server).send(text);
          run(waitMs);
        });
        run(60_000);
        expect(server.received.toString()).toBe(sent.client);
        expect(client.received.toString()).toBe(sent.server);
      }),
      { numRuns: 60 },
    );
  });

  test('closes in order: what was sent arrives, then the end, then both sides are closed', () => {
    const { client, server, run } = connectPair();
    client.send('last words');
    client.connection.close();
    run(10);
    expect(server.received.toString()).toBe('last words');
    expect(server.hasEnded).toBe(true);
    expect(server.closed).toBeUndefined();
    server.connection.close();
    run(10);
    expect([client.closed, server.closed]).toEqual(['in order', 'in order']);
  });

  test('gives back-pressure: beyond the window bytes are queued, and once told of the drain', () => {
    const { client, server, run } = connectPair();
    server.connection.pause();
    client.send(new Uint8Array(1_000_000));
    run(100);
    expect(client.connection.bytesQueued).toBeGreaterThan(500_000);
    expect(server.received).toHaveLength(0);
    expect(client.drains).toBe(0);
    server.connection.resume();
    run(100);
    expect(server.received).toHaveLength(1_000_000);
    expect(client.connection.bytesQueued).toBe(0);
    expect(client.drains).toBe(1);
  });

  test('takes back the array that it lent: bytes kept without a copy are lost', () => {
    const { client, server, run } = connectPair();
    let kept: Uint8Array | undefined;
    server.connection.start({
      onData: (bytes, start, end) => (kept = bytes.subarray(start, end)),
      onDrain() {},
      onEnd() {},
      onClose() {},
    });
    client.send('abc');
    run(10);
    expect(kept).toHaveLength(3);
    expect(Buffer.from(kept ?? []).toString()).not.toBe('abc');
  });

  test('may carry a bit that flipped on the way', () => {
    const { client, server, run } = connectPair({ bitFlip: [1, 1] });
    client.send(new Uint8Array(8));
    run(10);
    const bits = [...server.received].map((byte) => byte.toString(2).replaceAll('0', '').length);
    expect(bits.reduce((sum, count) => sum + count, 0)).toBe(1);
  });

  test('may break, and then both sides are told', () => {
    const { client, server, run } = connectPair({ reset: [1, 1] });
    client.send('x');
    run(10);
    expect([client.closed, server.closed]).toEqual(['ECONNRESET', 'ECONNRESET']);
  });

  test('may be lost silently: the sender gives up after a while, the receiver never hears of it', () => {
    const { simulation, a, b, client, server, run } = connectPair();
    simulation.network.loseConnections(a, b);
    client.send('x');
    run(4000);
    expect(client.closed).toBeUndefined();
    run(4000);
    expect(client.closed).toBe('ETIMEDOUT');
    expect([server.received.length, server.closed]).toEqual([0, undefined]);
  });

  test('may arrive a second time, as a new connection with the same first bytes', () => {
    const { client, accepted, run } = connectPair({ replay: [1, 1] });
    client.send('hello');
    run(4000);
    expect(accepted.map(({ received }) => received.toString())).toEqual(['hello', 'hello']);
  });

  test('that ends before it was started still says so', () => {
    const { b, errors, run, dial, simulation } = makePair();
    const dialled = dial();
    simulation.queue.runUntil(simulation.queue.nowUs + 150);
    b.kill();
    run(100);
    expect([dialled.side?.closed, ...errors]).not.toEqual([undefined]);
  });
});

describe('a cut', () => {
  test('holds bytes back in its direction only, and lets them through once healed', () => {
    const { simulation, a, b, client, server, run } = connectPair();
    const link = simulation.network.link(a, b);
    simulation.network.cut(link);
    client.send('there');
    server.send('back');
    run(1000);
    expect([server.received.toString(), client.received.toString()]).toEqual(['', 'back']);
    simulation.network.heal(link);
    run(10);
    expect(server.received.toString()).toBe('there');
  });

  test('that lasts makes the sender give up', () => {
    const { simulation, a, b, client, run } = connectPair();
    simulation.network.cut(simulation.network.link(a, b));
    client.send('x');
    run(6000);
    expect(client.closed).toBe('ETIMEDOUT');
  });

  test('in either direction keeps new connections from being made, until it is healed', () => {
    for (const isThere of [true, false]) {
      const { simulation, a, b, dial, run, errors } = makePair();
      const link = isThere ? simulation.network.link(a, b) : simulation.network.link(b, a);
      simulation.network.cut(link);
      const patient = dial();
      run(2500);
      expect([patient.side, errors.length]).toEqual([undefined, 0]);
      simulation.network.heal(link);
      run(2500);
      expect(patient.side).toBeDefined();
      simulation.network.cut(link);
      dial();
      run(20_000);
      expect(errors).toEqual(['ETIMEDOUT']);
    }
  });
});

describe('a process that ends', () => {
  test('by being killed closes its connections, and refuses new ones', () => {
    const { b, client, dial, errors, run } = connectPair();
    b.kill();
    run(10);
    expect(client.hasEnded || client.closed === 'ECONNRESET').toBe(true);
    dial();
    run(10);
    expect(errors).toEqual(['ECONNREFUSED']);
  });

  test('by loss of power says nothing; back again, it answers old connections with a reset', () => {
    const { b, client, dial, errors, run } = connectPair();
    b.losePower('drop');
    client.send('x');
    dial();
    run(3000);
    expect([client.closed, client.hasEnded, errors.length]).toEqual([undefined, false, 0]);
    b.start();
    run(4000);
    expect(client.closed).toBe('ECONNRESET');
    expect(errors).toEqual([]);
  });

  test('hears nothing of its former life', () => {
    const { a, client, server, run } = connectPair();
    server.send('late');
    a.kill();
    a.start();
    run(1000);
    expect([client.received.length, client.closed]).toEqual([0, undefined]);
  });
});

test('a dial that was cancelled calls nobody', () => {
  for (const afterUs of [0, 50, 120, 190]) {
    const { simulation, dial, accepted, errors, run } = makePair();
    const dialled = dial();
    simulation.queue.runUntil(simulation.queue.nowUs + afterUs);
    dialled.cancel();
    run(2000);
    expect([dialled.side, errors.length]).toEqual([undefined, 0]);
    for (const side of accepted) expect(side.closed ?? side.hasEnded).toBeTruthy();
  }
});

test('an unknown host and a port that is taken are errors', () => {
  const { simulation, errors, run } = makePair();
  const process = simulation.addProcess({
    name: 'c',
    zone: 'z1',
    clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
    timerLatenessUsMax: 0,
    decideDisk: () => ({ delayUs: 1 }),
    program: ({ network }) => {
      const onError = (error: Error & { code: string }): void => void errors.push(error.code);
      network.connect({ host: 'nowhere', port: 7 }, { onConnect() {}, onError });
      const handler = { onListening() {}, onConnection() {}, onError };
      network.listen({ host: 'c', port: 9 }, handler);
      network.listen({ host: 'c', port: 9 }, handler);
    },
  });
  process.start();
  run(100);
  expect(errors).toEqual(['EADDRINUSE', 'ENOTFOUND']);
});
