/** How a node is set up. The frozen defaults are the documentation's source. */
import type { PolicyName } from '../engine/index.ts';
import { REQUEST_LIMITS, type RequestLimits } from '../resp/index.ts';
import type { Address } from '../runtime/index.ts';
import type { ClusterOptions } from './cluster/cluster-options.ts';

/** What is given once, when the node starts. */
export interface NodeOptions {
  listen: Address;
  /** 40 hex digits; drawn at random where it is not given. */
  nodeId?: string;
  name?: string;
  settings?: Partial<NodeSettings>;
  /** Absent: the node stands alone, and owns all slots. */
  cluster?: ClusterOptions;
}

/** What can also be changed while the node runs. */
export interface NodeSettings {
  /** All memory of keys, values, index and eviction, in bytes. */
  memoryBytes: number;
  policy: PolicyName;
  /** What `AUTH` must present; empty: nothing. */
  secret: string;
  /** The longest value, in bytes. */
  valueBytesMax: number;
  /** The longest key, in bytes. */
  keyBytesMax: number;
  /** Arguments of one command. */
  argumentCountMax: number;
  /** Bytes of one command with all its arguments. */
  requestBytesMax: number;
  /** Bytes of an inline command. */
  inlineBytesMax: number;
  /** Bytes of unfinished commands, over all clients. */
  inputBytesMax: number;
  /** Connections at a time. */
  clientsMax: number;
  /** While a client leaves this much of its replies unread, its commands are not read either. */
  outputBytesPaused: number;
  /** A client with this much unread output is disconnected. */
  outputBytesMax: number;
  /** A client whose output stays unread for this long is disconnected. 0: never. */
  outputTimeoutMs: number;
  /** A client that is silent for this long is disconnected. 0: never. */
  idleTimeoutMs: number;
  /** A client that is silent for this long in the middle of a command is disconnected. */
  requestTimeoutMs: number;
  /** Commands that take this long or longer are put into the slow log. Negative: none. */
  slowlogUs: number;
  /** Entries that the slow log keeps. */
  slowlogLength: number;
  /** What takes this long or longer is recorded as a latency event. 0: nothing is. */
  latencyThresholdMs: number;
  /** Keys whose readers are remembered for invalidation. */
  trackingKeysMax: number;
}

export const NODE_SETTINGS: Readonly<NodeSettings> = Object.freeze({
  memoryBytes: 256 * 1024 * 1024,
  policy: 'tinylfu',
  secret: '',
  valueBytesMax: 1024 * 1024,
  keyBytesMax: 64 * 1024,
  argumentCountMax: REQUEST_LIMITS.argumentCountMax,
  requestBytesMax: REQUEST_LIMITS.requestBytesMax,
  inlineBytesMax: REQUEST_LIMITS.lineBytesMax,
  inputBytesMax: 256 * 1024 * 1024,
  clientsMax: 20_000,
  outputBytesPaused: 1024 * 1024,
  outputBytesMax: 1024 * 1024 * 1024,
  outputTimeoutMs: 60_000,
  idleTimeoutMs: 0,
  requestTimeoutMs: 60_000,
  slowlogUs: 10_000,
  slowlogLength: 128,
  latencyThresholdMs: 0,
  trackingKeysMax: 1_000_000,
});

export function requestLimits(settings: NodeSettings): RequestLimits {
  return {
    argumentCountMax: settings.argumentCountMax,
    argumentBytesMax: Math.max(settings.valueBytesMax, settings.keyBytesMax),
    requestBytesMax: settings.requestBytesMax,
    lineBytesMax: settings.inlineBytesMax,
  };
}
