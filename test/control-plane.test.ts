/** The control plane as an operator meets it: real processes, and the command line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ControlPlane, run } from './support/control-plane.ts';
import { WireClient } from './support/wire-client.ts';

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(20);
  }
}

/** Logs in at a node; undefined where that is refused. */
async function logIn(port: number, tenant: string, secret: string): Promise<true | undefined> {
  await using client = await WireClient.to(port);
  const reply = await client.ask('AUTH', tenant, secret);
  return reply.toString() === '+OK\r\n' ? true : undefined;
}

describe('a cluster of three peers and three nodes', () => {
  const cluster = new ControlPlane();

  beforeAll(async () => {
    await cluster.start('m1', 'm2', 'm3');
    await cluster.start('n1', 'n2', 'n3');
    await until(async () => {
      const nodes = (await cluster.data(['node', 'list'])) as Array<{ isAlive: boolean }>;
      return nodes.length === 3 && nodes.every(({ isAlive }) => isAlive) ? true : undefined;
    });
  });

  afterAll(async () => cluster[Symbol.asyncDispose]());

  test('is shown by status, with its nodes and who leads', async () => {
    const { out } = await cluster.command('status');
    expect(out).toMatch(/^cluster cachectl-[0-9a-f]{8}: /);
    expect(out).toMatch(/meta +3 of 3 peers, m[123] leads/);
    expect(out).toMatch(/nodes +3 of 3 up/);
    for (const name of ['n1', 'n2', 'n3']) expect(out).toMatch(new RegExp(`^${name} +up`, 'm'));
  });

  test('gives a new tenant to all nodes at once, and takes a deleted one away', async () => {
    const flags = ['--max-memory', '64mb', '--max-qps', '5000', '--policy', 'lfu'];
    const created = await cluster.data(['tenant', 'create', 'shop', ...flags, '--replicas', '2']);
    const startedAtMs = performance.now();
    const { secret } = created as { secret: string };
    for (const name of ['n1', 'n2', 'n3']) {
      const port = cluster.ports.get(name) ?? 0;
      await until(async () => logIn(port, 'shop', secret));
    }
    const tookMs = Math.round(performance.now() - startedAtMs);
    process.stdout.write(`a new tenant was on all nodes ${tookMs} ms after its creation\n`);
    const rotated = await cluster.data(['tenant', 'rotate-secret', 'shop', '--yes']);
    const port = cluster.ports.get('n2') ?? 0;
    const { secret: next } = rotated as { secret: string };
    await until(async () => logIn(port, 'shop', next));
    expect(await logIn(port, 'shop', secret)).toBeUndefined();
    expect((await cluster.command('tenant', 'delete', 'shop', '--yes')).exit).toBe(0);
    await until(async () => ((await logIn(port, 'shop', next)) ? undefined : true));
  });

  test('keeps what was acknowledged when any one peer is killed, and all three', async () => {
    const names: string[] = [];
    for (const peer of ['m1', 'm2', 'm3']) {
      const name = `by-${peer}`;
      await cluster.kill(peer);
      const { exit, words } = await cluster.command('tenant', 'create', name, '--timeout', '20s');
      expect({ exit, words }).toMatchObject({ exit: 0 });
      expect(words).not.toContain('Error');
      names.push(name);
      await cluster.start(peer);
    }
    await cluster.kill('m1', 'm2', 'm3');
    await cluster.start('m1', 'm2', 'm3');
    const { exit, out } = await cluster.command('tenant', 'list', '-o', 'name', '--timeout', '20s');
    expect(exit).toBe(0);
    expect(out.trim().split('\n').toSorted()).toEqual(['by-m1', 'by-m2', 'by-m3', 'default']);
    const events = (await cluster.data(['event', 'list'])) as Array<{ subject: string }>;
    for (const name of names) {
      expect(events.filter(({ subject }) => subject === `tenant ${name}`)).toHaveLength(1);
    }
  });

  test('takes the next write after its leader is killed, and lets another lead when asked', async () => {
    const leader = await cluster.leader();
    await cluster.kill(leader);
    const created = await cluster.command('tenant', 'create', 'next', '--timeout', '20s');
    expect(created).toMatchObject({ exit: 0 });
    await cluster.start(leader);
    const other = ['m1', 'm2', 'm3'].find((name) => name !== leader) ?? '';
    await until(async () => {
      const asked = await cluster.command('meta', 'transfer-leader', other);
      // It may lead already.
      return asked.exit === 0 || asked.exit === 6 ? true : undefined;
    });
    await until(async () => ((await cluster.leader()) === other ? true : undefined));
  });

  test('exits with 4, and says which peers answered, where there is no majority', async () => {
    await cluster.kill('m2', 'm3');
    try {
      for (const args of [['status'], ['tenant', 'create', 'lost']]) {
        const { exit, out } = await cluster.command(...args, '--timeout', '8s', '--json');
        expect(exit).toBe(4);
        const { error } = JSON.parse(out) as { error: { code: string; message: string } };
        expect(error.code).toBe('ERR_CACHECTL_NO_QUORUM');
        expect(error.message).toMatch(/m1|:\d+ answered/);
      }
    } finally {
      // What follows needs the cluster, whatever came of this.
      await cluster.start('m2', 'm3');
    }
    await until(async () =>
      (await cluster.command('tenant', 'list')).exit === 0 ? true : undefined,
    );
  });

  test('is restored from a snapshot into a new cluster, whole', async () => {
    const file = join(cluster.directory, 'all.snapshot');
    expect((await cluster.command('meta', 'snapshot', 'save', file)).exit).toBe(0);
    const before = await cluster.command('tenant', 'list', '-o', 'name');
    await using restored = new ControlPlane();
    await restored.reserve('m1', 'm2', 'm3');
    for (const name of ['m1', 'm2', 'm3']) {
      const args = [file, '--name', name, '--peers', restored.peers];
      const directory = join(restored.directory, name);
      const done = await run(['meta', 'snapshot', 'restore', ...args, '--data-dir', directory]);
      expect(done.exit).toBe(0);
    }
    await restored.start('m1', 'm2', 'm3');
    const after = await restored.command('tenant', 'list', '-o', 'name', '--timeout', '20s');
    expect(after.out).toBe(before.out);
    expect((await restored.command('tenant', 'create', 'fresh', '--timeout', '20s')).exit).toBe(0);
    const again = ['--peers', restored.peers, '--data-dir', join(restored.directory, 'm1')];
    expect((await run(['meta', 'snapshot', 'restore', file, ...again])).exit).toBe(1);
    writeFileSync(file, readFileSync(file, 'utf8').replace('fresh', 'rotten').slice(0, -10));
    const inspected = await run(['meta', 'snapshot', 'inspect', file]);
    expect(inspected.exit).toBe(1);
    expect(inspected.words).toContain('checksum');
  });

  test.each([
    [['tenant', 'show', 'shopp'], 3, "no tenant 'shopp'"],
    [['tenant', 'create', 'default'], 6, "tenant 'default' exists already"],
    [['tenant', 'create', 'x', '--max-memory', '64mbb'], 2, "--max-memory is '64mbb'"],
    [['tenant', 'create', 'x', '--max-unreplicated-time', '5'], 2, 'a duration such as'],
    [['tenant', 'create', 'x', '--policy', 'mru'], 2, 'Expected --policy=mru to be one of'],
    [['tenant', 'create', 'Ünï/..'], 2, 'a name is 1 to 63 of'],
    [['tenant', 'create'], 2, 'NAME is missing'],
    [['tenant', 'update', 'default'], 2, 'nothing to change'],
    [
      ['tenant', 'update', 'default', '--max-qps', '5', '--if-revision', '99999'],
      6,
      'changed meanwhile',
    ],
    [['tenant', 'delete', 'default'], 7, 'Nobody can be asked'],
    [['namespace', 'show', 'default', 'carts'], 3, "no namespace 'default/carts'"],
    [['node', 'show', 'n9'], 3, "no node 'n9'"],
    [['node', 'remove', 'n1', '--yes'], 6, "node 'n1'"],
    [['shard', 'show', '900'], 3, 'no shard 900'],
    [['shard', 'show', 'x'], 2, "SHARD is 'x'"],
    [['failover', '0', '--to', 'n9'], 3, "no node 'n9'"],
    [['move', 'abort', '70000'], 3, 'no move 70000'],
    [['rebalance', '--plan', '999'], 6, 'the plan is of epoch 999'],
    [['config', 'set', 'limits', 'max-value-size'], 2, "'max-value-size' is no setting"],
    [['config', 'set', 'limits', 'max-vlaue-size=2mb'], 2, "Did you mean 'max-value-size'?"],
    [['config', 'set', 'limits', 'memory=2mb'], 2, "'memory' is no setting that a cluster"],
    [
      ['config', 'set', 'limits', 'max-value-size=64mbb'],
      2,
      "max-value-size is '64mbb', which is not a size",
    ],
    [
      ['config', 'set', 'limits', 'max-clients=0'],
      2,
      "max-clients is '0', which is not a whole number of at least 1",
    ],
    [['config', 'get', 'limits'], 3, "no config 'limits'"],
    [['config', 'apply', 'limits', '-f', '/nowhere'], 2, '/nowhere'],
    [['meta', 'remove', 'm9', '--yes'], 3, "no meta peer 'm9'"],
    [['status', '--meta', 'nowhere'], 2, "--meta is 'nowhere'"],
    [['status', '--meta', '127.0.0.1:1', '--timeout', '500ms'], 4, '127.0.0.1:1'],
    [['status', '--timeout', 'soon'], 2, "--timeout is 'soon'"],
    [['meta', 'snapshot', 'inspect', '/nowhere'], 1, 'cannot read the snapshot'],
  ])('refuses %j with exit code %i', async (args, exit, message) => {
    const ran = await cluster.command(...args);
    expect(ran.words).toContain(message);
    expect(ran.out).toBe('');
    expect(ran.exit).toBe(exit);
  });
});

test('a cluster with a token serves those alone who have it', async () => {
  await using cluster = new ControlPlane({ CACHECTL_ADMIN_TOKEN: 'right' });
  await cluster.start('m1');
  expect((await cluster.command('tenant', 'list')).exit).toBe(0);
  for (const token of ['wrong', '']) {
    const environment = { CACHECTL_META: cluster.meta, CACHECTL_ADMIN_TOKEN: token };
    const { exit, words } = await run(['tenant', 'list'], environment);
    expect(exit).toBe(1);
    expect(words).toContain('CACHECTL_ADMIN_TOKEN');
  }
});

describe('contexts', () => {
  const home = mkdtempSync(join(tmpdir(), 'cachectl-home-'));
  const environment = { XDG_CONFIG_HOME: home };
  afterAll(() => rmSync(home, { recursive: true }));

  test('name clusters, and the one in use is asked', async () => {
    expect((await run(['context', 'list', '-o', 'name'], environment)).out).toBe('');
    await run(['context', 'add', 'one', '--meta', '127.0.0.1:1'], environment);
    const added = await run(['context', 'add', 'two', '--meta', '127.0.0.1:2'], environment);
    expect(added.out).toMatch(/\* +one +127.0.0.1:1 +no\n/);
    const asked = ['status', '--timeout', '500ms'];
    expect((await run(asked, environment)).words).toContain('127.0.0.1:1');
    await run(['context', 'use', 'two'], environment);
    expect((await run(asked, environment)).words).toContain('127.0.0.1:2');
    expect((await run(['context', 'add', 'two', '--meta', '127.0.0.1:3'], environment)).exit).toBe(
      6,
    );
    expect((await run(['context', 'add', 'Ü', '--meta', '127.0.0.1:3'], environment)).exit).toBe(2);
    expect((await run(['context', 'use', 'three'], environment)).exit).toBe(3);
    await run(['context', 'remove', 'two'], environment);
    expect((await run(['context', 'list', '-o', 'name'], environment)).out).toBe('one\n');
    writeFileSync(join(home, 'cachectl', 'contexts.json'), '{');
    expect((await run(['status'], environment)).exit).toBe(2);
  });
});
