/**
 * One shard that this node holds, in whatever role: the stream it writes or follows, and how far.
 *
 * Invariants: the backlog ends where the position does; `isWhole` means that the records are exactly
 * what the stream up to there makes of an empty shard; nothing of an epoch below `epochMin` is taken.
 */
import {
  asEpoch,
  type Epoch,
  type NodeId,
  type Shard,
  type ShardId,
  type ShardRole,
} from '../../cluster/index.ts';
import { invariant } from '../../runtime/index.ts';
import { Backlog, type BacklogPool } from './backlog.ts';
import { NOTHING, StreamHistory, type StreamPosition } from './stream-history.ts';
import { TimeMarks } from './time-marks.ts';

/** A node that follows this one, as the source sees it. */
export interface Follower {
  readonly node: NodeId;
  /** All before it is applied there. */
  ackedOffset: number;
  /** Has all that the stream had when its copy was made. */
  isCaughtUp: boolean;
  /** Of a full copy under way. */
  copiedBytes: number;
}

export class HeldShard {
  readonly id: ShardId;
  readonly slotFirst: number;
  readonly slotLast: number;
  role: ShardRole;
  primary: NodeId | undefined;
  /** The replicas that the map names: those that count for acknowledgement. */
  replicas: readonly NodeId[] = [];
  /** Of the primary that writes or is followed, by the map. */
  epoch: Epoch;
  /** Nothing of a primary of an epoch below is taken: raised by a seal. */
  epochMin: Epoch = asEpoch(0);
  /** Writes are held back, and the position stays. */
  isFrozen = false;
  /** What is left of an earlier time is being removed: nothing can be served yet. */
  isClearing = false;
  /** Whom the map names beside the primary. */
  watchers: ReadonlySet<NodeId> = new Set();
  /** Whether there is anybody: else the stream is not kept. */
  isWatched = false;
  /** The epoch at which `primary` was asked to be followed. */
  isFollowedSince: Epoch | undefined;
  /** Whether the records are all that they should be; not so while a copy is under way. */
  isWhole: boolean;
  history: StreamHistory;
  readonly backlog: Backlog;
  readonly marks = new TimeMarks();
  /** Effects of commands so far, in this process' time as primary. */
  writes = 0;
  /** Monotonic: since when this node has been the shard's primary. */
  leadsSinceUs = 0;
  readonly followers = new Map<NodeId, Follower>();
  /** All before it is, or was, at some replica: what comes after is this node's alone. */
  replicatedOffset = 0;
  /** As a follower: when it was last known to have all that the primary had, and what it lacked. */
  freshAtUs = -Infinity;
  lagBytes = 0;
  copiedBytes = 0;
  copyTotalBytes = 0;

  constructor(shard: Shard, role: ShardRole, pool: BacklogPool) {
    this.id = shard.id;
    this.slotFirst = shard.slotFirst;
    this.slotLast = shard.slotLast;
    this.role = role;
    this.epoch = shard.epoch;
    this.isWhole = role === 'primary';
    this.history = new StreamHistory();
    this.backlog = new Backlog(pool, 0);
  }

  hasSlot(slot: number): boolean {
    return slot >= this.slotFirst && slot <= this.slotLast;
  }

  get position(): StreamPosition {
    if (!this.isWhole) return NOTHING;
    return { epoch: this.history.epoch, offset: this.backlog.end };
  }

  /** This node is the shard's primary from now on, since `epoch`. */
  lead(epoch: Epoch, nowUs: number): void {
    this.role = 'primary';
    this.leadsSinceUs = nowUs;
    this.epoch = epoch;
    this.isFrozen = false;
    this.isWhole = true;
    this.isFollowedSince = undefined;
    this.history.begin(epoch, this.backlog.end);
    this.followers.clear();
    // What it began with has been acknowledged by others, or is all that is left.
    this.replicatedOffset = this.backlog.end;
  }

  /** This node follows the shard's primary of `epoch` from now on. */
  follow(role: 'replica' | 'learner', epoch: Epoch): void {
    this.role = role;
    this.epoch = epoch;
    this.isFrozen = false;
    this.isFollowedSince = undefined;
    this.followers.clear();
  }

  /** A copy begins: of what was there nothing counts any more. */
  beginCopy(): void {
    this.isWhole = false;
    this.copiedBytes = 0;
    this.backlog.clear(0);
    this.history = new StreamHistory();
  }

  /** The stream to follow begins here. */
  beginStream(parts: readonly StreamPosition[], offset: number): void {
    this.history = new StreamHistory(parts);
    if (this.backlog.end !== offset) this.backlog.clear(offset);
  }

  /** Whom the map names from now on. What a new replica has is replicated. */
  setMembers(replicas: readonly NodeId[], learners: readonly NodeId[]): void {
    this.replicas = replicas;
    this.watchers = new Set([...replicas, ...learners]);
    this.isWatched = this.watchers.size > 0;
    for (const node of replicas) {
      const offset = this.followers.get(node)?.ackedOffset ?? 0;
      this.replicatedOffset = Math.max(this.replicatedOffset, offset);
    }
  }

  /** Replicas that the map names, and that have all but the latest. */
  get goodReplicas(): number {
    return this.replicasAt(0);
  }

  /** How many of the replicas that the map names have applied all before `offset`. */
  replicasAt(offset: number): number {
    let count = 0;
    for (const node of this.replicas) {
      const follower = this.followers.get(node);
      if (follower?.isCaughtUp === true && follower.ackedOffset >= offset) count++;
    }
    return count;
  }

  /** Whether at least `count` of them have. */
  isAckedBy(count: number, offset: number): boolean {
    return count === 0 || this.replicasAt(offset) >= count;
  }

  /** What all that follow have, and the replicas that do not come after it. */
  get slowestAck(): number {
    let slowest = this.replicatedOffset;
    for (const { ackedOffset } of this.followers.values()) slowest = Math.min(slowest, ackedOffset);
    return slowest;
  }

  follower(node: NodeId): Follower {
    let follower = this.followers.get(node);
    if (follower === undefined) {
      follower = { node, ackedOffset: 0, isCaughtUp: false, copiedBytes: 0 };
      this.followers.set(node, follower);
    }
    return follower;
  }

  /** A follower has applied all before `offset`. */
  acked(node: NodeId, offset: number): void {
    invariant(offset <= this.backlog.end, 'a follower has no more than its source');
    const follower = this.follower(node);
    follower.ackedOffset = Math.max(follower.ackedOffset, offset);
    if (this.replicas.includes(node)) {
      this.replicatedOffset = Math.max(this.replicatedOffset, offset);
    }
    this.marks.passed(this.slowestAck);
  }
}
