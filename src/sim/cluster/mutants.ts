/**
 * Mistakes that systems of this kind have made, each as the rule that it got wrong: everything else
 * is the real program. The oracles must notice each of them.
 */
import { asEpoch } from '../../cluster/index.ts';
import type { HeldShard } from '../../node/replication/index.ts';
import type { ClusterMistakes } from './parts.ts';

export interface ClusterMutant {
  readonly name: string;
  /** What the mistake is. */
  readonly mistake: string;
  /** Who made it, or what it is known by. */
  readonly seenIn: string;
  readonly mistakes: ClusterMistakes;
}

export const CLUSTER_MUTANTS: readonly ClusterMutant[] = [
  {
    name: 'no-fencing',
    mistake: 'a primary does not look whether its lease has run out',
    seenIn: 'Redis Cluster and Sentinel: writes to the old master of a partition',
    mistakes: { leaseRules: { isHeld: (untilUs: number) => untilUs > 0 } },
  },
  {
    name: 'lease-from-receipt',
    mistake: 'a lease counts from when its answer came, not from when it was asked for',
    seenIn: 'leases over a slow network, since Gray and Cheriton (1989)',
    mistakes: { leaseRules: { countsFromUs: ({ receivedAtUs }) => receivedAtUs } },
  },
  {
    name: 'takes-any-epoch',
    mistake: 'a follower takes frames of a primary that was replaced',
    seenIn: 'replication without fencing tokens',
    mistakes: { replicationRules: { takesEpoch: () => true } },
  },
  {
    name: 'learner-joins-early',
    mistake: 'a learner becomes a replica, and may be promoted, before its copy is whole',
    seenIn: 'Redis: a replica promoted in the middle of its full sync',
    mistakes: { rules: { mayJoin: () => true, isWhole: () => true, hasAll: () => true } },
  },
  {
    name: 'promotes-whoever-answers',
    mistake: 'the first replica that answers is promoted, not the one that is furthest',
    seenIn: 'failover by rank or by chance; Redis with replicas that look alike',
    mistakes: { rules: { isBetter: () => false, reportsNeeded: () => 1 } },
  },
  {
    name: 'resumes-anywhere',
    mistake: 'a follower goes on in a stream that parted from what it has',
    seenIn: 'redis#2694: partial resynchronization after a failover',
    mistakes: {
      replicationRules: {
        mayResume: ({ backlog }: HeldShard, epoch: number, offset: number) =>
          epoch > asEpoch(0) && backlog.holds(offset),
      },
    },
  },
  {
    name: 'copy-without-deletions',
    mistake: 'what is deleted while a copy is made stays in the copy',
    seenIn: 'copies by scanning',
    mistakes: {
      replicationRules: {
        streamsRemoval: ({ followers }: HeldShard) =>
          [...followers.values()].every(({ isCaughtUp }) => isCaughtUp),
      },
    },
  },
  {
    name: 'serves-while-frozen',
    mistake: 'the old primary goes on while its shard is handed over',
    seenIn: 'manual failovers that do not stop writes',
    mistakes: { routingRules: { holdsBack: () => false } },
  },
];
