/**
 * Times calls one by one, and says of each long one where its time went: to the garbage collector,
 * to whatever else ran on the core, or to the call itself.
 *
 * What the thread did not spend on the CPU is known from its CPU time, read every few hundred calls
 * and after each long one, so it is exact to what the calls in between took. A collection is known
 * from Node's own record of it. What the host of a virtual machine does to its memory shows as time
 * of the call, so for such machines two more things are told: how long the same loop stalls where
 * no engine runs (`machineStalls`), and which of the long calls are long in a second run as well
 * (`recurring`): runs with the same seed make the same calls, so a stall of the engine's recurs.
 */
import { PerformanceObserver, type PerformanceEntry } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';

/** From here on a call is long. */
const LONG_MS = 0.5;
const CALLS_PER_CHECKPOINT = 256;
const PAGE_BYTES = 4096;

export interface LongCall {
  readonly index: number;
  readonly startMs: number;
  readonly wallMs: number;
  readonly offCpuMs: number;
  /** Time in the garbage collector. */
  gcMs: number;
}

export interface Timing {
  readonly calls: number;
  readonly totalMs: number;
  readonly longestMs: number;
  readonly long: readonly LongCall[];
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

export async function timeCalls(calls: number, call: (index: number) => void): Promise<Timing> {
  const collections: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
  observer.observe({ entryTypes: ['gc'] });
  const long: LongCall[] = [];
  let longestMs = 0;
  let totalMs = 0;
  let checkpointMs = performance.now();
  let checkpointCpuMs = cpuMs();
  for (let index = 0; index < calls; index++) {
    const start = performance.now();
    call(index);
    const end = performance.now();
    const wallMs = end - start;
    totalMs += wallMs;
    if (wallMs > longestMs) longestMs = wallMs;
    if (wallMs < LONG_MS && index % CALLS_PER_CHECKPOINT !== 0) continue;
    const cpuNowMs = cpuMs();
    if (wallMs >= LONG_MS) {
      const waitedMs = end - checkpointMs - (cpuNowMs - checkpointCpuMs);
      const offCpuMs = Math.min(wallMs, Math.max(0, waitedMs));
      long.push({ index, startMs: start, wallMs, offCpuMs, gcMs: 0 });
    }
    checkpointMs = performance.now();
    checkpointCpuMs = cpuNowMs;
  }
  // Node hands the records out in the turns of the event loop that follow.
  await turn();
  await turn();
  collections.push(...observer.takeRecords());
  observer.disconnect();
  for (const each of long) each.gcMs = overlapMs(each, collections);
  return { calls, totalMs, longestMs, long };
}

function overlapMs({ startMs, wallMs }: LongCall, entries: readonly PerformanceEntry[]): number {
  let overlap = 0;
  for (const { startTime, duration } of entries) {
    const from = Math.max(startTime, startMs);
    overlap += Math.max(0, Math.min(startTime + duration, startMs + wallMs) - from);
  }
  return overlap;
}

/** The long calls of the first run with the least time that any run took for them. */
export function recurring(runs: readonly Timing[]): Array<{ index: number; wallMs: number }> {
  const [first, ...others] = runs;
  const later = others.map((run) => new Map(run.long.map((call) => [call.index, call.wallMs])));
  return first.long
    .map(({ index, wallMs }) => ({
      index,
      wallMs: Math.min(wallMs, ...later.map((run) => run.get(index) ?? 0)),
    }))
    .filter(({ wallMs }) => wallMs >= LONG_MS);
}

/** Calls that do nothing but write to four random places of so much memory, already in use. */
export async function machineStalls(bytes: number, calls: number): Promise<Timing> {
  const memory = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += PAGE_BYTES) memory[at] = 1;
  let state = 1;
  return timeCalls(calls, () => {
    for (let place = 0; place < 4; place++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      memory[state % bytes]++;
    }
  });
}
