/**
 * Which of its shards a primary holds back, while the leader moves them to another node. Pure.
 *
 * Ids are revisions of the metadata store: they order the decisions of all leaders, however late
 * one arrives. A freeze ends by a thaw that is younger, or by a map in which the shard has another
 * epoch. Never by itself: only the leader knows what was decided.
 */
import {
  roleOf,
  type NodeId,
  type Push,
  type ShardId,
  type ShardMap,
} from '../../cluster/index.ts';

interface ShardFreeze {
  lastFreezeId: number;
  lastThawId: number;
  /** Of the freeze in force; undefined: none is. */
  epoch: number | undefined;
}

export class Freezes {
  readonly #byShard = new Map<ShardId, ShardFreeze>();

  /** Whether the freeze is in force now; a repeated one is, and is to be answered again. */
  freeze({ id, shard, epoch }: Push<'freeze'>, map: ShardMap, self: NodeId): boolean {
    const known = this.#of(shard);
    if (id < known.lastFreezeId || id <= known.lastThawId) return false;
    const entry = map.shards.at(shard);
    if (entry?.epoch !== epoch || roleOf(entry, self) !== 'primary') return false;
    known.lastFreezeId = id;
    known.epoch = epoch;
    return true;
  }

  /**
   * Whether this has ended a freeze. An older freeze that arrives later is not obeyed. One that
   * speaks of another epoch does not: by then the shard has another primary, perhaps.
   */
  thaw({ id, shard, epoch }: Push<'thaw'>): boolean {
    const known = this.#of(shard);
    const ends = known.epoch === epoch && id > known.lastFreezeId;
    known.lastThawId = Math.max(known.lastThawId, id);
    if (ends) known.epoch = undefined;
    return ends;
  }

  /** @returns the shards whose freeze has ended by this map */
  mapChanged(map: ShardMap): ShardId[] {
    const ended: ShardId[] = [];
    for (const [shard, known] of this.#byShard) {
      if (known.epoch === undefined || map.shards.at(shard)?.epoch === known.epoch) continue;
      known.epoch = undefined;
      ended.push(shard);
    }
    return ended;
  }

  /** The id of the freeze in force. */
  frozenBy(shard: ShardId): number | undefined {
    const known = this.#byShard.get(shard);
    return known?.epoch === undefined ? undefined : known.lastFreezeId;
  }

  #of(shard: ShardId): ShardFreeze {
    let known = this.#byShard.get(shard);
    if (known === undefined) {
      known = { lastFreezeId: 0, lastThawId: 0, epoch: undefined };
      this.#byShard.set(shard, known);
    }
    return known;
  }
}
