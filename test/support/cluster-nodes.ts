/** Cache nodes of one cluster in the test's own process, on the real network and clock. */
import { nodeIdOfName, type MapNode, type NodeId } from '../../src/cluster/index.ts';
import {
  TestLeader,
  tenantOf,
  namespaceOf,
  tenantsPush,
} from '../../src/node/cluster/test-support.ts';
import { CacheNode, type ClusterOptions, type NodeOptions } from '../../src/node/index.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';

export interface ClusterNodes extends AsyncDisposable {
  readonly leader: TestLeader;
  readonly nodes: readonly CacheNode[];
  readonly ids: readonly NodeId[];
  /** As the map names them. */
  readonly known: readonly MapNode[];
}

/** `count` nodes that are registered and have tenants, but no map. */
export async function startClusterNodes(
  count: number,
  options: Partial<ClusterOptions> = {},
  settings: NodeOptions['settings'] = {},
): Promise<ClusterNodes> {
  const runtime = createRuntime({ log: { level: 'error' } });
  const leader = new TestLeader(runtime, { host: '127.0.0.1', port: 0 });
  const meta = await until(() => leader.address);
  const names = Array.from({ length: count }, (_, index) => `n${index + 1}`);
  const nodes = names.map(
    (name) =>
      new CacheNode(
        runtime,
        {
          listen: { host: '127.0.0.1', port: 0 },
          settings: { memoryBytes: 32 * 1024 ** 2, ...settings },
          cluster: {
            meta: [meta],
            name,
            zone: 'z1',
            weight: 1,
            machine: 'm1',
            announceHost: '127.0.0.1',
            replicationPort: 0,
            backlogBytesMax: 1024 ** 2,
            version: '0',
            replicaLagMsMax: 1000,
            settingsOf: () => ({ settings: {}, problems: [] }),
            ...options,
          },
        },
        () => ({ pid: 0, residentBytes: 0, userCpuUs: 0, systemCpuUs: 0, version: '0' }),
      ),
  );
  for (const node of nodes) {
    await new Promise<void>((resolve, reject) => {
      node.start((error) => (error === undefined ? resolve() : reject(error)));
    });
  }
  await until(() => (leader.registered.size === count ? true : undefined));
  leader.push(
    'tenants',
    tenantsPush(1, [tenantOf('default', 0)], [namespaceOf('default', 'default', 0)]),
  );
  return {
    leader,
    nodes,
    ids: names.map(nodeIdOfName),
    known: leader.nodes(),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => new Promise<void>((resolve) => node.stop(resolve))));
      await new Promise<void>((resolve) => leader.close(resolve));
    },
  };
}

/** Waits until there is something. */
export async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
