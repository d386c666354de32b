/** Stock cluster clients against three nodes that share the slots. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mapOf } from '../src/node/cluster/test-support.ts';
import { startClusterNodes, until, type ClusterNodes } from './support/cluster-nodes.ts';
import { redisServerIsMissing } from './support/redis-server.ts';
import { WireClient } from './support/wire-client.ts';

const run = promisify(execFile);

let cluster: ClusterNodes;
let ports: number[];

beforeAll(async () => {
  cluster = await startClusterNodes(3);
  const { ids } = cluster;
  const primaries = Array.from({ length: 64 }, (_, shard) => ids[shard % 3]);
  cluster.leader.pushMap(mapOf(2, primaries, ids));
  ports = cluster.nodes.map(({ address }) => address.port);
  await until(() => (cluster.nodes.every((node) => isOpen(node)) ? true : undefined));
});

afterAll(() => cluster[Symbol.asyncDispose]());

function isOpen({ cluster: part }: ClusterNodes['nodes'][number]): boolean {
  part?.beginBatch();
  return part?.isOpen === true && part.routing.map.epoch > 0;
}

const KEYS = Array.from({ length: 600 }, (_, index) => `key:${index}`);

describe('over three nodes', () => {
  it.each([2, 3] as const)('ioredis finds every key, in RESP%i', async (protocol) => {
    const client = new Cluster([{ host: '127.0.0.1', port: ports[0] }], {
      redisOptions: { protocol },
    });
    await Promise.all(KEYS.map((key) => client.set(key, `io ${key}`)));
    const values = await Promise.all(KEYS.map((key) => client.get(key)));
    expect(values).toEqual(KEYS.map((key) => `io ${key}`));
    expect(client.nodes('master')).toHaveLength(3);
    client.disconnect();
  });

  it.each([2, 3] as const)('node-redis finds every key, in RESP%i', async (protocol) => {
    const client = createCluster({
      RESP: protocol,
      rootNodes: [{ socket: { host: '127.0.0.1', port: ports[1] } }],
    });
    await client.connect();
    await Promise.all(KEYS.map((key) => client.set(key, `nr ${key}`)));
    const values = await Promise.all(KEYS.map((key) => client.get(key)));
    expect(values).toEqual(KEYS.map((key) => `nr ${key}`));
    expect(client.masters).toHaveLength(3);
    client.destroy();
  });

  it('each node tells of its own keys alone', async () => {
    const clients = await Promise.all(ports.map((port) => WireClient.to(port)));
    const asked = KEYS.map((key) => ['SET', key, 'v']);
    const replies = await Promise.all(clients.map((client) => client.exchange(asked)));
    for (const index of KEYS.keys()) {
      const [one, ...others] = replies.map((all) => String(all[index])).toSorted();
      expect(one).toBe('+OK\r\n');
      for (const other of others) expect(other).toMatch(/^-MOVED \d+ 127\.0\.0\.1:\d+\r\n$/);
    }
    const sizes = await Promise.all(clients.map((client) => client.ask('DBSIZE').then(String)));
    const counts = sizes.map((size) => Number(size.slice(1)));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(KEYS.length);
    expect(String(await clients[0].ask('MGET', 'a', 'b'))).toBe(
      "-CROSSSLOT Keys in request don't hash to the same slot\r\n",
    );
    await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
  });

  it.skipIf(redisServerIsMissing())(
    'redis-cli follows, and finds nothing to complain of',
    async () => {
      const at = `127.0.0.1:${ports[2]}`;
      const cli = (...words: string[]) => run('redis-cli', words);
      for (const key of KEYS.slice(0, 12)) {
        const { stdout } = await cli('-c', '-p', `${ports[2]}`, 'SET', key, 'v');
        expect(stdout.trim()).toBe('OK');
      }
      const check = await cli('--cluster', 'check', at);
      expect(check.stdout).toContain('[OK] All nodes agree about slots configuration.');
      expect(check.stdout).toContain('[OK] All 16384 slots covered.');
      const info = await cli('-p', `${ports[2]}`, 'CLUSTER', 'INFO');
      expect(info.stdout).toContain('cluster_state:ok');
      expect(info.stdout).toContain('cluster_known_nodes:3');
    },
  );

  it.skipIf(redisServerIsMissing())('redis-benchmark works on all of them', async () => {
    const options = ['--cluster', '-p', `${ports[0]}`, '-n', '3000', '-c', '6', '-r', '1000'];
    const { stdout } = await run('redis-benchmark', [...options, '-t', 'set,get', '-q']);
    expect(stdout).toContain('Cluster has 3 master nodes');
    expect(stdout).toMatch(/SET: [\d.]+ requests per second/);
    expect(stdout).toMatch(/GET: [\d.]+ requests per second/);
    expect(stdout).not.toContain('rror');
  });
});
