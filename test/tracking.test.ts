/** Client-side caching: who is told of which change, when, and how often. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCacheNode, type RunningNode } from './support/cache-node.ts';
import { WireClient, type Argument } from './support/wire-client.ts';

let running: RunningNode;
let writer: WireClient;

beforeAll(async () => {
  running = await startCacheNode({ trackingKeysMax: 100 });
  writer = await WireClient.to(running.port);
});

afterAll(async () => {
  await writer[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await writer.ask('FLUSHALL');
});

async function tracker(...options: Argument[]): Promise<WireClient> {
  const client = await WireClient.to(running.port);
  await client.ask('HELLO', '3');
  expect(String(await client.ask('CLIENT', 'TRACKING', 'ON', ...options))).toBe('+OK\r\n');
  return client;
}

/** What the client was told since it was last asked, after a round trip on its connection. */
async function told(client: WireClient): Promise<string[]> {
  await client.ask('PING');
  return client.pushes.splice(0).map(keyOf);
}

function keyOf(push: Buffer): string {
  const match = /^>2\r\n\$10\r\ninvalidate\r\n(?:\*1\r\n\$\d+\r\n([^]*)\r\n|(_\r\n))$/.exec(
    push.toString('latin1'),
  );
  if (match === null) throw new Error(`not an invalidation: ${String(push)}`);
  return match[2] === undefined ? match[1] : '(all)';
}

describe('tracking by what was read', () => {
  it('tells once, of keys that were read, for every way to change one', async () => {
    await using reader = await tracker();
    const changes: ReadonlyArray<readonly Argument[]> = [
      ['SET', 'k', 'v2'],
      ['APPEND', 'k', 'x'],
      ['SETRANGE', 'k', '0', 'x'],
      ['DEL', 'k'],
      ['UNLINK', 'k'],
      ['PEXPIRE', 'k', '100000'],
      ['EXPIREAT', 'k', '1'],
      ['RENAME', 'k', 'other'],
      ['RENAME', 'source', 'k'],
      ['COPY', 'source', 'k', 'REPLACE'],
      ['GETDEL', 'k'],
      ['GETSET', 'k', 'v3'],
      ['GETEX', 'k', 'EX', '100'],
      ['MSET', 'a', 'b', 'k', 'c'],
      ['SETBIT', 'k', '1', '1'],
      ['SETEX', 'k', '100', 'v'],
    ];
    for (const change of changes) {
      await writer.exchange([
        ['SET', 'k', 'v'],
        ['SET', 'source', 's'],
      ]);
      await told(reader);
      await reader.ask('GET', 'k');
      await writer.ask(...change);
      await writer.ask('SET', 'k', 'again');
      expect([change, await told(reader)]).toEqual([change, ['k']]);
    }
  });

  it('does not tell of keys that were not read, or after tracking is off', async () => {
    await using reader = await tracker();
    await reader.exchange([
      ['GET', 'a'],
      ['MGET', 'b', 'c'],
    ]);
    await writer.exchange([
      ['SET', 'x', '1'],
      ['SET', 'c', '1'],
    ]);
    expect(await told(reader)).toEqual(['c']);
    await reader.ask('CLIENT', 'TRACKING', 'OFF');
    await writer.ask('SET', 'a', '1');
    expect(await told(reader)).toEqual([]);
  });

  it('tells the writer itself, after its reply, unless it said NOLOOP', async () => {
    await using own = await tracker();
    await own.ask('GET', 'k');
    expect(String(await own.ask('SET', 'k', '1'))).toBe('+OK\r\n');
    expect(await told(own)).toEqual(['k']);
    await using quiet = await tracker('NOLOOP');
    await quiet.ask('GET', 'k');
    await quiet.ask('SET', 'k', '2');
    expect(await told(quiet)).toEqual([]);
  });

  it('tells of keys that expire or are flushed', async () => {
    await using reader = await tracker();
    await writer.ask('SET', 'short', 'v', 'PX', '20');
    await reader.ask('GET', 'short');
    for (let i = 0; i < 100 && reader.pushes.length === 0; i++) {
      await sleep(10);
      await reader.ask('PING');
    }
    expect(await told(reader)).toEqual(['short']);
    await reader.ask('GET', 'k');
    await writer.ask('FLUSHALL');
    expect(await told(reader)).toEqual(['(all)']);
  });

  it('OPTIN tracks the command after CLIENT CACHING YES alone', async () => {
    await using reader = await tracker('OPTIN');
    await reader.exchange([
      ['GET', 'a'],
      ['CLIENT', 'CACHING', 'YES'],
      ['GET', 'b'],
      ['GET', 'c'],
    ]);
    await writer.ask('MSET', 'a', '1', 'b', '1', 'c', '1');
    expect(await told(reader)).toEqual(['b']);
  });

  it('OPTOUT leaves out the command after CLIENT CACHING NO alone', async () => {
    await using reader = await tracker('OPTOUT');
    await reader.exchange([
      ['CLIENT', 'CACHING', 'NO'],
      ['GET', 'a'],
      ['GET', 'b'],
    ]);
    await writer.ask('MSET', 'a', '1', 'b', '1');
    expect(await told(reader)).toEqual(['b']);
  });

  it('keeps its table bounded, by telling of keys as if they had changed', async () => {
    await using reader = await tracker();
    for (let i = 0; i < 300; i++) await reader.ask('GET', `key:${i}`);
    expect(running.node.tracking.keys).toBeLessThanOrEqual(100);
    expect((await told(reader)).length).toBe(200);
  });

  it('forgets clients that have gone', async () => {
    const reader = await tracker();
    await reader.ask('GET', 'k');
    await reader[Symbol.asyncDispose]();
    for (let i = 0; i < 100 && running.node.tracking.clients > 0; i++) await sleep(10);
    expect(running.node.tracking.clients).toBe(0);
    expect(String(await writer.ask('SET', 'k', '1'))).toBe('+OK\r\n');
  });
});

describe('tracking by prefix', () => {
  it('tells of every key with one of the prefixes, whoever read it', async () => {
    await using reader = await tracker('BCAST', 'PREFIX', 'user:', 'PREFIX', 'item:');
    await writer.exchange([
      ['SET', 'user:1', 'a'],
      ['SET', 'other', 'a'],
      ['SET', 'item:9', 'a'],
      ['SET', 'user:1', 'b'],
    ]);
    expect(await told(reader)).toEqual(['user:1', 'item:9', 'user:1']);
  });

  it('tells of every key where no prefix was given', async () => {
    await using reader = await tracker('BCAST');
    await writer.ask('SET', 'anything', 'a');
    expect(await told(reader)).toEqual(['anything']);
  });
});

describe('what tracking refuses', () => {
  it.each([
    [['PREFIX', 'a'], /PREFIX option requires BCAST/],
    [['BCAST', 'OPTIN'], /not compatible with BCAST/],
    [['OPTIN', 'OPTOUT'], /both OPTIN mode and OPTOUT/],
    [['BCAST', 'PREFIX', 'a', 'PREFIX', 'ab'], /overlaps/],
    [['REDIRECT', '1'], /REDIRECT is not supported.*HELLO 3/],
    [['NONSENSE'], /syntax error/],
  ])('%j', async (options, reason) => {
    await using client = await WireClient.to(running.port);
    await client.ask('HELLO', '3');
    expect(String(await client.ask('CLIENT', 'TRACKING', 'ON', ...options))).toMatch(reason);
  });

  it('RESP2, which has no pushes', async () => {
    await using client = await WireClient.to(running.port);
    expect(String(await client.ask('CLIENT', 'TRACKING', 'ON'))).toMatch(/-ERR .*HELLO 3/);
  });
});
