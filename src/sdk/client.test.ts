import { once } from 'node:events';
import { createServer } from 'node:net';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  freePort,
  redisServerIsMissing,
  startRedisServer,
  type RedisServer,
} from '../../test/support/redis-server.ts';
import { startCachectl } from '../../test/support/cachectl.ts';
import { slotOfKey } from '../cluster/index.ts';
import { connect } from './connect.ts';
import { type CacheClient, DEFAULTS } from './index.ts';

/** Tests share a machine with others: what is not about time has plenty of it. */
const CALM = { timeout: '10s', connectTimeout: '10s', onReadError: 'throw' } as const;

interface Server extends AsyncDisposable {
  readonly port: number;
}

const SERVERS: ReadonlyArray<readonly [name: string, start: () => Promise<Server>]> = [
  ['cachectl', startNode],
  ...(redisServerIsMissing() ? [] : [['redis-server', () => startRedisServer()] as const]),
];

async function startNode(): Promise<Server> {
  const started = startCachectl(['node', 'start', '--listen', '127.0.0.1:0']);
  const [, port] = await started.line(/serves .*:(\d+)/);
  return { port: Number(port), [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
}

describe.each(SERVERS)('a client of %s', (_, start) => {
  let server: Server;
  let cache: CacheClient;
  beforeAll(async () => {
    server = await start();
    cache = await connect({ seeds: [`127.0.0.1:${server.port}`], ...CALM });
  });
  afterAll(async () => {
    await cache.close();
    await server[Symbol.asyncDispose]();
  });

  test('gets what was set, byte for byte', async () => {
    const bytes = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(bytes, bytes), { minLength: 1, maxLength: 20 }),
        async (entries) => {
          await cache.setMany(entries);
          const last = new Map(
            entries.map(([key, value]) => [Buffer.from(key).toString('hex'), value]),
          );
          const keys = entries.map(([key]) => key);
          const found = await cache.getMany(keys);
          expect(found.map((value) => value && Buffer.from(value))).toEqual(
            keys.map((key) => Buffer.from(last.get(Buffer.from(key).toString('hex')) ?? [])),
          );
        },
      ),
      { numRuns: 50 },
    );
  });

  test('keeps a value of a megabyte, and text in UTF-8', async () => {
    const value = Buffer.alloc(1024 * 1024, 'abc');
    expect(await cache.set('big', value)).toBe(true);
    expect(value.equals((await cache.get('big')) ?? Buffer.alloc(0))).toBe(true);
    await cache.set('schlüssel', 'wört €');
    expect(Buffer.from((await cache.get('schlüssel')) ?? []).toString()).toBe('wört €');
  });

  test('tells a missing key, and whether it deleted one', async () => {
    expect(await cache.get('missing')).toBeUndefined();
    expect(await cache.ttl('missing')).toBeUndefined();
    await cache.set('there', '1');
    expect(await cache.delete('there')).toBe(true);
    expect(await cache.delete('there')).toBe(false);
    expect(await cache.get('there')).toBeUndefined();
  });

  test('sets only where the key is absent, or only where it is present', async () => {
    expect(await cache.set('once', '1', { onlyIf: 'present' })).toBe(false);
    expect(await cache.set('once', '1', { onlyIf: 'absent' })).toBe(true);
    expect(await cache.set('once', '2', { onlyIf: 'absent' })).toBe(false);
    expect(await cache.set('once', '3', { onlyIf: 'present' })).toBe(true);
    expect(String.fromCharCode(...((await cache.get('once')) ?? []))).toBe('3');
  });

  test('lets keys live as long as it is told', async () => {
    await cache.set('short', 'x', { ttl: 30 });
    await cache.set('long', 'x', { ttl: '10m' });
    await cache.set('endless', 'x');
    expect(await cache.ttl('long')).toBeGreaterThan(500_000);
    expect(await cache.ttl('long')).toBeLessThanOrEqual(600_000);
    expect(await cache.ttl('endless')).toBe(Infinity);
    await expect.poll(() => cache.get('short')).toBeUndefined();
    for (const ttl of [0, -1, NaN, '10', 'soon', Infinity]) {
      await expect(cache.set('bad', 'x', { ttl })).rejects.toMatchObject({
        code: 'ERR_CACHECTL_VALUE',
        message: expect.stringContaining(
          `ttl is ${typeof ttl === 'string' ? `'${ttl}'` : JSON.stringify(ttl)}`,
        ),
      });
    }
    expect(await cache.get('bad')).toBeUndefined();
  });

  test('counts', async () => {
    const sums = await Promise.all(Array.from({ length: 100 }, () => cache.incr('hits')));
    expect(sums).toEqual(Array.from({ length: 100 }, (_one, index) => index + 1));
    expect(await cache.incr('hits', { by: -40 })).toBe(60);
    await expect(cache.incr('hits', { by: 0.5 })).rejects.toMatchObject({
      code: 'ERR_CACHECTL_VALUE',
    });
  });

  test('passes on what the server says', async () => {
    await cache.set('word', 'abc');
    await expect(cache.incr('word')).rejects.toMatchObject({
      code: 'ERR_CACHECTL_SERVER',
      message: expect.stringContaining('not an integer'),
    });
    await cache.set('huge', '9223372036854775806');
    await expect(cache.incr('huge')).rejects.toMatchObject({ code: 'ERR_CACHECTL_SERVER' });
  });

  test('is not let in with a wrong secret', async () => {
    const seeds = [`127.0.0.1:${server.port}`];
    await expect(connect({ seeds, ...CALM, tenant: 'shop', secret: 'no' })).rejects.toMatchObject({
      code: 'ERR_CACHECTL_AUTH',
      message: expect.stringContaining("tenant 'shop'"),
    });
  });

  test('takes no calls once it is closed, and may be closed twice', async () => {
    const own = await connect({ seeds: [`127.0.0.1:${server.port}`], ...CALM });
    const last = own.set('last', 'x');
    await Promise.all([own.close(), own.close()]);
    expect(await last).toBe(true);
    await expect(own.get('last')).rejects.toMatchObject({ code: 'ERR_CACHECTL_CLOSED' });
  });
});

describe('cache trouble', () => {
  test('is a miss for reads and an error for writes, and is counted', async () => {
    await using server = await startNode();
    await using cache = await connect({ seeds: [`127.0.0.1:${server.port}`] });
    await server[Symbol.asyncDispose]();
    await expect.poll(() => cache.get('k').then(() => cache.stats().failures)).toBeGreaterThan(0);
    expect(await cache.getMany(['a', 'b'])).toEqual([undefined, undefined]);
    await expect(cache.set('k', 'v')).rejects.toMatchObject({ code: 'ERR_CACHECTL_CONNECT' });
    const { calls, failures, readsFailedAsMiss } = cache.stats();
    expect(calls).toBe(failures);
    expect(readsFailedAsMiss).toBe(failures - 1);
  });

  test('comes within the timeout of the call, where nothing answers', async () => {
    const all = '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$0\r\n\r\n:';
    const server = createServer((socket) => {
      socket.once('data', () => socket.write(`${all}${socket.localPort}\r\n`));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const silent = `127.0.0.1:${address.port}`;
    await using cache = await connect({ seeds: [silent], onReadError: 'throw' });
    await expect(cache.get('k', { timeout: 50 })).rejects.toMatchObject({
      code: 'ERR_CACHECTL_TIMEOUT',
      message: `${silent} has not answered in time`,
    });
    server.close();
  });

  test('of connecting names the address', async () => {
    const port = await freePort();
    await expect(connect({ seeds: [`127.0.0.1:${port}`] })).rejects.toMatchObject({
      code: 'ERR_CACHECTL_CONNECT',
      message: `127.0.0.1:${port}: cannot connect: ECONNREFUSED`,
    });
  });

  test.each([
    [{ seeds: [] }, 'seeds is []'],
    [{ seeds: ['nowhere'] }, "seeds is 'nowhere'"],
    [{ seeds: ['h:1'], timeout: 0 }, 'timeout is 0'],
    [{ seeds: ['h:1'], timeout: '5 parsecs' }, "timeout is '5 parsecs'"],
    [{ seeds: ['h:1'], tenant: 'shop' }, "tenant 'shop' is given without its secret"],
    [{ seeds: ['h:1'], callsPerNodeMax: 0 }, 'callsPerNodeMax is 0'],
  ])('of its own making is refused: %j', async (options, words) => {
    await expect(connect(options)).rejects.toMatchObject({
      code: 'ERR_CACHECTL_VALUE',
      message: expect.stringContaining(words),
    });
  });
});

describe.skipIf(redisServerIsMissing())('a client of a Redis Cluster of two', () => {
  let servers: RedisServer[];
  let admins: Redis[];
  let cache: CacheClient;

  beforeAll(async () => {
    servers = await Promise.all([startClusterMember(), startClusterMember()]);
    admins = servers.map(({ port }) => new Redis(port, '127.0.0.1'));
    await admins[0].call('CLUSTER', 'ADDSLOTSRANGE', 0, 8191);
    await admins[1].call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16383);
    const bus = /@(\d+)/.exec(String(await admins[1].call('CLUSTER', 'NODES')))?.[1] ?? '';
    await admins[0].call('CLUSTER', 'MEET', '127.0.0.1', servers[1].port, bus);
    for (const admin of admins) {
      const agree = async () =>
        expect(String(await admin.call('CLUSTER', 'INFO'))).toMatch(/state:ok[^]*known_nodes:2/);
      await vi.waitFor(agree, { timeout: 20_000 });
    }
    cache = await connect({ seeds: [`127.0.0.1:${servers[1].port}`], ...CALM });
  }, 60_000);
  afterAll(async () => {
    await cache.close();
    for (const admin of admins) admin.disconnect();
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('sends each key to the node that serves its slot, without being redirected', async () => {
    const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`);
    await cache.setMany(keys.map((key) => [key, key]));
    const found = await cache.getMany(keys);
    expect(found.map((value) => String.fromCharCode(...(value ?? [])))).toEqual(keys);
    const sizes = await Promise.all(admins.map((admin) => admin.dbsize()));
    const lower = keys.filter((key) => slotOf(key) < 8192).length;
    expect(sizes).toEqual([lower, 200 - lower]);
    expect(cache.stats().redirections).toBe(0);
  });

  test('follows a slot that has moved, and learns of it', async () => {
    const key = 'moving';
    const from = slotOf(key) < 8192 ? 0 : 1;
    const target = String(await admins[1 - from].call('CLUSTER', 'MYID'));
    for (const admin of [admins[1 - from], admins[from]]) {
      await admin.call('CLUSTER', 'SETSLOT', slotOf(key), 'NODE', target);
    }
    const before = cache.stats().redirections;
    expect(await cache.set(key, 'v')).toBe(true);
    expect(await admins[1 - from].get(key)).toBe('v');
    for (let call = 0; call < 10; call++) await cache.get(key);
    expect(cache.stats().redirections - before).toBe(1);
  });
});

function slotOf(key: string): number {
  return slotOfKey(Buffer.from(key), 0, Buffer.byteLength(key));
}

async function startClusterMember(): Promise<RedisServer> {
  const bus = await freePort();
  return startRedisServer('--cluster-enabled', 'yes', '--cluster-port', `${bus}`);
}

test('the defaults are what they say', () => {
  expect(DEFAULTS).toEqual({
    timeout: 250,
    connectTimeout: 2_000,
    onReadError: 'miss',
    callsPerNodeMax: 10_000,
  });
});
