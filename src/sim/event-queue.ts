/**
 * What will happen, in order: a binary heap by (time in whole µs, sequence). The sequence is the
 * order in which events were scheduled, so no two are equal and the order is total.
 */
import { invariant } from '../runtime/index.ts';

export interface SimEvent {
  readonly timeUs: number;
  readonly sequence: number;
  /** Undefined once cancelled; the heap drops it when its time comes. */
  run: (() => void) | undefined;
}

function isBefore(a: SimEvent, b: SimEvent): boolean {
  return a.timeUs < b.timeUs || (a.timeUs === b.timeUs && a.sequence < b.sequence);
}

/** The virtual time, and the only thing that moves it. */
export class EventQueue {
  /** The time of the event that runs now, or ran last. */
  nowUs = 0;
  #sequence = 0;
  readonly #heap: SimEvent[] = [];

  /** Runs `run` after all that is already due at that time. */
  schedule(delayUs: number, run: () => void): SimEvent {
    invariant(Number.isSafeInteger(delayUs) && delayUs >= 0, 'a delay is a whole number of µs');
    const event: SimEvent = { timeUs: this.nowUs + delayUs, sequence: (this.#sequence += 1), run };
    this.#heap.push(event);
    this.#rise(this.#heap.length - 1);
    return event;
  }

  /** The time of the next event, or undefined when nothing will happen any more. */
  get nextTimeUs(): number | undefined {
    this.#dropCancelled();
    return this.#heap.length === 0 ? undefined : this.#heap[0].timeUs;
  }

  /** Runs the next event; false when there was none. */
  runNext(): boolean {
    this.#dropCancelled();
    if (this.#heap.length === 0) return false;
    const event = this.#take();
    this.nowUs = event.timeUs;
    const run = event.run;
    event.run = undefined;
    run?.();
    return true;
  }

  /** Runs all that happens up to and at `untilUs`, and leaves the clock there. */
  runUntil(untilUs: number): void {
    for (;;) {
      const next = this.nextTimeUs;
      if (next === undefined || next > untilUs) break;
      this.runNext();
    }
    this.nowUs = Math.max(this.nowUs, untilUs);
  }

  #dropCancelled(): void {
    while (this.#heap.length > 0 && this.#heap[0].run === undefined) this.#take();
  }

  #take(): SimEvent {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last;
      this.#sink();
    }
    return first;
  }

  #rise(from: number): void {
    const heap = this.#heap;
    const event = heap[from];
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = event;
  }

  #sink(): void {
    const heap = this.#heap;
    const event = heap[0];
    const length = heap.length;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], event)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = event;
  }
}
