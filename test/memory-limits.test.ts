/** Commands that write, where memory is short. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startCacheNode } from './support/cache-node.ts';
import { WireClient } from './support/wire-client.ts';

const MIB = 1024 * 1024;
const NO_ROOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

const text = async (client: WireClient, ...request: string[]): Promise<string> =>
  (await client.ask(...request)).toString('latin1');

async function fill(client: WireClient): Promise<void> {
  for (let i = 0; ; i++) {
    if ((await text(client, 'SET', `filler:${i}`, 'x'.repeat(2000))) === NO_ROOM) return;
  }
}

describe('with noeviction and no room', () => {
  it.for([
    ['SET', 'new', 'v'.repeat(4000)],
    ['SET', 'old', 'v'.repeat(9000), 'GET'],
    ['SETNX', 'new', 'v'.repeat(4000)],
    ['SETEX', 'new', '10', 'v'.repeat(4000)],
    ['GETSET', 'old', 'v'.repeat(9000)],
    ['MSET', 'new', 'v'.repeat(4000), 'newer', 'v'.repeat(4000)],
    ['MSETNX', 'new', 'v'.repeat(4000), 'newer', 'v'.repeat(4000)],
    ['APPEND', 'old', 'v'.repeat(9000)],
    ['SETRANGE', 'old', '9000', 'v'],
    ['SETRANGE', 'new', '9000', 'v'],
    ['SETBIT', 'old', '99999', '1'],
    ['COPY', 'large', 'new'],
    ['RENAME', 'large', 'a longer name'],
  ])('%s is refused, and changes nothing', async (request) => {
    await using running = await startCacheNode({ memoryBytes: MIB, policy: 'noeviction' });
    await using client = await WireClient.to(running.port);
    await text(client, 'SET', 'old', 'value', 'EX', '1000');
    await text(client, 'SET', 'large', 'l'.repeat(20_000));
    await fill(client);
    const keys = await text(client, 'DBSIZE');
    expect(await text(client, ...request)).toBe(NO_ROOM);
    expect(await text(client, 'GET', 'old')).toBe('$5\r\nvalue\r\n');
    expect(await text(client, 'STRLEN', 'large')).toBe(':20000\r\n');
    expect(await text(client, 'TTL', 'old')).toMatch(/^:(999|1000)\r\n$/);
    expect(await text(client, 'DBSIZE')).toBe(keys);
    expect(await text(client, 'GET', 'old')).toBe('$5\r\nvalue\r\n');
    expect(running.node.engine.usedBytes).toBeLessThanOrEqual(MIB);
  });

  it('what needs no more room is carried out, and room that is given back is used', async () => {
    await using running = await startCacheNode({ memoryBytes: MIB, policy: 'noeviction' });
    await using client = await WireClient.to(running.port);
    await text(client, 'SET', 'counter', '1000');
    await fill(client);
    expect(await text(client, 'INCR', 'counter')).toBe(':1001\r\n');
    expect(await text(client, 'SETRANGE', 'filler:0', '5', 'abc')).toBe(':2000\r\n');
    expect(await text(client, 'EXPIRE', 'filler:0', '100')).toBe(':1\r\n');
    expect(await text(client, 'DEL', 'filler:0', 'filler:1', 'filler:2')).toBe(':3\r\n');
    expect(await text(client, 'SET', 'new', 'v'.repeat(2000))).toBe('+OK\r\n');
  });
});

const KEYS = ['a', 'b', 'c', 'd'];
const key = fc.constantFrom(...KEYS);
const length = fc.constantFrom(0, 1, 100, 5_000, 60_000, 250_000);
const fillByte = fc.constantFrom('x', 'y', 'z');

interface Write {
  do: 'set' | 'append' | 'setrange' | 'rename' | 'copy';
  key: string;
  to: string;
  value: string;
  offset: number;
}

const value = fc.tuple(length, fillByte).map(([count, byte]) => byte.repeat(count));
const write: fc.Arbitrary<Write> = fc.record({
  do: fc.constantFrom('set', 'append', 'setrange', 'rename', 'copy'),
  key,
  to: key,
  value,
  offset: length,
});

/** What a write makes of the values that were there before it. */
function after(values: ReadonlyMap<string, string>, step: Write): Map<string, string> {
  const next = new Map(values);
  const old = values.get(step.key);
  if (step.do === 'set') next.set(step.key, step.value);
  else if (step.do === 'append') next.set(step.key, (old ?? '') + step.value);
  else if (step.do === 'setrange') {
    if (step.value === '') return next;
    const padded = (old ?? '').padEnd(step.offset, '\0');
    const tail = padded.slice(step.offset + step.value.length);
    next.set(step.key, padded.slice(0, step.offset) + step.value + tail);
  } else if (old !== undefined && step.to !== step.key) {
    next.set(step.to, old);
    if (step.do === 'rename') next.delete(step.key);
  }
  return next;
}

function requestOf(step: Write): string[] {
  if (step.do === 'setrange') return ['SETRANGE', step.key, `${step.offset}`, step.value];
  if (step.do === 'rename') return ['RENAME', step.key, step.to];
  if (step.do === 'copy') return ['COPY', step.key, step.to, 'REPLACE'];
  return [step.do, step.key, step.value];
}

async function valuesIn(client: WireClient): Promise<Map<string, string>> {
  const values = new Map<string, string>();
  const replies = await client.exchange(KEYS.map((name) => ['GET', name]));
  for (const [index, reply] of replies.entries()) {
    const all = reply.toString('latin1');
    if (all !== '$-1\r\n') values.set(KEYS[index], all.slice(all.indexOf('\r\n') + 2, -2));
  }
  return values;
}

/** With the ballast, five values of which the node has room for four at most. */
const TOO_MUCH = KEYS.map((name): Write => ({
  do: 'set',
  key: name,
  to: name,
  value: 'x'.repeat(250_000),
  offset: 0,
}));

describe('with an evicting policy and too little room', () => {
  it.for(['lru', 'lfu', 'tinylfu'] as const)(
    '%s may lose keys, but no value is ever wrong',
    async (policy) => {
      let evicted = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(write, { maxLength: 40 }), async (steps) => {
          await using node = await startCacheNode({ memoryBytes: MIB, policy });
          await using client = await WireClient.to(node.port);
          let values = new Map<string, string>();
          for (const step of steps) {
            await client.exchange([['SET', 'ballast', 'b'.repeat(250_000)]]);
            const before = await valuesIn(client);
            for (const [name, kept] of before) expect(values.get(name)).toBe(kept);
            const reply = await text(client, ...requestOf(step));
            // Making room may evict the very keys that the command is about.
            const withoutKey = new Map(before);
            withoutKey.delete(step.key);
            const outcomes = [before, withoutKey].map((start) => after(start, step));
            if (reply.startsWith('-')) outcomes.push(before);
            values = await valuesIn(client);
            for (const [name, kept] of values) {
              expect(outcomes.some((outcome) => outcome.get(name) === kept)).toBe(true);
            }
            expect(node.node.engine.usedBytes).toBeLessThanOrEqual(MIB);
          }
          evicted += node.node.defaultDomain.evicted;
        }),
        { numRuns: 25, examples: [[TOO_MUCH]] },
      );
      expect(evicted).toBeGreaterThan(0);
    },
  );
});
