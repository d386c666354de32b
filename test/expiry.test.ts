/** Deadlines to the millisecond, on a clock that stands still until it is told to go. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startCacheNode } from './support/cache-node.ts';
import { WireClient } from './support/wire-client.ts';

const START_MS = 1_700_000_000_123;

interface Client extends AsyncDisposable {
  ask(line: string): Promise<string>;
  advance(milliseconds: number): void;
}

async function start(): Promise<Client> {
  let nowMs = START_MS;
  const running = await startCacheNode({}, { wallUs: () => nowMs * 1000 + 999 });
  const client = await WireClient.to(running.port);
  return {
    ask: async (line) => String(await client.ask(...line.split(' '))).trimEnd(),
    advance: (milliseconds) => (nowMs += milliseconds),
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}

describe('a deadline', () => {
  it('is when the key goes, to the millisecond', async () => {
    await using client = await start();
    await client.ask('SET k v PX 1000');
    client.advance(999);
    expect(await client.ask('PTTL k')).toBe(':1');
    expect(await client.ask('EXISTS k')).toBe(':1');
    client.advance(1);
    expect(await client.ask('PTTL k')).toBe(':-2');
    expect(await client.ask('GET k')).toBe('$-1');
  });

  it.for([
    ['PEXPIRE k 1499', 'TTL k', ':1'],
    ['PEXPIRE k 1500', 'TTL k', ':2'],
    ['PEXPIRE k 499', 'TTL k', ':0'],
    [`PEXPIREAT k ${START_MS + 376}`, 'EXPIRETIME k', ':1700000000'],
    [`PEXPIREAT k ${START_MS + 377}`, 'EXPIRETIME k', ':1700000001'],
    ['EXPIRE k 10', 'PEXPIRETIME k', `:${START_MS + 10_000}`],
    ['EXPIREAT k 1700000001', 'PTTL k', ':877'],
    ['EXPIREAT k 1700000000', 'EXISTS k', ':0'],
    [`PEXPIREAT k ${START_MS}`, 'EXISTS k', ':0'],
    [`PEXPIREAT k ${START_MS + 1}`, 'EXISTS k', ':1'],
    ['EXPIRE k 0', 'EXISTS k', ':0'],
    ['GETEX k PXAT 1', 'EXISTS k', ':0'],
    ['SETEX k 7 v', 'PTTL k', ':7000'],
    ['PSETEX k 7 v', 'PTTL k', ':7'],
    ['SET k v EXAT 1700000001', 'PTTL k', ':877'],
  ])('after %s, %s is %s', async ([command, question, answer]) => {
    await using client = await start();
    await client.ask('SET k v');
    await client.ask(command);
    expect(await client.ask(question)).toBe(answer);
  });

  it('may be further away than numbers are exact', async () => {
    await using client = await start();
    await client.ask('SET k v');
    for (const deadline of [2n ** 53n + 1n, 2n ** 60n + 12_345n, 2n ** 63n - 1n]) {
      expect(await client.ask(`PEXPIREAT k ${deadline}`)).toBe(':1');
      const kept = BigInt((await client.ask('PEXPIRETIME k')).slice(1));
      expect(kept).toBe(deadline - (deadline % 1024n));
      expect(await client.ask('PTTL k')).toMatch(/^:[1-9]\d+$/);
      expect(await client.ask('TTL k')).toMatch(/^:[1-9]\d+$/);
    }
  });
});

type Step = { advance: number } | { line: string };

const delay = fc.constantFrom(-1000, 0, 1, 250, 1000, 5000);
const condition = fc.constantFrom('', ' NX', ' XX', ' GT', ' LT');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ advance: fc.constantFrom(1, 249, 1000, 4000) }),
  fc
    .tuple(fc.constantFrom('PEXPIRE', 'EXPIRE', 'PEXPIREAT'), delay, condition)
    .map(([name, ms, when]) => {
      const time =
        name === 'PEXPIREAT' ? START_MS + ms : name === 'EXPIRE' ? Math.ceil(ms / 1000) : ms;
      return { line: `${name} k ${time}${when}` };
    }),
  fc
    .constantFrom('PERSIST k', 'SET k v', 'SET k v KEEPTTL', 'GETEX k PERSIST', 'DEL k', 'INCR k')
    .map((line) => ({ line })),
  delay.filter((ms) => ms > 0).map((ms) => ({ line: `SET k 1 PX ${ms}` })),
);

/** One key's deadline by the rules: undefined is no key, Infinity none. */
class Model {
  nowMs = START_MS;
  deadlineMs: number | undefined;

  apply(line: string): void {
    if (this.deadlineMs !== undefined && this.deadlineMs <= this.nowMs) this.deadlineMs = undefined;
    const [name, , ...rest] = line.split(' ');
    if (name === 'DEL') this.deadlineMs = undefined;
    else if (name === 'INCR') this.deadlineMs ??= Infinity;
    else if (name === 'SET') this.#set(rest);
    else if (this.deadlineMs === undefined) return;
    else if (name === 'PERSIST' || name === 'GETEX') this.deadlineMs = Infinity;
    else this.#expire(name, Number(rest[0]), rest[1]);
  }

  #set(words: readonly string[]): void {
    if (words[1] === 'PX') this.deadlineMs = this.nowMs + Number(words[2]);
    else if (words[1] !== 'KEEPTTL') this.deadlineMs = Infinity;
    else this.deadlineMs ??= Infinity;
  }

  #expire(name: string, time: number, when: string | undefined): void {
    const scale = name === 'EXPIRE' ? 1000 : 1;
    const wanted = name === 'PEXPIREAT' ? time : this.nowMs + time * scale;
    const current = this.deadlineMs ?? 0;
    const isMet =
      when === undefined ||
      (when === 'NX' && current === Infinity) ||
      (when === 'XX' && current !== Infinity) ||
      (when === 'GT' && wanted > current) ||
      (when === 'LT' && wanted < current);
    if (isMet) this.deadlineMs = wanted <= this.nowMs ? undefined : wanted;
  }

  get remaining(): string {
    if (this.deadlineMs === undefined || this.deadlineMs <= this.nowMs) return ':-2';
    return this.deadlineMs === Infinity ? ':-1' : `:${this.deadlineMs - this.nowMs}`;
  }
}

it('any sequence of commands and time leaves the deadline that the rules give', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      await using client = await start();
      const model = new Model();
      for (const taken of steps) {
        if ('advance' in taken) {
          client.advance(taken.advance);
          model.nowMs += taken.advance;
        } else {
          await client.ask(taken.line);
          model.apply(taken.line);
        }
        expect(await client.ask('PTTL k')).toBe(model.remaining);
      }
    }),
    { numRuns: 100 },
  );
});
