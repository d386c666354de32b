/**
 * The real Runtime, over Node: the only place, beside the adapters of the real process, that may
 * touch clock, timers, randomness, network and disk.
 *
 * Reading order: `clock.ts`, `random.ts`, `disk.ts`, then `stream-binding.ts` and `connection.ts`,
 * which hold what makes the network fast, and `network.ts`. `cuttable-network.ts` is for those who
 * want to see a partition.
 */
import type { Network, Runtime } from '../ports.ts';
import { clock, timers } from './clock.ts';
import { crypto } from './crypto.ts';
import { createDisk } from './disk.ts';
import { createLog, type LogOptions } from './log.ts';
import { network } from './network.ts';
import { random } from './random.ts';

export { CuttableNetwork } from './cuttable-network.ts';
export { createDisk } from './disk.ts';
export type { LogOptions } from './log.ts';

export interface NodeRuntimeOptions {
  /** All paths of `disk` are below this directory. Default: the working directory. */
  dataDirectory?: string;
  log?: LogOptions;
  /** Default: the process's own. */
  network?: Network;
}

export function createRuntime(options: NodeRuntimeOptions = {}): Runtime {
  return {
    clock,
    timers,
    random,
    network: options.network ?? network,
    disk: createDisk(options.dataDirectory ?? '.'),
    crypto,
    log: createLog(options.log),
  };
}
