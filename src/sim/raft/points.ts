/** The situations that a campaign of the Raft world must have been in. */
export const RAFT_POINTS = [
  'raft: a second leader is elected',
  'raft: a candidate is not elected',
  'raft: a leader stands down',
  'raft: entries are cut away',
  'raft: a snapshot is installed',
  'raft: a snapshot is sent',
  'raft: a joint configuration is entered',
  'raft: a joint configuration is left',
  'raft: a learner has caught up',
  'raft: a leader is removed',
  'raft: a transfer succeeds',
  'raft: a command is proposed twice',
  'raft: a peer stops because of its disk',
  'raft: a disk has lost entries',
  'network: a bit flipped',
  'network: bytes arrived twice',
] as const;
