/**
 * While a simulation runs, what would let the world in throws: clocks, timers, randomness, and
 * what depends on the garbage collector. A run that could use them would not be a function of its
 * seed, and the failure would be a run that cannot be replayed, weeks later.
 */
import nodeCrypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** Thrown by a banned global; names the part of the seam to use in its place. */
export class SeamViolation extends Error {
  override readonly name = 'SeamViolation';

  constructor(what: string, instead: string) {
    super(`${what} was used in a simulation: ${instead}`);
  }
}

const CLOCK = 'take the time from Runtime.clock';
const TIMERS = 'take timers from Runtime.timers';
const RANDOM = 'take chance from Runtime.random';
const NETWORK = 'take connections from Runtime.network';
const GARBAGE = 'when it acts is up to the garbage collector, so no run can be repeated';

/** Functions and constructors, by owner. */
const BANNED: ReadonlyArray<
  readonly [owner: object, prefix: string, instead: string, names: string[]]
> = [
  [globalThis, '', CLOCK, ['Date']],
  [performance, 'performance.', CLOCK, ['now', 'mark', 'measure']],
  [process, 'process.', CLOCK, ['hrtime', 'uptime', 'memoryUsage', 'cpuUsage']],
  [process, 'process.', TIMERS, ['nextTick']],
  [globalThis, '', TIMERS, ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']],
  [Math, 'Math.', RANDOM, ['random']],
  [globalThis.crypto, 'crypto.', RANDOM, ['getRandomValues', 'randomUUID']],
  [nodeCrypto, 'crypto.', RANDOM, ['randomBytes', 'randomInt', 'randomFillSync', 'randomUUID']],
  [nodeCrypto, 'crypto.', RANDOM, ['randomFill', 'generateKeyPairSync', 'generateKeySync']],
  [globalThis, '', NETWORK, ['fetch', 'WebSocket']],
  [globalThis, '', GARBAGE, ['WeakRef', 'FinalizationRegistry']],
];

let depth = 0;

/**
 * Runs `body` with the banned globals replaced, and puts them back however it ends. May be nested.
 * `body` must be synchronous: nothing else may run meanwhile.
 */
export function withBannedGlobals<T>(body: () => T): T {
  if (depth > 0) return body();
  const restores: Array<() => void> = [];
  depth += 1;
  try {
    for (const [owner, prefix, instead, names] of BANNED) {
      for (const name of names)
        restores.push(replace(owner, name, thrower(prefix + name, instead)));
    }
    syncBuiltinESMExports();
    return body();
  } finally {
    for (const restore of restores.toReversed()) restore();
    syncBuiltinESMExports();
    depth -= 1;
  }
}

/** Callable and constructible, and so are its properties (`Date.now`, `process.hrtime.bigint`). */
function thrower(what: string, instead: string): unknown {
  const refuse = (): never => {
    throw new SeamViolation(what, instead);
  };
  return new Proxy(function banned() {}, { apply: refuse, construct: refuse, get: refuse });
}

function replace(owner: object, name: string, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(owner, name);
  Object.defineProperty(owner, name, { value, configurable: true, writable: true });
  return () => {
    if (own === undefined) Reflect.deleteProperty(owner, name);
    else Object.defineProperty(owner, name, own);
  };
}
