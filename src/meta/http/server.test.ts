import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeIdOfName, roleOf, type NodeFacts } from '../../cluster/index.ts';
import { RpcClient, type RpcOutcome } from '../../rpc/index.ts';
import { createRuntime } from '../../runtime/node/index.ts';
import { adminCalls } from '../admin/index.ts';
import { openMetaPeer, type MetaPeer } from '../index.ts';
import { startHttp, type RunningHttp } from './server.ts';

const VERSION = '1.2.3';
const directory = mkdtempSync(join(tmpdir(), 'cachectl-http-'));
const runtime = createRuntime({ dataDirectory: directory, log: { level: 'silent' } });
const anywhere = { host: '127.0.0.1', port: 0 };

let peer: MetaPeer;
let http: RunningHttp;
let guarded: RunningHttp;
let node: RpcClient;
let beating: NodeJS.Timeout;

beforeAll(async () => {
  peer = await new Promise<MetaPeer>((resolve, reject) => {
    openMetaPeer(
      runtime,
      {
        ...{ name: 'm1', cluster: 'test', listen: anywhere, directory: 'meta' },
        bootstrap: new Map([['m1', { host: '127.0.0.1', port: 1 }]]),
        ...{ shardCount: 4, replicas: 1, initialNodes: 2 },
        makeCalls: adminCalls,
      },
      (opening) => (opening.error === undefined ? resolve(opening.peer) : reject(opening.error)),
    );
  });
  await new Promise<void>((resolve, reject) => {
    peer.listen((error) => (error === undefined ? resolve() : reject(error)));
  });
  const settings = { listen: anywhere, version: VERSION };
  http = await startHttp(peer, { ...settings, token: undefined });
  guarded = await startHttp(peer, { ...settings, token: 'right' });
  node = new RpcClient(runtime, { addresses: [peer.address], connectTimeoutMs: 5000 });
  beating = setInterval(() => [...registered].filter((name) => name !== 'n3').forEach(beat), 100);
  await register('n1');
  await register('n2');
  await until(() => peer.state.map.shards.some(({ replicas }) => replicas.length > 0));
});

afterAll(async () => {
  clearInterval(beating);
  node.close();
  await http.close();
  await guarded.close();
  await new Promise<void>((resolve) => peer.stop(resolve));
  rmSync(directory, { recursive: true });
});

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(10);
}

const bootId = '0123456789abcdef';

const registered = new Set<string>();

async function register(name: string): Promise<void> {
  const port = Number(name.slice(1));
  const facts: NodeFacts = {
    ...{ id: nodeIdOfName(name), name, host: '127.0.0.1', port, replicationPort: port },
    ...{ zone: name, machine: name, weight: 1, memoryBytes: 1024, bootId, version: '1' },
  };
  await until(async () => {
    const outcome = await new Promise<RpcOutcome>((resolve) => {
      node.call('node.register', { facts }, 5000, resolve, { isIdempotent: true });
    });
    return outcome.ok;
  });
  registered.add(name);
}

/** Of a copy that has all. */
const REPORT = {
  ...{ offset: 0, isCaughtUp: true, lagBytes: 0, lagMs: 0, bytes: 0, items: 0 },
  ...{ opsPerSecond: 0, copiedBytes: 0, copyTotalBytes: 0, writes: 0 },
};

function beat(name: string): void {
  const { map, revision } = peer.state;
  const shards = map.shards.flatMap((shard) => {
    const role = roleOf(shard, nodeIdOfName(name));
    return role === undefined ? [] : [{ ...REPORT, shard: shard.id, epoch: shard.epoch, role }];
  });
  const body = {
    ...{ id: nodeIdOfName(name), bootId, mapEpoch: map.epoch, tenantsRevision: revision },
    ...{ configVersion: '', shards, tenants: [], usedBytes: 0, memoryBytes: 1024 },
  };
  node.call('node.heartbeat', body, 1000, (outcome) => {
    // A machine that was busy for longer than a lease lasts has made it dead.
    if (!outcome.ok && registered.has(name)) void register(name);
  });
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
}

function send(
  path: string,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
  port = http.address.port,
): Promise<Answer> {
  const { method = 'GET', body, headers = {} } = options;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        const { statusCode: status = 0 } = response;
        resolve({ status, body: JSON.parse(text), headers: response.headers });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

interface Described {
  readonly operationId: string;
  readonly parameters: ReadonlyArray<{
    readonly name?: string;
    readonly in?: string;
    readonly required?: boolean;
  }>;
  readonly requestBody?: {
    readonly content: Readonly<Record<string, { readonly schema: object }>>;
  };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: object;
}

const ajv = new Ajv2020({ strict: false });

/** A client that knows nothing but the document. */
class Client {
  readonly document: Document;
  readonly called = new Set<string>();

  constructor(document: Document) {
    this.document = document;
  }

  get operations() {
    return Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, described]) => ({ path, method, ...described })),
    );
  }

  async call(id: string, input: Readonly<Record<string, unknown>> = {}): Promise<Answer> {
    const operation = this.operations.find(({ operationId }) => operationId === id);
    if (operation === undefined) throw new Error(`the document has no ${id}`);
    let { path } = operation;
    const query = new URLSearchParams();
    const rest = { ...input };
    for (const parameter of operation.parameters) {
      const { name = '' } = parameter;
      if (!Object.hasOwn(rest, name)) continue;
      if (parameter.in === 'path') path = path.replace(`{${name}}`, String(rest[name]));
      else query.set(name, String(rest[name]));
      delete rest[name];
    }
    const schema = operation.requestBody?.content['application/json']?.schema;
    if (schema !== undefined) this.#judge(`request of ${id}`, schema, rest);
    else expect(rest).toEqual({});
    const body = schema === undefined ? {} : { body: JSON.stringify(rest) };
    const headers = schema === undefined ? {} : { 'content-type': 'application/json' };
    const method = operation.method.toUpperCase();
    const answer = await send(`${path}?${query.toString()}`, { method, headers, ...body });
    const response = operation.responses[String(answer.status)];
    if (response === undefined) throw new Error(`${id} answers ${answer.status}: not described`);
    this.#judge(`${id} ${answer.status}`, response.content['application/json'].schema, answer.body);
    if (answer.status < 300) this.called.add(id);
    return answer;
  }

  #judge(what: string, schema: object, value: unknown): void {
    const validate = ajv.compile({ ...schema, components: this.document.components });
    expect(validate(value) ? [] : validate.errors, `${what}: ${JSON.stringify(value)}`).toEqual([]);
  }
}

async function connect(): Promise<Client> {
  const { status, body } = await send('/openapi.json');
  expect(status).toBe(200);
  return new Client(body as Document);
}

test('every operation does as the document says', { timeout: 60_000 }, async () => {
  const client = await connect();
  const ok = async (id: string, input: Readonly<Record<string, unknown>> = {}) => {
    const { status, body } = await client.call(id, input);
    expect([id, status < 300, body]).toEqual([id, true, body]);
    return body as Record<string, never>;
  };
  await ok('cluster.status');
  await ok('cluster.settings');
  const created = await client.call('tenant.create', { name: 'shop', maxQps: 5 });
  expect(created.status).toBe(201);
  await ok('tenant.list', { limit: 1, after: 'a' });
  await ok('tenant.update', { name: 'shop', maxQps: null, policy: 'lru' });
  await ok('tenant.rotate-secret', { name: 'shop' });
  await ok('namespace.create', { tenant: 'shop', name: 'carts' });
  await ok('namespace.list', { tenant: 'shop' });
  await ok('namespace.show', { tenant: 'shop', name: 'carts' });
  await ok('tenant.show', { name: 'shop' });
  await ok('namespace.delete', { tenant: 'shop', name: 'carts' });
  await ok('tenant.delete', { name: 'shop' });
  await ok('node.list');
  await ok('node.show', { node: 'n1' });
  await ok('shard.list');
  await ok('shard.show', { shard: 0 });
  const { moves } = await ok('shard.failover', { shard: 0 });
  const [{ id: move }] = moves as ReadonlyArray<{ readonly id: number }>;
  await ok('move.list', { all: true });
  await ok('move.pause', { move });
  await ok('move.resume', { move });
  await ok('move.abort', { move });
  const { plan } = await ok('rebalance.plan');
  await ok('rebalance.apply', { plan });
  await ok('node.drain', { node: 'n1' });
  await ok('node.undrain', { node: 'n1' });
  await register('n3');
  await until(async () => (await client.call('node.remove', { node: 'n3' })).status === 200);
  await ok('receipt.list', { shard: 0, sinceMs: 1, limit: 5 });
  await ok('config.apply', { name: 'limits', values: { 'max-value-size': '1mb' } });
  await ok('rollout.status', { document: 'limits' });
  await ok('rollout.pause', { document: 'limits' });
  await ok('rollout.resume', { document: 'limits' });
  await ok('rollout.rollback', { document: 'limits' });
  await ok('config.set', { name: 'limits', set: { 'idle-timeout': '5m' }, unset: [] });
  await ok('config.list');
  await ok('config.get', { name: 'limits', version: 1 });
  await ok('config.history', { name: 'limits' });
  await ok('config.diff', { name: 'limits', from: 0, to: 2 });
  await ok('event.list', { limit: 5, before: 1000, operation: 'config', sinceMs: 1 });
  await ok('meta.peers');
  await ok('meta.snapshot');
  await ok('healthz');
  await client.call('meta.transfer-leader', { to: 'm1' });
  await client.call('meta.remove', { name: 'm1' });
  await client.call('meta.add', { name: 'm1', address: '127.0.0.1:9' });
  // These three change the group itself, and a stream has a test of its own.
  const others = ['meta.add', 'meta.remove', 'meta.transfer-leader', 'watch'];
  const all = client.operations.map(({ operationId }) => operationId);
  expect([...client.called, ...others].toSorted()).toEqual(all.toSorted());
});

describe('what is wrong is refused with its status, and a code', () => {
  const json = { 'content-type': 'application/json' };
  test.each([
    ['a path that is not there', 404, 'GET', '/v1/tenant', {}],
    ['a record that is not there', 404, 'GET', '/v1/tenants/nobody', {}],
    ['another method', 405, 'PUT', '/v1/tenants', { body: '{}', headers: json }],
    ['malformed JSON', 400, 'POST', '/v1/tenants', { body: '{"name":', headers: json }],
    ['no JSON at all', 415, 'POST', '/v1/tenants', { body: 'name=shop', headers: {} }],
    ['JSON that is no object', 400, 'POST', '/v1/tenants', { body: '["shop"]', headers: json }],
    ['a body without the name', 400, 'POST', '/v1/tenants', { body: '{}', headers: json }],
    ['an unknown field', 400, 'POST', '/v1/tenants', { body: '{"nam":"a"}', headers: json }],
    ['a bad name', 400, 'POST', '/v1/tenants', { body: '{"name":"Ü"}', headers: json }],
    ['a poisoned object', 400, 'POST', '/v1/tenants', { body: '{"__proto__":{}}', headers: json }],
    [
      'a body that is too large',
      413,
      'POST',
      '/v1/tenants',
      { body: `{"name":"${'x'.repeat(2 * 1024 * 1024)}"}`, headers: json },
    ],
    ['an unknown query', 400, 'GET', '/v1/tenants?limits=3', {}],
    ['a query twice', 400, 'GET', '/v1/tenants?limit=3&limit=4', {}],
    ['a bad number', 400, 'GET', '/v1/tenants?limit=many', {}],
    [
      'a field of the path in the body',
      400,
      'PATCH',
      '/v1/tenants/a',
      { body: '{"name":"b"}', headers: json },
    ],
    ['a method that is not there yet', 405, 'DELETE', '/v1/configs/none', {}],
    [
      'a stale revision',
      409,
      'PATCH',
      '/v1/tenants/default',
      { body: '{"ifRevision":9}', headers: json },
    ],
    ['a bad revision to watch from', 400, 'GET', '/v1/watch?from=now', {}],
    ['a foreign page', 401, 'GET', '/v1/status', { headers: { origin: 'http://evil.example' } }],
    ['a name that leads here', 401, 'GET', '/v1/status', { headers: { host: 'evil.example' } }],
  ] as const)('%s: %i', async (_what, status, method, path, options) => {
    const answer = await send(path, { method, ...options });
    expect(answer.status).toBe(status);
    const { error } = answer.body as { error: { code: string; message: string; hint: string } };
    expect(error.code).toMatch(/^ERR_CACHECTL_/);
    expect(error.message).not.toBe('');
    if (status === 405) expect(answer.headers['allow']).toBeDefined();
  });

  test('and nothing is half-done', async () => {
    const { body } = await send('/v1/tenants');
    const { tenants } = body as { tenants: Array<{ name: string }> };
    expect(tenants.map(({ name }) => name)).toEqual(['default']);
  });
});

describe('where a token is set', () => {
  const ask = (path: string, authorization?: string) =>
    send(
      path,
      authorization === undefined ? {} : { headers: { authorization } },
      guarded.address.port,
    );

  test('it is asked for, and only the right one will do', async () => {
    for (const wrong of [undefined, 'Bearer wrong', 'Bearer', 'Basic right', 'right']) {
      const answer = await ask('/v1/status', wrong);
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
    expect((await ask('/v1/status', 'Bearer right')).status).toBe(200);
    expect((await ask('/openapi.json')).status).toBe(401);
    expect((await ask('/healthz')).status).toBe(200);
  });

  test('without one, other addresses than those of this machine are not listened on', async () => {
    const listen = { host: '0.0.0.0', port: 0 };
    await expect(
      startHttp(peer, { listen, token: undefined, version: VERSION }),
    ).rejects.toMatchObject({ code: 'ERR_CACHECTL_LISTEN' });
  });
});

describe('watch', () => {
  interface Event {
    readonly id: string | undefined;
    readonly kind: string;
    readonly data: { readonly key: string; readonly revision: number; readonly value?: object };
  }

  /** Reads a stream until it has given `count` events. */
  function events(query: string, count: number, headers = {}): Promise<Event[]> {
    const { port } = http.address;
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, path: `/v1/watch?${query}`, headers };
      const asked = request(options, (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += String(chunk);
          const blocks = text.split('\n\n').slice(0, -1);
          const found = blocks.filter((block) => block.includes('data: ')).map(parse);
          if (found.length < count) return;
          asked.destroy();
          resolve(found);
        });
      });
      asked.on('error', reject);
      asked.end();
    });
  }

  function parse(block: string): Event {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1];
    return { id: field('id'), kind: field('event') ?? '', data: JSON.parse(field('data') ?? '') };
  }

  test('gives each change once and in order, and goes on after the last one seen', async () => {
    const client = await connect();
    const from = peer.store.view().revision;
    for (const name of ['a', 'b', 'c']) await client.call('tenant.create', { name });
    await client.call('tenant.delete', { name: 'b' });
    const all = await events(`prefix=tenants/&from=${from}`, 4);
    expect(all.map(({ kind, data }) => `${kind} ${data.key}`)).toEqual([
      'put tenants/a',
      'put tenants/b',
      'put tenants/c',
      'delete tenants/b',
    ]);
    expect(JSON.stringify(all)).not.toContain('scrypt');
    const seen = all[1];
    const rest = await events('prefix=tenants/', 2, { 'last-event-id': seen.id });
    expect(rest).toEqual(all.slice(2));
  });

  test('has an id only where a revision is complete', async () => {
    const client = await connect();
    const from = peer.store.view().revision;
    await client.call('tenant.create', { name: 'whole' });
    const all = await events(`from=${from}`, 4);
    const own = all.filter(({ data }) => data.revision === from + 1);
    expect(own.map(({ id }) => id)).toEqual([undefined, undefined, undefined, `${from + 1}`]);
  });
});
