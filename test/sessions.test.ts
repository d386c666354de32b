/** What concerns connections: pauses, silenced replies, secrets, timeouts, long commands. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { startCacheNode } from './support/cache-node.ts';
import { WireClient } from './support/wire-client.ts';

const text = (replies: readonly Buffer[]): string => Buffer.concat(replies).toString('latin1');

describe('CLIENT PAUSE', () => {
  it('holds back writes, lets reads through, and carries out what it held, in order', async () => {
    await using running = await startCacheNode();
    await using admin = await WireClient.to(running.port);
    await using client = await WireClient.to(running.port);
    await admin.ask('SET', 'k', 'before');
    expect(String(await admin.ask('CLIENT', 'PAUSE', '60000', 'WRITE'))).toBe('+OK\r\n');
    const held = client.exchange([
      ['GET', 'k'],
      ['SET', 'k', 'after'],
      ['GET', 'k'],
    ]);
    await sleep(50);
    expect(String(await admin.ask('GET', 'k'))).toBe('$6\r\nbefore\r\n');
    await admin.ask('CLIENT', 'UNPAUSE');
    expect(text(await held)).toBe('$6\r\nbefore\r\n+OK\r\n$5\r\nafter\r\n');
  });

  it('ends by itself', async () => {
    await using running = await startCacheNode();
    await using client = await WireClient.to(running.port);
    await client.ask('CLIENT', 'PAUSE', '150', 'ALL');
    expect(String(await client.ask('SET', 'k', 'v'))).toBe('+OK\r\n');
  });
});

describe('CLIENT REPLY', () => {
  it('silences what it says', async () => {
    await using running = await startCacheNode();
    await using client = await WireClient.to(running.port);
    const replies = await client.exchangeBytes(
      Buffer.from(
        'CLIENT REPLY SKIP\r\nSET a 1\r\nECHO one\r\nCLIENT REPLY OFF\r\nSET b 2\r\nECHO no\r\n' +
          'CLIENT REPLY ON\r\nMGET a b\r\n',
      ),
      3,
    );
    expect(text(replies)).toBe('$3\r\none\r\n+OK\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n');
  });
});

describe('a node with so many keys that it looks ahead for them', () => {
  it('takes each for what it is, wherever in its buffer it lies', async () => {
    await using running = await startCacheNode();
    await using client = await WireClient.to(running.port);
    const fill = Array.from({ length: 64 }, (_, i) => ['SET', `fill${i}`, 'x'.repeat(64 * 1024)]);
    await client.exchange(fill);
    await client.exchange([['SET', 'key1', 'one']]);
    await client.exchange([['SET', 'key2', 'two']]);
    for (let round = 0; round < 20; round++) {
      // Too long to be gathered, so both lie in the same buffer; and the key of the second request
      // begins at the same byte as the first key of what comes after.
      const long = `SET long ${'x'.repeat(5000)}\r\n`;
      const ahead = Buffer.from(`PING\r\n*2\r\n$3\r\nGET\r\n$4\r\nkey1\r\n${long}`);
      expect(text(await client.exchangeBytes(ahead, 3))).toBe('+PONG\r\n$3\r\none\r\n+OK\r\n');
      const keys = Array.from({ length: 1000 }, () => 'key2');
      expect(String(await client.ask('EXISTS', ...keys))).toBe(':1000\r\n');
    }
  });
});

describe('a secret', () => {
  it('is asked for before anything else', async () => {
    await using running = await startCacheNode({ secret: 'open sesame' });
    await using client = await WireClient.to(running.port);
    expect(String(await client.ask('GET', 'k'))).toBe('-NOAUTH Authentication required.\r\n');
    expect(String(await client.ask('AUTH', 'wrong'))).toMatch(/^-WRONGPASS/);
    expect(String(await client.ask('AUTH', 'default', 'open sesam'))).toMatch(/^-WRONGPASS/);
    expect(String(await client.ask('AUTH', 'shop', 'open sesame'))).toMatch(/^-WRONGPASS/);
    expect(String(await client.ask('HELLO', '3'))).toMatch(/^-NOAUTH/);
    expect(String(await client.ask('AUTH', 'open sesame'))).toBe('+OK\r\n');
    expect(String(await client.ask('SET', 'k', 'v'))).toBe('+OK\r\n');
    await client.ask('RESET');
    expect(String(await client.ask('GET', 'k'))).toMatch(/^-NOAUTH/);
    const hello = await client.ask('HELLO', '3', 'AUTH', 'default', 'open sesame');
    expect(String(hello)).toMatch(/^%7\r\n/);
  });
});

describe('idle clients', () => {
  it('are let go after the timeout, and active ones are not', async () => {
    await using running = await startCacheNode({ idleTimeoutMs: 300 });
    await using idle = await WireClient.to(running.port);
    await using active = await WireClient.to(running.port);
    for (let i = 0; i < 12; i++) {
      await sleep(50);
      expect(String(await active.ask('PING'))).toBe('+PONG\r\n');
    }
    expect(idle.isClosed).toBe(true);
    expect(active.isClosed).toBe(false);
  });
});

describe('commands that look at every key', () => {
  it('let other clients in between, and answer in full', async () => {
    await using running = await startCacheNode();
    await using filler = await WireClient.to(running.port);
    const count = 60_000;
    for (let from = 0; from < count; from += 1000) {
      await filler.exchange(
        Array.from({ length: 1000 }, (_, i) => ['SET', `key:${from + i}`, 'v'] as const),
      );
    }
    await using other = await WireClient.to(running.port);
    let isDone = false;
    const keys = filler.ask('KEYS', '*').then((reply) => {
      isDone = true;
      return reply;
    });
    let served = 0;
    while (!isDone) {
      expect(String(await other.ask('PING'))).toBe('+PONG\r\n');
      served++;
    }
    expect(served).toBeGreaterThan(3);
    expect(String((await keys).subarray(0, 8))).toBe(`*${count}\r\n`);
    expect(String(await filler.ask('DBSIZE'))).toBe(`:${count}\r\n`);
  });
});

describe('the slow log', () => {
  it('keeps commands over the threshold, newest first, shortened', async () => {
    await using running = await startCacheNode({ slowlogUs: 0, slowlogLength: 3 });
    await using client = await WireClient.to(running.port);
    await client.ask('SET', 'k', 'x'.repeat(1000));
    await client.ask('PING');
    const log = String(await client.ask('SLOWLOG', 'GET', '-1'));
    expect(log).toMatch(/^\*2\r\n/);
    expect(log).toContain('... (872 more bytes)');
    expect(log.indexOf('PING')).toBeLessThan(log.indexOf('more bytes'));
    for (let i = 0; i < 5; i++) await client.ask('PING');
    expect(String(await client.ask('SLOWLOG', 'LEN'))).toBe(':3\r\n');
    expect(String(await client.ask('CONFIG', 'SET', 'slowlog-log-slower-than', '-1'))).toBe(
      '+OK\r\n',
    );
    expect(String(await client.ask('SLOWLOG', 'RESET'))).toBe('+OK\r\n');
    await client.ask('PING');
    expect(String(await client.ask('SLOWLOG', 'LEN'))).toBe(':0\r\n');
  });
});
