/**
 * What is to be done with all records of a shard, in the background: a walk over the engine's records
 * serves all chores that waited when it began, and takes a step now and then.
 */
import { asShardId, SLOT_COUNT, type ShardId } from '../../cluster/index.ts';
import type { Domain } from '../../engine/index.ts';
import type { Runtime, Timer } from '../../runtime/index.ts';
import { Rests } from './rests.ts';
import { RESTS_A_STEP, ShardWalk, type KeySpaces } from './shard-records.ts';

/** `clear`: they are removed; `adopt`: they are this node's own now, to be evicted like others. */
export interface Chore {
  readonly kind: 'clear' | 'adopt';
  /**
   * Called at the end, unless another chore has been begun for the shard. Absent: nothing waits for
   * the chore, so it is done at leisure.
   */
  readonly done?: () => void;
}

/**
 * What nothing waits for is begun so much later, where memory is not short: shards come and go by the
 * dozen while nodes are added, one walk serves all that came in the meantime, and by then those that
 * are still being copied have had the processor.
 */
const GATHER_US = 2_000_000;
/** After a step that nothing waits for a walk rests so many times as long. */
const RESTS_AT_LEISURE = 4;

export interface ChoresOptions {
  readonly runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly spaces: KeySpaces;
  /** Index buckets that one step looks into. */
  readonly walkBuckets: number;
  readonly itemsOf: (shard: ShardId) => number;
  readonly isPrimary: (shard: ShardId) => boolean;
  /** Whether what is cleared may be wanted soon, or evicted what is adopted. */
  readonly isMemoryShort: () => boolean;
}

export class ShardChores {
  /** By the map; -1 where it has none. */
  shardBySlot: Int16Array = new Int16Array(SLOT_COUNT).fill(-1);
  readonly #options: ChoresOptions;
  readonly #waiting = new Map<ShardId, Chore>();
  /** Those of the walk under way. */
  #walking = new Map<ShardId, Chore>();
  #walk: ShardWalk | undefined;
  /** When what is waiting and not waited for is to be begun. */
  #gatheredAtUs = Infinity;
  /** When the next step comes; Infinity: none is to come. */
  #stepAtUs = Infinity;
  #timer: Timer | undefined;
  readonly #rests = new Rests();

  constructor(options: ChoresOptions) {
    this.#options = options;
  }

  isClearing(shard: ShardId): boolean {
    return this.#waiting.get(shard)?.kind === 'clear';
  }

  /** Takes the place of whatever was to be done with the shard. */
  begin(shard: ShardId, chore: Chore): void {
    this.#walking.delete(shard);
    this.#waiting.set(shard, chore);
    const nowUs = this.#options.runtime.clock.monotonicUs();
    this.#gatheredAtUs = Math.min(this.#gatheredAtUs, nowUs + GATHER_US);
    this.#stepAt(this.#isUrgent() ? nowUs : this.#gatheredAtUs);
  }

  stop(): void {
    this.#stepAtUs = -Infinity;
    this.#timer?.cancel();
  }

  /** At the latest. */
  #stepAt(atUs: number): void {
    if (atUs >= this.#stepAtUs) return;
    this.#stepAtUs = atUs;
    this.#timer?.cancel();
    const { clock, timers } = this.#options.runtime;
    const delayUs = atUs - clock.monotonicUs();
    if (delayUs > 0) this.#timer = timers.after(delayUs / 1000, () => this.#stepNow(atUs));
    else timers.defer(() => this.#stepNow(atUs));
  }

  #stepNow(atUs: number): void {
    // Another was asked for, sooner.
    if (atUs !== this.#stepAtUs) return;
    const { clock } = this.#options.runtime;
    const beganAtUs = clock.monotonicUs();
    this.#step(beganAtUs);
    this.#stepAtUs = Infinity;
    if (this.#waiting.size === 0) return;
    const nowUs = clock.monotonicUs();
    if (this.#walk === undefined && !this.#isUrgent()) {
      this.#stepAt(this.#gatheredAtUs);
      return;
    }
    const rests = this.#isAwaited() ? RESTS_A_STEP : RESTS_AT_LEISURE;
    this.#stepAt(nowUs + this.#rests.after(nowUs - beganAtUs, rests));
  }

  #isUrgent(): boolean {
    return this.#isAwaited() || this.#options.isMemoryShort();
  }

  /** Whether anybody waits for a chore. */
  #isAwaited(): boolean {
    for (const { done } of this.#waiting.values()) if (done !== undefined) return true;
    return false;
  }

  #step(nowUs: number): void {
    this.#finishEmpty();
    if (this.#waiting.size === 0) {
      this.#endWalk();
      return;
    }
    if (this.#walk === undefined) {
      if (nowUs < this.#gatheredAtUs && !this.#isUrgent()) return;
      this.#gatheredAtUs = Infinity;
      this.#walking = new Map(this.#waiting);
      this.#walk = new ShardWalk(
        this.#options.spaces,
        (slot) => this.#walkedShardOf(slot),
        (domain, ref, shard) => this.#do(domain, ref, shard),
      );
    }
    if (!this.#walk.step(this.#options.walkBuckets)) return;
    for (const [shard, chore] of this.#walking) this.#finish(shard, chore);
    this.#endWalk();
  }

  #endWalk(): void {
    this.#walk = undefined;
    this.#walking.clear();
    if (this.#waiting.size === 0) this.#gatheredAtUs = Infinity;
  }

  /** What has no records needs no walk, nor to wait for the one under way. */
  #finishEmpty(): void {
    for (const [shard, chore] of [...this.#waiting]) {
      if (this.#options.itemsOf(shard) === 0) this.#finish(shard, chore);
    }
  }

  #finish(shard: ShardId, chore: Chore): void {
    if (this.#waiting.get(shard) !== chore) return;
    this.#waiting.delete(shard);
    this.#walking.delete(shard);
    chore.done?.();
  }

  #do(domain: Domain, ref: number, shard: ShardId): void {
    const { engine } = this.#options.spaces;
    if (this.#walking.get(shard)?.kind === 'clear') engine.remove(domain, ref);
    else if (this.#options.isPrimary(shard)) domain.policy.adopt?.(ref);
  }

  #walkedShardOf(slot: number): ShardId | undefined {
    const shard = this.shardBySlot[slot];
    if (shard === -1) return undefined;
    const id = asShardId(shard);
    return this.#walking.has(id) ? id : undefined;
  }
}
