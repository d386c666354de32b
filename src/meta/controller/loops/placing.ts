/** Makes the first shard map, once the nodes that are to begin with are there. */
import { asEpoch, METADATA_KEYS, placeShards, takesShards } from '../../../cluster/index.ts';
import {
  NO_STEP,
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
} from '../loop.ts';
import { put } from '../map-commit.ts';

/** Since the first node that was seen: then the map is made of those that there are. */
const WAIT_US = 2_000_000;

export class PlacingLoop implements ControllerLoop {
  readonly name = 'placing';
  readonly #initialNodes: number;
  #firstSeenUs: number | undefined;

  constructor(initialNodes: number) {
    this.#initialNodes = initialNodes;
  }

  step({ state, lives }: LoopView, { nowUs }: LoopTime): LoopStep {
    const { settings, map } = state;
    if (settings === undefined || map.shards.length > 0) return NO_STEP;
    const nodes = [...state.nodes.values()].filter(
      (record) => takesShards(record) && lives.isAlive(record.id),
    );
    if (nodes.length === 0) return NO_STEP;
    this.#firstSeenUs ??= nowUs;
    const wakeAtUs = this.#firstSeenUs + WAIT_US;
    if (nodes.length < this.#initialNodes && nowUs < wakeAtUs) return { wakeAtUs };
    const epoch = asEpoch(map.epoch + 1);
    const { shardCount, replicas } = settings;
    const placed = placeShards({ shardCount, replicas, nodes, epoch });
    return {
      commit: {
        compares: [
          state.unchanged(METADATA_KEYS.epoch),
          ...nodes.map(({ id }) => state.unchanged(METADATA_KEYS.node(id))),
        ],
        changes: [
          put(METADATA_KEYS.epoch, epoch),
          ...placed.shards.map((shard) => put(METADATA_KEYS.shard(shard.id), shard)),
        ],
        events: [
          {
            operation: 'cluster.place',
            subject: `${shardCount} shards`,
            words: `over ${nodes.map(({ name }) => name).join(', ')}`.slice(0, 1000),
          },
        ],
      },
    };
  }
}
