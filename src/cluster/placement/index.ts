/**
 * Placement: which nodes hold which shards. Pure, and a function of its input alone.
 *
 * It guarantees: copies of a shard are on as many zones, and within them machines, as there are;
 * each node holds its share by weight, to one shard, of copies and of primaries, as far as the
 * spread allows; where loads are known, its share of bytes and operations instead; and no more
 * moves than that takes.
 *
 * Read `ideal.ts` (what each node should hold), `assignment.ts` (what keeps copies apart),
 * `rendezvous.ts`, `copies.ts` and `primaries.ts` (how a placement is come to), `counts.ts` and
 * `loads.ts` (how it is balanced), then `plan.ts`: the face, and how a plan follows.
 */
export type { PlacementNode } from './ideal.ts';
export type { ShardLoad } from './loads.ts';
export {
  mapAfter,
  placeShards,
  planMoves,
  replicaSetAfter,
  type PlacementRequest,
  type Plan,
} from './plan.ts';
