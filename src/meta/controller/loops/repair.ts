/**
 * Begins the moves that must be: copies that are missing after a death, or because more are wanted;
 * those of nodes that are drained; copies that are too many. A shard that is being moved is left
 * until it is done.
 *
 * A node that died is waited for, since it may come back with its memory; while the shards of a
 * failover have one copy less. So nothing is copied because a process was started anew.
 */
import {
  asEpoch,
  isMoveOver,
  mapAfter,
  METADATA_KEYS,
  planMoves,
  replicaSet,
  takesShards,
  type Move,
} from '../../../cluster/index.ts';
import type { ClusterState } from '../cluster-state.ts';
import { Downtimes } from '../downtimes.ts';
import {
  NO_STEP,
  type ControllerLoop,
  type LoopStep,
  type LoopTime,
  type LoopView,
} from '../loop.ts';
import { put } from '../map-commit.ts';

const PATIENCE_US = 10_000_000;
/** In one commit; the rest follows when these are under way. */
const MOVES_MAX = 256;
/** After a plan, so that moves which cannot be are not tried in a circle without rest. */
const PAUSE_US = 1_000_000;

export class RepairLoop implements ControllerLoop {
  readonly name = 'repair';
  readonly #downtimes = new Downtimes();
  #seenRevision = -1;
  #notBeforeUs = 0;

  step({ state }: LoopView, { nowUs, wallMs }: LoopTime): LoopStep {
    this.#downtimes.look(state, nowUs);
    const { settings, map, revision } = state;
    if (settings === undefined || map.shards.length === 0) return NO_STEP;
    if (revision === this.#seenRevision) return NO_STEP;
    const waitUntilUs = Math.max(this.#notBeforeUs, this.#patienceUntilUs(state));
    if (nowUs < waitUntilUs) return { wakeAtUs: waitUntilUs };
    if (isWhole(state, settings.replicas + 1)) return this.#rest(revision);

    const active = [...state.moves.values()].filter((move) => !isMoveOver(move));
    const busy = new Set(active.map(({ shard }) => shard));
    const { moves } = planMoves({
      map: mapAfter(map, active),
      nodes: state.nodes.values(),
      replicas: settings.replicas,
      scope: 'repair',
    });
    const begun = moves.filter(({ shard }) => !busy.has(shard)).slice(0, MOVES_MAX);
    if (begun.length === 0) return this.#rest(revision);
    this.#notBeforeUs = nowUs + PAUSE_US;
    const { counters } = state;
    const records = begun.map((planned, index): Move => {
      const times = { createdAtMs: wallMs, updatedAtMs: wallMs };
      const plan = asEpoch(0);
      return {
        ...{ id: counters.move + index, ...planned, phase: 'pending', isPaused: false, plan },
        ...times,
      };
    });
    const reasons = [...new Set(begun.map(({ reason }) => reason))].join(', ');
    return {
      commit: {
        compares: [state.unchanged(METADATA_KEYS.epoch)],
        changes: records.map((move) => put(METADATA_KEYS.move(move.id), move)),
        movesBegun: records.length,
        events: [{ operation: 'move.begin', subject: `${records.length} shards`, words: reasons }],
      },
    };
  }

  /** Until something changes. */
  #rest(revision: number): LoopStep {
    this.#seenRevision = revision;
    return NO_STEP;
  }

  /** Until the last node that died has been given its time. */
  #patienceUntilUs({ nodes }: ClusterState): number {
    let untilUs = 0;
    for (const id of nodes.keys()) {
      const sinceUs = this.#downtimes.sinceUs(id);
      if (sinceUs !== undefined) untilUs = Math.max(untilUs, sinceUs + PATIENCE_US);
    }
    return untilUs;
  }
}

/** Whether every shard has as many copies as it can, on nodes that may have them. */
function isWhole({ map, nodes }: ClusterState, copiesWanted: number): boolean {
  const takers = new Set([...nodes.values()].filter(takesShards).map(({ id }) => id));
  const copies = Math.min(copiesWanted, takers.size);
  return map.shards.every((shard) => {
    const members = replicaSet(shard);
    return members.length === copies && members.every((node) => takers.has(node));
  });
}
