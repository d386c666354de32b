/**
 * Zipf-distributed ranks by rejection-inversion: W. Hörmann and G. Derflinger, "Rejection-inversion
 * to generate variates from monotone discrete distributions", ACM TOMACS 6 (1996).
 *
 * Exact for every exponent above 0 (the usual shortcut from the YCSB benchmark ends at 1), in
 * constant time and memory: the area under the continuous hull x^-theta is inverted, and a rank is
 * refused where its bar does not reach the hull. At least 80 % of the draws are taken.
 */
import type { SeededRandom } from './random.ts';

export class Zipf {
  readonly #count: number;
  readonly #theta: number;
  readonly #areaFirst: number;
  readonly #areaLast: number;
  readonly #squeeze: number;

  /** Rank r in [0, count) has a probability proportional to (r + 1) ** -theta; theta > 0. */
  constructor(count: number, theta: number) {
    this.#count = count;
    this.#theta = theta;
    this.#areaFirst = this.#area(1.5) - 1;
    this.#areaLast = this.#area(count + 0.5);
    this.#squeeze = 2 - this.#areaInverse(this.#area(2.5) - 2 ** -theta);
  }

  draw(random: SeededRandom): number {
    for (;;) {
      const area = this.#areaLast + random.fraction() * (this.#areaFirst - this.#areaLast);
      const place = this.#areaInverse(area);
      const rank = Math.min(Math.max(Math.floor(place + 0.5), 1), this.#count);
      if (rank - place <= this.#squeeze) return rank - 1;
      if (area >= this.#area(rank + 0.5) - rank ** -this.#theta) return rank - 1;
    }
  }

  /** The integral of x^-theta from 1, in a form that also holds for theta = 1. */
  #area(x: number): number {
    const logarithm = Math.log(x);
    const exponent = (1 - this.#theta) * logarithm;
    return Math.abs(exponent) < 1e-12 ? logarithm : (Math.expm1(exponent) / exponent) * logarithm;
  }

  #areaInverse(area: number): number {
    const scaled = Math.max(area * (1 - this.#theta), -1);
    return Math.exp(Math.abs(scaled) < 1e-12 ? area : (Math.log1p(scaled) / scaled) * area);
  }
}
