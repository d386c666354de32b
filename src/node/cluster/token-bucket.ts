/**
 * How much may pass a second. Pure, and exact: over any stretch of time no more passes than the
 * rate times that stretch plus what the bucket holds.
 */

/** What a bucket holds beside one: so much of a second's worth. So a second admits 105 % at most. */
const BURST_SECONDS = 0.05;

export class TokenBucket {
  #ratePerSecond: number;
  #capacity: number;
  #tokens: number;
  #filledAtUs: number;

  constructor(ratePerSecond: number, nowUs: number) {
    this.#ratePerSecond = ratePerSecond;
    this.#capacity = capacityFor(ratePerSecond);
    this.#tokens = this.#capacity;
    this.#filledAtUs = nowUs;
  }

  get ratePerSecond(): number {
    return this.#ratePerSecond;
  }

  /** What has gathered by now stays, as far as the new rate lets it. */
  setRate(ratePerSecond: number, nowUs: number): void {
    if (ratePerSecond === this.#ratePerSecond) return;
    this.#fill(nowUs);
    this.#ratePerSecond = ratePerSecond;
    this.#capacity = capacityFor(ratePerSecond);
    this.#tokens = Math.min(this.#tokens, this.#capacity);
  }

  /** Takes one, where there is one. */
  take(nowUs: number): boolean {
    if (nowUs !== this.#filledAtUs) this.#fill(nowUs);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Takes `count` that have passed already: the bucket may come to owe. */
  charge(count: number, nowUs: number): void {
    if (nowUs !== this.#filledAtUs) this.#fill(nowUs);
    this.#tokens -= count;
  }

  /** Whether nothing may pass until what is owed has been made up for. */
  isInDebt(nowUs: number): boolean {
    if (nowUs !== this.#filledAtUs) this.#fill(nowUs);
    return this.#tokens < 0;
  }

  /** How long until `take` may succeed, rounded up; at least 1. */
  waitMs(): number {
    if (this.#ratePerSecond === 0) return 1000;
    return Math.max(1, Math.ceil(((1 - this.#tokens) * 1000) / this.#ratePerSecond));
  }

  #fill(nowUs: number): void {
    const gathered = ((nowUs - this.#filledAtUs) * this.#ratePerSecond) / 1e6;
    this.#tokens = Math.min(this.#capacity, this.#tokens + gathered);
    this.#filledAtUs = nowUs;
  }
}

function capacityFor(ratePerSecond: number): number {
  return 1 + ratePerSecond * BURST_SECONDS;
}
