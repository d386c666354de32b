/**
 * xoshiro128** (Blackman and Vigna, 2018): a load must be the same for every server that it is
 * run against, so its draws come from a seed and not from the runtime's randomness.
 */
export class SeededRandom {
  readonly #state: Uint32Array;

  /** Seeds that differ in any bit give unrelated sequences. */
  constructor(seed: number, stream = 0) {
    this.#state = new Uint32Array(4);
    let mixed = (seed ^ Math.imul(stream + 1, 0x9e3779b9)) >>> 0;
    for (let word = 0; word < 4; word++) {
      mixed = (mixed + 0x9e3779b9) >>> 0;
      this.#state[word] = scramble(mixed);
    }
  }

  /** A whole number in [0, 2^32). */
  uint32(): number {
    const state = this.#state;
    const second = state[1];
    const product = Math.imul(second, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    state[2] ^= state[0];
    state[3] ^= second;
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= second << 9;
    state[3] = (state[3] << 11) | (state[3] >>> 21);
    return result >>> 0;
  }

  /** Uniform in [0, 1), with 53 bits. */
  fraction(): number {
    return ((this.uint32() >>> 5) * 0x400_0000 + (this.uint32() >>> 6)) / 0x20_0000_0000_0000;
  }

  /** A whole number in [0, limit), for a limit up to 2^53. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }
}

/** Spreads a change of any one bit over all 32 (the finalizer of MurmurHash3). */
export function scramble(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
