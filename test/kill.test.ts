/** A node that is killed in the middle of its work comes back at once, and takes all it should. */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import { startCachectl, type Started } from './support/cachectl.ts';

const READY = /serves 127\.0\.0\.1:(\d+)/;

function start(port: number): Started {
  return startCachectl([
    ...['node', 'start', '--listen', `127.0.0.1:${port}`, '--log-level', 'error'],
  ]);
}

it('serves again after kill -9 under load, on the same port, with every kind of write', async () => {
  let node = start(0);
  const port = Number((await node.line(READY))[1]);
  const client = new Redis({ port, retryStrategy: () => 10, maxRetriesPerRequest: null });
  client.on('error', () => {});
  let acknowledged = 0;
  let running = true;
  const restartsMs: number[] = [];
  const load = Array.from({ length: 20 }, async (_, worker) => {
    for (let i = 0; running; i++) {
      const key = `key:${worker}:${i % 100}`;
      expect(await client.set(key, `value ${i}`)).toBe('OK');
      expect(await client.get(key)).toSatisfy(
        (value) => value === null || value === `value ${i}`,
        'the value just written, or nothing after a restart',
      );
      acknowledged++;
    }
  });
  try {
    for (let kill = 0; kill < 5; kill++) {
      const target = acknowledged + 500;
      while (acknowledged < target) await new Promise((resolve) => setImmediate(resolve));
      node.process.kill('SIGKILL');
      await once(node.process, 'exit');
      await node.ended();
      const startMs = performance.now();
      node = start(port);
      await node.line(READY);
      const fresh = new Redis({ port });
      expect(await fresh.set('after', `${kill}`)).toBe('OK');
      restartsMs.push(performance.now() - startMs);
      expect(await fresh.mget('after', 'nothing')).toEqual([`${kill}`, null]);
      fresh.disconnect();
    }
    running = false;
    await Promise.all(load);
    const shown = restartsMs.map((ms) => ms.toFixed(0)).join(', ');
    process.stdout.write(`ms from the start of the process to its first write: ${shown}\n`);
  } finally {
    running = false;
    client.disconnect();
    await node[Symbol.asyncDispose]();
  }
});
