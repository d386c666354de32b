import { randomBytes, randomFillSync } from 'node:crypto';
import type { Random } from '../ports.ts';

/** Drawn ahead, since one call into the system's generator costs as much as a thousand draws. */
const pool = new Uint32Array(256);
let drawn = pool.length;

export const random: Random = {
  uint32(): number {
    if (drawn === pool.length) {
      randomFillSync(pool);
      drawn = 0;
    }
    return pool[drawn++];
  },
  bytes: (length) => new Uint8Array(randomBytes(length)),
};
