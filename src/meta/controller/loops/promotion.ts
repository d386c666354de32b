/**
 * Failover: gives the shards of dead primaries to their best replicas.
 *
 * Seal: all that hold such a shard are asked to take nothing more of an earlier epoch, and to say
 * how far they are; from then on that is final. Choose: for each shard the whole copy that is
 * furthest, by (epoch, offset), of a replica or of a learner that is as good (heirs.ts). Commit: all
 * shards in one new epoch, with a receipt each. A map that has changed meanwhile, or a node that has
 * come back, is a conflict, and all is looked at anew.
 *
 * A shard is not decided until enough replicas have answered to have every write that a tenant was
 * promised; those that are dead do not count. One of which no copy is left that lives begins empty,
 * after a while in which its node may come back with its memory.
 */
import {
  asEpoch,
  METADATA_KEYS,
  takesShards,
  type Ack,
  type Epoch,
  type LeaseTimes,
  type NodeId,
  type Receipt,
  type Shard,
  type ShardId,
  type ShardReport,
} from '../../../cluster/index.ts';
import { reportOf } from '../copy-reports.ts';
import type { ClusterState } from '../cluster-state.ts';
import {
  type ControllerLoop,
  type LoopCommit,
  type LoopStep,
  type LoopTime,
  type LoopView,
  NO_STEP,
  type NodePush,
} from '../loop.ts';
import { heirsOf, isDown, livingOf } from '../heirs.ts';
import { mapCommit, put } from '../map-commit.ts';
import type { Candidate, ControllerRules } from '../rules.ts';

/** Who has not answered by then is not waited for, where nothing promised depends on it. */
const ANSWER_US = 150_000;
const REPEAT_SEAL_US = 500_000;
/** A shard without a copy that lives begins empty after this. */
const LOST_US = 10_000_000;

interface Seal {
  readonly id: number;
  readonly epoch: Epoch;
  readonly shards: ReadonlySet<ShardId>;
  readonly askedAtUs: number;
  repeatAtUs: number;
}

interface Promotion {
  readonly shard: Shard;
  readonly to: NodeId;
  readonly offset: number;
  readonly isEmpty: boolean;
}

export class PromotionLoop implements ControllerLoop {
  readonly name = 'promotion';
  readonly #times: LeaseTimes;
  readonly #rules: ControllerRules;
  #seal: Seal | undefined;
  #lastId = 0;
  /** By this leader's clock. */
  readonly #lostSinceUs = new Map<ShardId, number>();

  constructor(times: LeaseTimes, rules: ControllerRules) {
    this.#times = times;
    this.#rules = rules;
  }

  step(view: LoopView, time: LoopTime): LoopStep {
    const lost = view.state.map.shards.filter((shard) => isLost(view, shard));
    this.#keepTime(lost, time.nowUs);
    if (lost.length === 0) {
      this.#seal = undefined;
      return NO_STEP;
    }
    const seal = this.#seal;
    if (seal === undefined || !lost.every((shard) => isSealed(shard, seal))) {
      return this.#ask(view, lost, time.nowUs);
    }
    const promotions = this.#choose(view, lost, seal, time.nowUs);
    if (promotions.length > 0) return { commit: this.#commit(view, promotions, time) };
    return this.#wait(view, lost, seal, time.nowUs);
  }

  #keepTime(lost: readonly Shard[], nowUs: number): void {
    const ids = new Set(lost.map(({ id }) => id));
    for (const id of this.#lostSinceUs.keys()) if (!ids.has(id)) this.#lostSinceUs.delete(id);
    for (const id of ids) if (!this.#lostSinceUs.has(id)) this.#lostSinceUs.set(id, nowUs);
  }

  #ask(view: LoopView, lost: readonly Shard[], nowUs: number): LoopStep {
    const { map, revision } = view.state;
    this.#lastId = Math.max(this.#lastId + 1, revision);
    const seal: Seal = {
      id: this.#lastId,
      epoch: mapEpochAfter(map.epoch),
      shards: new Set(lost.map(({ id }) => id)),
      askedAtUs: nowUs,
      repeatAtUs: nowUs + REPEAT_SEAL_US,
    };
    this.#seal = seal;
    return { pushes: sealPushes(view, lost, seal), wakeAtUs: nowUs + ANSWER_US };
  }

  #wait(view: LoopView, lost: readonly Shard[], seal: Seal, nowUs: number): LoopStep {
    const isRepeat = nowUs >= seal.repeatAtUs;
    if (isRepeat) seal.repeatAtUs = nowUs + REPEAT_SEAL_US;
    const answerAtUs = seal.askedAtUs + ANSWER_US;
    return {
      pushes: isRepeat ? sealPushes(view, lost, seal) : [],
      wakeAtUs: nowUs < answerAtUs ? answerAtUs : seal.repeatAtUs,
    };
  }

  /** Until time is up, all or none: those that died together are promoted together. */
  #choose(view: LoopView, lost: readonly Shard[], seal: Seal, nowUs: number): Promotion[] {
    const isTimeUp = nowUs >= seal.askedAtUs + ANSWER_US;
    const ack = strongestAck(view.state);
    const promotions: Promotion[] = [];
    for (const shard of lost) {
      const found =
        this.#bestOf(view, shard, seal, ack, isTimeUp) ?? this.#empty(view, shard, nowUs);
      if (found !== undefined) promotions.push(found);
      else if (!isTimeUp && livingOf(this.#heirsOf(shard, view), view).length > 0) return [];
    }
    return promotions;
  }

  /** Undefined: not yet, or nobody. */
  #bestOf(
    view: LoopView,
    shard: Shard,
    seal: Seal,
    ack: Ack,
    isTimeUp: boolean,
  ): Promotion | undefined {
    const heirs = this.#heirsOf(shard, view);
    const candidates = candidatesOf(view, shard, heirs, seal);
    const hasAnswered = (node: NodeId): boolean => candidates.has(node);
    const isHeard = isTimeUp
      ? this.#isEnough(view, shard, heirs, ack, hasAnswered)
      : livingOf(heirs, view).every(hasAnswered);
    if (!isHeard) return undefined;
    let best: { node: NodeId; candidate: Candidate } | undefined;
    for (const [node, candidate] of candidates) {
      if (!this.#rules.isWhole(candidate)) continue;
      if (best === undefined || this.#rules.isBetter(candidate, best.candidate)) {
        best = { node, candidate };
      }
    }
    return best && { shard, to: best.node, offset: best.candidate.offset, isEmpty: false };
  }

  #heirsOf(shard: Shard, view: LoopView): readonly NodeId[] {
    return heirsOf(shard, view, this.#rules);
  }

  /**
   * Whether those that have answered have every write that must be kept, where the dead do not
   * count. Of those that leave each is needed.
   */
  #isEnough(
    { state }: LoopView,
    shard: Shard,
    heirs: readonly NodeId[],
    ack: Ack,
    hasAnswered: (node: NodeId) => boolean,
  ): boolean {
    if (ack === 'primary') return true;
    const isCounted = (node: NodeId): boolean => !isDown(state, node);
    const replicas = shard.replicas.filter(isCounted);
    const copies = (state.settings?.replicas ?? 0) + 1;
    const needed = this.#rules.reportsNeeded({ ...shard, replicas }, ack, copies);
    return (
      replicas.filter(hasAnswered).length >= needed &&
      shard.learners.every((node) => !heirs.includes(node) || !isCounted(node) || hasAnswered(node))
    );
  }

  #empty(view: LoopView, shard: Shard, nowUs: number): Promotion | undefined {
    const sinceUs = this.#lostSinceUs.get(shard.id) ?? nowUs;
    if (nowUs < sinceUs + LOST_US) return undefined;
    const to = emptiestNode(view, shard);
    return to === undefined ? undefined : { shard, to, offset: 0, isEmpty: true };
  }

  #commit(view: LoopView, promotions: readonly Promotion[], { wallMs }: LoopTime): LoopCommit {
    const { state } = view;
    const changes = promotions.map(({ shard, to, isEmpty }) => ({
      id: shard.id,
      primary: to,
      // Copies of what is given up must not be taken for copies of what begins.
      replicas: isEmpty ? [] : shard.replicas.filter((node) => node !== to),
      learners: isEmpty ? [] : shard.learners.filter((node) => node !== to),
    }));
    const written = mapCommit(state, changes);
    const { epoch } = written.map;
    const receipts = promotions.map((promotion) => {
      const receipt = this.#receipt(view, promotion, epoch, wallMs);
      return put(METADATA_KEYS.receipt(epoch, promotion.shard.id), receipt);
    });
    // Those that are dead, and were not asked, may be coming back at the same time.
    const nodes = new Set(
      promotions.flatMap(({ shard: { primary, replicas }, to }) => [
        ...(primary === null ? [] : [primary]),
        ...[to, ...replicas].filter((node) => state.nodes.has(node)),
      ]),
    );
    const nameOf = (node: NodeId | null): string =>
      node === null ? 'nobody' : (state.nodes.get(node)?.name ?? node);
    return {
      compares: [
        ...written.compares,
        ...[...nodes].map((node) => state.unchanged(METADATA_KEYS.node(node))),
      ],
      changes: [...written.changes, ...receipts],
      events: promotions.map(({ shard, to, isEmpty }) => ({
        operation: 'shard.failover',
        subject: `shard ${shard.id}`,
        words: `from ${nameOf(shard.primary)} to ${nameOf(to)}${isEmpty ? ', which begins empty' : ''}`,
      })),
    };
  }

  /** What the old primary may have acknowledged beyond what the new one has. */
  #receipt(view: LoopView, { shard, to, offset }: Promotion, epoch: Epoch, atMs: number): Receipt {
    const { primary } = shard;
    const report = primary === null ? undefined : lastWordsOf(view, primary, shard);
    const offsetOld = Math.max(report?.offset ?? offset, offset);
    const bytesAtRisk = offsetOld - offset;
    const heardAgoMs = primary === null ? undefined : view.lives.heardAgoMs(primary);
    // After its lease it acknowledged nothing more.
    const unseenMs = Math.min(heardAgoMs ?? 0, this.#times.leaseMs);
    const isAtRisk = report !== undefined && (bytesAtRisk > 0 || report.opsPerSecond > 0);
    return {
      epoch,
      shard: shard.id,
      kind: 'failover',
      oldPrimary: primary,
      newPrimary: to,
      atMs,
      offsetOld,
      offsetNew: offset,
      bytesAtRisk,
      writesAtRisk: writesIn(bytesAtRisk, report),
      msAtRisk: isAtRisk ? report.lagMs + unseenMs : 0,
    };
  }
}

/** Its primary is dead, by the store and by this leader's own clock. */
function isLost({ state, lives }: LoopView, { primary }: Shard): boolean {
  return primary === null || (isDown(state, primary) && !lives.isAlive(primary));
}

const isSealed = (shard: Shard, seal: Seal): boolean =>
  seal.shards.has(shard.id) && seal.epoch > shard.epoch;

const mapEpochAfter = (epoch: Epoch): Epoch => asEpoch(epoch + 1);

function sealPushes(view: LoopView, lost: readonly Shard[], { id, epoch }: Seal): NodePush[] {
  const shards = new Map<NodeId, ShardId[]>();
  for (const shard of lost) {
    for (const node of [...shard.replicas, ...shard.learners]) {
      if (isDown(view.state, node)) continue;
      shards.set(node, [...(shards.get(node) ?? []), shard.id]);
    }
  }
  return [...shards].map(([node, held]) => ({
    node,
    topic: 'seal',
    body: { id, epoch, shards: held },
  }));
}

/** What the living have said to the seal. */
function candidatesOf(
  view: LoopView,
  shard: Shard,
  heirs: readonly NodeId[],
  seal: Seal,
): Map<NodeId, Candidate> {
  const reports = view.reportsTo(seal.id);
  const candidates = new Map<NodeId, Candidate>();
  for (const node of livingOf(heirs, view)) {
    const position = reports.get(node)?.positions.find((at) => at.shard === shard.id);
    if (position !== undefined) candidates.set(node, position);
  }
  return candidates;
}

/**
 * What a promotion has to keep. Where a tenant bounds what is not replicated, the bound counts from
 * the replica that is furthest: so each that lives must have been heard, as with `replica`.
 */
function strongestAck({ tenants }: ClusterState): Ack {
  let strongest: Ack = 'primary';
  for (const { ack, maxUnreplicated } of tenants.values()) {
    const isBounded = maxUnreplicated.ms !== undefined || maxUnreplicated.bytes !== undefined;
    if (ack === 'replica' || isBounded) return 'replica';
    if (ack === 'quorum') strongest = ack;
  }
  return strongest;
}

/** Of those that hold nothing of the shard, if any, the one with the fewest primaries. */
function emptiestNode({ state, lives }: LoopView, shard: Shard): NodeId | undefined {
  const counts = new Map<NodeId, number>();
  for (const { id } of state.nodes.values()) counts.set(id, 0);
  for (const { primary } of state.map.shards) {
    if (primary !== null) counts.set(primary, (counts.get(primary) ?? 0) + 1);
  }
  const held = new Set([...shard.replicas, ...shard.learners]);
  const rank = (node: NodeId): number => (counts.get(node) ?? 0) + (held.has(node) ? 100_000 : 0);
  return [...state.nodes.values()]
    .filter((record) => takesShards(record) && lives.isAlive(record.id))
    .map(({ id }) => id)
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .at(0);
}

/** The old primary's last word on the shard, of its present epoch. */
function lastWordsOf(
  { lives }: LoopView,
  primary: NodeId,
  { id, epoch }: Shard,
): ShardReport | undefined {
  const report = reportOf(lives, primary, id);
  return report?.epoch === epoch ? report : undefined;
}

/** Of `bytes` of the stream, by the size of those that the primary wrote. */
function writesIn(bytes: number, report: ShardReport | undefined): number {
  if (bytes === 0 || report === undefined || report.offset === 0) return 0;
  return Math.ceil((bytes * report.writes) / report.offset);
}
