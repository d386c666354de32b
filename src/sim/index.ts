/**
 * The simulator: the seam's `Runtime` over a virtual world, in which time, chance, network, disks
 * and the life of processes follow from a seed. Code under test cannot tell it from the real one.
 *
 * It guarantees that a scenario and a commit of the sources determine a run, down to its trace
 * hash, in any process on any machine; and that oracles see every state that a process is in
 * between two callbacks.
 *
 * Reading order: `keyed-random.ts` (where all chance comes from), `event-queue.ts` (time),
 * `simulation.ts` (the kernel); the world's parts `clock.ts`, `process.ts`, `network.ts` with
 * `connection.ts` and `dial.ts`, `disk.ts` with `disk-files.ts`; then what a run is: `scenario.ts`,
 * `draw.ts`, `injector.ts`, `world.ts`, `run.ts`. Beside it stands `linearizability.ts`, which judges
 * what the clients of a run were told.
 */
export { Stream, Draws, NEVER, type Ratio } from './keyed-random.ts';
export { EventQueue, type SimEvent } from './event-queue.ts';
export { SimDisk } from './disk.ts';
export type { DiskCall, DiskCallKind, DiskOutcome, SimDiskOptions } from './disk.ts';
export { SECTOR_BYTES, type Choose, type DiskImage } from './disk-files.ts';
export { chooseBy, type CrashMode } from './crash-states.ts';
export { Simulation, OracleViolation } from './simulation.ts';
export type { Observer, SimulationOptions, Transition } from './simulation.ts';
export type { SimProcess, Program, ProcessSettings } from './process.ts';
export { CALM_NETWORK, type NetworkSettings } from './network.ts';
export { Divergence, type DrawLog, type TraceOptions } from './trace.ts';
export { withBannedGlobals, SeamViolation } from './globals.ts';
export { KERNEL_ORACLES, runScenario, type Failure, type RunResult } from './run.ts';
export { shrinkScenario, type Shrunk, type ShrinkOptions } from './shrink.ts';
export { reportFailure, type ReportOptions } from './report.ts';
export { Campaign, junit, seedResult, type SeedResult } from './campaign.ts';
export { openTarget, type Runnable, type Target } from './target.ts';
export { parseScenarioFile, ScenarioFileError, type ScenarioFile } from './scenario-file.ts';
export { scenarioArbitrary } from './arbitrary.ts';
export { WORLDS } from './worlds.ts';
export type { Fault, Scenario, ScenarioOperation } from './scenario.ts';
export type { BuildHooks, Oracle, Subject, World } from './world.ts';
export { checkLinearizable, type Verdict, type Violation } from './linearizability.ts';
export type { Model, Operation } from './linearizability-model.ts';
export { explainViolation, type Explanation } from './linearizability-explain.ts';
export {
  registerModel,
  type RegisterInput,
  type RegisterOperation,
  type RegisterOutput,
} from './linearizability-register.ts';
