/**
 * Carries moves out: decides each one's next step, commits all steps that are due at once, and
 * keeps nodes told of what is to be held back, let go on, and slowed down.
 *
 * Of one shard one move at a time is under way, the oldest first; per node only so many. What nodes
 * are told is repeated until their heartbeats show it: a shard is frozen as long as a move of it is
 * switching, and else not, whoever asked for it; a learner is there as long as a move has it copy.
 */
import {
  asEpoch,
  isMoveOver,
  METADATA_KEYS,
  takesShards,
  type Move,
  type NodeId,
  type Receipt,
  type Shard,
  type ShardChange,
  type ShardId,
} from '../../../cluster/index.ts';
import type { Change, Compare } from '../../store/index.ts';
import { reportOf } from '../copy-reports.ts';
import { Downtimes } from '../downtimes.ts';
import type {
  ControllerLoop,
  LoopCommit,
  LoopEvent,
  LoopStep,
  LoopTime,
  LoopView,
  NodePush,
} from '../loop.ts';
import { mapCommit, put } from '../map-commit.ts';
import {
  decideMove,
  type MoveDecision,
  type MoveView,
  type StreamPosition,
} from '../move-decision.ts';
import type { ControllerRules } from '../rules.ts';

/** How many moves may be under way. */
const MOVE_LIMITS = Object.freeze({
  /**
   * Copies that one node sends, and that one node takes. One walk over a node's records serves all
   * copies that begin together, so many cost little more than one.
   */
  copiesFromNode: 16,
  copiesToNode: 16,
  /**
   * Nodes that send copies to one node at a time, until those have left the shards. Two of them
   * together are faster than it can take what it is sent, and what waits there delays those that it
   * serves.
   */
  sourcesOfNode: 1,
  /**
   * Shards of one node that are held back at a time. A client waits on its connection to the node
   * whichever shard it is held back for: so it is better held back once for many than often for one.
   */
  switchesOfNode: 8,
  /** Moves that are over and still listed. */
  overKept: 1000,
});

/** A node that is down is waited for: it may come back with what it had copied. */
const PATIENCE_US = 10_000_000;
const REPEAT_US = 200_000;
const REPEAT_THROTTLE_US = 2_000_000;
/** While writes are held back. */
const SOON_US = 4000;
/**
 * After a node has been given the lead of shards it is not sent more for so long: clients come to it,
 * all of them look at the new map, and what they run then may be run for the first time.
 */
const SETTLE_US = 100_000;
/** For so long after a phase began what ends it waits for other moves between the same nodes. */
const TOGETHER_US: Partial<Record<Move['phase'], number>> = Object.freeze({
  switching: 25_000,
  dropping: 250_000,
});

type Step = Extract<MoveDecision, { kind: 'step' }>;

interface Taken {
  readonly move: Move;
  readonly shard: Shard;
  readonly step: Step;
}

/** What this leader remembers of a move that is under way. */
interface Memory {
  /** Of its record, and since when it has had that. */
  revision: number;
  sinceUs: number;
  failedAtUs: number | undefined;
  /** Of the first heartbeat of the present primary that shows that the source counts no more. */
  leftAt: StreamPosition | undefined;
}

export class MoveLoop implements ControllerLoop {
  readonly name = 'moves';
  readonly #rules: ControllerRules;
  readonly #downtimes = new Downtimes();
  readonly #memories = new Map<number, Memory>();
  /** Until when each node has clients come to it that were sent there a moment ago. */
  readonly #settlesUntilUs = new Map<NodeId, number>();
  /** When each push was sent last, by what it says. */
  readonly #sentAtUs = new Map<string, number>();

  constructor(rules: ControllerRules) {
    this.#rules = rules;
  }

  step(view: LoopView, { nowUs, wallMs }: LoopTime): LoopStep {
    const { state } = view;
    this.#downtimes.look(state, nowUs);
    const active = [...state.moves.values()].filter((move) => !isMoveOver(move));
    active.sort((a, b) => a.id - b.id);
    this.#remember(view, active, nowUs);
    const first = new Map<ShardId, Move>();
    for (const move of active) if (!first.has(move.shard)) first.set(move.shard, move);

    const pushes: NodePush[] = [];
    const steps: Taken[] = [];
    const waiting: Move[] = [];
    let isSoon = false;
    const decide = (move: Move, counts: Counts): void => {
      const shard = state.map.shards[move.shard];
      const decision = decideMove(move, this.#viewOf(view, move, shard, counts, nowUs));
      if (decision.kind === 'step') {
        steps.push({ move, shard, step: decision });
        counts.add(shard, { ...move, phase: decision.phase });
      } else {
        waiting.push(move);
        isSoon ||= decision.isSoon === true;
        pushes.push(...(decision.pushes ?? []).filter((push) => this.#isDue(push, nowUs)));
      }
    };
    const moves = [...first.values()];
    const all = new Counts(view, active);
    for (const move of moves) if (move.phase === 'dropping') decide(move, all);
    const ended = this.#together(steps, waiting, nowUs);
    // What comes to its end makes room for others in the same commit.
    const endedIds = new Set(
      ended.filter(({ step }) => step.phase !== 'dropping').map(({ move }) => move.id),
    );
    const left = active.filter(({ id }) => !endedIds.has(id));
    const counts = new Counts(view, left);
    steps.length = 0;
    for (const move of moves) if (move.phase !== 'dropping') decide(move, counts);
    const begun = this.#together(steps, waiting, nowUs);
    const taken = [...ended, ...begun];
    isSoon ||= begun.length < steps.length;
    pushes.push(...this.#thaws(view, first, nowUs), ...this.#throttles(view, first, nowUs));
    return {
      commit: this.#commit(view, taken, first, { nowUs, wallMs }),
      pushes,
      wakeAtUs: isSoon ? nowUs + SOON_US : undefined,
    };
  }

  #remember(view: LoopView, active: readonly Move[], nowUs: number): void {
    const { state } = view;
    const ids = new Set(active.map(({ id }) => id));
    for (const id of this.#memories.keys()) if (!ids.has(id)) this.#memories.delete(id);
    for (const move of active) {
      const { id } = move;
      const revision = state.revisionOf(METADATA_KEYS.move(id));
      const memory = this.#memories.get(id);
      if (memory === undefined) {
        const unknown = { failedAtUs: undefined, leftAt: undefined };
        this.#memories.set(id, { revision, sinceUs: nowUs, ...unknown });
      } else if (memory.revision !== revision) {
        memory.revision = revision;
        memory.sinceUs = nowUs;
        memory.leftAt = undefined;
      } else {
        memory.leftAt = leftAt(view, move, memory.leftAt);
      }
    }
    for (const [what, sentAtUs] of this.#sentAtUs) {
      if (nowUs > sentAtUs + REPEAT_THROTTLE_US) this.#sentAtUs.delete(what);
    }
  }

  #viewOf(
    { state, lives, reportsTo }: LoopView,
    { id, to, joinsAt }: Move,
    shard: Shard,
    counts: Counts,
    nowUs: number,
  ): MoveView {
    const moveRevision = state.revisionOf(METADATA_KEYS.move(id));
    const memory = this.#memories.get(id);
    const sinceFailureUs = memory?.failedAtUs === undefined ? undefined : nowUs - memory.failedAtUs;
    return {
      shard,
      copies: (state.settings?.replicas ?? 0) + 1,
      rules: this.#rules,
      nextEpoch: asEpoch(state.map.epoch + 1),
      moveRevision,
      isLive: (node) => (state.nodes.get(node)?.state ?? 'down') !== 'down' && lives.isAlive(node),
      isGone: (node) => {
        const sinceUs = this.#downtimes.sinceUs(node);
        return !state.nodes.has(node) || (sinceUs !== undefined && nowUs >= sinceUs + PATIENCE_US);
      },
      takesShards: (node) => {
        const record = state.nodes.get(node);
        return record !== undefined && takesShards(record);
      },
      reportOf: (node) => reportOf(lives, node, shard.id, node === to ? joinsAt : undefined),
      leftAt: memory?.leftAt,
      answerOf: (node) =>
        reportsTo(moveRevision)
          .get(node)
          ?.positions.find((position) => position.shard === shard.id),
      mayCopy: () => this.#isSettled(to, nowUs) && counts.mayCopy(shard, state.moves.get(id)),
      maySwitch: () => counts.maySwitch(shard),
      sincePhaseMs: (nowUs - (memory?.sinceUs ?? nowUs)) / 1000,
      sinceFailureMs: sinceFailureUs === undefined ? undefined : sinceFailureUs / 1000,
    };
  }

  #isSettled(node: NodeId | null, nowUs: number): boolean {
    return node === null || nowUs >= (this.#settlesUntilUs.get(node) ?? 0);
  }

  /**
   * Those of the steps that need not wait for another move to come as far. Each new map has all
   * nodes and clients look anew, and a connection waits for whatever is held back of its node: so
   * shards that change hands, or leave, together do so in one commit, where none is much later.
   */
  #together(steps: readonly Taken[], waiting: readonly Move[], nowUs: number): Taken[] {
    return steps.filter(({ move, step }) => {
      const patienceUs = step.isFailure === true ? undefined : TOGETHER_US[move.phase];
      const sinceUs = this.#memories.get(move.id)?.sinceUs ?? nowUs;
      if (patienceUs === undefined || nowUs >= sinceUs + patienceUs) return true;
      return !waiting.some(
        (other) => other.phase === move.phase && other.to === move.to && other.from === move.from,
      );
    });
  }

  /** Whether it was not sent a moment ago. */
  #isDue(push: NodePush, nowUs: number): boolean {
    const repeatUs =
      push.topic === 'seal' ? SOON_US : push.topic === 'throttle' ? REPEAT_THROTTLE_US : REPEAT_US;
    const what = `${push.node} ${push.topic} ${JSON.stringify(push.body)}`;
    const sentAtUs = this.#sentAtUs.get(what);
    if (sentAtUs !== undefined && nowUs < sentAtUs + repeatUs) return false;
    this.#sentAtUs.set(what, nowUs);
    return true;
  }

  /**
   * For every freeze in force that no move wants. Not where another is the primary by now: the old
   * one may not know yet, and would serve beside it. The map ends its freeze.
   */
  #thaws({ state, lives }: LoopView, first: ReadonlyMap<ShardId, Move>, nowUs: number): NodePush[] {
    const id = state.revision;
    const thaws: NodePush[] = [];
    for (const node of state.nodes.keys()) {
      for (const { shard, frozenBy, epoch: reported } of lives.heartbeatOf(node)?.shards ?? []) {
        if (frozenBy === undefined || first.get(shard)?.phase === 'switching') continue;
        const { primary, epoch } = state.map.shards[shard];
        if (primary !== node || reported !== epoch) continue;
        const what = `${node} thaw ${shard} ${frozenBy}`;
        if (nowUs < (this.#sentAtUs.get(what) ?? -Infinity) + REPEAT_US) continue;
        this.#sentAtUs.set(what, nowUs);
        thaws.push({ node, topic: 'thaw', body: { id, shard, epoch } });
      }
    }
    return thaws;
  }

  #throttles({ state }: LoopView, first: ReadonlyMap<ShardId, Move>, nowUs: number): NodePush[] {
    return [...first.values()].flatMap(({ phase, shard, isPaused, throttleBytes }): NodePush[] => {
      const node = state.map.shards[shard].primary;
      if (phase !== 'copying' || node === null) return [];
      const bytesPerSecond = isPaused ? 0 : throttleBytes;
      const body = bytesPerSecond === undefined ? { shard } : { shard, bytesPerSecond };
      const push: NodePush = { node, topic: 'throttle', body };
      return this.#isDue(push, nowUs) ? [push] : [];
    });
  }

  #commit(
    { state }: LoopView,
    taken: readonly Taken[],
    first: ReadonlyMap<ShardId, Move>,
    { nowUs, wallMs }: LoopTime,
  ): LoopCommit | undefined {
    const strays = strayLearners(state.map.shards, first);
    if (taken.length === 0 && strays.length === 0) return undefined;
    const shardChanges = [
      ...strays,
      ...taken.flatMap(({ shard, step }): ShardChange[] =>
        step.change === undefined ? [] : [{ id: shard.id, ...step.change }],
      ),
    ];
    const written = shardChanges.length === 0 ? undefined : mapCommit(state, shardChanges);
    const compares: Compare[] = [state.unchanged(METADATA_KEYS.epoch)];
    const changes: Change[] = [...(written?.changes ?? [])];
    const events: LoopEvent[] = [];
    const nodes = new Set<NodeId>();
    for (const { move, shard, step } of taken) {
      const key = METADATA_KEYS.move(move.id);
      const { phase, error, leavesAt, joinsAt, receipt } = step;
      const next: Move = {
        ...{ ...move, phase, updatedAtMs: wallMs },
        ...(error === undefined ? {} : { error }),
        ...(leavesAt === undefined ? {} : { leavesAt }),
        ...(joinsAt === undefined ? {} : { joinsAt }),
      };
      compares.push(state.unchanged(key));
      changes.push(put(key, next));
      // Who is to join must still be what was decided by.
      if (move.to !== null && phase !== 'aborted') nodes.add(move.to);
      if (receipt !== undefined && written !== undefined) {
        if (move.to !== null) this.#settlesUntilUs.set(move.to, nowUs + SETTLE_US);
        const { epoch } = written.map;
        const record: Receipt = {
          ...{ epoch, shard: shard.id, kind: 'switch', atMs: wallMs, ...receipt },
          ...{ offsetOld: receipt.offsetNew, bytesAtRisk: 0, writesAtRisk: 0, msAtRisk: 0 },
        };
        changes.push(put(METADATA_KEYS.receipt(epoch, shard.id), record));
      }
      const memory = this.#memories.get(move.id);
      if (step.isFailure === true && memory !== undefined) memory.failedAtUs = nowUs;
      events.push(...eventsOf(state.nodes, move, step));
    }
    for (const node of nodes) {
      if (state.nodes.has(node)) compares.push(state.unchanged(METADATA_KEYS.node(node)));
    }
    changes.push(...forgotten([...state.moves.values()]));
    return { compares, changes, events };
  }
}

/** What is under way, by node. */
class Counts {
  readonly #from = new Map<NodeId, number>();
  readonly #to = new Map<NodeId, number>();
  readonly #sources = new Map<NodeId, Set<NodeId>>();
  readonly #switches = new Map<NodeId, number>();

  constructor({ state, lives }: LoopView, active: readonly Move[]) {
    for (const move of active) {
      const { phase, from, to } = move;
      if (phase !== 'pending') this.add(state.map.shards[move.shard], move);
      // Clients are being sent to where the shard is now: that is enough at a time, for both.
      const isLeaving = phase === 'dropping' && from !== null && lives.isAlive(from);
      if (isLeaving && to !== null) this.#addSource(from, to);
    }
  }

  add({ primary }: Shard, { phase, to, isPaused }: Move): void {
    if (primary === null) return;
    if (phase === 'switching') count(this.#switches, primary);
    if (to !== null && !isPaused && phase !== 'dropping') this.#addSource(primary, to);
    if (phase !== 'copying' || isPaused) return;
    count(this.#from, primary);
    if (to !== null) count(this.#to, to);
  }

  #addSource(from: NodeId, to: NodeId): void {
    this.#sources.set(to, this.#sourcesOf(to).add(from));
  }

  mayCopy({ primary }: Shard, move: Move | undefined): boolean {
    if (primary === null || move === undefined || move.to === null) return false;
    const sources = this.#sourcesOf(move.to);
    return (
      (this.#from.get(primary) ?? 0) < MOVE_LIMITS.copiesFromNode &&
      (this.#to.get(move.to) ?? 0) < MOVE_LIMITS.copiesToNode &&
      (sources.has(primary) || sources.size < MOVE_LIMITS.sourcesOfNode)
    );
  }

  #sourcesOf(node: NodeId): Set<NodeId> {
    return this.#sources.get(node) ?? new Set();
  }

  maySwitch({ primary }: Shard): boolean {
    return primary !== null && (this.#switches.get(primary) ?? 0) < MOVE_LIMITS.switchesOfNode;
  }
}

function count(counts: Map<NodeId, number>, node: NodeId): void {
  counts.set(node, (counts.get(node) ?? 0) + 1);
}

/** Where the source of a move was counted last, at latest; of what was found before, if it holds. */
function leftAt(
  { state, lives }: LoopView,
  { shard: id, leavesAt }: Move,
  found: StreamPosition | undefined,
): StreamPosition | undefined {
  const { primary, epoch } = state.map.shards[id];
  if (leavesAt === undefined || primary === null || found?.epoch === epoch) return found;
  const report = reportOf(lives, primary, id, leavesAt);
  if (report?.role !== 'primary' || report.epoch !== epoch) return undefined;
  return { epoch, offset: report.offset };
}

/** Learners that no move has copy: of moves that were aborted. */
function strayLearners(shards: readonly Shard[], first: ReadonlyMap<ShardId, Move>): ShardChange[] {
  return shards.flatMap(({ id, learners }): ShardChange[] =>
    learners.length === 0 || first.has(id) ? [] : [{ id, learners: [] }],
  );
}

function eventsOf(
  nodes: ReadonlyMap<NodeId, { name: string }>,
  move: Move,
  step: Step,
): LoopEvent[] {
  const nameOf = (node: NodeId | null): string =>
    node === null ? 'nobody' : (nodes.get(node)?.name ?? node);
  const subject = `shard ${move.shard}`;
  const way = `move ${move.id} (${move.reason}) from ${nameOf(move.from)} to ${nameOf(move.to)}`;
  const events: LoopEvent[] = [];
  if (step.receipt !== undefined) {
    const { oldPrimary, newPrimary } = step.receipt;
    const words = `from ${nameOf(oldPrimary)} to ${nameOf(newPrimary)}, nothing lost`;
    events.push({ operation: 'shard.switch', subject, words });
  }
  if (step.phase === 'done') events.push({ operation: 'move.done', subject, words: way });
  if (step.phase === 'aborted') {
    events.push({ operation: 'move.abort', subject, words: `${way}: ${step.error ?? ''}` });
  }
  return events;
}

/** The oldest of those that are over. */
function forgotten(moves: readonly Move[]): Change[] {
  const over = moves.filter(isMoveOver).sort((a, b) => a.id - b.id);
  return over
    .slice(0, Math.max(0, over.length - MOVE_LIMITS.overKept))
    .map(({ id }): Change => ({ kind: 'delete', key: METADATA_KEYS.move(id) }));
}
