/** Rollouts of config documents, over real processes: wave by wave, and back by themselves. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeIdOfName, type Rollout } from '../src/cluster/index.ts';
import { ControlPlane } from './support/control-plane.ts';
import { WireClient } from './support/wire-client.ts';

const NODES = ['n1', 'n2', 'n3', 'n4', 'n5'];

describe('a rollout over five nodes', () => {
  const cluster = new ControlPlane();

  beforeAll(async () => {
    await cluster.start('m1');
    await cluster.start(...NODES);
    for (;;) {
      const nodes = (await cluster.data(['node', 'list'])) as Array<{ isAlive: boolean }>;
      if (nodes.length === NODES.length && nodes.every(({ isAlive }) => isAlive)) break;
      await sleep(50);
    }
  });

  afterAll(async () => cluster[Symbol.asyncDispose]());

  async function rollout(): Promise<Rollout> {
    const [found] = (await cluster.data(['rollout', 'status', 'limits'])) as Rollout[];
    if (found === undefined) throw new Error('no rollout');
    return found;
  }

  async function reaches(isThere: (rollout: Rollout) => boolean): Promise<Rollout> {
    for (;;) {
      const found = await rollout();
      if (isThere(found)) return found;
      await sleep(50);
    }
  }

  /** The names of the nodes that have this limit. */
  async function having(maxClients: number, names: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (const name of names) {
      await using client = await WireClient.to(cluster.ports.get(name) ?? 0);
      const reply = await client.ask('CONFIG', 'GET', 'maxclients');
      if (reply.toString().includes(`\r\n${maxClients}\r\n`)) found.push(name);
    }
    return found;
  }

  /** Waits until those in the wave have it, and gives all that do. */
  async function applied(maxClients: number, wave: readonly string[]): Promise<string[]> {
    for (;;) {
      const found = await having(maxClients, NODES);
      if (wave.every((name) => found.includes(name))) return found;
      await sleep(50);
    }
  }

  const namesOf = ({ nodes }: Rollout): string[] =>
    NODES.filter((name) => nodes.includes(nodeIdOfName(name)));

  test('reaches one node, then a quarter, then all, and each wave has it and nobody else', async () => {
    await cluster.data(['config', 'set', 'limits', 'max-clients=1234']);
    const canary = namesOf(await reaches(({ nodes }) => nodes.length === 1));
    expect(await applied(1234, canary)).toEqual(canary);
    const quarter = namesOf(await reaches(({ phase }) => phase === 'quarter'));
    expect(quarter).toHaveLength(2);
    expect(quarter).toEqual(expect.arrayContaining(canary));
    expect(await applied(1234, quarter)).toEqual(quarter);
    await reaches(({ phase }) => phase === 'done');
    expect(await applied(1234, NODES)).toEqual(NODES);
  });

  test('is taken back by itself when a node of the wave dies, also from those that had it', async () => {
    await cluster.data(['config', 'set', 'limits', 'max-clients=4321']);
    const wave = namesOf(await reaches(({ phase }) => phase === 'quarter'));
    expect(await applied(4321, wave)).toEqual(wave);
    const [victim = '', survivor = ''] = wave;
    await cluster.kill(victim);
    const { error } = await reaches(({ phase }) => phase === 'rolled-back');
    expect(error).toContain(`node ${victim} went down in wave 'quarter'`);
    while ((await having(1234, [survivor])).length === 0) await sleep(50);
    await cluster.start(victim);
    expect(await applied(1234, NODES)).toEqual(NODES);
    const events = (await cluster.data(['event', 'list', '--limit', '10000'])) as Array<{
      operation: string;
    }>;
    expect(events.some(({ operation }) => operation === 'rollout.rollback')).toBe(true);
  });
});
