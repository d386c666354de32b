/** What a load asks for, in numbers that were checked; the command's flags are its words. */

/** Both ends included. */
export interface Span {
  readonly min: number;
  readonly max: number;
}

export interface Workload {
  /** Keys are numbered from 0 to this, exclusive. */
  readonly keyCount: number;
  /** A key keeps its length: it is drawn from the key's number. */
  readonly keyBytes: Span;
  /** Drawn anew for each write. */
  readonly valueBytes: Span;
  /** Written keys expire after this; undefined: never. */
  readonly ttlMs: number | undefined;
  /** From 0, all writes, to 1, all reads. */
  readonly readFraction: number;
  /** Exponent of the Zipf distribution over the keys; 0 is uniform. */
  readonly theta: number;
  readonly seed: number;
}

/** Key numbers stay small integers, on which V8's arithmetic is fast. */
export const KEY_COUNT_MAX = 1_000_000_000;

/** The shortest key length that can tell this many keys apart. */
export function keyBytesMin(keyCount: number): number {
  return String(keyCount - 1).length;
}

const FILL_PIPELINE_MAX = 64;
const FILL_BYTES_IN_FLIGHT = 256 * 1024;

/** How deep to pipeline the filling, on each connection: big values fill the wire by themselves. */
export function fillPipeline(workload: Workload): number {
  const fitting = Math.floor(FILL_BYTES_IN_FLIGHT / Math.max(workload.valueBytes.max, 1));
  return Math.min(Math.max(fitting, 1), FILL_PIPELINE_MAX);
}
