/** ioredis 6, unchanged, against a node: every family of commands, in both protocols and modes. */
import { Cluster, Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';

let node: Started;
let port: number;

beforeAll(async () => {
  node = startCachectl(['node', 'start', '--listen', '127.0.0.1:0', '--log-level', 'error']);
  port = Number((await node.line(/serves 127\.0\.0\.1:(\d+)/))[1]);
});

afterAll(() => node[Symbol.asyncDispose]());

type Client = Redis | Cluster;

const MODES = [
  ['single, RESP2', () => new Redis({ port, protocol: 2 })],
  ['single, RESP3', () => new Redis({ port, protocol: 3 })],
  ['cluster, RESP2', () => cluster(2)],
  ['cluster, RESP3', () => cluster(3)],
] as const;

function cluster(protocol: 2 | 3): Cluster {
  return new Cluster([{ host: '127.0.0.1', port }], { redisOptions: { protocol } });
}

describe.each(MODES)('ioredis, %s', (_mode, connect) => {
  let client: Client;

  beforeAll(async () => {
    client = connect();
    await client.set('warm', 'up');
    await client.flushall();
  });

  afterAll(() => client.disconnect());

  it('strings', async () => {
    expect(await client.set('{s}a', '1')).toBe('OK');
    expect(await client.set('{s}a', '2', 'NX')).toBeNull();
    expect(await client.set('{s}a', '3', 'XX', 'GET')).toBe('1');
    expect(await client.get('{s}a')).toBe('3');
    expect(await client.getBuffer('{s}a')).toEqual(Buffer.from('3'));
    expect(await client.mset('{s}b', 'x', '{s}c', 'y')).toBe('OK');
    expect(await client.msetnx('{s}b', 'x', '{s}d', 'y')).toBe(0);
    expect(await client.mget('{s}a', '{s}b', '{s}none')).toEqual(['3', 'x', null]);
    expect(await client.setnx('{s}a', 'z')).toBe(0);
    expect(await client.setex('{s}e', 100, 'v')).toBe('OK');
    expect(await client.psetex('{s}p', 100_000, 'v')).toBe('OK');
    expect(await client.getset('{s}e', 'w')).toBe('v');
    expect(await client.getdel('{s}e')).toBe('w');
    expect(await client.getex('{s}a', 'EX', 50)).toBe('3');
    expect(await client.append('{s}b', 'yz')).toBe(3);
    expect(await client.strlen('{s}b')).toBe(3);
    expect(await client.getrange('{s}b', -2, -1)).toBe('yz');
    expect(await client.substr('{s}b', 0, 0)).toBe('x');
    expect(await client.setrange('{s}b', 1, 'AB')).toBe(3);
    expect(await client.get('{s}b')).toBe('xAB');
    expect(await client.call('LCS', '{s}b', '{s}b')).toBe('xAB');
  });

  it('counters', async () => {
    expect(await client.incr('{n}a')).toBe(1);
    expect(await client.incrby('{n}a', 41)).toBe(42);
    expect(await client.decr('{n}a')).toBe(41);
    expect(await client.decrby('{n}a', 40)).toBe(1);
    expect(await client.incrbyfloat('{n}a', '0.5')).toBe('1.5');
    await expect(client.incr('{n}a')).rejects.toThrow(
      'ERR value is not an integer or out of range',
    );
  });

  it('keys and deadlines', async () => {
    await client.mset('{k}a', '1', '{k}b', '2', '{k}c', '3');
    expect(await client.exists('{k}a', '{k}b', '{k}zz')).toBe(2);
    expect(await client.touch('{k}a', '{k}b')).toBe(2);
    expect(await client.type('{k}a')).toBe('string');
    expect(await client.expire('{k}a', 100)).toBe(1);
    expect(await client.expire('{k}a', 50, 'GT')).toBe(0);
    expect(await client.ttl('{k}a')).toBe(100);
    expect(await client.pexpire('{k}a', 90_000)).toBe(1);
    expect(await client.pttl('{k}a')).toBeGreaterThan(80_000);
    const later = Math.floor(Date.now() / 1000) + 1000;
    expect(await client.expireat('{k}a', later)).toBe(1);
    expect(await client.expiretime('{k}a')).toBe(later);
    expect(await client.pexpireat('{k}a', later * 1000 + 1)).toBe(1);
    expect(await client.pexpiretime('{k}a')).toBe(later * 1000 + 1);
    expect(await client.persist('{k}a')).toBe(1);
    expect(await client.ttl('{k}a')).toBe(-1);
    expect(await client.rename('{k}a', '{k}r')).toBe('OK');
    expect(await client.renamenx('{k}r', '{k}b')).toBe(0);
    expect(await client.copy('{k}r', '{k}copy')).toBe(1);
    expect(await client.del('{k}r', '{k}b')).toBe(2);
    expect(await client.unlink('{k}c')).toBe(1);
    expect(await client.object('ENCODING', '{k}copy')).toBe('int');
    expect(await client.memory('USAGE', '{k}copy')).toBeGreaterThan(0);
  });

  it('key space', async () => {
    await client.flushall();
    await client.mset('{z}1', 'a', '{z}2', 'b');
    expect(await client.dbsize()).toBe(2);
    expect((await client.keys('{z}*')).sort()).toEqual(['{z}1', '{z}2']);
    const [cursor, keys] = (await client.call('SCAN', '0', 'MATCH', '*1', 'COUNT', '100')) as [
      string,
      string[],
    ];
    expect([cursor, keys]).toEqual(['0', ['{z}1']]);
    expect(['{z}1', '{z}2']).toContain(await client.randomkey());
    expect(await client.flushdb()).toBe('OK');
    expect(await client.dbsize()).toBe(0);
  });

  it('bits', async () => {
    expect(await client.setbit('bits', 7, 1)).toBe(0);
    expect(await client.getbit('bits', 7)).toBe(1);
    expect(await client.bitcount('bits')).toBe(1);
    expect(await client.bitpos('bits', 1)).toBe(7);
  });

  it('connection and server', async () => {
    expect(await client.ping()).toBe('PONG');
    expect(await client.echo('hello')).toBe('hello');
    expect(await client.call('CLIENT', 'ID')).toBeTypeOf('number');
    expect(await client.call('CLIENT', 'SETNAME', 'me')).toBe('OK');
    expect(await client.call('CLIENT', 'GETNAME')).toBe('me');
    expect(String(await client.call('CLIENT', 'LIST'))).toMatch(/name=me/);
    expect(await client.info('server')).toMatch(/redis_version:7/);
    expect(await client.config('SET', 'slowlog-max-len', '64')).toBe('OK');
    expect(await client.call('CONFIG', 'GET', 'slowlog-max-len')).toBeTruthy();
    expect(await client.time()).toHaveLength(2);
    expect(await client.slowlog('LEN')).toBeTypeOf('number');
    expect(await client.command('COUNT')).toBeGreaterThan(50);
    expect(await client.wait(0, 0)).toBe(0);
    expect(await client.select(0)).toBe('OK');
  });

  it('cluster', async () => {
    expect(await client.cluster('KEYSLOT', 'foo')).toBe(12_182);
    expect(await client.cluster('INFO')).toMatch(/cluster_state:ok/);
    const [range] = (await client.cluster('SLOTS')) as Array<[number, number]>;
    expect(range.slice(0, 2)).toEqual([0, 16_383]);
    await client.set('foo', '1');
    expect(await client.cluster('COUNTKEYSINSLOT', 12_182)).toBe(1);
    expect(await client.cluster('GETKEYSINSLOT', 12_182, 10)).toEqual(['foo']);
  });

  it('pipelines, and errors in their places', async () => {
    const pipeline = client.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.set(`{p}${i}`, `${i}`).get(`{p}${i}`);
    pipeline.call('SET', '{p}x');
    const results = (await pipeline.exec()) ?? [];
    expect(results).toHaveLength(2001);
    for (let i = 0; i < 1000; i++) expect(results[i * 2 + 1]).toEqual([null, `${i}`]);
    expect(results[2000][0]?.message).toBe("ERR wrong number of arguments for 'set' command");
  });

  it('large values and any bytes', async () => {
    const value = Buffer.alloc(900_000);
    for (let i = 0; i < value.length; i++) value[i] = i & 255;
    const key = Buffer.from([0, 255, 10, 13]);
    expect(await client.set(key, value)).toBe('OK');
    expect(value.equals((await client.getBuffer(key)) ?? Buffer.alloc(0))).toBe(true);
  });
});
