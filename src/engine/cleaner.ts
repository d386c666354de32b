/**
 * Wins back the space of dead records: moves the live ones out of the emptiest segment, in steps of
 * bounded size, until the segment can be given back.
 */
import type { Arena } from './arena.ts';
import type { HousekeepingJob } from './housekeeping.ts';
import { SegmentWalk } from './segment-walk.ts';

/** A segment this empty is cleaned although memory is not short. */
const IDLE_CLEAN_LIVE_SHARE = 0.5;
/** Work ahead of the pace that is strictly needed, in bytes a write. */
const PACE_EXTRA_BYTES = 256;

export class Cleaner {
  readonly #arena: Arena;
  readonly #walk: SegmentWalk;
  readonly #relocate: (ref: number) => void;
  readonly #forgetHole: (ref: number) => void;

  /** @param relocate moves one live record to the survivors' stream, and frees the old one */
  constructor(arena: Arena, relocate: (ref: number) => void) {
    this.#arena = arena;
    this.#walk = new SegmentWalk(arena);
    this.#relocate = relocate;
    this.#forgetHole = (ref) => arena.forgetHole(ref);
  }

  stop(): void {
    this.#walk.stop();
  }

  /** Cleans as much as it takes to win back the `bytes` that are being written. */
  cleanAtPaceOf(bytes: number): void {
    if (!this.#begin(1)) return;
    const size = this.#arena.segmentSize(this.#walk.segment);
    const dead = Math.max(this.#walk.deadAtBegin, size / 64);
    this.#step(Math.ceil((bytes * size) / dead) + PACE_EXTRA_BYTES);
  }

  /** Looks at `budgetBytes` of the segment being cleaned, or of the emptiest. */
  clean(budgetBytes: number): void {
    if (this.#begin(1)) this.#step(budgetBytes);
  }

  /** The same; but where memory is not short it begins only with a segment that is mostly dead. */
  inTurns(isShort: () => boolean): HousekeepingJob {
    const run = (budgetBytes: number): number =>
      this.#begin(isShort() ? 1 : IDLE_CLEAN_LIVE_SHARE) ? this.#step(budgetBytes) : 0;
    return { run, isBehind: false };
  }

  #begin(shareMax: number): boolean {
    if (!this.#walk.idle) return true;
    const segment = this.#emptiestSegment(shareMax);
    if (segment === -1) return false;
    this.#arena.retire(segment);
    this.#walk.begin(segment);
    return true;
  }

  #step(budgetBytes: number): number {
    const passed = this.#walk.step(budgetBytes, this.#relocate, this.#forgetHole);
    if (this.#walk.finished) this.#arena.releaseRetired();
    return passed;
  }

  /** The closed segment with the smallest live share, if that share is below `shareMax`; else -1. */
  #emptiestSegment(shareMax: number): number {
    const arena = this.#arena;
    let emptiest = -1;
    let shareLeast = shareMax;
    for (let segment = 0; segment < arena.segmentCount; segment++) {
      const size = arena.segmentSize(segment);
      // A segment that holds one large record goes when that record does.
      if (size !== arena.segmentBytes || arena.isOpen(segment)) continue;
      const share = arena.live[segment] / size;
      if (share < shareLeast) {
        shareLeast = share;
        emptiest = segment;
      }
    }
    return emptiest;
  }
}
