import { CacheNode, Rehearsal, type NodeOptions, type ProcessFacts } from '../../node/index.ts';
import type { Address, Network, Runtime } from '../../runtime/index.ts';
import { createRuntime, type LogOptions } from '../../runtime/node/index.ts';
import { listenError } from './listen-error.ts';

/** How long clients have to take what is already on its way to them. */
const DRAIN_MS = 5000;
const DRAIN_CHECK_MS = 10;

/** A cache node that serves in this process. */
export interface RunningNode {
  readonly node: CacheNode;
  /** Takes no more clients, sends what is under way, and closes. */
  stop(): Promise<void>;
}

/**
 * @param network where it is not to be the process's own
 * @throws {CachectlError} `ERR_CACHECTL_LISTEN`
 */
export async function runNode(
  options: NodeOptions,
  log: LogOptions,
  network?: Network,
): Promise<RunningNode> {
  const runtime = createRuntime(network === undefined ? { log } : { log, network });
  await tryAddress(runtime, options.listen);
  const node = new CacheNode(runtime, options, processFacts);
  await new Promise<void>((resolve, reject) => {
    node.start((error) => {
      if (error === undefined) resolve();
      else reject(listenError(options.listen, error));
    });
  });
  // Let go at its end: its nodes have memory of their own.
  let rehearsal: Rehearsal | undefined;
  if (options.cluster !== undefined) {
    rehearsal = new Rehearsal(runtime, () => (rehearsal = undefined));
  }
  return {
    node,
    stop: async () => {
      rehearsal?.stop();
      await stop(node, runtime);
    },
  };
}

/**
 * Listens for a moment, before the node reserves its memory: a process that ends right after that is
 * one of a dozen in which Node 26 never comes to its end.
 */
function tryAddress(runtime: Runtime, listen: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    runtime.network.listen(listen, {
      onListening: (listener) => listener.close(resolve),
      onConnection: (connection) => connection.destroy(),
      onError: (error) => reject(listenError(listen, error)),
    });
  });
}

async function stop(node: CacheNode, { clock, timers }: Runtime): Promise<void> {
  const deadlineUs = clock.monotonicUs() + DRAIN_MS * 1000;
  const closed = new Promise<void>((resolve) => {
    node.stop(resolve);
  });
  while (node.sessions.size > 0 && clock.monotonicUs() < deadlineUs) {
    await new Promise<void>((resolve) => {
      timers.after(DRAIN_CHECK_MS, resolve);
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
