/** When a stream was how long: tells since when something has waited, to about 10 ms. */

const SPACING_US = 10_000;
const MARKS_MAX = 4096;

export class TimeMarks {
  #marks: Array<{ readonly offset: number; readonly atUs: number }> = [];
  /** Of the last one. */
  #lastUs = -Infinity;

  /** The stream has grown beyond `offset` at this time. */
  note(offset: number, atUs: number): void {
    if (atUs - this.#lastUs < SPACING_US) return;
    this.#lastUs = atUs;
    this.#marks.push({ offset, atUs });
    // Of what is older than all that is kept it is only known that it is at least as old.
    if (this.#marks.length > MARKS_MAX) this.#marks.splice(1, MARKS_MAX / 2);
  }

  /** All before `offset` has arrived. */
  passed(offset: number): void {
    let count = 0;
    while (count + 1 < this.#marks.length && this.#marks[count + 1].offset <= offset) count++;
    if (count > 0) this.#marks.splice(0, count);
  }

  /** For how long what comes after `offset` has been waiting; 0 where nothing does. */
  waitingUs(offset: number, end: number, nowUs: number): number {
    if (offset >= end) return 0;
    let atUs = nowUs;
    for (let i = this.#marks.length - 1; i >= 0; i--) {
      atUs = this.#marks[i].atUs;
      if (this.#marks[i].offset <= offset) break;
    }
    return Math.max(0, nowUs - atUs);
  }
}
