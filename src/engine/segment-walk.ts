/**
 * A walk over the live records of one segment after another, in steps of bounded size.
 *
 * The visitor may free the record it is given, even if that releases the whole segment.
 */
import type { Arena } from './arena.ts';

const NONE = -1;

/** A freed record is passed over at a fraction of the price of a live one. */
const DEAD_PRICE_SHIFT = 3;
/** Taking it out of the list of holes touches its neighbours there, in other places of memory. */
const DEAD_VISIT_PRICE_SHIFT = 1;

export class SegmentWalk {
  /** The segment being walked, or -1. */
  segment = NONE;
  /** Bytes of the segment that were not live when its walk began. */
  deadAtBegin = 0;
  /** The earliest deadline that the visitor has seen in this segment; the visitor keeps it. */
  deadlineMin = Infinity;
  /** Whether the last walk saw its segment to the end. */
  finished = false;
  readonly #arena: Arena;
  #ref = 0;
  #lastSegment = NONE;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  get idle(): boolean {
    return this.segment === NONE;
  }

  /** Starts at a segment's first record; does nothing for -1. */
  begin(segment: number): void {
    this.segment = segment;
    if (segment === NONE) return;
    this.#lastSegment = segment;
    this.#ref = this.#arena.firstOf(segment);
    this.deadAtBegin = this.#arena.segmentSize(segment) - this.#arena.live[segment];
    this.deadlineMin = Infinity;
    this.finished = false;
  }

  stop(): void {
    this.segment = NONE;
  }

  /** The segment was released. */
  forget(segment: number): void {
    if (this.segment === segment) this.stop();
  }

  /** The number that follows the segment walked last, round and round; -1 where there is none. */
  segmentAfterLast(): number {
    const count = this.#arena.segmentCount;
    if (count === 0) return NONE;
    const next = this.#lastSegment + 1 < count ? this.#lastSegment + 1 : 0;
    this.#lastSegment = next;
    return this.#arena.segmentSize(next) === 0 ? NONE : next;
  }

  /**
   * Visits records until about `budgetBytes` were passed or the segment ends; then `idle`.
   *
   * @returns the bytes passed, freed ones at a discount
   */
  step(
    budgetBytes: number,
    visit: (ref: number) => void,
    visitFreed?: (ref: number) => void,
  ): number {
    const arena = this.#arena;
    const deadShift = visitFreed === undefined ? DEAD_PRICE_SHIFT : DEAD_VISIT_PRICE_SHIFT;
    let passed = 0;
    while (passed < budgetBytes && this.segment !== NONE) {
      const ref = this.#ref;
      if (ref >= arena.endOf(this.segment)) {
        this.finished = true;
        this.stop();
        break;
      }
      const bytes = arena.recordBytes(ref);
      this.#ref = ref + (bytes >>> 3);
      if (arena.isDead(ref)) {
        passed += bytes >>> deadShift;
        visitFreed?.(ref);
      } else {
        passed += bytes;
        visit(ref);
      }
    }
    return passed;
  }
}
