/** What configurations allow: checked by trying all sets of peers, since there are few. */
import type { Configuration, PeerId } from '../../raft/index.ts';

/** Whether `has` holds for a majority of each set of voters. */
export function decides(configuration: Configuration, has: (peer: PeerId) => boolean): boolean {
  return [configuration.voters, configuration.votersOutgoing].every(
    (voters) => voters.length === 0 || voters.filter(has).length * 2 > voters.length,
  );
}

/** Whether every set that decides in `a` has a peer in common with every one that does in `b`. */
export function quorumsIntersect(a: Configuration, b: Configuration): boolean {
  const peers = [...new Set([...votersOf(a), ...votersOf(b)])];
  // Two sets without a common peer: the most that the second can be is all that the first is not.
  for (let set = 0; set < 2 ** peers.length; set += 1) {
    const isIn = (peer: PeerId): boolean => (set & (1 << peers.indexOf(peer))) !== 0;
    if (decides(a, isIn) && decides(b, (peer) => !isIn(peer))) return false;
  }
  return true;
}

function votersOf({ voters, votersOutgoing }: Configuration): PeerId[] {
  return [...voters, ...votersOutgoing];
}
