/**
 * The architecture, as tables: which folder may import which, and what code under the seam may
 * touch. `plugin.ts` turns them into two lint rules. Everything not named here is refused.
 */

/** The floors of `src`: what each folder may import, besides itself. */
export const FLOORS: Readonly<Record<string, readonly string[]>> = (() => {
  const ground = ['runtime', 'resp', 'engine', 'raft', 'cluster', 'rpc'];
  const parts = ['meta', 'node', 'sdk', 'observe'];
  return {
    runtime: [],
    resp: ['runtime'],
    engine: ['runtime'],
    cluster: ['runtime'],
    raft: ['runtime', 'resp'],
    rpc: ['runtime', 'resp', 'cluster'],
    meta: ground,
    node: ground,
    sdk: ground,
    observe: ground,
    load: [...ground, 'sdk'],
    proxy: [...ground, ...parts],
    sim: [...ground, ...parts, 'proxy'],
    commands: [...ground, ...parts, 'load', 'proxy', 'sim'],
  };
})();

/**
 * Files, or folders where they end in `/`, that live only in the real process: they may use Node
 * and `src/runtime/node` freely, and the simulator never runs them.
 */
export const REAL_PROCESS: readonly string[] = [
  'src/runtime/node/',
  'src/commands/',
  'src/load/',
  'src/meta/http/',
  'src/sim/globals.ts',
  'src/sim/host/',
  'src/sdk/connect.ts',
];

/** The real implementation of the seam, closed to code that the simulator runs. */
export const REAL_RUNTIME = 'src/runtime/node/';

/** Modules of Node that are pure functions of their arguments; `names` limits what is taken. */
export const PURE_MODULES: Readonly<Record<string, { readonly names: readonly string[] | 'all' }>> =
  {
    'node:assert': { names: 'all' },
    'node:buffer': { names: ['Buffer', 'constants', 'isUtf8', 'isAscii'] },
    'node:crypto': { names: ['createHash', 'createHmac', 'scryptSync', 'timingSafeEqual', 'hash'] },
    'node:diagnostics_channel': { names: 'all' },
    'node:events': { names: ['EventEmitter'] },
    'node:path': { names: ['posix'] },
    'node:perf_hooks': { names: ['createHistogram', 'RecordableHistogram', 'Histogram'] },
    'node:string_decoder': { names: 'all' },
    'node:util': { names: ['format', 'inspect', 'isDeepStrictEqual', 'types'] },
    'node:zlib': { names: ['crc32', 'deflateRawSync', 'inflateRawSync', 'gzipSync', 'gunzipSync'] },
  };

/** Packages that touch no clock, timer, randomness, network or disk. */
export const PURE_PACKAGES: readonly string[] = ['@opentelemetry/api', 'fast-check', 'yaml', 'zod'];

/** The globals of Node that code under the seam may use: all others are refused. */
export const PURE_GLOBALS: ReadonlySet<string> = new Set(
  `Object Function Array Number parseFloat parseInt Infinity NaN undefined Boolean String Symbol
  Promise RegExp JSON Math Map Set WeakMap WeakSet BigInt Proxy Reflect Iterator isFinite isNaN
  Error AggregateError EvalError RangeError ReferenceError SyntaxError TypeError URIError
  SuppressedError DisposableStack AsyncDisposableStack ArrayBuffer SharedArrayBuffer DataView
  Atomics Buffer Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float16Array
  Float32Array Float64Array Uint8ClampedArray BigUint64Array BigInt64Array decodeURI
  decodeURIComponent encodeURI encodeURIComponent URL URLSearchParams TextEncoder TextDecoder
  AbortController AbortSignal DOMException Event EventTarget structuredClone queueMicrotask`.split(
    /\s+/,
  ),
);

/** Impure members of globals that are otherwise pure. */
export const IMPURE_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  Math: ['random'],
  Atomics: ['wait', 'waitAsync', 'pause'],
  AbortSignal: ['timeout'],
};
