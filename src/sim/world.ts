/**
 * What a system under test brings to the simulator: how to build it over processes, what its
 * promises are, and what a scenario of it may contain.
 */
import type { z } from 'zod';
import type { FaultProfile } from './draw.ts';
import type { SimProcess } from './process.ts';
import type { ScenarioOperation, Scenario } from './scenario.ts';
import type { Observer, Simulation } from './simulation.ts';
import type { Draws } from './keyed-random.ts';

/** A promise that is checked while a run goes on. */
export interface Oracle {
  readonly name: string;
  /** One sentence: what always holds. */
  readonly promise: string;
}

export interface World<Options = unknown, Op extends ScenarioOperation = ScenarioOperation> {
  readonly name: string;
  /** One line for `sim list`. */
  readonly summary: string;
  readonly oracles: readonly Oracle[];
  /** Situations that a campaign must have been in. */
  readonly points: readonly string[];
  /** What it promises to survive. */
  readonly faults: Pick<FaultProfile, 'kinds' | 'signals' | 'faultsMax' | 'lengthMsMax'>;
  readonly options: z.ZodType<Options>;
  readonly operation: z.ZodType<Op>;
  /** A whole scenario, as a function of the seed and, where it is given, the number of peers. */
  draw(seed: number, peers?: number): Scenario<Options, Op>;
  /** The same scenario with one peer less; undefined when it needs them all. */
  withoutPeer(scenario: Scenario<Options, Op>, name: string): Scenario<Options, Op> | undefined;
  build(simulation: Simulation, scenario: Scenario<Options, Op>, hooks: BuildHooks): Subject;
}

/** What the kernel gives a world to build its processes with. */
export interface BuildHooks {
  /** Adds a peer of the scenario as a process that runs `program`. */
  addPeer(name: string, program: Parameters<Simulation['addProcess']>[0]['program']): SimProcess;
}

/** One built system, in one run. */
export interface Subject extends Observer {
  /** Starts processes and clients; `start` of a process is its own business from then on. */
  start(): void;
  /** Warm: faults may begin. */
  isReady(): boolean;
  /** Who is meant by `@leader`. */
  leader(): SimProcess | undefined;
  /** A fault is about to cut a process off: a moment to give it something to do. */
  cutOff?(process: SimProcess): void;
  /** Faults are over: processes outside `core` stay as they are, for ever. */
  healed(core: readonly SimProcess[]): void;
  /** The processes of a set that suffices to make progress. */
  core(draws: Draws): readonly SimProcess[];
  /** What is still missing to have converged; undefined when nothing is. */
  pending(): string | undefined;
  /**
   * Begins a last phase, in which the observer goes on watching.
   *
   * @returns how long it lasts, in milliseconds
   */
  settle(): number;
  /** @throws {OracleViolation} where what the run has left behind breaks a promise. */
  finalChecks(): void;
  /** The state of a process in a few words, for the columns of a report. */
  describe(process: SimProcess): string;
}
