/**
 * How often something took how long, in buckets of an eighth of an octave from one microsecond up:
 * what is read back is at most an eighth too high.
 */
const BUCKETS_PER_OCTAVE = 8;
const OCTAVES = 32;
/** As Redis does, an octave begins at 1,024 ns; what is shorter counts for the first. */
const BASE_US = 1.024;

export class LatencyHistogram {
  count = 0;
  readonly #buckets = new Float64Array(BUCKETS_PER_OCTAVE * OCTAVES);

  add(durationUs: number): void {
    const octaves = Math.log2(Math.max(durationUs, BASE_US) / BASE_US);
    const bucket = Math.ceil(octaves * BUCKETS_PER_OCTAVE);
    this.#buckets[Math.min(bucket, this.#buckets.length - 1)]++;
    this.count++;
  }

  reset(): void {
    this.count = 0;
    this.#buckets.fill(0);
  }

  /** The time within which this share, 0 to 1, of all were done; 0 where there were none. */
  quantileUs(share: number): number {
    let seen = 0;
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count;
      if (seen > 0 && seen >= share * this.count) {
        return BASE_US * 2 ** (bucket / BUCKETS_PER_OCTAVE);
      }
    }
    return 0;
  }

  /** By octave, those in which there was any: its upper end, and how many were done within it. */
  octaves(): Array<{ upToUs: number; count: number }> {
    const octaves: Array<{ upToUs: number; count: number }> = [];
    let seen = 0;
    for (let octave = 0; octave < OCTAVES; octave++) {
      const last = octave * BUCKETS_PER_OCTAVE;
      const before = seen;
      const first = Math.max(0, last - BUCKETS_PER_OCTAVE + 1);
      for (let bucket = first; bucket <= last; bucket++) seen += this.#buckets[bucket];
      if (seen > before) {
        // Redis' labels: the last microsecond that its own buckets tell from the next.
        octaves.push({ upToUs: Math.floor(2 ** octave * 1.032), count: seen });
      }
    }
    return octaves;
  }
}
