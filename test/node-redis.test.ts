/** node-redis 6, unchanged, against a node: every family of commands, in both protocols and modes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { BasicClientSideCache, createClient, createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';

let node: Started;
let port: number;

beforeAll(async () => {
  node = startCachectl(['node', 'start', '--listen', '127.0.0.1:0', '--log-level', 'error']);
  port = Number((await node.line(/serves 127\.0\.0\.1:(\d+)/))[1]);
});

afterAll(() => node[Symbol.asyncDispose]());

function single(protocol: 2 | 3) {
  return createClient({ RESP: protocol, socket: { host: '127.0.0.1', port } });
}

function cluster(protocol: 2 | 3) {
  return createCluster({
    RESP: protocol,
    rootNodes: [{ socket: { host: '127.0.0.1', port } }],
  });
}

type Client = ReturnType<typeof single> | ReturnType<typeof cluster>;

const MODES: ReadonlyArray<readonly [string, () => Client]> = [
  ['single, RESP2', () => single(2)],
  ['single, RESP3', () => single(3)],
  ['cluster, RESP2', () => cluster(2)],
  ['cluster, RESP3', () => cluster(3)],
];

describe.each(MODES)('node-redis, %s', (_mode, make) => {
  let client: Client;

  beforeAll(async () => {
    client = make();
    await client.connect();
  });

  afterAll(() => client.destroy());

  it('strings', async () => {
    expect(await client.set('{s}a', '1')).toBe('OK');
    expect(await client.set('{s}a', '2', { condition: 'NX' })).toBeNull();
    expect(await client.set('{s}a', '3', { GET: true })).toBe('1');
    expect(await client.get('{s}a')).toBe('3');
    expect(await client.mSet({ '{s}b': 'x', '{s}c': 'y' })).toBe('OK');
    expect(await client.mSetNX({ '{s}b': 'x', '{s}d': 'y' })).toBe(0);
    expect(await client.mGet(['{s}a', '{s}b', '{s}none'])).toEqual(['3', 'x', null]);
    expect(await client.setNX('{s}a', 'z')).toBe(0);
    expect(await client.setEx('{s}e', 100, 'v')).toBe('OK');
    expect(await client.pSetEx('{s}p', 100_000, 'v')).toBe('OK');
    expect(await client.getSet('{s}e', 'w')).toBe('v');
    expect(await client.getDel('{s}e')).toBe('w');
    expect(await client.getEx('{s}a', { type: 'EX', value: 50 })).toBe('3');
    expect(await client.append('{s}b', 'yz')).toBe(3);
    expect(await client.strLen('{s}b')).toBe(3);
    expect(await client.getRange('{s}b', -2, -1)).toBe('yz');
    expect(await client.setRange('{s}b', 1, 'AB')).toBe(3);
    expect(await client.lcs('{s}b', '{s}b')).toBe('xAB');
    expect(await client.lcsLen('{s}b', '{s}b')).toBe(3);
  });

  it('counters', async () => {
    await client.del(['{n}a']);
    expect(await client.incr('{n}a')).toBe(1);
    expect(await client.incrBy('{n}a', 41)).toBe(42);
    expect(await client.decr('{n}a')).toBe(41);
    expect(await client.decrBy('{n}a', 40)).toBe(1);
    expect(await client.incrByFloat('{n}a', 0.5)).toBe('1.5');
    await expect(client.incr('{n}a')).rejects.toThrow(
      'ERR value is not an integer or out of range',
    );
  });

  it('keys and deadlines', async () => {
    await client.mSet({ '{k}a': '1', '{k}b': '2', '{k}c': '3' });
    expect(await client.exists(['{k}a', '{k}b', '{k}zz'])).toBe(2);
    expect(await client.touch(['{k}a', '{k}b'])).toBe(2);
    expect(await client.type('{k}a')).toBe('string');
    expect(await client.expire('{k}a', 100)).toBe(1);
    expect(await client.expire('{k}a', 50, 'GT')).toBe(0);
    expect(await client.ttl('{k}a')).toBe(100);
    expect(await client.pExpire('{k}a', 90_000)).toBe(1);
    expect(await client.pTTL('{k}a')).toBeGreaterThan(80_000);
    const later = Math.floor(Date.now() / 1000) + 1000;
    expect(await client.expireAt('{k}a', later)).toBe(1);
    expect(await client.expireTime('{k}a')).toBe(later);
    expect(await client.pExpireAt('{k}a', later * 1000 + 1)).toBe(1);
    expect(await client.pExpireTime('{k}a')).toBe(later * 1000 + 1);
    expect(await client.persist('{k}a')).toBe(1);
    expect(await client.rename('{k}a', '{k}r')).toBe('OK');
    expect(await client.renameNX('{k}r', '{k}b')).toBe(0);
    expect(await client.copy('{k}r', '{k}copy', { REPLACE: true })).toBe(1);
    expect(await client.del(['{k}r', '{k}b'])).toBe(2);
    expect(await client.unlink('{k}c')).toBe(1);
    expect(await client.objectEncoding('{k}copy')).toBe('int');
    expect(await client.objectRefCount('{k}copy')).toBeGreaterThan(0);
    expect(await client.memoryUsage('{k}copy')).toBeGreaterThan(0);
  });

  it('bits', async () => {
    await client.del('bits');
    expect(await client.setBit('bits', 7, 1)).toBe(0);
    expect(await client.getBit('bits', 7)).toBe(1);
    expect(await client.bitCount('bits')).toBe(1);
    expect(await client.bitPos('bits', 1)).toBe(7);
  });

  it('large values and any bytes', async () => {
    const value = 'ÿ\0\r\n'.repeat(200_000);
    expect(await client.set('large', value)).toBe('OK');
    expect(await client.get('large')).toBe(value);
  });
});

describe.each([2, 3] as const)('node-redis, what a connection can ask, RESP%i', (protocol) => {
  const client = () => single(protocol).connect();

  it('key space', async () => {
    using redis = disposing(await client());
    await redis.client.flushAll();
    await redis.client.mSet({ a1: 'a', a2: 'b', b: 'c' });
    expect(await redis.client.dbSize()).toBe(3);
    expect((await redis.client.keys('a*')).sort()).toEqual(['a1', 'a2']);
    const found: string[] = [];
    for await (const keys of redis.client.scanIterator({ MATCH: 'a*', COUNT: 10 })) {
      found.push(...keys);
    }
    expect(found.sort()).toEqual(['a1', 'a2']);
    expect(['a1', 'a2', 'b']).toContain(await redis.client.randomKey());
    expect(await redis.client.flushDb()).toBe('OK');
  });

  it('connection and server', async () => {
    using redis = disposing(await client());
    expect(await redis.client.ping()).toBe('PONG');
    expect(await redis.client.echo('hello')).toBe('hello');
    expect(await redis.client.clientId()).toBeTypeOf('number');
    expect(await redis.client.clientSetName('me')).toBe('OK');
    expect(await redis.client.clientGetName()).toBe('me');
    const { name, laddr } = await redis.client.clientInfo();
    expect({ name, laddr }).toEqual({ name: 'me', laddr: `127.0.0.1:${port}` });
    expect((await redis.client.clientList()).length).toBeGreaterThan(0);
    expect(await redis.client.info()).toMatch(/# Keyspace/);
    expect(await redis.client.configGet('maxmemory-policy')).toEqual({
      'maxmemory-policy': 'tinylfu',
    });
    expect(await redis.client.configSet('timeout', '0')).toBe('OK');
    expect(await redis.client.commandCount()).toBeGreaterThan(50);
    const [info] = await redis.client.commandInfo(['get']);
    expect(info?.arity).toBe(2);
    expect(await redis.client.commandGetKeys(['MGET', 'a', 'b'])).toEqual(['a', 'b']);
    expect(await redis.client.time()).toBeTruthy();
    expect(await redis.client.hello()).toMatchObject({ proto: protocol, role: 'master' });
    expect((await redis.client.clusterSlots())[0]).toMatchObject({ from: 0, to: 16_383 });
    expect(await redis.client.clusterKeySlot('foo')).toBe(12_182);
  });
});

describe('node-redis, client-side caching', () => {
  it('reads from its own memory, until another client writes', async () => {
    const cache = new BasicClientSideCache({ recordStats: true });
    using caching = disposing(
      await createClient({
        RESP: 3,
        socket: { host: '127.0.0.1', port },
        clientSideCache: cache,
      }).connect(),
    );
    using writing = disposing(await single(3).connect());
    await writing.client.set('cached', 'one');
    expect(await caching.client.get('cached')).toBe('one');
    expect(await caching.client.get('cached')).toBe('one');
    expect(cache.stats().hitCount).toBe(1);
    await writing.client.set('cached', 'two');
    for (let i = 0; i < 200 && (await caching.client.get('cached')) !== 'two'; i++) await sleep(5);
    expect(await caching.client.get('cached')).toBe('two');
    await writing.client.pExpire('cached', 30);
    for (let i = 0; i < 200 && (await caching.client.get('cached')) !== null; i++) await sleep(5);
    expect(await caching.client.get('cached')).toBeNull();
    await writing.client.set('cached', 'three');
    for (let i = 0; i < 200 && (await caching.client.get('cached')) === null; i++) await sleep(5);
    await writing.client.flushAll();
    for (let i = 0; i < 200 && (await caching.client.get('cached')) !== null; i++) await sleep(5);
    expect(await caching.client.get('cached')).toBeNull();
  });
});

function disposing<T extends { destroy(): void }>(client: T) {
  return { client, [Symbol.dispose]: () => client.destroy() };
}
