/**
 * One move, one step: what is to become of it now. Pure.
 *
 * `pending` → the target becomes a learner → `copying` → has all → joins as a replica, in place of
 * the source; or, where the primary changes, → `switching`: the old primary holds back writes, the
 * target shows that it has all up to there, ONE commit makes it primary in a new epoch. So at no
 * point has a shard fewer copies than before, and nothing that was acknowledged is left behind.
 *
 * The source leaves in two commits. By the first it is a learner (`dropping`): it still follows, and
 * is asked in a failover, but a primary that has this map does not count it any more. By the second
 * it goes, once the primary has shown that it has this map, and enough of the replicas all that it
 * had by then. Were it to go at once, it might take along the only copy of a write beside that of
 * the primary, which has counted it.
 *
 * What a step rests on is in the store, but for the answers to freeze and seal, which a new leader
 * asks for again: under the same id, since that is the revision at which switching began.
 */
import {
  holders,
  replicaSet,
  replicaSetAfter,
  type Epoch,
  type Move,
  type NodeId,
  type Receipt,
  type Shard,
  type ShardChange,
  type ShardPosition,
  type ShardReport,
} from '../../cluster/index.ts';
import type { NodePush } from './loop.ts';
import type { ControllerRules } from './rules.ts';

/** What is known of a move's shard and its nodes. */
export interface MoveView {
  readonly shard: Shard;
  /** Copies that each shard is to have, the primary's included. */
  readonly copies: number;
  readonly rules: ControllerRules;
  /** Of the map that a step's change will make. */
  readonly nextEpoch: Epoch;
  /** Of the store: a revision of it orders freezes and thaws. */
  readonly moveRevision: number;
  /** Up or draining, by the store, and alive to this leader. */
  isLive(node: NodeId): boolean;
  /** Down for so long that it is not waited for, or not known any more. */
  isGone(node: NodeId): boolean;
  /** May be given shards. */
  takesShards(node: NodeId): boolean;
  /** Of a copy that it has had since it joined. */
  reportOf(node: NodeId): ShardReport | undefined;
  /**
   * Where the stream of the present primary was at latest when it counted the source last; undefined:
   * it may count it still, as far as is known.
   */
  readonly leftAt: StreamPosition | undefined;
  /** The answer of a node to the freeze or seal of this move's switching. */
  answerOf(node: NodeId): ShardPosition | undefined;
  /** Whether the limits let it begin to copy, or to switch. */
  mayCopy(): boolean;
  maySwitch(): boolean;
  /** Since this leader has seen it in this phase, under this revision. */
  readonly sincePhaseMs: number;
  /** Since a switch of it failed last, to this leader; undefined: none has. */
  readonly sinceFailureMs: number | undefined;
}

export type StreamPosition = Pick<ShardPosition, 'epoch' | 'offset'>;

export type MoveDecision =
  | { readonly kind: 'wait'; readonly pushes?: readonly NodePush[]; readonly isSoon?: boolean }
  | {
      readonly kind: 'step';
      readonly phase: Move['phase'];
      readonly change?: Omit<ShardChange, 'id'>;
      /** The change makes the source a learner, as of this epoch. */
      readonly leavesAt?: Epoch;
      /** The change makes the target a learner, as of this epoch. */
      readonly joinsAt?: Epoch;
      readonly receipt?: Pick<Receipt, 'oldPrimary' | 'newPrimary' | 'offsetNew'>;
      readonly error?: string;
      readonly isFailure?: boolean;
    };

/** A switch that has not come to an end by then lets the writes go on, and is tried again. */
const SWITCH_MS = 1000;
const SWITCH_AGAIN_MS = 2000;

const WAIT: MoveDecision = { kind: 'wait' };

export function decideMove(move: Move, view: MoveView): MoveDecision {
  switch (move.phase) {
    case 'pending':
      return move.isPaused ? WAIT : begin(move, view);
    case 'copying':
      return copy(move, view);
    case 'switching':
      return carryOver(move, view);
    case 'dropping':
      return drop(move, view);
    case 'done':
    case 'aborted':
      return WAIT;
  }
}

function abort({ to }: Move, { shard }: MoveView, error: string): MoveDecision {
  const isLearner = to !== null && shard.learners.includes(to);
  const learners = shard.learners.filter((node) => node !== to);
  return { kind: 'step', phase: 'aborted', error, ...(isLearner ? { change: { learners } } : {}) };
}

/** Whether the primary changes: it is to, or it is the one that leaves. */
function changesPrimary({ from, to, toPrimary }: Move, { shard }: MoveView): boolean {
  return to !== null && to !== shard.primary && (toPrimary || from === shard.primary);
}

function begin(move: Move, view: MoveView): MoveDecision {
  const { shard } = view;
  const { from, to, reason } = move;
  const members = replicaSet(shard);
  if (reason === 'drain' && from !== null && view.takesShards(from)) {
    return abort(move, view, 'the node is not drained any more');
  }
  if (to === null) return { kind: 'step', phase: 'dropping' };
  const isMember = members.includes(to);
  if (reason === 'switch' && !isMember)
    return abort(move, view, 'the node has no replica any more');
  if (isMember) {
    if (!changesPrimary(move, view)) return { kind: 'step', phase: 'dropping' };
    return mayBeginSwitch(to, view) ? { kind: 'step', phase: 'switching' } : wait(move, view);
  }
  if (view.isGone(to) || (view.isLive(to) && !view.takesShards(to))) {
    return abort(move, view, 'the target takes no shards any more');
  }
  const isSourceLeft = from === null || !members.includes(from);
  const living = members.filter((node) => !view.isGone(node));
  if (isSourceLeft && !move.toPrimary && living.length >= view.copies) {
    return abort(move, view, 'the shard has all its copies by now');
  }
  if (!view.isLive(to) || !hasLivePrimary(view) || !view.mayCopy()) return WAIT;
  return join(to, view);
}

function join(to: NodeId, { shard, nextEpoch }: MoveView): MoveDecision {
  const learners = [...shard.learners.filter((node) => node !== to), to];
  return { kind: 'step', phase: 'copying', change: { learners }, joinsAt: nextEpoch };
}

/** Waits for a replica that is to become the primary, unless that is in vain. */
function wait(move: Move, view: MoveView): MoveDecision {
  return move.to !== null && view.isGone(move.to) ? abort(move, view, 'the target is dead') : WAIT;
}

function hasLivePrimary({ shard, isLive }: MoveView): boolean {
  return shard.primary !== null && isLive(shard.primary);
}

function copy(move: Move, view: MoveView): MoveDecision {
  const { shard, rules } = view;
  const { to } = move;
  if (to === null) return { kind: 'step', phase: 'dropping' };
  if (view.isGone(to)) return abort(move, view, 'the target is dead');
  if (view.isLive(to) && !view.takesShards(to)) {
    return abort(move, view, 'the target takes no shards any more');
  }
  // A failover has made it a member, or a restart has made it none.
  if (replicaSet(shard).includes(to) && !changesPrimary(move, view)) {
    return { kind: 'step', phase: 'dropping' };
  }
  if (!replicaSet(shard).includes(to) && !shard.learners.includes(to)) {
    return view.isLive(to) ? join(to, view) : WAIT;
  }
  if (move.isPaused || !hasLivePrimary(view) || !view.isLive(to)) return WAIT;
  const report = view.reportOf(to);
  if (report === undefined || !rules.mayJoin(report, shard)) return WAIT;
  if (changesPrimary(move, view)) {
    return mayBeginSwitch(to, view) ? { kind: 'step', phase: 'switching' } : WAIT;
  }
  const { replicas } = replicaSetAfter(shard, move);
  const learners = shard.learners.filter((node) => node !== to);
  return leave(move, view, { replicas: [...replicas], learners });
}

/** With `change` the source, where it has a copy, is a learner; and else nothing is left to do. */
function leave(
  { from }: Move,
  { shard, nextEpoch }: MoveView,
  change: Pick<ShardChange, 'primary'> & Pick<Shard, 'replicas' | 'learners'>,
): Extract<MoveDecision, { kind: 'step' }> {
  if (from === null || !holders(shard).includes(from)) {
    return { kind: 'step', phase: 'done', change };
  }
  const replicas = change.replicas.filter((node) => node !== from);
  const learners = [...change.learners.filter((node) => node !== from), from];
  return {
    kind: 'step',
    phase: 'dropping',
    change: { ...change, replicas, learners },
    leavesAt: nextEpoch,
  };
}

function mayBeginSwitch(to: NodeId, view: MoveView): boolean {
  const report = view.reportOf(to);
  const isRested = view.sinceFailureMs === undefined || view.sinceFailureMs >= SWITCH_AGAIN_MS;
  if (!isRested || !hasLivePrimary(view) || !view.isLive(to)) return false;
  return report !== undefined && view.rules.mayJoin(report, view.shard) && view.maySwitch();
}

function carryOver(move: Move, view: MoveView): MoveDecision {
  const { shard, rules } = view;
  const { to } = move;
  const { primary } = shard;
  if (to === null || !changesPrimary(move, view)) return { kind: 'step', phase: 'copying' };
  if (view.isGone(to)) return abort(move, view, 'the target died while it was to become primary');
  const isFollower = shard.learners.includes(to) || shard.replicas.includes(to);
  // Writes must not be held back for a target that is not there, nor for ever.
  if (!isFollower || !view.isLive(to) || view.sincePhaseMs >= SWITCH_MS) {
    return { kind: 'step', phase: 'copying', isFailure: true };
  }
  if (primary === null || !view.isLive(primary)) return WAIT;
  const final = view.answerOf(primary);
  const { id, epoch } = shard;
  const freeze: NodePush = {
    node: primary,
    topic: 'freeze',
    body: { id: view.moveRevision, shard: id, epoch },
  };
  if (final === undefined || final.epoch !== epoch) return { kind: 'wait', pushes: [freeze] };
  // How far it is never falls within an epoch, so whatever it has said of this one counts.
  const reached = [view.answerOf(to), view.reportOf(to)];
  if (!reached.some((position) => position !== undefined && rules.hasAll(position, final))) {
    const body = { id: view.moveRevision, epoch, shards: [id] };
    return { kind: 'wait', pushes: [{ node: to, topic: 'seal', body }], isSoon: true };
  }
  const learners = shard.learners.filter((node) => node !== to);
  const replicas = [primary, ...shard.replicas.filter((node) => node !== to)];
  return {
    ...leave(move, view, { primary: to, replicas, learners }),
    receipt: { oldPrimary: primary, newPrimary: to, offsetNew: final.offset },
  };
}

function drop(move: Move, view: MoveView): MoveDecision {
  const { shard } = view;
  const { from, to, leavesAt } = move;
  const { primary, replicas, learners } = shard;
  if (from === null || !holders(shard).includes(from)) return { kind: 'step', phase: 'done' };
  if (from === primary) {
    return abort(move, view, 'the node is the primary: another was not there to take its place');
  }
  if (primary === null || !view.isLive(primary)) return WAIT;
  if (leavesAt === undefined || replicas.includes(from)) {
    return leave(move, view, { replicas, learners });
  }
  const rest = learners.filter((node) => node !== from);
  if (isReplaced(view)) return { kind: 'step', phase: 'done', change: { learners: rest } };
  if (to === null || !replicas.includes(to) || !view.isGone(to)) return WAIT;
  const back = [...replicas.filter((node) => node !== to), from];
  const change = { replicas: back, learners: rest };
  return { kind: 'step', phase: 'aborted', error: 'the target died too soon', change };
}

/** Whether enough replicas have all that the source may have been counted for. */
function isReplaced({ shard, copies, leftAt, isGone, isLive, reportOf }: MoveView): boolean {
  if (leftAt === undefined) return false;
  const has = (node: NodeId): boolean => {
    const report = isLive(node) ? reportOf(node) : undefined;
    return report?.epoch === leftAt.epoch && report.offset >= leftAt.offset;
  };
  const left = shard.replicas.filter((node) => !isGone(node));
  return left.filter(has).length >= Math.min(Math.floor(copies / 2), left.length);
}
