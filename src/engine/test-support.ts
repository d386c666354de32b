/** What several of the engine's tests need. */
import type { Random } from '../runtime/index.ts';

/** A fixed sequence of numbers: the engine's only source of chance. */
export function sequence(seed: number): Random {
  let state = seed | 0;
  const uint32 = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state ^ (state >>> 15)) >>> 0;
  };
  return { uint32, bytes: (length) => Uint8Array.from({ length }, () => uint32() & 255) };
}
