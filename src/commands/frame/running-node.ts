import { CachectlError } from '../../cluster/index.ts';
import { CacheNode, type NodeOptions, type ProcessFacts } from '../../node/index.ts';
import type { SystemError } from '../../runtime/index.ts';
import { createRuntime, type LogOptions } from '../../runtime/node/index.ts';
import { address } from './kinds.ts';

/** How long clients have to take what is already on its way to them. */
const DRAIN_MS = 5000;
const DRAIN_CHECK_MS = 10;

/** A cache node that serves in this process. */
export interface RunningNode {
  readonly node: CacheNode;
  /** Takes no more clients, sends what is under way, and closes. */
  stop(): Promise<void>;
}

/** @throws {CachectlError} `ERR_CACHECTL_LISTEN` */
export async function runNode(options: NodeOptions, log: LogOptions): Promise<RunningNode> {
  const node = new CacheNode(createRuntime({ log }), options, processFacts);
  await new Promise<void>((resolve, reject) => {
    node.start((error) => {
      if (error === undefined) resolve();
      else reject(listenError(options, error));
    });
  });
  return { node, stop: () => stop(node) };
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'that is not allowed to this user',
  ENOTFOUND: 'no such host',
};

function listenError(options: NodeOptions, cause: SystemError): CachectlError {
  const reason = REASONS[cause.code] ?? cause.message;
  const message = `cannot listen on ${address.format(options.listen)}: ${reason}`;
  return new CachectlError('ERR_CACHECTL_LISTEN', message, { cause });
}

async function stop(node: CacheNode): Promise<void> {
  const deadlineMs = performance.now() + DRAIN_MS;
  const closed = new Promise<void>((resolve) => {
    node.stop(resolve);
  });
  while (node.sessions.size > 0 && performance.now() < deadlineMs) {
    await new Promise((resolve) => {
      setTimeout(resolve, DRAIN_CHECK_MS);
    });
  }
  for (const session of node.sessions.values()) session.destroy();
  await closed;
}

function processFacts(): ProcessFacts {
  const { user, system } = process.cpuUsage();
  return {
    pid: process.pid,
    residentBytes: process.memoryUsage.rss(),
    userCpuUs: user,
    systemCpuUs: system,
    version: process.version,
  };
}
