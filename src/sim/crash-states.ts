/** All states that a power failure may leave, one after another, or one drawn. */
import type { Choose } from './disk-files.ts';
import type { Draws } from './keyed-random.ts';

/**
 * Every outcome of a procedure that makes choices, each once, until `limit`.
 *
 * The first has taken option 0 everywhere. Choices may depend on earlier ones: the walk follows
 * the procedure, it knows nothing of it.
 */
export function* everyChoice<T>(make: (choose: Choose) => T, limit = Infinity): Generator<T> {
  const path: Array<{ taken: number; options: number }> = [];
  for (let made = 0; made < limit; made += 1) {
    let depth = 0;
    const outcome = make((options) => {
      if (depth === path.length) path.push({ taken: 0, options });
      return path[depth++].taken;
    });
    yield outcome;
    while (path.length > 0 && path[path.length - 1].taken + 1 === path[path.length - 1].options) {
      path.pop();
    }
    if (path.length === 0) return;
    path[path.length - 1].taken += 1;
  }
}

/** How a power failure treats what was not synced. */
export type CrashMode = 'keep' | 'drop' | 'mix';

/** `keep` all, `drop` all, or `mix`: each piece on its own, so torn and out of order as well. */
export function chooseBy(mode: CrashMode, draws: Draws): Choose {
  switch (mode) {
    case 'keep':
      return (options) => options - 1;
    case 'drop':
      return () => 0;
    case 'mix':
      return (options) => draws.below(options);
  }
}
