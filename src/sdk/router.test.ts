import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CachectlError } from '../cluster/index.ts';
import { REQUEST, RequestReader, type Reply, replyText } from '../resp/index.ts';
import { type Connection, OutputBuffer, type Runtime } from '../runtime/index.ts';
import type { CacheOptions } from './options.ts';
import { readOptions } from './options.ts';
import { Router } from './router.ts';
import { createWorld, type SimWorld } from './test-support.ts';

/** How one call has ended. */
interface Outcome {
  readonly sinceUs: number;
  readonly deadlineUs: number;
  settledUs: number | undefined;
  /** Times that it was settled. */
  count: number;
  result: Reply | CachectlError | undefined;
}

class Caller {
  readonly router: Router;
  readonly outcomes: Outcome[] = [];
  opened: CachectlError | 'open' | undefined;
  readonly #world: SimWorld;

  constructor(world: SimWorld, options: Partial<CacheOptions> = {}) {
    this.#world = world;
    const settings = readOptions({ seeds: ['node:7400'], ...options });
    this.router = new Router(world.runtime, settings);
    this.router.open((error) => (this.opened = error ?? 'open'));
  }

  call(args: readonly string[], timeoutMs = 250): Outcome {
    const sinceUs = this.#nowUs();
    const outcome: Outcome = {
      sinceUs,
      deadlineUs: sinceUs + timeoutMs * 1000,
      settledUs: undefined,
      count: 0,
      result: undefined,
    };
    this.outcomes.push(outcome);
    const settle = (result: Reply | CachectlError): void => {
      outcome.count++;
      outcome.settledUs = this.#nowUs();
      outcome.result = result;
    };
    this.router.call(args[1], args, timeoutMs, settle, settle);
    return outcome;
  }

  #nowUs(): number {
    return this.#world.runtime.clock.monotonicUs();
  }
}

function codeOf(outcome: Outcome): string | undefined {
  return outcome.result instanceof Error && 'code' in outcome.result
    ? outcome.result.code
    : undefined;
}

describe('a router, in a simulated world', () => {
  test('settles every call once and in time, with its own answer, whatever fails', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('set'), key: fc.nat(4) }) },
      { weight: 8, arbitrary: fc.record({ do: fc.constant('get'), key: fc.nat(4) }) },
      { weight: 8, arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.nat(120) }) },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constantFrom('cut', 'heal', 'pause', 'resume') }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('kill', 'start', 'reset') }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(), (steps, seed) => {
        const world = createWorld({
          seed,
          network: {
            latency: { shape: 'bimodal', minUs: 50, spreadUs: 40_000 },
            split: [1, 3],
            loss: [1, 20],
            reset: [1, 60],
          },
        });
        const { node, client, simulation, run } = world;
        const caller = new Caller(world);
        run(2_500);
        const there = simulation.network.link(client, node);
        const written = new Map<number, Set<string>>();
        const reads: Array<{ key: number; outcome: Outcome }> = [];
        steps.forEach((one, index) => {
          if (one.do === 'set' && 'key' in one) {
            const value = `${one.key}#${index}`;
            caller.call(['SET', `k${one.key}`, value]);
            written.set(one.key, (written.get(one.key) ?? new Set()).add(value));
          } else if (one.do === 'get' && 'key' in one) {
            reads.push({ key: one.key, outcome: caller.call(['GET', `k${one.key}`]) });
          } else if (one.do === 'wait' && 'ms' in one) run(one.ms);
          else if (one.do === 'cut' && there.cuts === 0) simulation.network.cut(there);
          else if (one.do === 'heal' && there.cuts > 0) simulation.network.heal(there);
          else if (one.do === 'pause' && node.status === 'running') node.pause();
          else if (one.do === 'resume' && node.status === 'paused') node.resume();
          else if (one.do === 'kill' && node.status !== 'down') node.kill();
          else if (one.do === 'start' && node.status === 'down') node.start();
          else if (one.do === 'reset') simulation.network.resetConnections(client, node);
        });
        run(1_000);
        for (const { count, settledUs, deadlineUs } of caller.outcomes) {
          expect(count).toBe(1);
          expect(settledUs).toBeLessThanOrEqual(deadlineUs + 1_000);
        }
        for (const { key, outcome } of reads) {
          if (!(outcome.result instanceof Uint8Array)) continue;
          expect([...(written.get(key) ?? [])]).toContain(replyText(outcome.result));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('serves again soon after the node is back', () => {
    const world = createWorld();
    const caller = new Caller(world);
    world.run(50);
    expect(caller.opened).toBe('open');
    world.node.kill();
    world.run(10);
    for (let call = 0; call < 20; call++) {
      caller.call(['GET', 'k']);
      world.run(500);
    }
    expect(caller.outcomes.map(codeOf)).toEqual(
      Array.from({ length: 20 }, () => 'ERR_CACHECTL_CONNECT'),
    );
    world.node.start();
    world.run(2_100);
    const after = caller.call(['GET', 'k']);
    world.run(50);
    expect(after.result).toBeNull();
  });

  test('gives up a node that has stopped answering, and connects anew', () => {
    const world = createWorld();
    const { network } = world.simulation;
    const caller = new Caller(world, { callsPerNodeMax: 1 });
    world.run(50);
    const back = network.link(world.node, world.client);
    network.cut(back);
    const lost = caller.call(['GET', 'k']);
    world.run(1_900);
    expect(codeOf(lost)).toBe('ERR_CACHECTL_TIMEOUT');
    expect(codeOf(caller.call(['GET', 'k']))).toBe('ERR_CACHECTL_OVERLOADED');
    world.run(200);
    network.heal(back);
    world.run(4_000);
    const after = caller.call(['SET', 'k', 'v']);
    world.run(250);
    expect(after.result).toBe('OK');
  });

  test('refuses one call more than may be under way, and only while they are', () => {
    const world = createWorld();
    const caller = new Caller(world, { callsPerNodeMax: 3 });
    world.run(50);
    world.node.pause();
    for (let call = 0; call < 5; call++) caller.call(['GET', `k${call}`]);
    const refused = 'ERR_CACHECTL_OVERLOADED';
    expect(caller.outcomes.map(codeOf)).toEqual([
      undefined,
      undefined,
      undefined,
      refused,
      refused,
    ]);
    world.run(300);
    // Nobody waits any more, but the node still owes the answers.
    expect(codeOf(caller.call(['GET', 'k']))).toBe(refused);
    world.node.resume();
    world.run(10);
    const after = caller.call(['GET', 'k']);
    world.run(10);
    expect(after.result).toBeNull();
  });

  test('closes after the calls under way, and takes no more', () => {
    const world = createWorld();
    const caller = new Caller(world);
    world.run(50);
    const last = caller.call(['SET', 'k', 'v']);
    let isClosed = false;
    caller.router.close(() => (isClosed = true));
    expect(codeOf(caller.call(['GET', 'k']))).toBe('ERR_CACHECTL_CLOSED');
    expect(isClosed).toBe(false);
    world.run(10);
    expect(isClosed).toBe(true);
    expect(last.result).toBe('OK');
  });

  test('closes at the last deadline where nothing answers', () => {
    const world = createWorld();
    const caller = new Caller(world);
    world.run(50);
    world.node.pause();
    const last = caller.call(['SET', 'k', 'v'], 400);
    let closed = false;
    caller.router.close(() => (closed = true));
    world.run(399);
    expect(closed).toBe(false);
    world.run(2);
    expect(closed).toBe(true);
    expect(codeOf(last)).toBe('ERR_CACHECTL_TIMEOUT');
  });

  test('says which seed could not be reached', () => {
    const world = createWorld();
    const caller = new Caller(world, { seeds: ['node:7401'] });
    world.run(10);
    expect(caller.opened).toMatchObject({
      code: 'ERR_CACHECTL_CONNECT',
      message: 'node:7401: cannot connect: ECONNREFUSED',
    });
    const silent = createWorld();
    silent.simulation.network.cut(silent.simulation.network.link(silent.client, silent.node));
    const waiting = new Caller(silent, { connectTimeout: '300ms' });
    silent.run(301);
    expect(waiting.opened).toMatchObject({ message: 'node:7400: no connection within 300 ms' });
  });

  test('opens with the seeds that are there', () => {
    const world = createWorld();
    const caller = new Caller(world, { seeds: ['node:7401', 'node:7400', 'nowhere:1'] });
    world.run(10);
    expect(caller.opened).toBe('open');
  });
});

/** A node that answers each request by a function of its arguments, and counts what arrives. */
function scripted(answer: (args: readonly string[]) => string) {
  const seen = { pieces: 0, connections: 0, requests: 0 };
  const program = (runtime: Runtime): void => {
    const onConnection = (connection: Connection): void => {
      seen.connections++;
      const reader = new RequestReader();
      connection.start({
        onData(bytes, start, end) {
          seen.pieces++;
          reader.push(bytes, start, end);
          while (reader.next() === REQUEST) {
            seen.requests++;
            reply(connection, answer(argumentsOf(reader)));
          }
          reader.finish();
        },
        onDrain() {},
        onEnd() {},
        onClose() {},
      });
    };
    const onError = (error: Error): void => {
      throw error;
    };
    runtime.network.listen(
      { host: 'node', port: 7400 },
      { onListening() {}, onConnection, onError },
    );
  };
  return { seen, program };
}

function argumentsOf({ request }: RequestReader): string[] {
  const { argumentBytes, argumentCount, starts, ends } = request;
  return Array.from({ length: argumentCount }, (_, index) =>
    Buffer.from(argumentBytes.subarray(starts[index], ends[index])).toString(),
  );
}

function reply(connection: Connection, text: string): void {
  const output = new OutputBuffer();
  output.append(Buffer.from(text));
  connection.send(output);
}

/** All slots are served by the node that is asked. */
const ALL_MINE = '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:7400\r\n';

function answerSlots(answer: string): (args: readonly string[]) => string {
  return ([name]) => (name === 'CLUSTER' ? ALL_MINE : answer);
}

describe('a router, before a node of few words', () => {
  test('sends calls of one turn together, also those made by the answers to others', () => {
    const { seen, program } = scripted(answerSlots(':1\r\n'));
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const before = seen.pieces;
    for (let call = 0; call < 100; call++) caller.call(['GET', `k${call}`]);
    world.run(50);
    expect(seen.pieces - before).toBe(1);
    expect(seen.requests).toBe(101);
    expect(seen.connections).toBe(1);
  });

  test('does not run in a circle', () => {
    const { seen, program } = scripted(answerSlots('-MOVED 1 node:7400\r\n'));
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const call = caller.call(['GET', 'k']);
    const before = seen.requests;
    world.run(50);
    expect(call.result).toMatchObject({
      code: 'ERR_CACHECTL_SERVER',
      message: 'node:7400: MOVED 1 node:7400',
    });
    expect(caller.router.redirections).toBe(5);
    expect(seen.requests - before).toBeLessThanOrEqual(7);
  });

  test('reads the map once a second at most, however many calls are redirected', () => {
    let maps = 0;
    const { program } = scripted(([name]) => {
      if (name !== 'CLUSTER') return '-MOVED 1 node:7400\r\n';
      maps++;
      return ALL_MINE;
    });
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    for (let round = 0; round < 100; round++) {
      for (let call = 0; call < 10; call++) caller.call(['GET', `k${call}`]);
      world.run(50);
    }
    expect(maps).toBeGreaterThan(3);
    expect(maps).toBeLessThanOrEqual(7);
  });

  test.each([
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'node:7400: Protocol error: not a reply'],
    [':1\r\n:2\r\n', undefined],
  ])('is not confused by %j', (answer, words) => {
    const { program } = scripted(answerSlots(answer));
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const [one, other] = [caller.call(['GET', 'a']), caller.call(['GET', 'b'])];
    world.run(300);
    expect([one.count, other.count]).toEqual([1, 1]);
    if (words === undefined) expect(one.result).toBe(1);
    else expect(one.result).toMatchObject({ message: expect.stringContaining(words) });
  });

  test('takes no map that makes no sense for one', () => {
    const { program } = scripted(() => '*1\r\n*3\r\n:0\r\n:99999\r\n*0\r\n');
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    expect(caller.opened).toMatchObject({ code: 'ERR_CACHECTL_SERVER' });
  });
});
