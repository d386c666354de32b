/**
 * The rules that keep two primaries of one shard from acting at one time, one function each: the
 * design, section 8, is the argument.
 *
 * They are given to the controller as one object, so that a test can put a mistake in the place of
 * one and see whether the oracles notice. Production knows `CONTROLLER_RULES` alone.
 */
import type { LeaseTimes, Shard, ShardPosition, ShardReport } from '../../cluster/index.ts';

/** What a holder of a shard has said of its copy since it was sealed. */
export type Candidate = ShardPosition;

export interface ControllerRules {
  /** What a node is told that a lease lasts, from its sending of the heartbeat. */
  grantedMs(times: LeaseTimes): number;
  /** How long after the receipt of a heartbeat its node may hold a lease. */
  heldMs(times: LeaseTimes): number;
  /**
   * How long after its election a leader declares nobody dead: its predecessor may have granted a
   * lease just before.
   */
  graceMs(times: LeaseTimes): number;
  /**
   * A heartbeat is answered once a majority has confirmed, after its receipt, that this peer leads:
   * a leader that was paused does not know that there is another.
   */
  confirmsLeadership(): boolean;
  /** A process of the same name, with an empty memory, takes the place of one that is surely over. */
  mayReplace(old: { readonly isAlive: boolean; readonly isDown: boolean }): boolean;
  /** May be promoted: it has a whole copy, be it a replica's or a learner's. */
  isWhole(candidate: Candidate): boolean;
  /** The order of preference: what was acknowledged is where (epoch, offset) is highest. */
  isBetter(one: Candidate, other: Candidate): boolean;
  /** How many replicas must have said how far they are, so that one of them has every write. */
  reportsNeeded(shard: Shard, ack: 'primary' | 'replica' | 'quorum', copies: number): number;
  /** A learner that may become a member: it has a whole copy, and is hardly behind. */
  mayJoin(report: ShardReport, shard: Shard): boolean;
  /** The target of a planned switch has all that its predecessor ever acknowledged. */
  hasAll(reached: ShardPosition, final: ShardPosition): boolean;
}

/** What is left to be sent while writes are held back, at most. */
const JOIN_LAG_BYTES = 256 * 1024;

export const CONTROLLER_RULES: ControllerRules = Object.freeze({
  grantedMs: ({ leaseMs, marginMs }: LeaseTimes) => leaseMs - marginMs,
  heldMs: ({ leaseMs, marginMs }: LeaseTimes) => leaseMs + marginMs,
  graceMs: ({ leaseMs, marginMs }: LeaseTimes) => leaseMs + marginMs,
  confirmsLeadership: () => true,
  mayReplace: ({ isAlive, isDown }: { isAlive: boolean; isDown: boolean }) => !isAlive && isDown,
  isWhole: ({ epoch }: Candidate) => epoch > 0,
  isBetter: (one: Candidate, other: Candidate) =>
    one.epoch === other.epoch ? one.offset > other.offset : one.epoch > other.epoch,
  reportsNeeded: ({ replicas }: Shard, ack: 'primary' | 'replica' | 'quorum', copies: number) => {
    if (ack === 'primary') return 0;
    if (ack === 'replica') return replicas.length;
    return Math.min(replicas.length, copies - Math.floor(copies / 2));
  },
  mayJoin: ({ epoch, isCaughtUp, lagBytes }: ShardReport, shard: Shard) =>
    epoch === shard.epoch && isCaughtUp && lagBytes <= JOIN_LAG_BYTES,
  hasAll: (reached: ShardPosition, final: ShardPosition) =>
    reached.epoch === final.epoch && reached.offset >= final.offset,
});
