/**
 * A move: one change of one shard's replica set, as a state machine whose every step is written
 * down before it is taken.
 *
 * `pending` → `copying` (the target is a learner and copies) → `switching` (only where the primary
 * changes: the old one holds back writes until the target has all) → `dropping` (the source counts
 * no more, and is taken out once the primary knows that) → `done`. From each phase but the last two
 * it can be aborted, and leaves the shard as it was.
 */
import { z } from 'zod';
import { epochSchema, nodeIdSchema, shardIdSchema } from './ids.ts';

const movePhaseSchema = z.enum(['pending', 'copying', 'switching', 'dropping', 'done', 'aborted']);

const moveReasonSchema = z.enum(['rebalance', 'drain', 'repair', 'switch']);

export const moveSchema = z.strictObject({
  id: z.int().min(1),
  shard: shardIdSchema,
  reason: moveReasonSchema,
  /** Leaves the shard; null: nobody does, the shard gains a copy. */
  from: nodeIdSchema.nullable(),
  /** Joins the shard; null: nobody does. For a `switch` it is in already, and becomes primary. */
  to: nodeIdSchema.nullable(),
  /** Whether `to` ends as the primary. */
  toPrimary: z.boolean(),
  /** Where `to` takes over and nobody leaves: who was primary when the move was begun. */
  oldPrimary: nodeIdSchema.optional(),
  phase: movePhaseSchema,
  isPaused: z.boolean(),
  /** Bytes a second; absent: the cluster's default. */
  throttleBytes: z.int().min(1).optional(),
  /** The plan it belongs to: the epoch that the plan was made at; 0: none. */
  plan: epochSchema,
  createdAtMs: z.int().min(0),
  updatedAtMs: z.int().min(0),
  /** Of the map in which the source is a learner: a primary that routes by it counts it no more. */
  leavesAt: epochSchema.optional(),
  /** Of the map in which the target is a learner: with an older one it speaks of an earlier copy. */
  joinsAt: epochSchema.optional(),
  /** Why it was aborted. */
  error: z.string().max(500).optional(),
});

export type MovePhase = z.infer<typeof movePhaseSchema>;
export type MoveReason = z.infer<typeof moveReasonSchema>;
export type Move = Readonly<z.infer<typeof moveSchema>>;

export function isMoveOver({ phase }: Pick<Move, 'phase'>): boolean {
  return phase === 'done' || phase === 'aborted';
}

/** A step of a plan, before it is begun. */
export type PlannedMove = Pick<Move, 'shard' | 'reason' | 'from' | 'to' | 'toPrimary'>;
