/** The worlds that ship with cachectl, by name. */
import { raftWorld } from './raft/index.ts';
import type { World } from './world.ts';

export const WORLDS: readonly World[] = [raftWorld];
