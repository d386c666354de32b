/**
 * A whole measurement: fill, warm up, then rounds in which the servers take turns under the same
 * load, the first of a round going second in the next, so that a slow spell of the machine meets
 * both.
 */
import { availableParallelism } from 'node:os';
import { CachectlError } from '../cluster/index.ts';
import { createRuntime } from '../runtime/node/index.ts';
import { Fleet } from './fleet.ts';
import type { Target } from './lane.ts';
import { readCpuTime } from './process-cpu.ts';
import { type ServerFacts, askForFacts } from './server-facts.ts';
import { median } from './statistics.ts';
import { type Tally, addSerial, createTally } from './tally.ts';
import type { Workload } from './workload.ts';

export interface BenchPlan {
  /** One, or two to compare. */
  readonly targets: readonly Target[];
  readonly workload: Workload;
  readonly connections: number;
  readonly pipeline: number;
  readonly threads: number;
  readonly stallMs: number;
  readonly isFilledFirst: boolean;
  readonly warmUpMs: number;
  readonly rounds: number;
  /** To each server, over all rounds; `Infinity` where time ends them. */
  readonly requests: number;
  /** On each server, over all rounds; `Infinity` where the number of requests ends them. */
  readonly durationMs: number;
  readonly ratePerSecond: number | undefined;
}

export interface Round {
  readonly operationsPerSecond: number;
  /** Of the server, in µs an operation; undefined where its process cannot be looked at. */
  readonly cpu: { readonly userUs: number; readonly systemUs: number } | undefined;
}

export interface ServerResult {
  readonly target: Target;
  readonly facts: ServerFacts;
  readonly rounds: readonly Round[];
  /** Medians of the rounds. */
  readonly operationsPerSecond: number;
  readonly cpu: Round['cpu'];
  /** Of all rounds together. */
  readonly tally: Tally;
}

/** Leaves a core to the server for each one that it takes. */
export function threadsByDefault(): number {
  return Math.min(4, Math.max(1, availableParallelism() >> 1));
}

/**
 * @param say gets a line of words as each step begins
 * @throws {CachectlError} `ERR_CACHECTL_CONNECT`, `ERR_CACHECTL_TIMEOUT`, `ERR_CACHECTL_AUTH`, or
 *   `ERR_CACHECTL_SERVER` where a server answered nothing but errors.
 */
export async function runBench(
  plan: BenchPlan,
  say: (words: string) => void,
): Promise<readonly ServerResult[]> {
  const runtime = createRuntime({ log: { level: 'silent' } });
  const facts: ServerFacts[] = [];
  for (const target of plan.targets) facts.push(await askForFacts(runtime, target, plan.stallMs));
  await using fleet = await Fleet.open(plan);
  const servers = plan.targets.map((target, index) => ({
    index,
    target,
    facts: facts[index],
    name: `${target.address.host}:${target.address.port} (${facts[index].name})`,
    rounds: [] as Round[],
    tally: createTally(),
  }));
  for (const { index, name } of servers) {
    if (plan.isFilledFirst) {
      say(`Filling ${plan.workload.keyCount} keys of ${name}`);
      refuseEmpty(name, await fleet.fill(index));
    }
    if (plan.warmUpMs > 0) {
      say(`Warming up ${name}`);
      const { ratePerSecond } = plan;
      const durationMs = plan.warmUpMs;
      await fleet.load(index, { round: 0, requests: Infinity, durationMs, ratePerSecond });
    }
  }
  for (let round = 1; round <= plan.rounds; round++) {
    const order = round % 2 === 1 ? servers : servers.toReversed();
    for (const server of order) {
      say(`Round ${round} of ${plan.rounds}: ${server.name}`);
      const { tally, result } = await measure(fleet, server.index, server.facts, plan, round);
      server.rounds.push(result);
      addSerial(server.tally, tally);
    }
  }
  return servers.map(({ name, target, facts: own, rounds, tally }) => {
    refuseEmpty(name, tally);
    const operationsPerSecond = median(rounds.map((one) => one.operationsPerSecond));
    return { target, facts: own, rounds, operationsPerSecond, cpu: medianCpu(rounds), tally };
  });
}

async function measure(
  fleet: Fleet,
  target: number,
  { pid }: ServerFacts,
  plan: BenchPlan,
  round: number,
): Promise<{ tally: Tally; result: Round }> {
  const before = pid === undefined ? undefined : readCpuTime(pid);
  const tally = await fleet.load(target, {
    round,
    requests: Math.ceil(plan.requests / plan.rounds),
    durationMs: plan.durationMs / plan.rounds,
    ratePerSecond: plan.ratePerSecond,
  });
  const after = pid === undefined ? undefined : readCpuTime(pid);
  const isMeasured = before !== undefined && after !== undefined && tally.answered > 0;
  const result: Round = {
    operationsPerSecond: (tally.answered * 1_000_000) / tally.elapsedUs,
    cpu: isMeasured
      ? {
          userUs: ((after.userMs - before.userMs) * 1000) / tally.answered,
          systemUs: ((after.systemMs - before.systemMs) * 1000) / tally.answered,
        }
      : undefined,
  };
  return { tally, result };
}

function medianCpu(rounds: readonly Round[]): Round['cpu'] {
  const measured = rounds.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]));
  if (measured.length < rounds.length) return undefined;
  return {
    userUs: median(measured.map((cpu) => cpu.userUs)),
    systemUs: median(measured.map((cpu) => cpu.systemUs)),
  };
}

function refuseEmpty(name: string, tally: Tally): void {
  if (tally.answered > 0) return;
  const [error] = tally.errors.values();
  if (error !== undefined) {
    const message = `${name} answered errors only: ${error.example}`;
    throw new CachectlError('ERR_CACHECTL_SERVER', message);
  }
  throw new CachectlError('ERR_CACHECTL_TIMEOUT', `${name} has stopped answering`);
}
