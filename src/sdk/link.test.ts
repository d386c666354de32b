import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { replyText } from '../resp/index.ts';
import type { Network, Runtime } from '../runtime/index.ts';
import {
  type Outcome,
  Caller,
  allSlotsAt,
  answering,
  codeOf,
  createWorld,
  scripted,
} from './test-support.ts';

describe('a link, in a simulated world', () => {
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

  test('sends calls of one turn together, also those made by the answers to others', () => {
    const { seen, program } = scripted(answering(':1\r\n'));
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

  test.each([
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'node:7400: Protocol error: not a reply'],
    [':1\r\n:2\r\n', undefined],
  ])('is not confused by %j', (answer, words) => {
    const { program } = scripted(answering(answer));
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(50);
    const [one, other] = [caller.call(['GET', 'a']), caller.call(['GET', 'b'])];
    world.run(300);
    expect([one.count, other.count]).toEqual([1, 1]);
    if (words === undefined) expect(one.result).toBe(1);
    else expect(one.result).toMatchObject({ message: expect.stringContaining(words) });
  });

  test('is kept while the node answers, however slowly, and however long it was idle', () => {
    const { seen, program } = scripted(answering(':1\r\n'), { delayMs: 1_500 });
    const world = createWorld({ program });
    const caller = new Caller(world);
    world.run(10_000);
    const impatient = caller.call(['GET', 'k'], 100);
    world.run(2_000);
    expect(codeOf(impatient)).toBe('ERR_CACHECTL_TIMEOUT');
    caller.outcomes.length = 0;
    for (let call = 0; call < 50; call++) {
      caller.call(['GET', `k${call}`], 5_000);
      world.run(100);
    }
    world.run(5_000);
    expect(caller.outcomes.map(({ result }) => result)).toEqual(
      Array.from({ length: 50 }, () => 1),
    );
    expect(seen.connections).toBe(1);
  });

  test('settles calls in time also while it is only being made', () => {
    const world = createWorld();
    const { network } = world.simulation;
    const caller = new Caller(world);
    world.run(50);
    network.cut(network.link(world.client, world.node));
    network.resetConnections(world.client, world.node);
    world.run(100);
    const early = caller.call(['GET', 'k'], 100);
    const late = caller.call(['GET', 'k'], 300);
    world.run(101);
    expect([codeOf(early), codeOf(late)]).toEqual(['ERR_CACHECTL_TIMEOUT', undefined]);
    world.run(200);
    expect(codeOf(late)).toBe('ERR_CACHECTL_TIMEOUT');
  });

  test('does not send what nobody waits for any more', () => {
    let writes = 0;
    const { program } = scripted(([name]) => {
      if (name === 'CLUSTER') return allSlotsAt(7400);
      writes++;
      return '+OK\r\n';
    });
    const world = createWorld({ program });
    const { network } = world.simulation;
    const caller = new Caller(world);
    world.run(50);
    const there = network.link(world.client, world.node);
    network.cut(there);
    const value = 'x'.repeat(100_000);
    for (let call = 0; call < 100; call++) caller.call(['SET', `k${call}`, value]);
    world.run(300);
    expect(new Set(caller.outcomes.map(codeOf))).toEqual(new Set(['ERR_CACHECTL_TIMEOUT']));
    network.heal(there);
    world.run(1_000);
    // 256 KiB of the 10 MB had left when the network took no more.
    expect(writes).toBe(3);
    const after = caller.call(['SET', 'k', 'v']);
    world.run(50);
    expect(after.result).toBe('OK');
  });

  test('spaces out its tries, further and further, and starts afresh after a success', () => {
    const world = createWorld();
    const dials: number[] = [];
    const runtime = countingDials(world.runtime, () => dials.push(world.simulation.queue.nowUs));
    const caller = new Caller({ ...world, runtime });
    world.run(50);
    const callOften = (milliseconds: number): number => {
      dials.length = 0;
      for (let passed = 0; passed < milliseconds; passed += 10) {
        caller.call(['GET', 'k']);
        world.run(10);
      }
      return dials.length;
    };
    world.node.kill();
    expect(callOften(500)).toBeGreaterThanOrEqual(4);
    expect(callOften(10_000)).toBeLessThanOrEqual(30);
    world.node.start();
    world.run(2_100);
    const after = caller.call(['GET', 'k']);
    world.run(50);
    expect(after.result).toBeNull();
    world.node.kill();
    expect(callOften(500)).toBeGreaterThanOrEqual(4);
  });
});

/** The same runtime, with each dial told of. */
function countingDials(runtime: Runtime, onDial: () => void): Runtime {
  const network: Network = {
    listen: (address, handler) => runtime.network.listen(address, handler),
    connect: (address, handler) => {
      onDial();
      return runtime.network.connect(address, handler);
    },
  };
  return { ...runtime, network };
}
