/** How a decision about shards is written down: the shards that change, and the next epoch. */
import {
  changeShards,
  METADATA_KEYS,
  type ShardChange,
  type ShardId,
  type ShardMap,
} from '../../cluster/index.ts';
import type { Change, Compare } from '../store/index.ts';
import type { ClusterState } from './cluster-state.ts';

export interface MapCommit {
  readonly map: ShardMap;
  readonly compares: readonly Compare[];
  readonly changes: readonly Change[];
}

export const put = (key: string, record: unknown): Change => ({
  kind: 'put',
  key,
  value: JSON.stringify(record),
});

/**
 * The map of `state` with these changes, one epoch later, and what to commit for it. Each commit to
 * the map changes `cluster/epoch`, so the compare on it covers all shards.
 *
 * @param renewed shards that begin a new epoch although their primary stays: its memory is new
 */
export function mapCommit(
  state: ClusterState,
  changes: readonly ShardChange[],
  renewed: ReadonlySet<ShardId> = new Set(),
): MapCommit {
  const changed = changeShards(state.map, changes);
  const { epoch } = changed;
  const shards = changed.shards.map((shard) =>
    renewed.has(shard.id) ? { ...shard, epoch } : shard,
  );
  const map = { epoch, shards };
  const before = state.map.shards;
  const written = map.shards.filter((shard, index) => shard !== before[index]);
  return {
    map,
    compares: [state.unchanged(METADATA_KEYS.epoch)],
    changes: [
      put(METADATA_KEYS.epoch, epoch),
      ...written.map((shard) => put(METADATA_KEYS.shard(shard.id), shard)),
    ],
  };
}
