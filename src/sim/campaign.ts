/**
 * What many runs add up to: how much was simulated, what was reached, what was violated.
 *
 * Results are plain data, so that seeds can be run by several processes; the sum does not depend
 * on the order in which they come.
 */
import { Points, type PointHits } from './points.ts';
import type { Failure, RunResult } from './run.ts';

/** What one run leaves, as plain data. */
export interface SeedResult {
  readonly seed: number;
  readonly traceHash: string;
  readonly steps: number;
  readonly virtualUs: number;
  readonly failure: Failure | undefined;
  readonly points: ReadonlyArray<readonly [name: string, hits: number]>;
  readonly injected: ReadonlyArray<readonly [kind: string, times: number]>;
}

export function seedResult(result: RunResult): SeedResult {
  return {
    seed: result.seed,
    traceHash: result.traceHash,
    steps: result.steps,
    virtualUs: result.virtualUs,
    failure: result.failure,
    points: result.points.entries().map(([name, { hits }]) => [name, hits]),
    injected: [...result.injected],
  };
}

export class Campaign {
  seeds = 0;
  steps = 0;
  virtualUs = 0;
  readonly #failures: SeedResult[] = [];
  readonly #points: Points;
  readonly #injected = new Map<string, number>();

  /** @param declared the points that must be reached */
  constructor(declared: readonly string[]) {
    this.#points = new Points(declared);
  }

  add(result: SeedResult): void {
    this.seeds += 1;
    this.steps += result.steps;
    this.virtualUs += result.virtualUs;
    for (const [name, hits] of result.points) this.#points.add(name, hits, result.seed);
    for (const [kind, times] of result.injected) {
      this.#injected.set(kind, (this.#injected.get(kind) ?? 0) + times);
    }
    if (result.failure !== undefined) this.#failures.push(result);
  }

  /** By seed. */
  get failures(): SeedResult[] {
    return this.#failures.toSorted((a, b) => a.seed - b.seed);
  }

  get faults(): number {
    let sum = 0;
    for (const times of this.#injected.values()) sum += times;
    return sum;
  }

  /** Sorted by name. */
  get injected(): Array<[kind: string, times: number]> {
    return [...this.#injected].sort((a, b) => (a[0] < b[0] ? -1 : 1));
  }

  get points(): Array<[string, Readonly<PointHits>]> {
    return this.#points.entries();
  }

  get missed(): string[] {
    return this.#points.missed;
  }
}

export interface JunitSuite {
  readonly target: string;
  readonly campaign: Campaign;
  readonly seconds: number;
}

/**
 * Campaigns as a JUnit file: a case a seed that failed, a case a point missed where all are
 * required, one for the rest.
 */
export function junit(suites: readonly JunitSuite[], requiresPoints: boolean): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<testsuites>',
    ...suites.flatMap((suite) => suiteLines(suite, requiresPoints)),
    '</testsuites>',
    '',
  ].join('\n');
}

function suiteLines({ target, campaign, seconds }: JunitSuite, requiresPoints: boolean): string[] {
  const { failures, seeds } = campaign;
  const missed = requiresPoints ? campaign.missed : [];
  const open = (name: string): string =>
    `    <testcase classname="sim.${escape(target)}" name="${escape(name)}"`;
  const failed = (name: string, type: string, message: string): string =>
    `${open(name)}><failure type="${escape(type)}" message="${escape(message)}"/></testcase>`;
  const cases = [
    ...failures.map(({ seed, failure }) =>
      failed(`seed ${seed}`, failure?.oracle ?? '', failure?.sentence ?? ''),
    ),
    ...missed.map((name) => failed(`reaches ${name}`, 'never reached', 'no seed came to it')),
  ];
  const numbers = `tests="${cases.length + 1}" failures="${cases.length}" time="${seconds}"`;
  return [
    `  <testsuite name="sim ${escape(target)}" ${numbers}>`,
    `${open(`${seeds - failures.length} of ${seeds} seeds pass`)}/>`,
    ...cases,
    '  </testsuite>',
  ];
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
