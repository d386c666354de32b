/** How long bytes are under way. Whole numbers only: the exponential comes from a table. */

export interface Latency {
  readonly shape: 'uniform' | 'exponential' | 'bimodal';
  readonly minUs: number;
  /** Above `minUs`: the width (uniform, bimodal) or the mean (exponential). */
  readonly spreadUs: number;
}

/** −1000 · ln(1 − i/64), rounded, for i of 0 to 63; the last stands for all beyond. */
const EXPONENTIAL_MILLI = [
  0, 16, 32, 48, 65, 81, 98, 116, 134, 152, 170, 189, 208, 227, 247, 267, 288, 309, 330, 352, 375,
  398, 421, 445, 470, 495, 521, 548, 575, 604, 633, 662, 693, 725, 758, 792, 827, 863, 901, 940,
  981, 1023, 1068, 1114, 1163, 1214, 1269, 1326, 1386, 1451, 1520, 1594, 1674, 1761, 1856, 1962,
  2079, 2213, 2367, 2549, 2773, 3060, 3466, 4159, 6000,
];

/** A bimodal link is this much slower, once in 1024 times. */
const SLOW_FACTOR = 40;

/** @param draw uniform in [0, 2^32) */
export function latencyUs({ shape, minUs, spreadUs }: Latency, draw: number): number {
  switch (shape) {
    case 'uniform':
      return minUs + (spreadUs === 0 ? 0 : draw % (spreadUs + 1));
    case 'exponential': {
      const at = draw >>> 26;
      const between = (draw >>> 16) & 1023;
      const from = EXPONENTIAL_MILLI[at];
      const milli = from + (((EXPONENTIAL_MILLI[at + 1] - from) * between) >> 10);
      return minUs + Math.floor((spreadUs * milli) / 1000);
    }
    case 'bimodal': {
      const us = minUs + (spreadUs === 0 ? 0 : (draw >>> 10) % (spreadUs + 1));
      return (draw & 1023) === 0 ? us * SLOW_FACTOR : us;
    }
  }
}
