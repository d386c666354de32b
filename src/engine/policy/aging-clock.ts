/**
 * One stamp of 17 bits that says both how long ago a record was accessed and how many times all
 * frequencies have been halved since.
 *
 * The clock moves on by one for each second and for each halving. The moments of the latest
 * halvings are kept, so the two can be told apart again. Stamps wrap after 36 hours' worth: a
 * record idle for longer seems to have been used more lately than it was.
 */
const STAMP_MASK = 0x1_ffff;
const HALVINGS_KEPT = 64;

export class AgingClock {
  nowSeconds = 0;
  #halvings = 0;
  /** By number of the halving, modulo their length: the clock just after it. */
  readonly #moments = new Float64Array(HALVINGS_KEPT);

  readonly bytes = HALVINGS_KEPT * 8;

  /** The stamp of an access now. */
  get stamp(): number {
    return (this.nowSeconds + this.#halvings) & STAMP_MASK;
  }

  halve(): void {
    this.#halvings++;
    this.#moments[this.#halvings % HALVINGS_KEPT] = this.nowSeconds + this.#halvings;
  }

  /** How many halvings came after the stamp, as far as `max`. */
  halvingsSince(stamp: number, max: number): number {
    const age = this.#ageOf(stamp);
    const known = Math.min(max, this.#halvings, HALVINGS_KEPT);
    let count = 0;
    while (count < known && age > this.#ageOfHalving(count)) count++;
    return count;
  }

  /** Exact up to 64 halvings ago. Beyond, halvings are taken to have come at the latest rate. */
  secondsSince(stamp: number): number {
    const age = this.#ageOf(stamp);
    const count = this.halvingsSince(stamp, HALVINGS_KEPT);
    if (count < HALVINGS_KEPT) return age - count;
    const span = this.#ageOfHalving(HALVINGS_KEPT - 1) + 1;
    return Math.floor(age * (1 - HALVINGS_KEPT / span));
  }

  #ageOf(stamp: number): number {
    return (this.nowSeconds + this.#halvings - stamp) & STAMP_MASK;
  }

  /** @param back 0 for the latest halving */
  #ageOfHalving(back: number): number {
    const moment = this.#moments[(this.#halvings - back) % HALVINGS_KEPT];
    return this.nowSeconds + this.#halvings - moment;
  }
}
