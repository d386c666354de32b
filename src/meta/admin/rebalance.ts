/** Plans to spread the shards evenly, and to move what is asked to move. */
import {
  asEpoch,
  isMoveOver,
  mapAfter,
  METADATA_KEYS,
  moveSchema,
  planMoves,
  shardSchema,
  type PlannedMove,
  type ShardId,
  type ShardLoad,
  type ShardMap,
} from '../../cluster/index.ts';
import { conflict, type Reading, type ReadHandlers, type WriteHandlers } from './handlers.ts';
import { beginMoves, epochOf, oldPrimaryOf } from './moves.ts';
import { readSurroundings, reportOf, type Surroundings } from './shard-views.ts';

/** A switch holds back writes while the target takes what is still under way. */
const SWITCH_PAUSE_MS = 10;

export const rebalanceReads = {
  'rebalance.plan': (context) => {
    const surroundings = readSurroundings(context);
    const { map, moves } = planOf(context, surroundings);
    const nameOf = (id: PlannedMove['from']) =>
      id === null ? null : (surroundings.nodes.get(id)?.name ?? id);
    const loads = loadsOf(context, map);
    return {
      plan: map.epoch,
      moves: moves.map((move) => {
        const oldPrimary = oldPrimaryOf(move, map.shards[move.shard]);
        return {
          ...move,
          fromName: nameOf(move.from),
          toName: nameOf(move.to),
          oldPrimary,
          oldPrimaryName: nameOf(oldPrimary),
          bytes: copies(map, move) ? (loads.get(move.shard)?.bytes ?? 0) : 0,
          expectedPauseMs: changesPrimary(map, move) ? SWITCH_PAUSE_MS : 0,
        };
      }),
    };
  },
} satisfies Partial<ReadHandlers>;

export const rebalanceWrites = {
  'rebalance.apply': (context, { plan, throttleBytes }) => {
    const { map, moves } = planOf(context, readSurroundings(context));
    if (map.epoch !== plan) {
      const words = `the plan is of epoch ${plan}, and the shard map is of epoch ${map.epoch} by now`;
      throw conflict(words, 'Look at it anew: cachectl rebalance --dry-run');
    }
    return beginMoves(context, {
      operation: 'rebalance.apply',
      subject: `plan ${plan}`,
      moves,
      plan: asEpoch(plan),
      throttleBytes,
    });
  },
} satisfies Partial<WriteHandlers>;

function planOf(
  context: Reading,
  { nodes, replicas }: Surroundings,
): { readonly map: ShardMap; readonly moves: readonly PlannedMove[] } {
  const { draft } = context;
  const shards = draft.readAll(METADATA_KEYS.shards, shardSchema).map(({ value }) => value);
  const map = { epoch: epochOf(draft), shards };
  if (shards.length === 0) return { map, moves: [] };
  const underWay = draft
    .readAll(METADATA_KEYS.moves, moveSchema)
    .map(({ value }) => value)
    .filter((move) => !isMoveOver(move));
  const { moves } = planMoves({
    map: underWay.length === 0 ? map : mapAfter(map, underWay),
    nodes: nodes.values(),
    replicas,
    scope: 'rebalance',
    loads: loadsOf(context, map),
  });
  return { map, moves };
}

function loadsOf(context: Reading, { shards }: ShardMap): ReadonlyMap<ShardId, ShardLoad> {
  const loads = new Map<ShardId, ShardLoad>();
  for (const { id, primary } of shards) {
    const report = primary === null ? undefined : reportOf(context, primary, id);
    if (report === undefined) continue;
    loads.set(id, { bytes: report.bytes, opsPerSecond: report.opsPerSecond });
  }
  return loads;
}

const copies = ({ shards }: ShardMap, { shard, to }: PlannedMove) =>
  to !== null && shards[shard].primary !== to && !shards[shard].replicas.includes(to);

const changesPrimary = ({ shards }: ShardMap, { shard, from, toPrimary }: PlannedMove) =>
  toPrimary || (from !== null && shards[shard].primary === from);
