/** Commands of several turns: replies in parts, what comes between them, and how they are timed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCacheNode, type RunningNode } from './support/cache-node.ts';
import { elementsOf, WireClient } from './support/wire-client.ts';

const KEYS = 60_000;

let running: RunningNode;
let client: WireClient;
let other: WireClient;

beforeAll(async () => {
  running = await startCacheNode({ slowlogUs: 0, outputBytesPaused: 64 * 1024 });
  client = await WireClient.to(running.port);
  other = await WireClient.to(running.port);
  for (let key = 0; key < KEYS; key += 1000) {
    const pairs = Array.from({ length: 1000 }, (_, at) => [`a long key:${key + at}`, 'value']);
    await client.ask('MSET', ...pairs.flat());
  }
});

afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await other[Symbol.asyncDispose]();
  await running[Symbol.asyncDispose]();
});

describe('KEYS with a reply of many parts', () => {
  it('replies with every key once, to several clients at a time, and to what is pipelined', async () => {
    const asking = [client, other].map((each) =>
      each.exchange([['KEYS', '*'], ['ECHO', 'after'], ['KEYS', '*7'], ['PING']]),
    );
    for (const [all, echo, some, pong] of await Promise.all(asking)) {
      expect(new Set(elementsOf(all).map(String)).size).toBe(KEYS);
      expect(elementsOf(all).length).toBe(KEYS);
      expect(echo.toString()).toBe('$5\r\nafter\r\n');
      expect(elementsOf(some).length).toBe(KEYS / 10);
      expect(pong.toString()).toBe('+PONG\r\n');
    }
  });

  it('lets no push message come between the parts, and loses none', async () => {
    await client.exchange([
      ['HELLO', '3'],
      ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
    ]);
    let isReplied = false;
    const asked = client.exchange([['KEYS', '*']]).then(([reply]) => {
      isReplied = true;
      return reply;
    });
    let writes = 0;
    while (!isReplied) await other.ask('SET', `a long key:${writes++}`, 'new');
    const reply = await asked;
    const keys = elementsOf(reply).map(String);
    expect(new Set(keys).size).toBe(KEYS);
    expect(keys.every((key) => key.startsWith('$'))).toBe(true);
    expect((await client.ask('PING')).toString()).toBe('+PONG\r\n');
    const told = client.pushes.flatMap((push) => elementsOf(elementsOf(push)[1]));
    expect(new Set(told.map(String)).size).toBe(writes);
    await client.exchange([
      ['CLIENT', 'TRACKING', 'OFF'],
      ['HELLO', '2'],
    ]);
  });

  it('is left where its client goes away in the middle, and others are served', async () => {
    for (let round = 0; round < 5; round++) {
      const leaving = await WireClient.to(running.port);
      void leaving.exchange([['KEYS', '*']]);
      await other.ask('PING');
      await leaving[Symbol.asyncDispose]();
    }
    expect(elementsOf(await other.ask('KEYS', '*')).length).toBe(KEYS);
  });

  it('has one entry in the slow log, once it is done, and counts in all statistics', async () => {
    await other.exchange([
      ['SLOWLOG', 'RESET'],
      ['CONFIG', 'RESETSTAT'],
    ]);
    await other.ask('KEYS', '*');
    const log = (await other.ask('SLOWLOG', 'GET')).toString();
    expect(log.match(/\r\nKEYS\r\n/g)?.length).toBe(1);
    const [, info] = await other.exchange([['PING'], ['INFO', 'all']]);
    expect(info.toString()).toMatch(/cmdstat_keys:calls=1,usec=[1-9]/);
    expect(info.toString()).toMatch(/latency_percentiles_usec_keys:p50=[1-9][\d.]*,p99=/);
    const histogram = (await other.ask('LATENCY', 'HISTOGRAM', 'keys')).toString();
    expect(histogram).toContain('histogram_usec');
  });

  it('is a latency event, of which LATENCY tells in all ways', async () => {
    await other.ask('CONFIG', 'SET', 'latency-monitor-threshold', '1');
    for (let round = 0; round < 20; round++) await other.ask('KEYS', 'nothing like it*');
    await other.ask('CONFIG', 'SET', 'latency-monitor-threshold', '0');
    const [latest, history, graph, doctor, reset, none] = (
      await other.exchange([
        ['LATENCY', 'LATEST'],
        ['LATENCY', 'HISTORY', 'command'],
        ['LATENCY', 'GRAPH', 'command'],
        ['LATENCY', 'DOCTOR'],
        ['LATENCY', 'RESET', 'command'],
        ['LATENCY', 'GRAPH', 'command'],
      ])
    ).map(String);
    expect(latest).toMatch(/\*4\r\n\$7\r\ncommand\r\n:\d{10}\r\n:[1-9]\d*\r\n:[1-9]\d*\r\n/);
    expect(history).toMatch(/^\*[1-9]\d*\r\n\*2\r\n:\d{10}\r\n:[1-9]/);
    expect(graph).toContain('command - high');
    expect(doctor).toContain('latency-monitor-threshold');
    expect(reset).toBe(':1\r\n');
    expect(none).toBe("-ERR No samples available for event 'command'\r\n");
  });
});
