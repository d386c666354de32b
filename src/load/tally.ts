/** What came of a run. Plain data: it crosses from thread to thread, and adds up. */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

interface ErrorCount {
  count: number;
  /** The first one's text. */
  readonly example: string;
}

export interface Tally {
  /** Latencies of the reads that were answered without an error, in µs. */
  readonly reads: RecordableHistogram;
  readonly writes: RecordableHistogram;
  /** Requests that were answered without an error. */
  answered: number;
  hits: number;
  misses: number;
  /** Error replies, by their first word. */
  readonly errors: Map<string, ErrorCount>;
  /** Requests whose connection broke before their reply. */
  lost: number;
  /** Requests that the server left without a reply until the run was given up. */
  unanswered: number;
  /**
   * Requests of an open-loop run that were due, and not sent before its end. Their waiting time so
   * far is among the latencies.
   */
  unsent: number;
  /** From the first request to the last reply. */
  elapsedUs: number;
}

const LATENCY_US_MAX = 3_600_000_000;

export function createTally(): Tally {
  return {
    reads: createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: 3 }),
    writes: createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: 3 }),
    answered: 0,
    hits: 0,
    misses: 0,
    errors: new Map(),
    lost: 0,
    unanswered: 0,
    unsent: 0,
    elapsedUs: 0,
  };
}

export function recordLatency(tally: Tally, isRead: boolean, latencyUs: number): void {
  const bounded = Math.min(Math.max(Math.round(latencyUs), 1), LATENCY_US_MAX);
  (isRead ? tally.reads : tally.writes).record(bounded);
}

export function recordError(tally: Tally, text: string): void {
  const space = text.indexOf(' ');
  const word = space < 0 ? text : text.slice(0, space);
  addErrors(tally, word, { count: 1, example: text });
}

/** Adds what happened at the same time on another thread. */
export function addParallel(total: Tally, part: Tally): void {
  addCounts(total, part);
  total.elapsedUs = Math.max(total.elapsedUs, part.elapsedUs);
}

/** Adds what happened in another round. */
export function addSerial(total: Tally, part: Tally): void {
  addCounts(total, part);
  total.elapsedUs += part.elapsedUs;
}

function addCounts(total: Tally, part: Tally): void {
  total.reads.add(part.reads);
  total.writes.add(part.writes);
  total.answered += part.answered;
  total.hits += part.hits;
  total.misses += part.misses;
  total.lost += part.lost;
  total.unanswered += part.unanswered;
  total.unsent += part.unsent;
  for (const [word, errors] of part.errors) addErrors(total, word, errors);
}

function addErrors(tally: Tally, word: string, added: ErrorCount): void {
  const known = tally.errors.get(word);
  if (known === undefined) tally.errors.set(word, { ...added });
  else known.count += added.count;
}
