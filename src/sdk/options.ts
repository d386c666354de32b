/** What a client can be told, with the defaults in one place. */
import { CachectlError, DURATION_FORM, parseAddress, parseDurationMs } from '../cluster/index.ts';
import type { Address } from '../runtime/index.ts';

/** Milliseconds, or a text with a unit: `250`, `'250ms'`, `'10m'`. */
export type Duration = number | string;

export interface CacheOptions {
  /** `host:port` of some nodes. One that answers is enough: it tells of the others. */
  readonly seeds: readonly string[];
  /** Who the keys belong to. Needs `secret`. */
  readonly tenant?: string;
  readonly secret?: string;
  /** Of a call as a whole, redirections and connecting included. Default 250 ms. */
  readonly timeout?: Duration;
  /** Of connecting to a node, and of `connect` as a whole. Default 2 s. */
  readonly connectTimeout?: Duration;
  /** What comes of a read that fails: `undefined` as for a missing key, or its error. */
  readonly onReadError?: 'miss' | 'throw';
  /** Calls under way to one node at most; one more is refused at once. Default 10,000. */
  readonly callsPerNodeMax?: number;
}

export const DEFAULTS = Object.freeze({
  timeout: 250,
  connectTimeout: 2_000,
  onReadError: 'miss',
  callsPerNodeMax: 10_000,
} satisfies Partial<CacheOptions>);

/** `CacheOptions`, checked and complete. */
export interface Settings {
  readonly seeds: readonly Address[];
  readonly credentials: { readonly tenant: string; readonly secret: string } | undefined;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly onReadError: 'miss' | 'throw';
  readonly callsPerNodeMax: number;
}

/** @throws {CachectlError} `ERR_CACHECTL_VALUE`, naming the option. */
export function readOptions(options: CacheOptions): Settings {
  const { tenant, secret, seeds, callsPerNodeMax = DEFAULTS.callsPerNodeMax } = options;
  if (seeds.length === 0) throw refuse('seeds', [], 'a list with at least one host:port');
  if (tenant !== undefined && secret === undefined) {
    throw new CachectlError('ERR_CACHECTL_VALUE', `tenant '${tenant}' is given without its secret`);
  }
  if (!Number.isSafeInteger(callsPerNodeMax) || callsPerNodeMax < 1) {
    throw refuse('callsPerNodeMax', callsPerNodeMax, 'a whole number of at least 1');
  }
  return {
    seeds: seeds.map((seed) => {
      const address = parseAddress(seed);
      if (address === undefined) throw refuse('seeds', seed, "an address such as '127.0.0.1:7400'");
      return address;
    }),
    credentials: secret === undefined ? undefined : { tenant: tenant ?? 'default', secret },
    timeoutMs: readDuration('timeout', options.timeout ?? DEFAULTS.timeout),
    connectTimeoutMs: readDuration(
      'connectTimeout',
      options.connectTimeout ?? DEFAULTS.connectTimeout,
    ),
    onReadError: options.onReadError ?? DEFAULTS.onReadError,
    callsPerNodeMax,
  };
}

/**
 * Milliseconds, at least 1 and at most what a stored deadline can hold.
 *
 * @throws {CachectlError} `ERR_CACHECTL_VALUE`, naming the option.
 */
export function readDuration(name: string, duration: Duration): number {
  const durationMs = typeof duration === 'number' ? duration : parseDurationMs(duration);
  if (durationMs === undefined || !(durationMs >= 1 && durationMs <= DURATION_MS_MAX)) {
    throw refuse(name, duration, `milliseconds, or ${DURATION_FORM}, from 1 ms to 1,000 years`);
  }
  return Math.round(durationMs);
}

const DURATION_MS_MAX = 1_000 * 365 * 86_400_000;

function refuse(name: string, value: unknown, form: string): CachectlError {
  const shown = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  return new CachectlError('ERR_CACHECTL_VALUE', `${name} is ${shown}, which is not ${form}`);
}
