import { timers } from '../../runtime/node/clock.ts';

/** Between two looks at something that changes by itself. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => timers.after(milliseconds, resolve));
}
