import type { Domain } from './domain.ts';
import type { Engine } from './engine.ts';

const SAMPLES = 16;

/** The mean time to live, over a few records drawn at random; 0 where none of them has one. */
export function averageTtlMs(engine: Engine, domain: Domain): number {
  let total = 0;
  let count = 0;
  for (let draw = 0; draw < SAMPLES && domain.volatileItems > 0; draw++) {
    const ref = engine.randomRecord(domain);
    const deadline = ref === 0 ? 0 : engine.arena.deadline(ref);
    if (deadline === 0) continue;
    total += deadline - engine.nowMs;
    count++;
  }
  return count === 0 ? 0 : Math.round(total / count);
}
