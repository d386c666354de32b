/**
 * What took long of late, by kind of event, as `LATENCY` tells it: for each kind the worst of each
 * second in which there was any. Nothing is recorded while the threshold is 0.
 */
export type LatencyEvent = 'command' | 'fast-command' | 'expire-cycle' | 'eviction-cycle';

export interface LatencySample {
  readonly atSeconds: number;
  latencyMs: number;
}

export interface LatencySeries {
  readonly event: LatencyEvent;
  /** Oldest first. */
  readonly samples: readonly LatencySample[];
  /** The longest since the series began. */
  readonly maxMs: number;
}

interface Series extends LatencySeries {
  samples: LatencySample[];
  maxMs: number;
}

const SAMPLES_MAX = 160;

export class LatencyMonitor {
  readonly #nowMs: () => number;
  readonly #thresholdMs: () => number;
  readonly #series = new Map<string, Series>();

  /**
   * @param nowMs since 1970
   * @param thresholdMs from which on an event is recorded; 0: none is
   */
  constructor(nowMs: () => number, thresholdMs: () => number) {
    this.#nowMs = nowMs;
    this.#thresholdMs = thresholdMs;
  }

  add(event: LatencyEvent, durationUs: number): void {
    const thresholdMs = this.#thresholdMs();
    const latencyMs = Math.floor(durationUs / 1000);
    if (thresholdMs === 0 || latencyMs < thresholdMs) return;
    const series = this.#series.get(event) ?? { event, samples: [], maxMs: 0 };
    this.#series.set(event, series);
    series.maxMs = Math.max(series.maxMs, latencyMs);
    const atSeconds = Math.floor(this.#nowMs() / 1000);
    const last = series.samples.at(-1);
    if (last?.atSeconds === atSeconds) {
      last.latencyMs = Math.max(last.latencyMs, latencyMs);
    } else {
      series.samples.push({ atSeconds, latencyMs });
      if (series.samples.length > SAMPLES_MAX) series.samples.shift();
    }
  }

  series(event: string): LatencySeries | undefined {
    return this.#series.get(event);
  }

  all(): readonly LatencySeries[] {
    return [...this.#series.values()];
  }

  /** Forgets these events, or all where none is named; gives how many there were. */
  reset(events: readonly string[]): number {
    const names = events.length === 0 ? [...this.#series.keys()] : events;
    return names.filter((name) => this.#series.delete(name)).length;
  }
}
