/** Shards, and the moves that change where they are. The controller carries moves out. */
import {
  asEpoch,
  isMoveOver,
  METADATA_KEYS,
  moveSchema,
  shardSchema,
  type Epoch,
  type Move,
  type NodeId,
  type PlannedMove,
  type Shard,
  type ShardId,
} from '../../cluster/index.ts';
import type { Draft, Stored } from './draft.ts';
import {
  conflict,
  notFound,
  recordEvent,
  takeNumber,
  type Answer,
  type Reading,
  type ReadHandlers,
  type WriteHandlers,
  type Writing,
} from './handlers.ts';
import { readNode } from './nodes.ts';
import { moveView, readSurroundings, reportOf, shardView } from './shard-views.ts';

export const moveReads = {
  'shard.list': (context) => {
    const { draft, revision } = context;
    const surroundings = readSurroundings(context);
    const shards = draft.readAll(METADATA_KEYS.shards, shardSchema);
    return {
      epoch: epochOf(draft),
      shards: shards.map((shard) => shardView(context, shard, surroundings)),
      revision,
    };
  },
  'shard.show': (context, { shard: id }) => {
    const surroundings = readSurroundings(context);
    const shard = readShard(context.draft, id);
    const moves = context.draft
      .readAll(METADATA_KEYS.moves, moveSchema)
      .filter(({ value }) => value.shard === id && !isMoveOver(value));
    return {
      shard: shardView(context, shard, surroundings),
      moves: moves.map((move) => moveView(context, move, surroundings.nodes)),
    };
  },
  'move.list': (context, { all }) => {
    const { nodes } = readSurroundings(context);
    const moves = context.draft.readAll(METADATA_KEYS.moves, moveSchema);
    const shown = moves.filter(({ value }) => all || !isMoveOver(value));
    const views = shown.map((move) => moveView(context, move, nodes));
    return { moves: views, revision: context.revision };
  },
} satisfies Partial<ReadHandlers>;

export const moveWrites = {
  'shard.failover': (context, { shard: id, to }) => {
    const { value: shard } = readShard(context.draft, id);
    if (shard.primary === null) {
      const hint = `See: cachectl shard show ${id}`;
      throw conflict(`shard ${id} has no primary to take over from`, hint);
    }
    const node = to === undefined ? undefined : readNode(context.draft, to).value;
    const target = node?.id ?? bestReplica(context, shard);
    if (target === shard.primary) {
      throw conflict(`node '${node?.name ?? target}' is the primary of shard ${id} already`);
    }
    if (!shard.replicas.includes(target)) {
      const hint = `See which nodes hold it: cachectl shard show ${id}`;
      throw conflict(`node '${node?.name ?? target}' has no replica of shard ${id}`, hint);
    }
    return beginMoves(context, {
      operation: 'shard.failover',
      subject: `shard ${id}`,
      moves: [{ shard: id, reason: 'switch', from: null, to: target, toPrimary: true }],
    });
  },
  'move.pause': (context, { move }) => setPaused(context, 'move.pause', move, true),
  'move.resume': (context, { move }) => setPaused(context, 'move.resume', move, false),
  /** The controller takes the learner out, and lets a shard go that it has frozen. */
  'move.abort': (context, { move: id }) => {
    const { draft, who } = context;
    const { value: move } = readActive(draft, id);
    if (move.phase === 'dropping') {
      const words = `move ${id} has done what it was for, and only tidies up`;
      throw conflict(words, 'Let it end, and move the shard back.');
    }
    const error = `aborted by ${who}`.slice(0, 500);
    return changeMove(context, 'move.abort', { ...move, phase: 'aborted', error });
  },
} satisfies Partial<WriteHandlers>;

export function epochOf(draft: Draft): Epoch {
  const text = draft.get(METADATA_KEYS.epoch)?.value;
  return asEpoch(text === undefined ? 0 : Number(text));
}

function readShard(draft: Draft, id: ShardId): Stored<Shard> {
  const found = draft.read(METADATA_KEYS.shard(id), shardSchema);
  if (found === undefined) throw notFound(`shard ${id}`, 'See: cachectl shard list');
  return found;
}

/** The living replica that is furthest. */
function bestReplica(context: Reading, { id, replicas }: Shard): NodeId {
  const living = replicas.filter((node) => context.host.lifeOf(node)?.isAlive === true);
  const reach = (node: NodeId) => {
    const report = reportOf(context, node, id);
    return report?.isCaughtUp === true ? report.offset : -1;
  };
  const best = living.toSorted((one, other) => reach(other) - reach(one))[0];
  if (best === undefined) {
    throw conflict(`shard ${id} has no living replica`, `See: cachectl shard show ${id}`);
  }
  return best;
}

interface Beginning {
  readonly operation: string;
  readonly subject: string;
  readonly moves: readonly PlannedMove[];
  readonly plan?: Epoch;
  readonly throttleBytes?: number | undefined;
}

/**
 * Writes the moves down; the controller takes them from there, those of one shard in their order.
 * A shard that has moves of an older call is refused.
 */
export function beginMoves(context: Writing, beginning: Beginning): Answer<'shard.failover'> {
  const { draft, nowMs } = context;
  const { operation, subject, plan = asEpoch(0), throttleBytes } = beginning;
  // The controller changes a shard and the epoch together.
  draft.get(METADATA_KEYS.epoch);
  const busy = new Map(
    draft
      .readAll(METADATA_KEYS.moves, moveSchema)
      .filter(({ value }) => !isMoveOver(value))
      .map(({ value }) => [value.shard, value.id]),
  );
  const begun = beginning.moves.map((planned): Move => {
    const other = busy.get(planned.shard);
    if (other !== undefined) {
      const words = `move ${other} of shard ${planned.shard} is still under way`;
      throw conflict(words, `Wait for it, or: cachectl move abort ${other}`);
    }
    const id = takeNumber(context, 'move');
    const times = { createdAtMs: nowMs, updatedAtMs: nowMs };
    const throttle = throttleBytes === undefined ? {} : { throttleBytes };
    const oldPrimary = oldPrimaryOf(planned, readShard(draft, planned.shard).value);
    const takenOver = oldPrimary === null ? {} : { oldPrimary };
    return {
      id,
      ...planned,
      ...takenOver,
      phase: 'pending',
      isPaused: false,
      plan,
      ...throttle,
      ...times,
    };
  });
  for (const move of begun) draft.put(METADATA_KEYS.move(move.id), move);
  const numbers = begun.map(({ id }) => id);
  const words = begun.length === 1 ? `move ${numbers[0]}` : `${begun.length} moves`;
  if (begun.length > 0) recordEvent(context, { operation, subject, words });
  return answerWith(context, begun);
}

/** From whom a move takes the lead, where nobody leaves the shard by it. */
export function oldPrimaryOf({ from, toPrimary }: PlannedMove, shard: Shard): NodeId | null {
  return from === null && toPrimary ? shard.primary : null;
}

function answerWith(context: Writing, moves: readonly Move[]): Answer<'shard.failover'> {
  const { nodes } = readSurroundings(context);
  return (revision) => ({
    moves: moves.map((move) => moveView(context, { value: move, revision }, nodes)),
  });
}

function setPaused(
  context: Writing,
  operation: 'move.pause' | 'move.resume',
  id: number,
  isPaused: boolean,
): Answer<'move.pause'> {
  const { value: move } = readActive(context.draft, id);
  if (move.isPaused === isPaused) return answerWith(context, [move]);
  return changeMove(context, operation, { ...move, isPaused });
}

function changeMove(context: Writing, operation: string, move: Move): Answer<'move.pause'> {
  const changed = { ...move, updatedAtMs: context.nowMs };
  context.draft.put(METADATA_KEYS.move(move.id), changed);
  const words = `shard ${move.shard}, ${move.phase}`;
  recordEvent(context, { operation, subject: `move ${move.id}`, words });
  return answerWith(context, [changed]);
}

function readActive(draft: Draft, id: number): Stored<Move> {
  const found = draft.read(METADATA_KEYS.move(id), moveSchema);
  if (found === undefined) throw notFound(`move ${id}`, 'See: cachectl move list --all');
  if (isMoveOver(found.value)) throw conflict(`move ${id} is over: ${found.value.phase}`);
  return found;
}
