/**
 * Finds records whose deadline has passed, segment by segment.
 *
 * Each segment knows the earliest deadline that it may hold, so segments in which nothing can have
 * expired are passed over at no cost; the others are read from end to end, which is the order in
 * which memory is fastest.
 */
import type { Arena } from './arena.ts';
import type { HousekeepingJob } from './housekeeping.ts';
import { SegmentWalk } from './segment-walk.ts';

/** Of the records looked at, so many had expired: there are more. */
const EXPIRED_SHARE_HIGH = 0.25;

export class ExpirySweep implements HousekeepingJob {
  readonly #arena: Arena;
  readonly #walk: SegmentWalk;
  readonly #expire: (ref: number) => void;
  nowMs = 0;
  #seen = 0;
  #expired = 0;

  constructor(arena: Arena, expire: (ref: number) => void) {
    this.#arena = arena;
    this.#walk = new SegmentWalk(arena);
    this.#expire = expire;
  }

  /** The segment was released. */
  forget(segment: number): void {
    this.#walk.forget(segment);
  }

  stop(): void {
    this.#walk.stop();
    this.#seen = 0;
    this.#expired = 0;
  }

  get isBehind(): boolean {
    return this.#expired > this.#seen * EXPIRED_SHARE_HIGH;
  }

  /** Goes on where it was, through about `budgetBytes` of records and at most once around. */
  run(budgetBytes: number): number {
    const walk = this.#walk;
    const { nowMs } = this;
    this.#seen = 0;
    this.#expired = 0;
    let left = budgetBytes;
    let segmentsLeft = this.#arena.segmentCount;
    while (left > 0) {
      if (walk.idle) {
        if (segmentsLeft-- === 0) break;
        const next = walk.segmentAfterLast();
        if (next === -1 || this.#arena.deadlineMin[next] > nowMs) continue;
        walk.begin(next);
        // Deadlines set while the walk is under way lower it again.
        this.#arena.deadlineMin[next] = Infinity;
      }
      const segment = walk.segment;
      left -= walk.step(left, this.#visit);
      if (walk.finished && walk.deadlineMin < this.#arena.deadlineMin[segment]) {
        this.#arena.deadlineMin[segment] = walk.deadlineMin;
      }
    }
    return budgetBytes - left;
  }

  readonly #visit = (ref: number): void => {
    this.#seen++;
    const deadline = this.#arena.deadline(ref);
    if (deadline === 0) return;
    if (deadline > this.nowMs) {
      this.#walk.deadlineMin = Math.min(this.#walk.deadlineMin, deadline);
    } else {
      this.#expired++;
      this.#expire(ref);
    }
  };
}
