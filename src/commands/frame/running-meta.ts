import { accessSync, constants, mkdirSync } from 'node:fs';
import { CachectlError } from '../../cluster/index.ts';
import { adminCalls } from '../../meta/admin/index.ts';
import { isLoopback, startHttp } from '../../meta/http/server.ts';
import { restoreSnapshot, type RestoreOptions, type Snapshot } from '../../meta/snapshot/index.ts';
import { openMetaPeer, type MetaPeer, type MetaPeerOptions } from '../../meta/index.ts';
import { StorageError } from '../../raft/index.ts';
import type { Address } from '../../runtime/index.ts';
import { createRuntime, type LogOptions } from '../../runtime/node/index.ts';
import { address } from './kinds.ts';
import { listenError } from './listen-error.ts';
import { metaSettings, type MetaSettingValues } from './meta-settings.ts';

/** A meta peer that serves in this process. */
export interface RunningMeta {
  readonly peer: MetaPeer;
  /** Rejects when the peer has to stop by itself. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

const DIRECTORY = 'meta';

/** @throws {CachectlError} `ERR_CACHECTL_USAGE` or `ERR_CACHECTL_VALUE` where they do not go together */
export function metaOptionsOf(values: MetaSettingValues): MetaPeerOptions {
  const name = values.name ?? metaSettings.name.default;
  const listen = values.listen ?? metaSettings.listen.default;
  const token = values['admin-token'];
  const { peers: bootstrap } = values;
  const own = bootstrap?.get(name);
  if (bootstrap !== undefined && own === undefined) {
    const names = [...bootstrap.keys()].join(', ');
    const words = `--name is '${name}', and --peers names ${names}`;
    const hint = `Each peer is one of --peers: add '${name}=${address.format(listen)}', or correct the name.`;
    throw new CachectlError('ERR_CACHECTL_USAGE', words, { hint });
  }
  if (token === undefined && !isLoopback(listen.host)) {
    const words = `without a token, a meta peer listens on loopback addresses only, and not on ${address.format(listen)}`;
    const hint = 'Set CACHECTL_ADMIN_TOKEN to the same secret at all peers, nodes and clients.';
    throw new CachectlError('ERR_CACHECTL_USAGE', words, { hint });
  }
  return {
    name,
    listen,
    token,
    bootstrap,
    address: own,
    cluster: values.cluster ?? metaSettings.cluster.default,
    directory: DIRECTORY,
    shardCount: values.shards ?? metaSettings.shards.default,
    replicas: values.replicas ?? metaSettings.replicas.default,
    initialNodes: values['initial-nodes'] ?? metaSettings['initial-nodes'].default,
    makeCalls: adminCalls,
  };
}

/** @throws {CachectlError} where the data cannot be used, or the address not be listened on */
export async function runMeta(
  options: MetaPeerOptions,
  dataDirectory: string,
  log: LogOptions,
): Promise<RunningMeta> {
  prepare(dataDirectory);
  const runtime = createRuntime({ dataDirectory, log });
  const failure = Promise.withResolvers<never>();
  const peer = await new Promise<MetaPeer>((resolve, reject) => {
    const onFailure = (error: Error) => failure.reject(stopped(options.name, error));
    openMetaPeer(runtime, { ...options, onFailure }, (opening) => {
      if (opening.error === undefined) resolve(opening.peer);
      else reject(unusable(dataDirectory, opening.error));
    });
  });
  const stop = () => new Promise<void>((resolve) => peer.stop(resolve));
  await new Promise<void>((resolve, reject) => {
    peer.listen((error) => {
      if (error === undefined) resolve();
      else peer.stop(() => reject(listenError(options.listen, error)));
    });
  });
  // Whoever starts a peer may not be waiting yet.
  failure.promise.catch(() => undefined);
  return { peer, failed: failure.promise, stop };
}

function prepare(dataDirectory: string): void {
  try {
    mkdirSync(dataDirectory, { recursive: true });
    accessSync(dataDirectory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const words = `the data directory '${dataDirectory}' cannot be used: ${reason}`;
    const hint = 'Give --data-dir a directory that this user can write to.';
    throw new CachectlError('ERR_CACHECTL_FAILED', words, { cause, hint });
  }
}

function unusable(dataDirectory: string, cause: Error): CachectlError {
  const words =
    cause instanceof StorageError
      ? `the data in '${dataDirectory}' cannot be used: ${cause.message}`
      : cause.message;
  return new CachectlError('ERR_CACHECTL_FAILED', words, { cause });
}

function stopped(name: string, cause: Error): CachectlError {
  const words = `meta peer ${name} has stopped: ${cause.message}`;
  const hint = 'The others go on without it. See the log; start it anew once the cause is gone.';
  return new CachectlError('ERR_CACHECTL_FAILED', words, { cause, hint });
}

/**
 * Serves the admin API of a peer over HTTP.
 *
 * @throws {CachectlError} `ERR_CACHECTL_LISTEN`
 */
export async function runHttp(
  { peer, failed, stop }: RunningMeta,
  options: {
    readonly listen: Address;
    readonly token: string | undefined;
    readonly version: string;
  },
): Promise<RunningMeta> {
  try {
    const http = await startHttp(peer, options);
    const stopBoth = async () => {
      await http.close();
      await stop();
    };
    return { peer, failed, stop: stopBoth };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * Makes the data of a peer of a new cluster.
 *
 * @throws {CachectlError} `ERR_CACHECTL_FAILED` where the directory holds data already
 */
export async function restoreInto(
  dataDirectory: string,
  options: Pick<RestoreOptions, 'cluster' | 'peers'>,
  snapshot: Snapshot,
): Promise<void> {
  prepare(dataDirectory);
  const runtime = createRuntime({ dataDirectory, log: { level: 'warn' } });
  await new Promise<void>((resolve, reject) => {
    restoreSnapshot(runtime, { ...options, directory: DIRECTORY }, snapshot, (error) => {
      if (error === undefined) resolve();
      else reject(unusable(dataDirectory, error));
    });
  });
}
