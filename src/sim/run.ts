/**
 * One run of a scenario, in phases: warm up; faults, with the safety oracles after every event;
 * heal what suffices to make progress; from then on the system must converge within its virtual
 * budget; final checks.
 */
import { withBannedGlobals } from './globals.ts';
import { Injector } from './injector.ts';
import type { Points } from './points.ts';
import type { FaultKind, ScenarioOperation, Scenario } from './scenario.ts';
import { Simulation, OracleViolation, type Transition } from './simulation.ts';
import type { DrawLog, TraceOptions } from './trace.ts';
import type { Subject, World } from './world.ts';

/** Oracles of the kernel itself. */
export const KERNEL_ORACLES = [
  {
    name: 'no-exception',
    promise: 'no callback throws, and no invariant of the code under test is broken',
  },
  {
    name: 'convergence',
    promise: 'once a sufficient part of the world is healed, the system makes progress in time',
  },
  { name: 'bounded-work', promise: 'the system comes to rest: it does not keep itself busy' },
] as const;

/** A run that needs more events than this keeps itself busy. */
const STEPS_MAX = 3_000_000;

export interface Failure {
  readonly oracle: string;
  /** One sentence: what was violated. */
  readonly sentence: string;
  readonly timeUs: number;
  /** Where the code under test threw, when it did. */
  readonly stack?: string;
}

export interface RunResult {
  readonly seed: number;
  readonly failure: Failure | undefined;
  /** 16 hex digits, a function of the scenario and the sources. */
  readonly traceHash: string;
  readonly steps: number;
  readonly virtualUs: number;
  readonly points: Points;
  readonly injected: ReadonlyMap<FaultKind, number>;
  /** The last ones. */
  readonly transitions: readonly Transition[];
  /** Empty unless it was asked for. */
  readonly drawLog: DrawLog;
}

/** @throws {Divergence} when the trace options say so and the run leaves the one compared with. */
export function runScenario<Options, Op extends ScenarioOperation>(
  world: World<Options, Op>,
  scenario: Scenario<Options, Op>,
  trace: TraceOptions = {},
): RunResult {
  return withBannedGlobals(() => new Run(world, scenario, trace).result());
}

class Run<Options, Op extends ScenarioOperation> {
  readonly #scenario: Scenario<Options, Op>;
  readonly #simulation: Simulation;
  readonly #injector: Injector;
  readonly #subject: Subject;

  constructor(world: World<Options, Op>, scenario: Scenario<Options, Op>, trace: TraceOptions) {
    const { seed, network } = scenario;
    const simulation = new Simulation({ seed, network, trace });
    this.#scenario = scenario;
    this.#simulation = simulation;
    this.#injector = new Injector(simulation, {
      faults: scenario.faults,
      disk: scenario.disk,
      leader: () => this.#subject.leader(),
      onCutOff: (process) => this.#subject.cutOff?.(process),
    });
    this.#subject = world.build(simulation, scenario, {
      addPeer: (name, program) => this.#addPeer(name, program),
    });
    simulation.observer = this.#subject;
  }

  result(): RunResult {
    let failure: Failure | undefined;
    const simulation = this.#simulation;
    try {
      this.#phases();
    } catch (error) {
      if (!(error instanceof OracleViolation)) throw error;
      const cause = error.cause instanceof Error ? error.cause.stack : undefined;
      failure = {
        oracle: error.oracle,
        sentence: error.message,
        timeUs: simulation.queue.nowUs,
        ...(cause === undefined ? {} : { stack: cause }),
      };
    }
    return {
      seed: simulation.seed,
      failure,
      traceHash: simulation.trace.hash,
      steps: simulation.steps,
      virtualUs: simulation.queue.nowUs,
      points: simulation.points,
      injected: this.#injector.injected,
      transitions: simulation.transitions,
      drawLog: simulation.trace.log,
    };
  }

  #phases(): void {
    const subject = this.#subject;
    const { warmUpMs, faultsMs, convergeMs } = this.#scenario.timing;
    subject.start();
    this.#runFor(warmUpMs, () => subject.isReady());
    this.#injector.begin();
    this.#runFor(faultsMs, () => false);
    const core = subject.core(this.#simulation.stream('core').sequence(0));
    this.#simulation.note(undefined, `healed: ${core.map(({ name }) => name).join(' ')}`);
    this.#injector.heal(core);
    subject.healed(core);
    this.#runFor(convergeMs, () => subject.pending() === undefined);
    const missing = subject.pending();
    if (missing !== undefined) {
      const words = `${convergeMs} ms after healing ${core.length} processes: ${missing}`;
      throw new OracleViolation('convergence', words);
    }
    this.#runFor(subject.settle(), () => false);
    subject.finalChecks();
  }

  /** Until `isDone`, which is asked after each event, or until the time is over. */
  #runFor(milliseconds: number, isDone: () => boolean): void {
    const { queue } = this.#simulation;
    const end = queue.nowUs + milliseconds * 1000;
    while (!isDone()) {
      const next = queue.nextTimeUs;
      if (next === undefined || next > end) {
        queue.runUntil(end);
        return;
      }
      queue.runNext();
      if (this.#simulation.steps > STEPS_MAX) {
        throw new OracleViolation(
          'bounded-work',
          `${STEPS_MAX} events are not enough for this run`,
        );
      }
    }
  }

  #addPeer(name: string, program: Parameters<Simulation['addProcess']>[0]['program']) {
    const peer = this.#scenario.peers.find((settings) => settings.name === name);
    if (peer === undefined) throw new Error(`the scenario has no peer ${name}`);
    return this.#simulation.addProcess({
      name,
      zone: peer.zone,
      clock: { offsetUs: peer.clockOffsetUs, driftPpm: peer.driftPpm, wallUs: WALL_START_US },
      timerLatenessUsMax: peer.timerLatenessUsMax,
      program,
      decideDisk: (process, call) => this.#injector.decideDisk(process, call),
    });
  }
}

/** 2026-01-01 00:00 UTC. */
const WALL_START_US = 1_767_225_600_000_000;
