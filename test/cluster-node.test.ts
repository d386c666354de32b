/** One node of a cluster: what it answers while leases, maps, freezes, tenants and quotas change. */
import { scryptSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Tenant } from '../src/cluster/index.ts';
import {
  idOf,
  mapOf,
  namespaceOf,
  tenantOf,
  tenantsPush,
} from '../src/node/cluster/test-support.ts';
import { startClusterNodes, until, type ClusterNodes } from './support/cluster-nodes.ts';
import { WireClient } from './support/wire-client.ts';

const OTHER = idOf('b');
const DOWN = '-CLUSTERDOWN The cluster is down\r\n';

class Bed implements AsyncDisposable {
  readonly cluster: ClusterNodes;
  readonly client: WireClient;
  revision = 1;

  constructor(cluster: ClusterNodes, client: WireClient) {
    this.cluster = cluster;
    this.client = client;
  }

  /** A node that is primary of the first of two shards, and another that is known by name alone. */
  static async open(options: Parameters<typeof startClusterNodes>[1] = {}): Promise<Bed> {
    const cluster = await startClusterNodes(1, options);
    const bed = new Bed(cluster, await WireClient.to(cluster.nodes[0].address.port));
    bed.map(2, bed.self, OTHER);
    await until(() => (bed.part.routing.map.epoch === 2 ? true : undefined));
    await bed.eventually('OK', 'SET', HERE, '1');
    return bed;
  }

  get self() {
    return this.cluster.ids[0];
  }

  get node() {
    return this.cluster.nodes[0];
  }

  get part() {
    const { cluster } = this.node;
    if (cluster === undefined) throw new Error('the node stands alone');
    return cluster;
  }

  map(epoch: number, ...primaries: Parameters<typeof mapOf>[1]): void {
    const [known] = this.cluster.known;
    this.cluster.leader.pushMap(mapOf(epoch, primaries, [this.self]), [
      known,
      { ...known, id: OTHER, name: 'other', host: '10.0.0.9', port: 6379 },
    ]);
  }

  async tenants(...tenants: Tenant[]): Promise<void> {
    this.revision++;
    const all = [tenantOf('default', 0), ...tenants];
    const namespaces = all.map(({ name, number }) => namespaceOf(name, 'default', number));
    const push = tenantsPush(this.revision, all, namespaces);
    this.cluster.leader.push('tenants', push);
    await until(() =>
      this.cluster.leader.heartbeats.find((beat) => beat.tenantsRevision === push.revision),
    );
  }

  async ask(...words: string[]): Promise<string> {
    return String(await this.client.ask(...words));
  }

  async connect(): Promise<WireClient> {
    return WireClient.to(this.node.address.port);
  }

  /** Asks until the reply is a simple string or error that begins so. */
  async eventually(expected: string, ...words: string[]): Promise<void> {
    for (;;) {
      const reply = await this.ask(...words);
      if (reply.slice(1).startsWith(expected)) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}

function hashOf(secret: string): string {
  const salt = Buffer.from('sixteen bytes of');
  const key = scryptSync(secret, salt, 32, { N: 4096, r: 8, p: 1 });
  return `scrypt$4096$8$1$${salt.toString('base64')}$${key.toString('base64')}`;
}

// Of the first of two shards, and of the second.
const HERE = '{two}';
const THERE = '{one}';

const auth = (...words: string[]): string[] => ['AUTH', ...words];

describe('a node of a cluster', () => {
  it('serves what it is the primary of, and names who serves the rest', async () => {
    await using bed = await Bed.open();
    expect(await bed.ask('GET', HERE)).toBe('$1\r\n1\r\n');
    expect(await bed.ask('GET', THERE)).toBe('-MOVED 9084 10.0.0.9:6379\r\n');
    expect(await bed.ask('DEL', `${HERE}a`, `${HERE}b`, HERE)).toBe(':1\r\n');
    expect(await bed.ask('DEL', HERE, THERE)).toMatch(/^-CROSSSLOT /);
    expect(await bed.ask('RENAME', HERE, THERE)).toMatch(/^-CROSSSLOT /);
    expect(await bed.ask('MSET', HERE, THERE, `${HERE}x`, HERE)).toBe('+OK\r\n');
    expect(await bed.ask('ASKING')).toBe('+OK\r\n');
    expect(await bed.ask('OBJECT', 'ENCODING', THERE)).toMatch(/^-MOVED /);
    bed.map(3, bed.self, null);
    await bed.eventually('CLUSTERDOWN Hash slot not served', 'GET', THERE);
  });

  it('is no primary without a lease, and one again with it', async () => {
    await using bed = await Bed.open();
    const { leader } = bed.cluster;
    const { answerHeartbeat } = leader;
    leader.answerHeartbeat = () => undefined;
    await bed.eventually('CLUSTERDOWN', 'GET', HERE);
    for (const words of [
      ['SET', HERE, '2'],
      ['GET', HERE],
      ['FLUSHALL'],
      ['DBSIZE'],
      ['SCAN', '0'],
    ]) {
      expect(await bed.ask(...words)).toBe(DOWN);
    }
    expect(await bed.ask('PING')).toBe('+PONG\r\n');
    expect(await bed.ask('CLUSTER', 'INFO')).toContain('cluster_state:fail');
    await bed.ask('READONLY');
    expect(await bed.ask('SET', HERE, '2')).toBe(DOWN);
    expect(await bed.ask('GET', HERE)).toBe('$1\r\n1\r\n');
    await bed.ask('READWRITE');
    leader.answerHeartbeat = answerHeartbeat;
    await bed.eventually('OK', 'SET', HERE, '3');
  });

  it('serves no stale read once it is further behind than allowed', async () => {
    await using bed = await Bed.open({ replicaLagMsMax: 50 });
    bed.cluster.leader.answerHeartbeat = () => undefined;
    await bed.ask('READONLY');
    expect(await bed.ask('GET', THERE)).toMatch(/^-MOVED /);
    await bed.eventually('CLUSTERDOWN', 'GET', HERE);
  });

  it('holds clients back while a shard is frozen, until it is decided who serves it', async () => {
    await using bed = await Bed.open();
    await using other = await bed.connect();
    const { leader } = bed.cluster;
    const { shards } = bed.part.routing.map;
    const [{ id: shard, epoch }] = shards;
    leader.push('freeze', { id: 10, shard, epoch });
    await until(() =>
      leader.reports.find(({ id, positions }) => id === 10 && positions.length === 1),
    );
    let isAnswered = false;
    const held = other.ask('INCR', HERE).finally(() => (isAnswered = true));
    await until(() => leader.heartbeats.find((beat) => beat.shards[0]?.frozenBy === 10));
    expect(isAnswered).toBe(false);
    leader.push('thaw', { id: 11, shard, epoch });
    expect(String(await held)).toBe(':2\r\n');
    leader.push('freeze', { id: 12, shard, epoch });
    await until(() => leader.reports.find(({ id }) => id === 12));
    const moved = other.ask('INCR', HERE);
    bed.map(3, OTHER, OTHER);
    expect(String(await moved)).toBe('-MOVED 2127 10.0.0.9:6379\r\n');
  });

  it('tells a client after two seconds that it waits in vain', async () => {
    await using bed = await Bed.open();
    const [{ id: shard, epoch }] = bed.part.routing.map.shards;
    bed.cluster.leader.push('freeze', { id: 10, shard, epoch });
    await until(() => bed.cluster.leader.reports.find(({ id }) => id === 10));
    expect(await bed.ask('INCR', HERE)).toBe(DOWN);
    expect(await bed.ask('PING')).toBe('+PONG\r\n');
  });

  it('tells in heartbeats what it holds of each shard', async () => {
    await using bed = await Bed.open();
    await bed.ask('SET', `${HERE}a`, 'x'.repeat(500));
    await bed.ask('SET', `${HERE}b`, 'y');
    const report = await until(() =>
      bed.cluster.leader.heartbeats.at(-1)?.shards.find(({ items }) => items === 3),
    );
    expect(report.role).toBe('primary');
    expect(report.bytes).toBe(bed.node.defaultDomain.bytes);
    await bed.ask('FLUSHALL');
    await until(() =>
      bed.cluster.leader.heartbeats.at(-1)?.shards.find(({ bytes }) => bytes === 0),
    );
  });

  it('tells the leader when it stops', async () => {
    await using bed = await Bed.open();
    await new Promise<void>((resolve) => bed.node.stop(resolve));
    expect(bed.cluster.leader.left).toEqual([bed.self]);
  });
});

describe('tenants', () => {
  it('are told apart by their secrets, and have keys of their own', async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7, { secretHash: hashOf('s3cret') }));
    for (const words of [auth('shop', 'wrong'), auth('nobody', 'x'), auth('shop/none', 's3cret')]) {
      expect(String(await shop.ask(...words))).toMatch(/^-WRONGPASS /);
    }
    expect(String(await shop.ask('GET', HERE))).toBe('$1\r\n1\r\n');
    expect(String(await shop.ask(...auth('shop', 's3cret')))).toBe('+OK\r\n');
    expect(String(await shop.ask('GET', HERE))).toBe('$-1\r\n');
    expect(String(await shop.ask('SET', HERE, 'of the shop'))).toBe('+OK\r\n');
    expect(await bed.ask('GET', HERE)).toBe('$1\r\n1\r\n');
    expect(String(await shop.ask('HELLO', '3', 'AUTH', 'shop/default', 's3cret'))).toMatch(/^%7/);
    expect(String(await shop.ask('FLUSHALL'))).toBe('+OK\r\n');
    expect(await bed.ask('DBSIZE')).toBe(':1\r\n');
  });

  it('keep requests in order while a secret is being checked', async () => {
    await using bed = await Bed.open();
    await bed.tenants(tenantOf('shop', 7, { secretHash: hashOf('s3cret') }));
    await using shop = await bed.connect();
    const replies = await shop.exchange([
      ['SET', HERE, 'default'],
      auth('shop', 's3cret'),
      ['GET', HERE],
      ['ECHO', 'end'],
    ]);
    expect(replies.map(String)).toEqual(['+OK\r\n', '+OK\r\n', '$-1\r\n', '$3\r\nend\r\n']);
  });

  it('are asked for the secret where the default tenant has one', async () => {
    await using bed = await Bed.open();
    bed.revision++;
    const tenant = tenantOf('default', 0, { secretHash: hashOf('open') });
    const push = tenantsPush(bed.revision, [tenant], [namespaceOf('default', 'default', 0)]);
    bed.cluster.leader.push('tenants', push);
    await until(() => (bed.node.needsSecret() ? true : undefined));
    await using late = await bed.connect();
    expect(String(await late.ask('GET', HERE))).toBe('-NOAUTH Authentication required.\r\n');
    expect(String(await late.ask(...auth('open')))).toBe('+OK\r\n');
    expect(String(await late.ask('GET', HERE))).toBe('$1\r\n1\r\n');
  });

  it('lose their connections and records when they are deleted', async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7));
    await shop.ask(...auth('shop', 'any'));
    const sets = Array.from({ length: 5000 }, (_, key) => ['SET', `${HERE}${key}`, 'v']);
    await shop.exchange(sets);
    const domain = bed.part.tenants.find('shop', 'default')?.domain;
    expect(domain?.items).toBe(5000);
    await bed.tenants();
    expect(String(await shop.ask('PING'))).toBe(
      '-ERR the tenant or namespace of this connection was deleted\r\n',
    );
    await until(() => (shop.isClosed && domain?.items === 0 ? true : undefined));
    expect(await bed.ask('DBSIZE')).toBe(':1\r\n');
    await bed.tenants(tenantOf('shop', 8));
    await using again = await bed.connect();
    await again.ask(...auth('shop', 'any'));
    expect(String(await again.ask('DBSIZE'))).toBe(':0\r\n');
  });

  it('are refused beyond their share of operations, at once, and others are not', async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7, { maxQps: 100 }));
    await shop.ask(...auth('shop', 'any'));
    const flood = Array.from({ length: 300 }, () => ['GET', HERE]);
    const replies = (await shop.exchange(flood)).map(String);
    const refused = replies.filter((reply) => /^-QUOTA ops retry-after-ms=\d+\r\n$/.test(reply));
    expect(refused.length).toBeGreaterThan(200);
    expect(refused.length).toBeLessThan(300);
    expect(String(await shop.ask('CLUSTER', 'MYID'))).toMatch(/^\$40/);
    const others = (await bed.client.exchange(flood)).map(String);
    expect(new Set(others)).toEqual(new Set(['$1\r\n1\r\n']));
  });

  it('make up for the bytes they have moved beyond their share', async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7, { maxBandwidthBytes: 20_000 }));
    await shop.ask(...auth('shop', 'any'));
    expect(String(await shop.ask('SET', HERE, 'v'.repeat(15_000)))).toBe('+OK\r\n');
    expect(String(await shop.ask('GET', HERE))).toMatch(
      /^-QUOTA bandwidth retry-after-ms=\d+\r\n$/,
    );
    await until(() =>
      bed.cluster.leader.heartbeats
        .at(-1)
        ?.tenants.find((usage) => usage.tenant === 'shop' && usage.bytes > 15_000),
    );
  });

  it("may not look at or change what is the whole node's", async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7));
    await shop.ask(...auth('shop', 'any'));
    for (const words of [
      ['CONFIG', 'SET', 'maxmemory', '1mb'],
      ['CLIENT', 'LIST'],
      ['CLIENT', 'PAUSE', '1000'],
      ['SLOWLOG', 'GET'],
    ]) {
      expect(String(await shop.ask(...words))).toMatch(/^-NOPERM User shop has no permissions/);
    }
    expect(String(await shop.ask('CLIENT', 'SETNAME', 'cart'))).toBe('+OK\r\n');
    expect(String(await shop.ask('CLUSTER', 'REPLICAS', bed.self))).toMatch(/^\*/);
    expect(await bed.ask('CLIENT', 'LIST')).toContain('name=cart');
  });

  it('are refused beyond their connections', async () => {
    await using bed = await Bed.open();
    await bed.tenants(tenantOf('shop', 7, { maxConnections: 2 }));
    bed.cluster.leader.push('quotas', {
      ttlMs: 60_000,
      shares: [{ tenant: 'shop', connections: 1 }],
    });
    await using one = await bed.connect();
    await using other = await bed.connect();
    expect(String(await one.ask(...auth('shop', 'any')))).toBe('+OK\r\n');
    expect(String(await other.ask(...auth('shop', 'any')))).toBe('-QUOTA connections\r\n');
    await one.ask('RESET');
    expect(String(await other.ask(...auth('shop', 'any')))).toBe('+OK\r\n');
  });

  it('keep to a share of the memory, over all of their namespaces', async () => {
    await using bed = await Bed.open();
    await using shop = await bed.connect();
    await bed.tenants(tenantOf('shop', 7, { maxMemoryBytes: 2 * 1024 ** 2 }));
    await shop.ask(...auth('shop', 'any'));
    const value = 'v'.repeat(1000);
    const sets = Array.from({ length: 5000 }, (_, key) => ['SET', `${HERE}${key}`, value]);
    await shop.exchange(sets);
    const account = bed.part.tenants.find('shop', 'default')?.tenant.account;
    // Two nodes are in the map, and no share has been given: each keeps to a half.
    expect(account?.bytesMax).toBe(1024 ** 2);
    expect(account?.bytes).toBeLessThanOrEqual(1024 ** 2);
    expect(account?.bytes).toBeGreaterThan(0.9 * 1024 ** 2);
    expect(await bed.ask('GET', HERE)).toBe('$1\r\n1\r\n');
  });
});

describe('configuration', () => {
  it('is applied when it is pushed, and taken back with the next', async () => {
    await using bed = await Bed.open({
      settingsOf: (values) => ({
        settings: values['max-key-size'] === undefined ? {} : { keyBytesMax: 20 },
        problems: [],
      }),
    });
    const { leader } = bed.cluster;
    const key = `${HERE}${'k'.repeat(30)}`;
    leader.push('config', { version: 'a@1', values: { 'max-key-size': 20 } });
    await until(() => leader.heartbeats.find(({ configVersion }) => configVersion === 'a@1'));
    expect(await bed.ask('SET', key, 'v')).toMatch(/^-ERR key of 35 bytes exceeds/);
    leader.push('config', { version: 'a@2', values: {} });
    await until(() => leader.heartbeats.find(({ configVersion }) => configVersion === 'a@2'));
    expect(await bed.ask('SET', key, 'v')).toBe('+OK\r\n');
  });
});
