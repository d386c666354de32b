/** Writes down which nodes are dead: all that are found so at once, in one commit. */
import { METADATA_KEYS, type NodeRecord } from '../../../cluster/index.ts';
import {
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
  NO_STEP,
} from '../loop.ts';
import { put } from '../map-commit.ts';

export class DeathLoop implements ControllerLoop {
  readonly name = 'deaths';

  step({ state, lives }: LoopView, { wallMs }: LoopTime): LoopStep {
    const dead = [...state.nodes.values()].filter(
      ({ id, state: nodeState }) => nodeState !== 'down' && !lives.isAlive(id),
    );
    if (dead.length === 0) return NO_STEP;
    return {
      commit: {
        compares: dead.map(({ id }) => state.unchanged(METADATA_KEYS.node(id))),
        changes: dead.map((record) => {
          const down: NodeRecord = { ...record, state: 'down', downSinceMs: wallMs };
          return put(METADATA_KEYS.node(record.id), down);
        }),
        events: dead.map(({ id, name }) => {
          const heardAgoMs = lives.heardAgoMs(id);
          const heard =
            heardAgoMs === undefined
              ? 'this leader has heard nothing of it'
              : `last heard ${heardAgoMs} ms ago`;
          return { operation: 'node.down', subject: `node ${name}`, words: heard };
        }),
      },
    };
  }
}
