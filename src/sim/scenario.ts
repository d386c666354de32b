/**
 * A scenario: all that a run is, as data. With a commit of the sources it determines the run, down
 * to the trace hash.
 *
 * Times of the world are virtual. Each fault and each operation has an id, by which its chances
 * are drawn: taking one out leaves all others as they were.
 */
import { z } from 'zod';

export const SCENARIO_VERSION = 1;

const count = z.int().min(0);
const milliseconds = count.max(86_400_000);
const microseconds = count.max(86_400_000_000);

/** A chance of the first in the second, such as `[1, 100]`. */
const ratio = z
  .tuple([count, count.min(1).max(0x20_0000)])
  .refine(([of, outOf]) => of <= outOf, 'a chance is at most 1: [of, outOf] with of <= outOf')
  .readonly();

const latency = z.strictObject({
  shape: z.enum(['uniform', 'exponential', 'bimodal']),
  minUs: microseconds,
  /** Above `minUs`: the width (uniform, bimodal) or the mean (exponential). */
  spreadUs: microseconds,
});

const network = z.strictObject({
  latency,
  loss: ratio,
  reset: ratio,
  split: ratio,
  bitFlip: ratio,
  replay: ratio,
  giveUpUs: microseconds,
});

const disk = z.strictObject({
  latency,
  /** Of a sync, above that of any call. */
  syncLatency: latency,
  /** A call takes a hundred times as long. */
  slow: ratio,
});

const peer = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'a name is a to z, 0 to 9 and -, at most 31'),
  zone: z.string(),
  driftPpm: z.int().min(-100_000).max(100_000),
  clockOffsetUs: microseconds,
  timerLatenessUsMax: microseconds,
});

/**
 * Whom a fault hits: a name, or `@leader` (whom the world takes for it now), `@follower` (any
 * other that runs), `@subject` (the one that the signal was about), `@any`.
 */
const selector = z
  .string()
  .regex(/^(@leader|@follower|@subject|@any|[a-z][a-z0-9-]*)$/, 'a name or @leader, @any …');

/** `m1>m2`: what goes from m1 to m2; `m1-m2`: both ways. */
const link = z
  .string()
  .regex(/^[@a-z][a-z0-9-]*[>~][@a-z][a-z0-9-]*$/, "two peers: 'm1>m2' one way, 'm1~m2' both ways");

/** When: at a time of the run, or some time after the nth signal of the world. */
const when = {
  id: count,
  atMs: milliseconds,
  /** Where set, `atMs` counts from the `nth` time that the world gives this signal. */
  on: z.string().optional(),
  nth: count.min(1).optional(),
};

const forMs = milliseconds;

const FAULTS = [
  z.strictObject({ ...when, kind: z.literal('cut'), links: z.array(link).min(1), forMs }),
  z.strictObject({
    ...when,
    kind: z.literal('isolate'),
    peer: selector,
    /** `in`: it hears nothing; `out`: nobody hears it. */
    direction: z.enum(['both', 'in', 'out']),
    forMs,
  }),
  z.strictObject({
    ...when,
    kind: z.literal('slowLinks'),
    links: z.array(link).min(1),
    extraUs: microseconds,
    bytesPerMs: count,
    forMs,
  }),
  z.strictObject({ ...when, kind: z.literal('reset'), links: z.array(link).min(1) }),
  z.strictObject({ ...when, kind: z.literal('halfOpen'), links: z.array(link).min(1) }),
  z.strictObject({
    ...when,
    kind: z.literal('crash'),
    peers: z.array(selector).min(1),
    /** The process dies, or its machine loses power. */
    how: z.enum(['kill', 'power']),
    /** What a loss of power leaves of what was not synced. */
    unsynced: z.enum(['keep', 'drop', 'mix']),
    /** Dies just before its so-manieth effect from then on; 0: at once. */
    effects: count.max(10_000),
    restartMs: milliseconds,
  }),
  z.strictObject({ ...when, kind: z.literal('wipe'), peer: selector, restartMs: milliseconds }),
  z.strictObject({ ...when, kind: z.literal('pause'), peer: selector, forMs }),
  z.strictObject({
    ...when,
    kind: z.literal('slow'),
    peer: selector,
    callbackUs: count.min(1).max(1_000_000),
    forMs,
  }),
  z.strictObject({
    ...when,
    kind: z.literal('clock'),
    peer: selector,
    driftPpm: z.int().min(-100_000).max(100_000),
    stepWallMs: z.int().min(-86_400_000).max(86_400_000),
  }),
  z.strictObject({
    ...when,
    kind: z.literal('diskError'),
    peer: selector,
    call: z.enum(['append', 'sync', 'read', 'rename', 'syncDirectory', 'openAppend', 'any']),
    /** How many calls fail, one after another. */
    times: count.min(1).max(1000),
  }),
  z.strictObject({ ...when, kind: z.literal('diskFull'), peer: selector, forMs }),
  z.strictObject({ ...when, kind: z.literal('diskStall'), peer: selector, forMs }),
  z.strictObject({
    ...when,
    kind: z.literal('bitRot'),
    peer: selector,
    /** Where in all the bytes of the disk, in millionths. */
    atMillionths: count.max(999_999),
    bit: count.max(7),
  }),
  /** A write that the disk has acknowledged, and never made. */
  z.strictObject({
    ...when,
    kind: z.literal('phantomWrite'),
    peer: selector,
    /** Which of the sectors whose loss can be noticed, in millionths. */
    atMillionths: count.max(999_999),
  }),
  /** A write that went to the place of another one. */
  z.strictObject({
    ...when,
    kind: z.literal('misdirectedWrite'),
    peer: selector,
    atMillionths: count.max(999_999),
    toMillionths: count.max(999_999),
  }),
] as const;

const fault = z.discriminatedUnion('kind', FAULTS);

const timing = z.strictObject({
  warmUpMs: milliseconds,
  faultsMs: milliseconds,
  convergeMs: milliseconds,
});

export type Fault = z.infer<typeof fault>;
export type FaultKind = Fault['kind'];
export type DiskSettings = z.infer<typeof disk>;
export type PeerSettings = z.infer<typeof peer>;
type Timing = z.infer<typeof timing>;

/** What every operation has; the rest is the world's. */
export interface ScenarioOperation {
  readonly id: number;
  /** Operations of one client come one after another. */
  readonly client: number;
}

/** The schema of a world's explicit scenarios. */
export function scenarioSchema<Options, Op extends ScenarioOperation>(
  world: string,
  options: z.ZodType<Options>,
  operation: z.ZodType<Op>,
) {
  return z.strictObject({
    version: z.literal(SCENARIO_VERSION),
    world: z.literal(world),
    seed: count.max(Number.MAX_SAFE_INTEGER),
    timing,
    peers: z.array(peer).min(1).max(31),
    network,
    disk,
    options,
    faults: z.array(fault),
    operations: z.array(operation),
  });
}

export interface Scenario<Options = unknown, Op extends ScenarioOperation = ScenarioOperation> {
  readonly version: typeof SCENARIO_VERSION;
  readonly world: string;
  readonly seed: number;
  readonly timing: Timing;
  readonly peers: readonly PeerSettings[];
  readonly network: z.infer<typeof network>;
  readonly disk: DiskSettings;
  readonly options: Options;
  readonly faults: readonly Fault[];
  readonly operations: readonly Op[];
}
