/**
 * The simulator: the seam's `Runtime` over a virtual world, in which time, chance, network, disks
 * and the life of processes follow from a seed.
 *
 * Reading order: `keyed-random.ts` (where all chance comes from), `event-queue.ts` (time), then
 * the world's parts: `disk-files.ts` and `disk.ts`. Beside it stands `linearizability.ts`, which judges
 * what the clients of a run were told.
 */
export { Stream, Draws, NEVER, type Ratio } from './keyed-random.ts';
export { EventQueue, type SimEvent } from './event-queue.ts';
export { SimDisk } from './disk.ts';
export type { DiskCall, DiskCallKind, DiskOutcome, SimDiskOptions } from './disk.ts';
export { SECTOR_BYTES, type Choose, type DiskImage } from './disk-files.ts';
export { chooseBy, type CrashMode } from './crash-states.ts';
export { checkLinearizable, type Verdict, type Violation } from './linearizability.ts';
export type { Model, Operation } from './linearizability-model.ts';
export { explainViolation, type Explanation } from './linearizability-explain.ts';
export {
  registerModel,
  type RegisterInput,
  type RegisterOperation,
  type RegisterOutput,
} from './linearizability-register.ts';
