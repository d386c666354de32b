import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import {
  freePort,
  redisServerIsMissing,
  startRedisServer,
} from '../../test/support/redis-server.ts';
import { Fleet, type FleetPlan, type LoadOrder, type Tally, type Workload } from './index.ts';

const workload: Workload = {
  keyCount: 5_000,
  keyBytes: { min: 16, max: 16 },
  valueBytes: { min: 10, max: 90 },
  ttlMs: undefined,
  readFraction: 0.5,
  theta: 0.9,
  seed: 1,
};

const reads: Workload = { ...workload, readFraction: 1 };

const once1000: LoadOrder = {
  round: 0,
  requests: 1000,
  durationMs: Infinity,
  ratePerSecond: undefined,
};

function plan(port: number, changes: Partial<FleetPlan> = {}): FleetPlan {
  const address = { host: '127.0.0.1', port };
  return {
    targets: [{ address, tenant: undefined, secret: undefined }],
    workload,
    connections: 4,
    pipeline: 4,
    threads: 1,
    stallMs: 10_000,
    ...changes,
  };
}

const countReads = (bytes: string | Uint8Array): number => String(bytes).split('GET').length - 1;

const answered = (tally: Tally): number => tally.reads.count + tally.writes.count;

// Node fires a timer up to a millisecond early, as other clocks see it: times are compared with
// that much to spare.

describe.skipIf(redisServerIsMissing())('a load on redis-server', () => {
  test('fills every key once, and then hits on each read', async () => {
    await using server = await startRedisServer();
    await using fleet = await Fleet.open(plan(server.port, { threads: 2, connections: 7 }));
    const filled = await fleet.fill(0);
    expect(filled.answered).toBe(5_000);
    const client = new Redis(server.port, '127.0.0.1');
    expect(await client.dbsize()).toBe(5_000);
    const loaded = await fleet.load(0, { ...once1000, requests: 3_001 });
    client.disconnect();
    expect(loaded.answered).toBe(3_001);
    expect(answered(loaded)).toBe(3_001);
    expect(loaded.hits).toBe(loaded.reads.count);
    expect(loaded.misses + loaded.lost + loaded.unanswered + loaded.errors.size).toBe(0);
    expect(loaded.hits).toBeGreaterThan(1_300);
    expect(loaded.hits).toBeLessThan(1_700);
  });

  test('comes to its end also where a thread has nothing to do', async () => {
    await using server = await startRedisServer();
    const few = { ...workload, keyCount: 1 };
    await using fleet = await Fleet.open(plan(server.port, { workload: few, threads: 3 }));
    expect((await fleet.fill(0)).answered).toBe(1);
    expect((await fleet.load(0, { ...once1000, requests: 2 })).answered).toBe(2);
  });

  test('counts misses', async () => {
    await using server = await startRedisServer();
    await using fleet = await Fleet.open(plan(server.port, { workload: reads }));
    const { hits, misses } = await fleet.load(0, once1000);
    expect([hits, misses]).toEqual([0, 1000]);
  });

  test('runs for as long as it should, at the rate it should', async () => {
    await using server = await startRedisServer();
    await using fleet = await Fleet.open(plan(server.port));
    const order = { ...once1000, requests: Infinity, durationMs: 500, ratePerSecond: 2_000 };
    const { answered: count, unsent, elapsedUs } = await fleet.load(0, order);
    expect(count + unsent).toBeGreaterThanOrEqual(997);
    expect(count + unsent).toBeLessThanOrEqual((elapsedUs / 1e6) * 2_000 + 1);
    expect(elapsedUs).toBeGreaterThanOrEqual(499_000);
  });

  test('counts error replies by their word, with an example, and not as answered', async () => {
    await using server = await startRedisServer('--maxmemory', '1mb');
    await using fleet = await Fleet.open(plan(server.port));
    const tally = await fleet.load(0, once1000);
    const errors = tally.errors.get('OOM');
    expect(errors?.example).toContain('used memory');
    expect(errors?.count).toBe(1000 - tally.answered);
    expect(answered(tally)).toBe(tally.answered);
  });

  test('lets itself in with a secret, and says why it is not let in', async () => {
    await using server = await startRedisServer('--requirepass', 'sesame');
    const address = { host: '127.0.0.1', port: server.port };
    const open = (secret: string | undefined) =>
      Fleet.open(plan(server.port, { targets: [{ address, tenant: 'default', secret }] }));
    await using fleet = await open('sesame');
    expect((await fleet.load(0, once1000)).answered).toBe(1000);
    await expect(open('wrong')).rejects.toMatchObject({
      code: 'ERR_CACHECTL_CONNECT',
      message: expect.stringMatching(/^cannot load 127\.0\.0\.1:\d+: WRONGPASS/),
    });
    await using refused = await open(undefined);
    expect((await refused.load(0, once1000)).errors.get('NOAUTH')?.count).toBe(1000);
  });

  test('goes on after connections break, and counts what they took along', async () => {
    await using server = await startRedisServer();
    await using fleet = await Fleet.open(plan(server.port));
    const client = new Redis(server.port, '127.0.0.1');
    const run = fleet.load(0, { ...once1000, requests: Infinity, durationMs: 1_000 });
    await expect
      .poll(async () => {
        const killed = await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        return Number(killed);
      })
      .toBeGreaterThan(0);
    const before = Number(/total_commands_processed:(\d+)/.exec(await client.info('stats'))?.[1]);
    const tally = await run;
    client.disconnect();
    expect(tally.lost).toBeLessThanOrEqual(16);
    expect(tally.answered).toBeGreaterThan(before);
  });
});

describe('a load', () => {
  test('on nobody says so', async () => {
    const port = await freePort();
    await expect(Fleet.open(plan(port))).rejects.toMatchObject({
      code: 'ERR_CACHECTL_CONNECT',
      message: `cannot load 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
  });

  test('on a server that falls silent is given up, with what it still owes', async () => {
    await using server = await startScripted((socket) => {
      socket.once('data', () => {});
    });
    await using fleet = await Fleet.open(plan(server.port, { stallMs: 200 }));
    const tally = await fleet.load(0, once1000);
    expect([tally.answered, tally.unanswered]).toEqual([0, 16]);
  });

  test.each([undefined, 3_000])(
    'never has more in flight on a connection than its pipeline, at the rate %s',
    async (ratePerSecond) => {
      let most = 0;
      await using server = await startScripted((socket) => {
        let waiting = 0;
        socket.on('data', (bytes) => {
          for (let left = countReads(bytes); left > 0; left--) {
            waiting++;
            most = Math.max(most, waiting);
            setTimeout(
              () => {
                waiting--;
                socket.write('$-1\r\n');
              },
              waiting === 3 ? 5 : 1,
            );
          }
        });
      });
      await using fleet = await Fleet.open(plan(server.port, { workload: reads, pipeline: 3 }));
      const { answered: count } = await fleet.load(0, { ...once1000, ratePerSecond });
      expect(count).toBe(1000);
      expect(most).toBe(3);
    },
  );

  test('makes many connections', async () => {
    let sockets = 0;
    await using server = await startScripted((socket) => {
      sockets++;
      socket.on('data', (bytes) => socket.write('$-1\r\n'.repeat(countReads(bytes))));
    });
    const shape = { workload: reads, connections: 300, threads: 2 };
    await using fleet = await Fleet.open(plan(server.port, shape));
    expect((await fleet.load(0, once1000)).answered).toBe(1000);
    expect(sockets).toBe(300);
  });

  test('sends the same requests in the same round, and others in another', async () => {
    let sent = '';
    await using server = await startScripted((socket) => {
      socket.on('data', (bytes) => {
        sent += String(bytes);
        socket.write('$-1\r\n'.repeat(countReads(bytes)));
      });
    });
    const shape = { workload: reads, connections: 1 };
    await using fleet = await Fleet.open(plan(server.port, shape));
    const rounds: string[] = [];
    for (const round of [1, 1, 2]) {
      sent = '';
      await fleet.load(0, { ...once1000, round });
      rounds.push(sent);
    }
    expect(rounds[0].length).toBeGreaterThan(10_000);
    expect(rounds[1]).toBe(rounds[0]);
    expect(rounds[2]).not.toBe(rounds[0]);
  });

  test('counts what was due and never sent, with how long it had waited', async () => {
    await using server = await startScripted((socket) => {
      socket.on('data', () => setTimeout(() => socket.write('$-1\r\n'), 20));
    });
    const shape = { workload: reads, connections: 1, pipeline: 1, threads: 1 };
    await using fleet = await Fleet.open(plan(server.port, shape));
    const order = { ...once1000, requests: Infinity, durationMs: 500, ratePerSecond: 1_000 };
    const startedMs = performance.now();
    const tally = await fleet.load(0, order);
    const wallMs = performance.now() - startedMs;
    expect(tally.elapsedUs / 1000).toBeLessThanOrEqual(wallMs);
    expect(tally.answered).toBeLessThanOrEqual(26);
    expect(tally.answered + tally.unsent).toBeGreaterThanOrEqual(498);
    expect(tally.reads.count).toBe(tally.answered + tally.unsent);
    // The last one had just come due, the first ones have waited for all of the run.
    expect(tally.reads.percentile(50)).toBeGreaterThan(150_000);
    expect(tally.reads.max).toBeGreaterThan(400_000);
  });

  test('on two threads takes as long as the slower', async () => {
    await using server = await startScripted((socket) => {
      socket.on('data', (bytes) => socket.write('$-1\r\n'.repeat(countReads(bytes))));
    });
    await using fleet = await Fleet.open(plan(server.port, { workload: reads, threads: 2 }));
    const startedMs = performance.now();
    const order = { ...once1000, requests: Infinity, durationMs: 300 };
    const { elapsedUs } = await fleet.load(0, order);
    expect(elapsedUs).toBeGreaterThanOrEqual(299_000);
    expect(elapsedUs / 1000).toBeLessThanOrEqual(performance.now() - startedMs);
  });

  test('tells of a stall to the full in an open run, and hardly in a closed one', async () => {
    // Answers at once, but for 600 ms after its first 100 ms.
    const stalls = (socket: Socket, startedMs: () => number): void => {
      socket.on('data', (bytes) => {
        const replies = '$-1\r\n'.repeat(countReads(bytes));
        const sinceMs = performance.now() - startedMs();
        const isStalled = sinceMs > 100 && sinceMs < 700;
        setTimeout(() => socket.write(replies), isStalled ? 700 - sinceMs : 0);
      });
    };
    let startedMs = 0;
    await using server = await startScripted((socket) => stalls(socket, () => startedMs));
    const shape = { workload: reads, pipeline: 1, connections: 2 };
    await using fleet = await Fleet.open(plan(server.port, shape));
    const timed = { ...once1000, requests: Infinity, durationMs: 1_000 };
    startedMs = performance.now();
    const closed = await fleet.load(0, timed);
    startedMs = performance.now();
    const open = await fleet.load(0, { ...timed, ratePerSecond: 500 });
    // Of the closed run's requests only the two in flight have met the stall.
    expect(closed.reads.percentile(90)).toBeLessThan(200_000);
    // 300 of 500 were due while it lasted: half of all waited for 200 ms and more.
    expect(open.reads.percentile(75)).toBeGreaterThan(200_000);
    expect(open.reads.count).toBeGreaterThan(450);
  });
});

async function startScripted(
  onSocket: (socket: Socket) => void,
): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
