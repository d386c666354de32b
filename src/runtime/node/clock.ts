import type { Clock, Timer, Timers } from '../ports.ts';

export const clock: Clock = {
  monotonicUs: () => Math.floor(performance.now() * 1000),
  wallUs: () => Date.now() * 1000,
};

/** Node counts whole milliseconds, and so can be early by up to one; a lease must not be. */
const EARLY_MS_MAX = 1;
/** Node fires a longer timeout at once. */
const TIMEOUT_MS_MAX = 2 ** 31 - 2;

export const timers: Timers = {
  after(delayMs: number, callback: () => void): Timer {
    if (delayMs > TIMEOUT_MS_MAX) return afterLong(delayMs, callback);
    const timeout = setTimeout(callback, Math.ceil(delayMs) + EARLY_MS_MAX);
    return { cancel: () => clearTimeout(timeout) };
  },
  defer: (callback) => void setImmediate(callback),
};

function afterLong(delayMs: number, callback: () => void): Timer {
  let timer = timers.after(TIMEOUT_MS_MAX, () => {
    timer = timers.after(delayMs - TIMEOUT_MS_MAX, callback);
  });
  return { cancel: () => timer.cancel() };
}
