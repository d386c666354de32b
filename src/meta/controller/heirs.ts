/**
 * Who may take the place of a shard's primary. Pure.
 *
 * A learner may where it is as good as a replica: one that leaves was a replica until a moment ago,
 * and may be counted still by a primary that does not know; one that has all might have joined just
 * now. Any other may hold a whole copy of long ago: better an empty shard than one in which deleted
 * values are back.
 */
import type { Epoch, NodeId, Shard } from '../../cluster/index.ts';
import type { ClusterState } from './cluster-state.ts';
import { reportOf } from './copy-reports.ts';
import type { LoopView } from './loop.ts';
import type { ControllerRules } from './rules.ts';

/** Living or not, a replica before a learner. */
export function heirsOf(
  shard: Shard,
  { state, lives }: Pick<LoopView, 'state' | 'lives'>,
  rules: Pick<ControllerRules, 'mayJoin'>,
): readonly NodeId[] {
  const { id, replicas, learners } = shard;
  if (learners.length === 0) return replicas;
  const leaving = leavingFrom(state, shard);
  const isHeir = (node: NodeId): boolean => {
    if (leaving.has(node)) return true;
    const report = reportOf(lives, node, id, joinedAt(state, shard, node));
    return report !== undefined && rules.mayJoin(report, shard);
  };
  return [...replicas, ...learners.filter(isHeir)];
}

/** Those of `nodes` that can be asked and promoted. */
export function livingOf(
  nodes: readonly NodeId[],
  { state, lives }: Pick<LoopView, 'state' | 'lives'>,
): NodeId[] {
  return nodes.filter((node) => !isDown(state, node) && lives.isAlive(node));
}

export const isDown = (state: ClusterState, node: NodeId): boolean =>
  (state.nodes.get(node)?.state ?? 'down') === 'down';

/** Undefined: by no move that is known of. */
function joinedAt({ moves }: ClusterState, { id }: Shard, node: NodeId): Epoch | undefined {
  let latest: Epoch | undefined;
  for (const { shard, to, joinsAt } of moves.values()) {
    if (shard !== id || to !== node || joinsAt === undefined) continue;
    if (latest === undefined || joinsAt > latest) latest = joinsAt;
  }
  return latest;
}

function leavingFrom({ moves }: ClusterState, { id }: Shard): ReadonlySet<NodeId> {
  const leaving = new Set<NodeId>();
  for (const { shard, phase, from, leavesAt } of moves.values()) {
    if (shard === id && phase === 'dropping' && from !== null && leavesAt !== undefined) {
      leaving.add(from);
    }
  }
  return leaving;
}
