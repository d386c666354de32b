/** What `sim run` does: campaigns over targets, their progress, and what comes of them. */
import { existsSync } from 'node:fs';
import { CachectlError } from '../../cluster/index.ts';
import { clock } from '../../runtime/node/clock.ts';
import { junit, openTarget, reportFailure, ScenarioFileError, WORLDS } from '../../sim/index.ts';
import type { Campaign, SeedResult, Target } from '../../sim/index.ts';
import { readText, runCampaign, writeFailure } from '../../sim/host/index.ts';
import type { Report } from './output.ts';

export interface SimulateOptions {
  readonly targets: readonly string[];
  readonly seed: number;
  /** A file's own seed counts unless one was given. */
  readonly isSeedGiven: boolean;
  readonly seeds: number;
  readonly milliseconds: number;
  readonly jobs: number;
  readonly failuresDirectory: string;
  readonly version: string;
  readonly requiresPoints: boolean;
  readonly signal: AbortSignal;
  readonly say: (words: string) => void;
}

interface Outcome {
  readonly target: string;
  readonly campaign: Campaign;
  readonly seconds: number;
  readonly seedResults: readonly SeedResult[];
}

const FAILURES_WRITTEN_MAX = 10;
const PROGRESS_MS = 1000;
/** Where nobody watches, a line is said this much less often. */
const PROGRESS_QUIET_FACTOR = 10;
/** Trace hashes are listed for campaigns up to this size. */
const HASHES_MAX = 10_000;

export async function simulateTargets(
  options: SimulateOptions,
): Promise<{ readonly report: Report; readonly hasFailed: boolean; readonly junit: string }> {
  const outcomes: Outcome[] = [];
  const targets = options.targets.map((name) => usable(name));
  for (const target of targets) {
    outcomes.push(await simulate(target, options));
    if (options.signal.aborted) break;
  }
  const hasFailed = outcomes.some(
    ({ campaign }) =>
      campaign.failures.length > 0 || (options.requiresPoints && campaign.missed.length > 0),
  );
  return {
    report: reportOf(outcomes),
    hasFailed,
    junit: junit(outcomes, options.requiresPoints),
  };
}

/** Runs `body` with the simulator's complaints about files as usage errors. */
export function orUsageError<T>(body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (!(error instanceof ScenarioFileError)) throw error;
    throw new CachectlError('ERR_CACHECTL_VALUE', error.message, {
      hint: 'See: cachectl sim list, and docs/simulator.md for the fields of a scenario.',
    });
  }
}

function usable(name: string): Target {
  const isFile = /[./]/.test(name) || existsSync(name);
  return orUsageError(() => {
    const target: Target = isFile
      ? { kind: 'file', name, text: readText(name) }
      : { kind: 'world', name };
    openTarget(target, WORLDS);
    return target;
  });
}

async function simulate(target: Target, options: SimulateOptions): Promise<Outcome> {
  const runnable = openTarget(target, WORLDS);
  const fixed = options.isSeedGiven ? undefined : runnable.seed;
  const seedResults: SeedResult[] = [];
  const beginUs = clock.monotonicUs();
  const secondsSince = (): number => (clock.monotonicUs() - beginUs) / 1e6;
  const progress = new Progress(runnable.title, options.say);
  let written = 0;
  const campaign = await runCampaign({
    target,
    seedFirst: fixed ?? options.seed,
    seeds: fixed === undefined ? options.seeds : 1,
    milliseconds: options.milliseconds,
    jobs: options.jobs,
    signal: options.signal,
    onResult: (result, soFar) => {
      if (seedResults.length < HASHES_MAX) seedResults.push(result);
      progress.show(soFar, secondsSince());
      if (result.failure === undefined) return;
      written += 1;
      if (written > FAILURES_WRITTEN_MAX) return;
      progress.interrupt();
      options.say(describeFailure(target, result.seed, options));
    },
  });
  progress.interrupt();
  const seconds = secondsSince();
  return { target: target.name, campaign, seconds, seedResults };
}

/** Runs it again for what a campaign does not keep, and writes it down. */
function describeFailure(target: Target, seed: number, options: SimulateOptions): string {
  const runnable = openTarget(target, WORLDS);
  const scenario = runnable.scenario(seed);
  const result = runnable.run(seed);
  if (result.failure === undefined) {
    return `seed ${seed} has failed, and passes when it is run again: the run is not deterministic`;
  }
  const path = writeFailure(options.failuresDirectory, scenario, result, options.version);
  const report = reportFailure(scenario, result, { replay: `cachectl sim replay ${path}` });
  return `${report}\nseed      cachectl sim run ${target.name} --seed ${seed}\n`;
}

function reportOf(outcomes: readonly Outcome[]): Report {
  const data = outcomes.map(({ target, campaign, seconds, seedResults }) => ({
    target,
    seeds: campaign.seeds,
    seconds: round(seconds),
    events: campaign.steps,
    eventsPerSecond: Math.round(campaign.steps / seconds),
    seedsPerMinute: Math.round((campaign.seeds * 60) / seconds),
    virtualSeconds: round(campaign.virtualUs / 1e6),
    virtualOverReal: round(campaign.virtualUs / 1e6 / seconds),
    faults: Object.fromEntries(campaign.injected),
    points: Object.fromEntries(campaign.points),
    missed: campaign.missed,
    failures: campaign.failures.map(({ seed, traceHash, failure }) => ({
      seed,
      traceHash,
      ...failure,
    })),
    traceHashes: Object.fromEntries(
      seedResults
        .toSorted((a, b) => a.seed - b.seed)
        .map(({ seed, traceHash }) => [seed, traceHash]),
    ),
  }));
  return {
    kind: 'SimulationReport',
    data,
    view: {
      columns: [
        { title: 'target' },
        { title: 'seeds', align: 'right' },
        { title: 'failures', align: 'right' },
        { title: 'faults', align: 'right' },
        { title: 'points' },
        { title: 'virtual', align: 'right' },
        { title: 'events/s', align: 'right' },
        { title: 'seeds/min', align: 'right' },
        { title: 'never reached', wide: true },
      ],
      rows: outcomes.map(rowOf),
    },
    names: outcomes.flatMap(({ campaign }) => campaign.failures.map(({ seed }) => String(seed))),
  };
}

function rowOf({ target, campaign, seconds }: Outcome): Array<string | number> {
  const { points, missed } = campaign;
  return [
    target,
    campaign.seeds,
    campaign.failures.length,
    campaign.faults,
    `${points.length - missed.length}/${points.length}`,
    virtualTime(campaign.virtualUs),
    Math.round(campaign.steps / seconds),
    Math.round((campaign.seeds * 60) / seconds),
    missed.join(', '),
  ];
}

function virtualTime(virtualUs: number): string {
  const seconds = virtualUs / 1e6;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  return seconds < 7200 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** One line that says how far a campaign is: rewritten for a person, rare for a log. */
class Progress {
  readonly #title: string;
  readonly #say: (words: string) => void;
  readonly #isTerminal = process.stderr.isTTY;
  #lastUs = clock.monotonicUs();
  #isShown = false;

  constructor(title: string, say: (words: string) => void) {
    this.#title = title;
    this.#say = say;
  }

  show(campaign: Campaign, seconds: number): void {
    const nowUs = clock.monotonicUs();
    const everyMs = this.#isTerminal ? PROGRESS_MS : PROGRESS_MS * PROGRESS_QUIET_FACTOR;
    if (nowUs - this.#lastUs < everyMs * 1000) return;
    this.#lastUs = nowUs;
    const { points, missed, failures } = campaign;
    const line = [
      `${this.#title}: ${campaign.seeds} seeds`,
      `${Math.round((campaign.seeds * 60) / seconds)}/min`,
      `${virtualTime(campaign.virtualUs)} of virtual time`,
      `${campaign.faults} faults`,
      `${points.length - missed.length}/${points.length} points`,
      `${failures.length} failures`,
    ].join(' · ');
    if (this.#isTerminal) process.stderr.write(`\r\u001b[K${line}`);
    else this.#say(line);
    this.#isShown = this.#isTerminal;
  }

  /** Makes room for other words. */
  interrupt(): void {
    if (this.#isShown) process.stderr.write('\r\u001b[K');
    this.#isShown = false;
  }
}
