import { expect, it, onTestFinished } from 'vitest';
import { nodeIdOfName } from '../../cluster/index.ts';
import type { Connection, Listener } from '../../runtime/index.ts';
import { createRuntime, CuttableNetwork } from '../../runtime/node/index.ts';
import { FOLLOWER_RULES, FollowerLink } from './follower-link.ts';

it('connects again after attempts to that nobody answered', async () => {
  const { network, ...rest } = createRuntime({ log: { level: 'silent' } });
  const cuttable = new CuttableNetwork(network, () => false);
  const accepted = Promise.withResolvers<Connection>();
  const listener = await new Promise<Listener>((resolve, reject) => {
    const handler = {
      onListening: resolve,
      onConnection: accepted.resolve,
      onError: reject,
    };
    network.listen({ host: '127.0.0.1', port: 0 }, handler);
  });
  onTestFinished(() => listener.close(() => {}));
  cuttable.cut();
  let attempts = 0;
  const counted = {
    listen: network.listen.bind(network),
    connect: (...args: Parameters<typeof cuttable.connect>) => {
      attempts++;
      if (attempts === 3) cuttable.heal();
      return cuttable.connect(...args);
    },
  };
  const host = {
    runtime: { ...rest, network: counted },
    clusterId: () => 'cluster',
    nodeId: nodeIdOfName('follower'),
    token: '',
    rules: FOLLOWER_RULES,
    begin() {},
    apply: () => true,
    onWhole: () => {},
    clear: (_: unknown, done: () => void) => done(),
  };
  const link = new FollowerLink(host, nodeIdOfName('source'), listener.address);
  onTestFinished(() => link.close());
  (await accepted.promise).destroy();
  expect(attempts).toBe(3);
}, 20_000);
