/**
 * Takes dead nodes out of replica sets, once they have been dead for a while: one that comes back
 * sooner goes on where it was, and saves a full copy.
 */
import { isMoveOver, type NodeId, type ShardChange } from '../../../cluster/index.ts';
import {
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
  NO_STEP,
} from '../loop.ts';
import { mapCommit } from '../map-commit.ts';

const PATIENCE_US = 10_000_000;

export class AbsenceLoop implements ControllerLoop {
  readonly name = 'absences';
  /** By this leader's clock. */
  readonly #downSinceUs = new Map<NodeId, number>();

  step({ state }: LoopView, { nowUs }: LoopTime): LoopStep {
    const gone = new Set<NodeId>();
    let wakeAtUs: number | undefined;
    for (const { id, state: nodeState } of state.nodes.values()) {
      if (nodeState !== 'down') {
        this.#downSinceUs.delete(id);
        continue;
      }
      const sinceUs = this.#downSinceUs.get(id) ?? nowUs;
      this.#downSinceUs.set(id, sinceUs);
      if (nowUs >= sinceUs + PATIENCE_US) gone.add(id);
      else wakeAtUs = Math.min(wakeAtUs ?? Infinity, sinceUs + PATIENCE_US);
    }
    if (gone.size === 0) return wakeAtUs === undefined ? NO_STEP : { wakeAtUs };
    // What a move has put there, the move takes out.
    const moving = new Set<number>();
    for (const move of state.moves.values()) if (!isMoveOver(move)) moving.add(move.shard);
    const changes = state.map.shards.flatMap((shard): ShardChange[] => {
      const isLeft = (node: NodeId): boolean => !gone.has(node);
      const replicas = shard.replicas.filter(isLeft);
      const learners = shard.learners.filter(isLeft);
      const isSame =
        replicas.length === shard.replicas.length && learners.length === shard.learners.length;
      return isSame || moving.has(shard.id) ? [] : [{ id: shard.id, replicas, learners }];
    });
    if (changes.length === 0) return { wakeAtUs };
    const { compares, changes: written } = mapCommit(state, changes);
    const names = [...gone].map((id) => state.nodes.get(id)?.name ?? id).join(', ');
    const words = `dead for ${PATIENCE_US / 1_000_000} s: ${names}`.slice(0, 1000);
    const subject = `${changes.length} shards`;
    const events = [{ operation: 'shard.drop-replicas', subject, words }];
    return { commit: { compares, changes: written, events }, wakeAtUs };
  }
}
