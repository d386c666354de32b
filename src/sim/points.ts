/**
 * Situations that a campaign must have been in, counted. A simulator that never reaches the rare
 * situation proves nothing about it, so a campaign in which a declared point was never hit fails.
 */

export interface PointHits {
  hits: number;
  /** The first seed that reached it; undefined when none has. */
  firstSeed: number | undefined;
}

/** Counts of one run, or of a campaign. */
export class Points {
  readonly #hits = new Map<string, PointHits>();

  /** @param declared the names that a campaign must reach */
  constructor(declared: readonly string[] = []) {
    for (const name of declared) this.#hits.set(name, { hits: 0, firstSeed: undefined });
  }

  /** @param seed the run that was in the situation `hits` times */
  add(name: string, hits: number, seed: number): void {
    const entry = this.#hits.get(name);
    if (entry === undefined) {
      this.#hits.set(name, { hits, firstSeed: seed });
      return;
    }
    if (entry.firstSeed === undefined || seed < entry.firstSeed) entry.firstSeed = seed;
    entry.hits += hits;
  }

  /** Sorted by name. */
  entries(): Array<[string, Readonly<PointHits>]> {
    return [...this.#hits].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  /** Names of declared points that were never hit, sorted. */
  get missed(): string[] {
    return this.entries()
      .filter(([, { hits }]) => hits === 0)
      .map(([name]) => name);
  }
}
