/** A node is emptied while it serves, and leaves the cluster. */
import { expect, test } from 'vitest';
import { startCachectl } from './support/cachectl.ts';
import { ClusterProcesses } from './support/cluster-processes.ts';

test('waits until a drained node holds nothing, and says where nothing else can take its shards', async () => {
  await using cluster = await ClusterProcesses.start({ nodes: 3, replicas: 1, metaPeers: 1 });
  const run = async (...args: string[]) => {
    await using command = startCachectl([...args, '--meta', cluster.meta]);
    return await command.ended();
  };
  const [first, second] = cluster.nodes;

  const early = await run('node', 'remove', first.name, '--yes');
  expect(early.exit).not.toBe(0);
  expect(early.words).toContain(first.name);

  const drained = await run('node', 'drain', first.name, '--wait', '--json');
  expect(drained.exit).toBe(0);
  expect(JSON.parse(drained.out)).toMatchObject({
    kind: 'Node',
    data: { state: 'draining', primaries: 0, replicas: 0, learners: 0 },
  });

  const stuck = await run('node', 'drain', second.name, '--wait');
  expect(stuck.exit).toBe(1);
  expect(stuck.words).toMatch(/Error: \d+ shards of \S+ have no other node to go to\n/);
  expect(stuck.words).toContain(`cachectl node undrain ${second.name}`);
}, 60_000);
