/** A cache node in the test's own process, on the real network and clock. */
import { CacheNode, type NodeOptions } from '../../src/node/index.ts';
import type { Clock } from '../../src/runtime/index.ts';
import { createRuntime } from '../../src/runtime/node/index.ts';

export interface RunningNode extends AsyncDisposable {
  readonly port: number;
  readonly node: CacheNode;
}

/** `clock` takes the place of the real one where it is given. */
export async function startCacheNode(
  settings: NodeOptions['settings'] = {},
  clock: Partial<Clock> = {},
): Promise<RunningNode> {
  const runtime = createRuntime({ log: { level: 'error' } });
  const node = new CacheNode(
    { ...runtime, clock: { ...runtime.clock, ...clock } },
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
