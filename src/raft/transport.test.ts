import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { OutputBuffer } from '../runtime/index.ts';
import type { Address, Connection, Runtime } from '../runtime/index.ts';
import { createRuntime } from '../runtime/node/index.ts';
import { CALM_NETWORK, type NetworkSettings, type SimProcess, Simulation } from '../sim/index.ts';
import { entry } from './test-support.ts';
import { PeerTransport, TRANSPORT_LIMITS, type TransportOptions } from './transport.ts';
import { asClusterId, asIndex, asPeerId, asTerm, type Message, type PeerId } from './types.ts';

const CALM: NetworkSettings = { ...CALM_NETWORK, giveUpUs: 60_000_000 };

const START_MS = 10;
const GREEN = asClusterId('green');
const addressOf = (name: string): Address => ({ host: name, port: 7 });

/** One peer in one life. */
interface Peer {
  readonly process: SimProcess;
  transport: PeerTransport;
  readonly received: Message[];
  readonly unreachable: PeerId[];
  readonly warnings: string[];
  runtime: Runtime;
}

class Cluster {
  readonly simulation: Simulation;
  readonly peers = new Map<string, Peer>();

  constructor(settings: Partial<NetworkSettings> = {}, seed = 1) {
    this.simulation = new Simulation({ seed, network: { ...CALM, ...settings } });
  }

  add(name: string, options: Partial<TransportOptions> = {}, peers: readonly string[] = []): Peer {
    const received: Message[] = [];
    const unreachable: PeerId[] = [];
    const warnings: string[] = [];
    const process = this.simulation.addProcess({
      name,
      zone: 'z1',
      clock: { offsetUs: 0, driftPpm: 0, wallUs: 0 },
      timerLatenessUsMax: 0,
      decideDisk: () => ({ delayUs: 1 }),
      program: (given) => {
        const runtime: Runtime = {
          ...given,
          log: {
            write: (_level, words, fields) => warnings.push(`${words}: ${fields?.['reason']}`),
          },
        };
        const transport = new PeerTransport(runtime, {
          cluster: GREEN,
          peer: asPeerId(name),
          store: new Uint8Array(16).fill(name.length + name.charCodeAt(0)),
          address: addressOf(name),
          ...options,
        });
        transport.start({
          onMessage: (each) => received.push(each),
          onUnreachable: (peer) => unreachable.push(peer),
        });
        transport.listen(addressOf(name), (error) => {
          if (error !== undefined) throw error;
        });
        // By then all others listen, too.
        const known = new Map(peers.map((each) => [asPeerId(each), addressOf(each)]));
        runtime.timers.after(START_MS, () => transport.setPeers(known));
        const peer = this.peers.get(name);
        if (peer === undefined)
          this.peers.set(name, { process, transport, received, unreachable, warnings, runtime });
        else Object.assign(peer, { transport, runtime });
      },
    });
    process.start();
    while (!this.peers.has(name) && this.simulation.queue.runNext());
    const peer = this.peers.get(name);
    if (peer === undefined) throw new Error('the program of a process runs when it is started');
    return peer;
  }

  run(milliseconds: number): void {
    this.simulation.queue.runUntil(this.simulation.queue.nowUs + milliseconds * 1000);
  }
}

/** Two peers that know each other. */
function makePair(
  settings: Partial<NetworkSettings> = {},
  seed = 1,
): { cluster: Cluster; a: Peer; b: Peer } {
  const cluster = new Cluster(settings, seed);
  const a = cluster.add('a', {}, ['a', 'b']);
  const b = cluster.add('b', {}, ['a', 'b']);
  return { cluster, a, b };
}

function message(from: string, to: string, number: number, length = 10): Message {
  return {
    kind: 'append',
    cluster: GREEN,
    from: asPeerId(from),
    to: asPeerId(to),
    term: asTerm(1),
    previousIndex: asIndex(number),
    previousTerm: asTerm(0),
    entries: [entry(number + 1, 1, String(number).padEnd(length, '.'))],
    commit: asIndex(0),
  };
}

/** How often the peer tries to connect from now on. */
function countAttempts({ runtime: { network } }: Peer): () => number {
  let count = 0;
  const connect = network.connect.bind(network);
  network.connect = (address, handler) => {
    count += 1;
    return connect(address, handler);
  };
  return () => count;
}

const numbersOf = (received: readonly Message[]): number[] =>
  received.map((each) => (each.kind === 'append' ? each.previousIndex : -1));

describe('between two peers', () => {
  test('messages arrive as they were sent, in order, both ways', () => {
    const { cluster, a, b } = makePair();
    const [there, back] = [
      [0, 1, 2],
      [7, 8],
    ];
    cluster.run(START_MS);
    // Also those that were sent before there was a connection.
    for (const number of there) a.transport.send(message('a', 'b', number));
    cluster.run(100);
    for (const number of back) b.transport.send(message('b', 'a', number));
    cluster.run(100);
    expect(b.received).toEqual(there.map((number) => message('a', 'b', number)));
    expect(a.received).toEqual(back.map((number) => message('b', 'a', number)));
    expect([...a.unreachable, ...b.unreachable, ...a.warnings, ...b.warnings]).toEqual([]);
  });

  test('nothing is called back within a call', () => {
    const { cluster, a } = makePair();
    cluster.run(100);
    a.transport.send(message('a', 'nobody', 1));
    expect(a.unreachable).toEqual([]);
    cluster.run(1);
    expect(a.unreachable).toEqual(['nobody']);
  });

  test('a peer that is down is said to be, and found again when it is back', () => {
    const { cluster, a, b } = makePair();
    cluster.run(100);
    a.transport.send(message('a', 'b', 999));
    cluster.run(100);
    b.process.kill();
    cluster.run(100);
    expect(new Set(a.unreachable)).toEqual(new Set(['b']));
    for (let number = 0; number < 600; number++) {
      a.transport.send(message('a', 'b', number));
      cluster.run(100);
    }
    expect(new Set(a.unreachable)).toEqual(new Set(['b']));
    // Said once, however often it was tried.
    expect(a.warnings.length).toBeLessThanOrEqual(2);
    b.process.start();
    cluster.run(TRANSPORT_LIMITS.retryMaxMs + 100);
    a.transport.send(message('a', 'b', 1000));
    cluster.run(100);
    expect(numbersOf(b.received)).toContain(1000);
    expect(numbersOf(b.received)).not.toContain(3);
  });

  test('what waited for a connection that was not made is not sent later', () => {
    const { cluster, a, b } = makePair();
    const link = cluster.simulation.network.link(a.process, b.process);
    cluster.simulation.network.cut(link);
    cluster.run(START_MS * 2);
    a.transport.send(message('a', 'b', 1));
    cluster.run(TRANSPORT_LIMITS.connectTimeoutMs);
    expect(a.unreachable).toEqual(['b']);
    cluster.simulation.network.heal(link);
    cluster.run(10_000);
    a.transport.send(message('a', 'b', 2));
    cluster.run(100);
    expect(numbersOf(b.received)).toEqual([2]);
  });

  test('attempts to connect grow rare, and do not go together', () => {
    const attempts: number[] = [];
    const times: number[][] = [];
    for (const seed of [1, 2]) {
      const { cluster, a, b } = makePair({}, seed);
      b.process.kill();
      const seen: number[] = [];
      const { network } = a.runtime;
      const connect = network.connect.bind(network);
      network.connect = (address, handler) => {
        seen.push(cluster.simulation.queue.nowUs);
        return connect(address, handler);
      };
      cluster.run(60_000);
      attempts.push(seen.length);
      times.push(seen);
    }
    for (const count of attempts) {
      expect(count).toBeGreaterThan(25);
      expect(count).toBeLessThan(70);
    }
    expect(times[0]).not.toEqual(times[1]);
  });

  test('a connection that swallows all is given up, long before the kernel would', () => {
    const { cluster, a, b } = makePair();
    cluster.run(100);
    cluster.simulation.network.loseConnections(a.process, b.process);
    const { pingIntervalMs, silenceMaxMs, retryMaxMs } = TRANSPORT_LIMITS;
    cluster.run(pingIntervalMs * 2 + silenceMaxMs + retryMaxMs);
    expect(a.unreachable).toContain('b');
    expect(a.warnings.join()).toContain('no answer for 3000 ms');
    a.transport.send(message('a', 'b', 5));
    b.transport.send(message('b', 'a', 6));
    cluster.run(100);
    expect(numbersOf(b.received)).toEqual([5]);
    expect(numbersOf(a.received)).toEqual([6]);
  });

  test('what waits is bounded; what is too much is dropped and said to be', () => {
    const { cluster, a, b } = makePair();
    cluster.run(100);
    const link = cluster.simulation.network.link(a.process, b.process);
    cluster.simulation.network.cut(link);
    const { queueBytesMax } = TRANSPORT_LIMITS;
    const length = 1024 * 1024;
    for (let number = 0; number < (queueBytesMax / length) * 2; number++) {
      a.transport.send(message('a', 'b', number, length));
    }
    cluster.run(10);
    expect(a.unreachable).toEqual(['b']);
    cluster.simulation.network.heal(link);
    cluster.run(1000);
    const numbers = numbersOf(b.received);
    expect(numbers.length * length).toBeLessThanOrEqual(queueBytesMax);
    expect(numbers.length * length).toBeGreaterThan(queueBytesMax / 2);
    expect(numbers).toEqual(numbers.map((_, number) => number));
  });

  test('a message that is larger than the bound for waiting goes out all the same', () => {
    const cluster = new Cluster();
    const a = cluster.add('a', { limits: { queueBytesMax: 100 } }, ['b']);
    const b = cluster.add('b');
    cluster.run(START_MS);
    a.transport.send(message('a', 'b', 1, 5000));
    cluster.run(100);
    a.transport.send(message('a', 'b', 2, 5000));
    cluster.run(100);
    expect(numbersOf(b.received)).toEqual([1, 2]);
  });
});

const GREETING_ALTERED = { seed: 362_712_395, reset: 0 };

test('whatever the network does, each message arrives at most once, unaltered and in order', () => {
  const settings = fc.record({
    seed: fc.nat(),
    loss: fc.nat(30),
    reset: fc.nat(5),
    split: fc.nat(100),
    bitFlip: fc.nat(5),
    replay: fc.nat(20),
    spreadUs: fc.nat(50_000),
  });
  let delivered = 0;
  let altered = 0;
  fc.assert(
    fc.property(settings, ({ seed, spreadUs, ...chances }) => {
      const { cluster, a, b } = makePair(
        {
          latency: { shape: 'uniform', minUs: 100, spreadUs },
          loss: [chances.loss, 100],
          reset: [chances.reset, 100],
          split: [chances.split, 100],
          bitFlip: [chances.bitFlip, 100],
          replay: [chances.replay, 100],
        },
        seed,
      );
      for (let number = 0; number < 150; number++) {
        a.transport.send(message('a', 'b', number, (number * 97) % 3000));
        cluster.run(20);
      }
      cluster.run(5000);
      for (const each of b.received) {
        const [number] = numbersOf([each]);
        expect(each).toEqual(message('a', 'b', number, (number * 97) % 3000));
      }
      const numbers = numbersOf(b.received);
      // Two connections may overlap for a moment, so order holds on each of them.
      expect(new Set(numbers).size).toBe(numbers.length);
      delivered += numbers.length;
      if (b.warnings.join().includes('altered')) altered += 1;
    }),
    {
      numRuns: 60,
      // Once, a bit that flipped in a greeting made messages those of another peer.
      examples: [
        [{ ...GREETING_ALTERED, loss: 7, split: 54, bitFlip: 2, replay: 17, spreadUs: 23_229 }],
        [{ ...GREETING_ALTERED, loss: 0, split: 31, bitFlip: 1, replay: 0, spreadUs: 0 }],
      ],
    },
  );
  expect(delivered).toBeGreaterThan(60 * 20);
  expect(altered).toBeGreaterThan(5);
});

describe('a greeting is refused in words, on both sides', () => {
  const refusal = (options: Partial<TransportOptions>, dialled = 'b'): { a: Peer; b: Peer } => {
    const cluster = new Cluster();
    const b = cluster.add('b', {}, []);
    const a = cluster.add('a', options, []);
    cluster.run(START_MS);
    a.transport.setPeers(new Map([[asPeerId(dialled), addressOf('b')]]));
    cluster.run(5000);
    expect(b.warnings.length).toBeGreaterThan(0);
    expect(a.warnings).toHaveLength(1);
    expect(b.warnings[0].replace('a connection is refused: ', '')).toBe(
      a.warnings[0].replace('messages to a peer are being lost: REFUSED ', ''),
    );
    return { a, b };
  };

  test('of another cluster', () => {
    const { a } = refusal({ cluster: asClusterId('blue') });
    expect(a.warnings[0]).toContain('this is a peer of cluster green, and not of blue');
  });

  test('meant for another peer', () => {
    const { a } = refusal({}, 'c');
    expect(a.warnings[0]).toContain('this is peer b, and not c: correct the address of c');
  });

  test('of a second peer with one name, while the first is there', () => {
    const cluster = new Cluster();
    cluster.add('b', {}, []);
    const first = cluster.add('a', {}, ['b']);
    cluster.run(1000);
    const second = cluster.add('a2', { peer: asPeerId('a') }, ['b']);
    cluster.run(3000);
    expect(second.warnings[0]).toContain('another peer named a is connected, with other data');
    expect(first.warnings).toEqual([]);
    // Once that one has gone for good, it is the peer.
    first.process.kill();
    cluster.run(TRANSPORT_LIMITS.retryMaxMs + 100);
    second.transport.send(message('a', 'b', 4));
    cluster.run(100);
    expect(numbersOf(cluster.peers.get('b')?.received ?? [])).toEqual([4]);
  });

  test('but not on account of one that has vanished', () => {
    const cluster = new Cluster();
    const b = cluster.add('b', {}, []);
    const first = cluster.add('a', {}, ['b']);
    cluster.run(1000);
    first.process.losePower('keep');
    const second = cluster.add('a2', { peer: asPeerId('a') }, ['b']);
    cluster.run(TRANSPORT_LIMITS.idleMaxMs * 2 + TRANSPORT_LIMITS.retryMaxMs);
    second.transport.send(message('a', 'b', 4));
    cluster.run(100);
    expect(numbersOf(b.received)).toEqual([4]);
  });

  test('of a version that is not known, or what is no greeting at all', () => {
    const cluster = new Cluster();
    const b = cluster.add('b', {}, []);
    const stranger = cluster.add('a', {}, []);
    const hello = (min: string, max: string): string => {
      const args = ['RAFT.HELLO', min, max, 'green', 'a', 'b', '0'.repeat(32), 'a', '7'];
      return `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`;
    };
    const answerTo = (said: string): string => {
      let answer = '';
      stranger.runtime.network.connect(addressOf('b'), {
        onConnect: (connection: Connection) => {
          connection.start({
            onData: (bytes, start, end) => {
              answer += Buffer.from(bytes.subarray(start, end)).toString();
            },
            onDrain: () => undefined,
            onEnd: () => (answer += ' end'),
            onClose: () => undefined,
          });
          const output = new OutputBuffer(64);
          output.append(Buffer.from(said));
          connection.send(output);
        },
        onError: (error) => (answer = error.code),
      });
      cluster.run(500);
      return answer;
    };
    expect(answerTo(hello('2', '3'))).toMatch(
      /^-REFUSED this peer speaks versions 1 to 1 .* 2 to 3.*\r\n end$/,
    );
    expect(answerTo(hello('1', '3'))).toMatch(/^\*3\r\n:1\r\n:\d+\r\n\$32\r\n/);
    expect(answerTo('GET / HTTP/1.1\r\n\r\n')).toMatch(/^-REFUSED .*\r\n end$/);
    expect(answerTo('PING\r\n')).toMatch(/^-REFUSED expected RAFT.HELLO: this port is for peers/);
    expect(answerTo('*1\r\n$10\r\nRAFT.HELLO\r\n')).toMatch(/^-REFUSED RAFT.HELLO says too little/);
    expect(answerTo('*1000000\r\n')).toMatch(/^-REFUSED/);
    expect(answerTo(`*2\r\n$8\r\nRAFT.MSG\r\n$${TRANSPORT_LIMITS.messageBytesMax * 4}\r\n`)).toBe(
      '',
    );
    expect(answerTo(`${hello('1', '1')}*2\r\n$8\r\nRAFT.MSG\r\n$3\r\nabc\r\n`)).toContain(
      '-REFUSED a message was altered',
    );
    expect(answerTo(`${hello('1', '1')}*1\r\n$4\r\nQUIT\r\n`)).toContain('-REFUSED not a request');
    // Half a greeting, then silence.
    answerTo('*9\r\n');
    cluster.run(TRANSPORT_LIMITS.greetingTimeoutMs);
    expect(b.warnings.join()).toContain('no greeting came');
    expect(b.received).toEqual([]);
  });

  test('when there are too many, by a connection that ends', () => {
    const cluster = new Cluster();
    cluster.add('b', { limits: { inboundMax: 2, greetingTimeoutMs: 60_000 } }, []);
    const stranger = cluster.add('a', {}, []);
    let closed = 0;
    for (let count = 0; count < 5; count++) {
      stranger.runtime.network.connect(addressOf('b'), {
        onConnect: (connection) =>
          connection.start({
            onData: () => undefined,
            onDrain: () => undefined,
            onEnd: () => (closed += 1),
            onClose: () => (closed += 1),
          }),
        onError: () => (closed += 1),
      });
    }
    cluster.run(1000);
    expect(closed).toBe(3);
  });
});

describe('whom a peer talks to', () => {
  test('one that joins answers peers of which it has not heard', () => {
    const cluster = new Cluster();
    const leader = cluster.add('leader', {}, ['joiner']);
    const joiner = cluster.add('joiner', {}, []);
    cluster.run(START_MS);
    leader.transport.send(message('leader', 'joiner', 1));
    cluster.run(100);
    expect(numbersOf(joiner.received)).toEqual([1]);
    joiner.transport.send(message('joiner', 'leader', 2));
    cluster.run(100);
    expect(numbersOf(leader.received)).toEqual([2]);
    leader.process.kill();
    cluster.run(TRANSPORT_LIMITS.idleMaxMs * 2);
    joiner.unreachable.length = 0;
    const attempts = countAttempts(joiner);
    cluster.run(60_000);
    expect(attempts()).toBe(0);
    joiner.transport.send(message('joiner', 'leader', 3));
    cluster.run(1);
    expect(joiner.unreachable).toEqual(['leader']);
  });

  test('follows the configuration: a new address is used, a removed peer is left', () => {
    const { cluster, a, b } = makePair();
    const c = cluster.add('c', { peer: asPeerId('b'), store: new Uint8Array(16) }, []);
    cluster.run(100);
    a.transport.setPeers(new Map([[asPeerId('b'), addressOf('c')]]));
    cluster.run(100);
    a.transport.send(message('a', 'b', 1));
    cluster.run(100);
    expect(numbersOf(c.received)).toEqual([1]);
    expect(b.received).toEqual([]);
    b.process.kill();
    cluster.run(100);
    a.transport.setPeers(new Map());
    a.transport.send(message('a', 'b', 2));
    cluster.run(100);
    expect(numbersOf(c.received)).toEqual([1]);
    expect(a.unreachable).toContain('b');
  });

  test('speaks for itself only', () => {
    const { a } = makePair();
    expect(() => a.transport.send(message('b', 'a', 1))).toThrow('speaks for itself');
    expect(() => a.transport.send({ ...message('a', 'b', 1), cluster: asClusterId('x') })).toThrow(
      'itself',
    );
    expect(() => a.transport.send(message('a', 'a', 1))).toThrow('itself no messages');
  });

  test('nobody any more, once it is stopped', () => {
    const { cluster, a, b } = makePair();
    cluster.run(100);
    let isStopped = false;
    const attempts = countAttempts(a);
    a.transport.stop(() => (isStopped = true));
    a.unreachable.length = 0;
    a.transport.send(message('a', 'b', 1));
    b.transport.send(message('b', 'a', 2));
    cluster.run(10_000);
    expect(isStopped).toBe(true);
    expect([a.received, b.received, a.unreachable]).toEqual([[], [], []]);
    expect(b.unreachable).toContain('a');
    expect(attempts()).toBe(0);
  });
});

test('over real sockets', async () => {
  const runtime = createRuntime({ log: { level: 'error' } });
  const names = ['a', 'b'] as const;
  const transports = names.map(
    (name) =>
      new PeerTransport(runtime, {
        cluster: GREEN,
        peer: asPeerId(name),
        store: new Uint8Array(16),
        address: { host: '127.0.0.1', port: 0 },
      }),
  );
  const [a, b] = transports;
  const count = 5000;
  const received: Message[] = [];
  const arrived = new Promise<void>((resolve) => {
    b.start({
      onMessage: (each) => {
        received.push(each);
        if (received.length === count) resolve();
      },
      onUnreachable: () => undefined,
    });
  });
  a.start({ onMessage: () => undefined, onUnreachable: () => undefined });
  const address = await new Promise<Address>((resolve, reject) => {
    b.listen({ host: '127.0.0.1', port: 0 }, (error, bound) =>
      error === undefined ? resolve(bound) : reject(error),
    );
  });
  a.setPeers(new Map([[asPeerId('b'), address]]));
  for (let number = 0; number < count; number++) a.send(message('a', 'b', number, number % 2000));
  await arrived;
  expect(numbersOf(received)).toEqual(Array.from({ length: count }, (_, number) => number));
  expect(received[4321]).toEqual(message('a', 'b', 4321, 4321 % 2000));
  await Promise.all(transports.map((each) => new Promise<void>((resolve) => each.stop(resolve))));
});
