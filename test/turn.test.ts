/** What clients that are ready at the same time get: what was sent is gathered, and each gets its own. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startCacheNode } from './support/cache-node.ts';
import { WireClient } from './support/wire-client.ts';

const CLIENTS = 24;
const KEYS = 5;

interface Step {
  readonly name: 'SET' | 'GET' | 'APPEND' | 'DEL' | 'PING';
  readonly key: number;
  readonly length: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  name: fc.constantFrom('SET', 'GET', 'APPEND', 'DEL', 'PING'),
  key: fc.nat(KEYS - 1),
  // Most pieces are gathered; some are too long for it, and some do not come in one.
  length: fc.oneof({ weight: 9, arbitrary: fc.nat(200) }, fc.constantFrom(5000, 150_000)),
});

/** Keys of one client, as they should be. */
class Model {
  readonly #client: number;
  readonly #values = new Map<number, string>();

  constructor(client: number) {
    this.#client = client;
  }

  request({ name, key, length }: Step): string[] {
    const value = String.fromCodePoint(0x61 + this.#client).repeat(length);
    const words = name === 'PING' ? [name] : [name, `client${this.#client}:${key}`];
    return name === 'SET' || name === 'APPEND' ? [...words, value] : words;
  }

  reply({ name, key, length }: Step): string {
    const before = this.#values.get(key);
    const added = String.fromCodePoint(0x61 + this.#client).repeat(length);
    if (name === 'PING') return '+PONG\r\n';
    if (name === 'GET') {
      return before === undefined ? '$-1\r\n' : `$${before.length}\r\n${before}\r\n`;
    }
    if (name === 'DEL') return this.#values.delete(key) ? ':1\r\n' : ':0\r\n';
    const after = name === 'SET' ? added : `${before ?? ''}${added}`;
    this.#values.set(key, after);
    return name === 'SET' ? '+OK\r\n' : `:${after.length}\r\n`;
  }
}

describe('clients that are ready together', () => {
  it('each get their own replies, whatever the others send', async () => {
    await using running = await startCacheNode();
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, async () => WireClient.to(running.port)),
    );
    // So many keys that the node looks ahead for them.
    const fill = Array.from({ length: 64 }, (_, index) => ['SET', `f${index}`, 'x'.repeat(65_536)]);
    await clients[0].exchange(fill);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 4 }), {
          minLength: CLIENTS,
          maxLength: CLIENTS,
        }),
        async (plans) => {
          await clients[0].ask('FLUSHALL', 'SYNC');
          await clients[0].exchange(fill);
          await Promise.all(
            plans.map(async (batches, index) => {
              const model = new Model(index);
              for (const batch of batches) {
                const replies = await clients[index].exchange(
                  batch.map((one) => model.request(one)),
                );
                expect(replies.map(String)).toEqual(batch.map((one) => model.reply(one)));
              }
            }),
          );
        },
      ),
      { numRuns: 60 },
    );
    await Promise.all(clients.map(async (client) => client[Symbol.asyncDispose]()));
  });

  it('get the replies to what they sent before they ended their side', async () => {
    await using running = await startCacheNode();
    const ask = async (value: number): Promise<string> => {
      const socket = connect({ host: '127.0.0.1', port: running.port, allowHalfOpen: true });
      await once(socket, 'connect');
      socket.end(`SET k${value} ${value}\r\nGET k${value}\r\n`);
      return text(socket);
    };
    const replies = await Promise.all(Array.from({ length: 50 }, async (_, index) => ask(index)));
    const wanted = replies.map((_, index) => `+OK\r\n$${`${index}`.length}\r\n${index}\r\n`);
    expect(replies).toEqual(wanted);
  });
});
