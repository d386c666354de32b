/** The client for services: the verbs, over the router. */
import { CachectlError, type ErrorCode } from '../cluster/index.ts';
import type { Reply } from '../resp/index.ts';
import type { Runtime } from '../runtime/index.ts';
import type { Argument } from './call.ts';
import {
  type CacheOptions,
  type Duration,
  type Settings,
  readDuration,
  readOptions,
} from './options.ts';
import { Router } from './router.ts';

/** Text is sent in UTF-8. */
export type Key = string | Uint8Array;
export type Value = string | Uint8Array;

export interface CallOptions {
  /** Of this call as a whole, in place of the client's. */
  readonly timeout?: Duration;
}

export interface SetOptions extends CallOptions {
  /** The key is gone after this. Default: never. */
  readonly ttl?: Duration;
  /** Store only where the key is absent, or only where it is present. */
  readonly onlyIf?: 'absent' | 'present';
}

export interface IncrOptions extends CallOptions {
  /** A whole number, default 1. */
  readonly by?: number;
}

export interface CacheStats {
  readonly calls: number;
  /** Calls that ended in an error, those reads included that were answered as a miss. */
  readonly failures: number;
  /** Reads that failed and were answered as a miss. */
  readonly readsFailedAsMiss: number;
  /** Calls that a node has sent on to another. */
  readonly redirections: number;
}

/**
 * Every method rejects with a `CachectlError`: `ERR_CACHECTL_TIMEOUT` where the call's time is up,
 * `ERR_CACHECTL_CONNECT` where the node is not reached or is lost, `ERR_CACHECTL_OVERLOADED`
 * where too much is under way, `ERR_CACHECTL_SERVER` with the node's own words,
 * `ERR_CACHECTL_AUTH`, `ERR_CACHECTL_VALUE` for an option that is not allowed, and
 * `ERR_CACHECTL_CLOSED`. After the first two a write may have been carried out all the same.
 *
 * `get` and `getMany` answer `undefined` in place of an error of the first three kinds and of
 * `ERR_CACHECTL_SERVER`, unless `onReadError` is `'throw'`: cache trouble is a miss.
 */
export class CacheClient implements AsyncDisposable {
  readonly #settings: Settings;
  readonly #router: Router;
  #calls = 0;
  #failures = 0;
  #readsFailedAsMiss = 0;

  private constructor(settings: Settings, router: Router) {
    this.#settings = settings;
    this.#router = router;
  }

  /** Resolves once one seed has told who serves what. */
  static connect(runtime: Runtime, options: CacheOptions): Promise<CacheClient> {
    return new Promise((resolve, reject) => {
      const settings = readOptions(options);
      const router = new Router(runtime, settings);
      router.open((error) => {
        if (error === undefined) resolve(new CacheClient(settings, router));
        else reject(error);
      });
    });
  }

  /** The value's bytes, the caller's to keep; undefined where the key is missing. */
  get(key: Key, options: CallOptions = NO_OPTIONS): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      const onError = (error: CachectlError): void => {
        if (this.#settings.onReadError === 'throw' || !TROUBLE.has(error.code)) {
          reject(error);
        } else {
          this.#readsFailedAsMiss++;
          resolve(undefined);
        }
      };
      this.#call(key, ['GET', key], options, bytesOf, resolve, onError);
    });
  }

  /** One for each key, in their order. */
  getMany(keys: readonly Key[], options: CallOptions = {}): Promise<Array<Uint8Array | undefined>> {
    return Promise.all(keys.map((key) => this.get(key, options)));
  }

  /** Whether it was stored: always, without `onlyIf`. */
  set(key: Key, value: Value, options: SetOptions = NO_OPTIONS): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const args: Argument[] = ['SET', key, value];
      if (options.ttl !== undefined) args.push('PX', String(readDuration('ttl', options.ttl)));
      if (options.onlyIf !== undefined) args.push(options.onlyIf === 'absent' ? 'NX' : 'XX');
      this.#call(key, args, options, storedOf, resolve, reject);
    });
  }

  /** Not atomic: where it rejects, some may have been stored. */
  async setMany(
    entries: Iterable<readonly [key: Key, value: Value]>,
    options: Omit<SetOptions, 'onlyIf'> = {},
  ): Promise<void> {
    await Promise.all(Array.from(entries, ([key, value]) => this.set(key, value, options)));
  }

  /** Whether the key was there. */
  delete(key: Key, options: CallOptions = NO_OPTIONS): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const onReply = (removed: number): void => resolve(removed > 0);
      this.#call(key, ['DEL', key], options, integerOf, onReply, reject);
    });
  }

  /** Adds to the whole number in the value, from 0 where the key is missing; resolves to the sum. */
  incr(key: Key, options: IncrOptions = NO_OPTIONS): Promise<number> {
    return new Promise((resolve, reject) => {
      const { by = 1 } = options;
      if (!Number.isSafeInteger(by)) {
        throw new CachectlError('ERR_CACHECTL_VALUE', `by is ${by}, which is not a whole number`);
      }
      this.#call(key, ['INCRBY', key, String(by)], options, integerOf, resolve, reject);
    });
  }

  /** Milliseconds; `Infinity` for a key without an end, undefined where it is missing. */
  ttl(key: Key, options: CallOptions = NO_OPTIONS): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const onReply = (ttlMs: number): void => {
        if (ttlMs === NO_KEY) resolve(undefined);
        else resolve(ttlMs === NO_TTL ? Infinity : ttlMs);
      };
      this.#call(key, ['PTTL', key], options, integerOf, onReply, reject);
    });
  }

  stats(): CacheStats {
    return {
      calls: this.#calls,
      failures: this.#failures,
      readsFailedAsMiss: this.#readsFailedAsMiss,
      redirections: this.#router.redirections,
    };
  }

  /** Calls under way are waited for, up to their timeouts; new ones are refused. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#router.close(resolve);
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @param read makes of a reply what the caller gets, or an error where it is none of its kind */
  #call<T>(
    key: Key,
    args: readonly Argument[],
    options: CallOptions,
    read: (reply: Reply) => T | CachectlError,
    resolve: (value: T) => void,
    reject: (error: CachectlError) => void,
  ): void {
    const { timeout } = options;
    const timeoutMs =
      timeout === undefined ? this.#settings.timeoutMs : readDuration('timeout', timeout);
    const onError = (error: CachectlError): void => {
      this.#failures++;
      reject(error);
    };
    const onReply = (reply: Reply): void => {
      const value = read(reply);
      if (value instanceof CachectlError) onError(value);
      else resolve(value);
    };
    this.#calls++;
    this.#router.call(key, args, timeoutMs, onReply, onError);
  }
}

const NO_OPTIONS = Object.freeze({});

/** What `PTTL` answers in place of milliseconds. */
const NO_TTL = -1;
const NO_KEY = -2;

/** The cache's trouble, rather than the caller's mistake. */
const TROUBLE: ReadonlySet<ErrorCode> = new Set([
  'ERR_CACHECTL_TIMEOUT',
  'ERR_CACHECTL_CONNECT',
  'ERR_CACHECTL_OVERLOADED',
  'ERR_CACHECTL_SERVER',
]);

function bytesOf(reply: Reply): Uint8Array | undefined | CachectlError {
  if (reply === null) return undefined;
  return reply instanceof Uint8Array ? reply : unexpected(reply, 'bytes');
}

function storedOf(reply: Reply): boolean | CachectlError {
  return reply === 'OK' || reply === null ? reply === 'OK' : unexpected(reply, 'OK');
}

function integerOf(reply: Reply): number | CachectlError {
  return typeof reply === 'number' ? reply : unexpected(reply, 'a whole number below 2^53');
}

function unexpected(reply: Reply, wanted: string): CachectlError {
  const shown = typeof reply === 'object' ? reply?.constructor.name : String(reply);
  return new CachectlError('ERR_CACHECTL_SERVER', `the node answered ${shown}, not ${wanted}`);
}
