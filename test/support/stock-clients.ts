/** Cluster clients as anybody would set them up, to be put under load. */
import { Cluster } from 'ioredis';
import { createCluster } from 'redis';
import type { LoadClient } from './client-load.ts';

export interface StockOptions {
  readonly host: string;
  readonly ports: readonly number[];
  /** Of a tenant with acknowledgement by a majority; undefined: the default tenant. */
  readonly quorum?: { readonly tenant: string; readonly secret: string } | undefined;
  /** After this a command is given up: without it a client waits for ever for a silent server. */
  readonly commandMs: number;
}

export function ioredisClient(name: string, options: StockOptions): LoadClient {
  const { host, ports, quorum, commandMs } = options;
  const client = new Cluster(
    ports.map((port) => ({ host, port })),
    {
      redisOptions: {
        commandTimeout: commandMs,
        ...(quorum === undefined ? {} : { username: quorum.tenant, password: quorum.secret }),
      },
    },
  );
  // Its commands tell of the same.
  client.on('error', () => {});
  return {
    name,
    isQuorum: quorum !== undefined,
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
    close: () => client.disconnect(),
  };
}

export async function nodeRedisClient(name: string, options: StockOptions): Promise<LoadClient> {
  const { host, ports, quorum, commandMs } = options;
  const client = createCluster({
    rootNodes: ports.map((port) => ({ socket: { host, port } })),
    defaults: {
      // A silent server is given up for good, and with it all that waits for its replies. A
      // connection without requests would be taken for silent too, were it not for pings.
      socket: { socketTimeout: commandMs },
      pingInterval: commandMs / 4,
      ...(quorum === undefined ? {} : { username: quorum.tenant, password: quorum.secret }),
    },
  });
  client.on('error', () => {});
  await client.connect();
  return {
    name,
    isQuorum: quorum !== undefined,
    set: (key, value) => within(commandMs, client.set(key, value)),
    get: (key) => within(commandMs, client.get(key)),
    close: () => client.destroy(),
  };
}

/** Its own time limit ends when a command has been sent. */
async function within<T>(ms: number, reply: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('no reply in time')), ms);
  });
  return Promise.race([reply, late]).finally(() => clearTimeout(timer));
}
