/**
 * Raft in the simulator: the peers that run in production, over a virtual network and disks that
 * forget; clients with sessions; changes of the group; and every promise of Raft as an oracle that
 * looks at each step of each peer.
 *
 * Reading order: `oracles.ts` with `durable.ts` and `configurations.ts` (the promises),
 * `machine.ts` and `client.ts` (who uses the group), `scenario.ts` (what may happen), `world.ts`.
 */
export { raftWorld, raftWorldWith, type RaftMistakes } from './world.ts';
