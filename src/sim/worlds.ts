/** The worlds that ship with cachectl, by name. */
import type { World } from './world.ts';

export const WORLDS: readonly World[] = [];
