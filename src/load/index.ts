/**
 * The load generator: asks a server for as much as it can give, or for a fixed rate, and tells
 * what came of it without flattering.
 *
 * - It keeps ahead of the server: requests are copied templates, replies are stepped over, each
 *   thread has connections of its own, and nothing is allocated for a request.
 * - The same seed sends the same requests to every server.
 * - No request is left out of the figures: errors, broken connections and requests without a
 *   reply are counted beside the latencies, and in an open run waiting begins when a request was
 *   due.
 *
 * Read `workload.ts`, then `requests.ts` and `source.ts` (what is sent), `lane.ts` and `driver.ts`
 * (how), `tally.ts` (what is counted), `fleet.ts` (threads), `bench.ts` (a whole measurement).
 */
export {
  type BenchPlan,
  type Round,
  type ServerResult,
  runBench,
  threadsByDefault,
} from './bench.ts';
export { Fleet, type FleetPlan, type LoadOrder } from './fleet.ts';
export type { Target } from './lane.ts';
export { readCpuTime } from './process-cpu.ts';
export { median } from './statistics.ts';
export type { Tally } from './tally.ts';
export { KEY_COUNT_MAX, keyBytesMin, type Span, type Workload } from './workload.ts';
