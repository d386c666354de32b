/** A cache node in the test's own process, on the real network and clock. */
import { CacheNode, type NodeOptions } from '../../src/node/index.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';

export interface RunningNode extends AsyncDisposable {
  readonly port: number;
  readonly node: CacheNode;
}

export async function startCacheNode(settings: NodeOptions['settings'] = {}): Promise<RunningNode> {
  const node = new CacheNode(
    createRuntime({ log: { level: 'error' } }),
    { listen: { host: '127.0.0.1', port: 0 }, settings },
    () => ({ pid: 0, residentBytes: 0, userCpuUs: 0, systemCpuUs: 0, version: '0' }),
  );
  await new Promise<void>((resolve, reject) => {
    node.start((error) => (error === undefined ? resolve() : reject(error)));
  });
  return {
    port: node.address.port,
    node,
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => node.stop(resolve));
    },
  };
}
