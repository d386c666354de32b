/** What a cluster of real processes refuses, in which words, and that nothing is lost by it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { nodeIdOfName } from '../src/cluster/index.ts';
import {
  FRAME_BYTES_MAX,
  FrameReader,
  REPLICATION_VERSION,
  writeFrame,
} from '../src/node/replication/frames.ts';
import { OutputBuffer } from '../src/runtime/index.ts';
import { ClusterProcesses, type Part } from './support/cluster-processes.ts';
import { WireClient } from './support/wire-client.ts';

const BIN = new URL('../bin/cachectl.js', import.meta.url).pathname;
const REPLICATION = 10_000;
/** As old as what a connection reads that has sent READONLY may be. */
const STALE_MS_MAX = 1000;
const KEYS = Array.from({ length: 300 }, (_, index) => `kept:${index}`);

let cluster: ClusterProcesses;
let client: Cluster;

beforeAll(async () => {
  cluster = await ClusterProcesses.start({
    nodes: 3,
    replicas: 1,
    metaPeers: 1,
    isProxied: true,
    nodeFlags: ['--memory', '64mb', '--max-replica-lag', `${STALE_MS_MAX}ms`],
  });
  const { host } = cluster;
  client = new Cluster(cluster.nodes.map(({ port }) => ({ host, port })));
  client.on('error', () => {});
  await Promise.all(KEYS.map((key) => client.set(key, `value of ${key}`)));
  // All replicas have it.
  await Promise.all(client.nodes('master').map((node) => node.wait(1, 0)));
});

afterAll(async () => {
  client?.disconnect();
  await cluster?.[Symbol.asyncDispose]();
});

async function expectAllKept(): Promise<void> {
  const kept = await Promise.all(KEYS.map((key) => client.get(key)));
  expect(kept).toEqual(KEYS.map((key) => `value of ${key}`));
}

async function rebalance(): Promise<void> {
  const { code, output } = await cluster.cachectl('rebalance', '--yes', '--wait');
  expect(code, output).toBe(0);
  await cluster.untilHealthy();
}

async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await sleep(20);
}

async function primaries({ name }: Part): Promise<number> {
  const views = z
    .array(z.object({ name: z.string(), primaries: z.number() }))
    .parse(await cluster.data('node', 'list'));
  return views.find((view) => view.name === name)?.primaries ?? 0;
}

describe('a node', () => {
  test('of a name that is taken is refused, and serves nothing', async () => {
    const [taken] = cluster.nodes;
    const args = taken.args.map((arg) => (arg === `127.0.0.1:${taken.port}` ? '127.0.0.1:0' : arg));
    const level = args.map((arg) => (arg === 'error' ? 'warn' : arg));
    const child = spawn(process.execPath, [BIN, ...level], { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      let said = '';
      let words = '';
      child.stdout.on('data', (chunk) => (said += String(chunk)));
      child.stderr.on('data', (chunk) => (words += String(chunk)));
      await until(() => Promise.resolve(/not registered/.test(words) && / serves /.test(said)));
      expect(words).toContain(`a process named '${taken.name}' is in the cluster already`);
      const port = Number(/serves 127\.0\.0\.1:(\d+)/.exec(said)?.[1]);
      await using visitor = await WireClient.to(port);
      expect(String(await visitor.ask('GET', KEYS[0]))).toMatch(/^-CLUSTERDOWN /);
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    await expectAllKept();
  });

  test('that was started anew before anybody noticed its death gets its shards from replicas', async () => {
    const [victim] = cluster.nodes;
    await cluster.kill(victim);
    await cluster.start(victim);
    await until(async () => (await primaries(victim)) === 0);
    await cluster.untilHealthy();
    await expectAllKept();
    await rebalance();
    await expectAllKept();
  });

  test.each([
    ['hears what has become of its shards when it wakes', false],
    ['hears from nobody but clients when it wakes', true],
  ])('that was frozen for longer than its lease, and %s, serves nothing old', async (_, isCut) => {
    const [, victim] = cluster.nodes;
    await rebalance();
    await using strict = await WireClient.to(victim.port);
    await using patient = await WireClient.to(victim.port);
    const key = await keyOf(strict, 'old');
    await patient.ask('READONLY');
    if (isCut) cluster.cutOff(victim, { mayClientsPass: true });
    cluster.freeze(victim);
    await until(async () => (await primaries(victim)) === 0);
    // The other client waits for the frozen node, as it has no limit of time.
    const newcomer = new Cluster([{ host: cluster.host, port: cluster.nodes[0].port }]);
    await newcomer.set(key, 'new');
    newcomer.disconnect();
    // From here on what is sent is sent later than anything may be read that is older than that.
    await sleep(STALE_MS_MAX);
    const strictReplies: Buffer[] = [];
    const patientReplies: Buffer[] = [];
    const ask = async (): Promise<void> => {
      const write = ['SET', key, 'late'];
      const [strictly, patiently] = await Promise.all([
        strict.exchange([['GET', key], write]),
        patient.exchange([['GET', key], write]),
      ]);
      strictReplies.push(...strictly, patiently[1]);
      patientReplies.push(patiently[0]);
    };
    // The first lies in the node's sockets when it wakes.
    const first = ask();
    cluster.resume(victim);
    await first;
    for (let turn = 0; turn < 200; turn++) {
      await ask();
      await sleep(5);
    }
    const served = strictReplies
      .map(String)
      .filter((reply) => !/^-(CLUSTERDOWN|MOVED) /.test(reply));
    expect(served).toEqual([]);
    expect(patientReplies.map(String).filter((reply) => reply.includes('old'))).toEqual([]);
    cluster.network?.heal();
    await cluster.untilHealthy();
    expect(await client.get(key)).toBe('new');
    await expectAllKept();
  });
});

/** A key of a shard that the node leads, which it is given the value of. */
async function keyOf(node: WireClient, value: string): Promise<string> {
  for (let number = 0; ; number++) {
    const key = `frozen:${number}`;
    if (String(await node.ask('SET', key, value)) === '+OK\r\n') return key;
  }
}

type Saying = readonly [string, ...Array<string | number>];

/** Says these things to a node's replication port, and gives what it answers, until it is enough. */
async function sayToSource(
  { port }: Part,
  frames: readonly Saying[],
  enough: (answers: readonly string[]) => boolean,
): Promise<string[]> {
  const socket = connect({ host: '127.0.0.1', port: port + REPLICATION });
  const answers: string[] = [];
  const reader = new FrameReader(FRAME_BYTES_MAX, (frame) => {
    const texts = Array.from({ length: frame.count }, (_, index) => frame.text(index));
    answers.push(texts.join(' '));
    return undefined;
  });
  socket.on('data', (bytes: Buffer) => reader.push(bytes, 0, bytes.length));
  socket.on('error', () => {});
  const out = new OutputBuffer();
  for (const frame of frames) writeFrame(out, frame);
  socket.write(Buffer.from(out.view()));
  while (!enough(answers) && !socket.closed) await sleep(5);
  socket.destroy();
  return answers;
}

describe('a replication link', () => {
  const follower = nodeIdOfName('n2');
  const isRefused = (answers: readonly string[]): boolean =>
    answers.some((answer) => answer.startsWith('REFUSED'));

  async function clusterId(): Promise<string> {
    const status = z.object({ clusterId: z.string() }).parse(await cluster.data('status'));
    return status.clusterId;
  }

  test('of another cluster, or with a wrong token, is refused', async () => {
    const words = 'REFUSED 0 another cluster, or a wrong token';
    const [source] = cluster.nodes;
    const other: Saying[] = [['HELLO', REPLICATION_VERSION, 'another', follower, '']];
    expect(await sayToSource(source, other, isRefused)).toEqual([words]);
    const wrong: Saying[] = [['HELLO', REPLICATION_VERSION, await clusterId(), follower, 'wrong']];
    expect(await sayToSource(source, wrong, isRefused)).toEqual([words]);
  });

  test('that follows a shard at another epoch, or by who is no member, is refused', async () => {
    const shards = z
      .array(z.object({ id: z.number(), epoch: z.number(), primary: z.string().nullable() }))
      .parse(await cluster.data('shard', 'list'));
    const [source] = cluster.nodes;
    const own = shards.find(({ primary }) => primary === nodeIdOfName(source.name));
    if (own === undefined) throw new Error('the node leads nothing');
    const id = await clusterId();
    const hello = (node: string): Saying => ['HELLO', REPLICATION_VERSION, id, node, ''];
    const stranger = nodeIdOfName('stranger');
    for (const [node, epoch] of [
      [follower, own.epoch - 1],
      [follower, own.epoch + 1],
      [stranger, own.epoch],
    ] as const) {
      const frames: Saying[] = [hello(node), ['FOLLOW', own.id, epoch, 0, 0]];
      const answers = await sayToSource(source, frames, isRefused);
      expect(answers.at(0)).toMatch(/^WELCOME /);
      expect(answers).toContain(
        `REFUSED ${own.id} by the map of this node it is not to be followed`,
      );
    }
  });
});

describe('an administrator', () => {
  test('cannot apply a plan of an epoch that has passed', async () => {
    const { plan } = z
      .object({ plan: z.number() })
      .parse(await cluster.data('rebalance', '--dry-run'));
    const done = await cluster.cachectl('failover', '0', '--wait');
    expect(done.code, done.output).toBe(0);
    const { code, output } = await cluster.cachectl('rebalance', '--plan', `${plan}`, '--yes');
    expect(code).toBe(6);
    expect(output).toContain(`the plan is of epoch ${plan}`);
    await expectAllKept();
  });

  test('cannot remove a node that holds shards', async () => {
    const [node] = cluster.nodes;
    const { code, output } = await cluster.cachectl('node', 'remove', node.name, '--yes');
    expect(code).toBe(6);
    expect(output).toMatch(/node 'n1' still holds \d+ shards/);
    expect(output).toContain('cachectl node drain n1');
    await expectAllKept();
  });

  test('is told where a drain has no room elsewhere, and everything stays', async () => {
    const [first, second] = cluster.nodes;
    expect((await cluster.cachectl('node', 'drain', first.name)).code).toBe(0);
    await until(async () => {
      const { output } = await cluster.cachectl('node', 'show', first.name, '-o', 'json');
      return /"primaries": ?0,\s*"replicas": ?0,/.test(output);
    });
    const { code, output } = await cluster.cachectl('node', 'drain', second.name);
    expect(code).toBe(0);
    expect(output).toMatch(/none of its \d+ shards has another node to go to; they stay/);
    await sleep(500);
    await expectAllKept();
    await cluster.cachectl('node', 'undrain', first.name);
    await cluster.cachectl('node', 'undrain', second.name);
    await cluster.untilHealthy();
  });
});
