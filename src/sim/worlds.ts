/** The worlds that ship with cachectl, by name. */
import { clusterWorld } from './cluster/index.ts';
import { controlPlaneWorld } from './control-plane/index.ts';
import { raftWorld } from './raft/index.ts';
import type { World } from './world.ts';

export const WORLDS: readonly World[] = [raftWorld, controlPlaneWorld, clusterWorld];
