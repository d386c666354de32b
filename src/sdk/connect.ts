/** `cachectl`, the package's main entry: the client on the real network and clock. */
import { createRuntime } from '../runtime/node/index.ts';
import { CacheClient } from './client.ts';
import type { CacheOptions } from './options.ts';

export * from './index.ts';

/**
 * Connects to a cluster, or to a node that stands alone.
 *
 *     await using cache = await connect({ seeds: ['127.0.0.1:7400'] });
 *     await cache.set('greeting', 'hello', { ttl: '10m' });
 *
 * @throws {CachectlError} `ERR_CACHECTL_CONNECT`, `ERR_CACHECTL_TIMEOUT` or `ERR_CACHECTL_AUTH`
 *   where no seed can be used, `ERR_CACHECTL_VALUE` for an option that is not allowed.
 */
export function connect(options: CacheOptions): Promise<CacheClient> {
  return CacheClient.connect(createRuntime({ log: { level: 'silent' } }), options);
}
