/**
 * Balance by what shards weigh, where that is known: bytes of copies, and operations.
 *
 * Steps downhill on the squared deviation of every node from its ideal, in each dimension, relative
 * to the ideal: a shard goes from one node to another, or two shards change places. It works only
 * on nodes that are out by more than the tolerance, and takes only steps that gain clearly more than
 * nothing, so that loads which waver move no data; and it begins with what is there, so that a map
 * that was balanced is left alone.
 */
/** Of one shard, as its primary reports it. */
export interface ShardLoad {
  readonly bytes: number;
  readonly opsPerSecond: number;
}

/** A dimension of load: by shard, scaled to 1 on average. */
export type Costs = Float64Array;

/** What every shard weighs besides: one that is empty or idle now may fill up. */
const BASE: ShardLoad = Object.freeze({ bytes: 1024 * 1024, opsPerSecond: 50 });

/** Nodes within this of their ideal are left alone. */
const TOLERANCE = 0.05;

/** A step has to gain this fraction of what moving the same between equals would cost. */
const GAIN_MIN = 0.1;

/** In squared deviations; so that there are not endlessly many steps. */
const GAIN_FLOOR = 1e-4;

/** Of the nodes with most room, how many are tried for an exchange. */
const EXCHANGE_NODES_MAX = 24;

export function costsOf(
  loads: ReadonlyMap<number, ShardLoad>,
  shardCount: number,
  dimension: keyof ShardLoad,
): Costs {
  const costs = Float64Array.from(
    { length: shardCount },
    (_, shard) => (loads.get(shard)?.[dimension] ?? 0) + BASE[dimension],
  );
  const mean = costs.reduce((sum, cost) => sum + cost, 0) / shardCount;
  return costs.map((cost) => cost / mean);
}

/** One of the loads that are balanced. */
export interface Dimension {
  readonly costs: Costs;
  /** By node, its ideal as a fraction of all. */
  readonly shares: Float64Array;
}

/** What is balanced: copies by bytes and operations, or primaries by operations. */
export interface Weighed {
  readonly dimensions: readonly Dimension[];
  /**
   * What goes along with some of what is passed. It calls for no step of its own: of the steps that
   * the dimensions are worth, those are taken first that bring this closer to its ideal too.
   */
  readonly companion?: Dimension & {
    /** Whether it goes along when the node passes the shard on. */
    isWith(shard: number, node: number): boolean;
  };
  shardsOf(node: number): readonly number[];
  mayPass(shard: number, from: number, to: number): boolean;
  pass(shard: number, from: number, to: number): void;
}

const NONE = -1;
const NO_STEP = -Infinity;

interface Step {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
  /** Goes the other way. */
  readonly back?: number;
}

export function balanceLoads(weighed: Weighed, shardCount: number): void {
  const scale = new Scale(weighed, shardCount);
  // Every step lowers the deviation, so that there is a last one.
  for (let isMoving = true; isMoving;) {
    isMoving = false;
    const settled = new Set<number>();
    for (let node = scale.worst(settled); node !== undefined; node = scale.worst(settled)) {
      const step = scale.bestMove(node) ?? scale.bestExchange(node);
      if (step === undefined) {
        settled.add(node);
        continue;
      }
      scale.take(step);
      isMoving = true;
    }
  }
}

/** How far the nodes are from their ideal in one dimension, kept up to date. */
class Level {
  readonly ideal: Float64Array;
  readonly loads: Float64Array;
  readonly #costOf: (shard: number, node: number) => number;

  constructor(
    { shares }: Dimension,
    shardCount: number,
    shardsOf: Weighed['shardsOf'],
    costOf: (shard: number, node: number) => number,
  ) {
    this.#costOf = costOf;
    this.ideal = shares.map((share) => share * shardCount);
    this.loads = Float64Array.from(shares, (_, node) =>
      shardsOf(node).reduce((sum, shard) => sum + costOf(shard, node), 0),
    );
  }

  pass(shard: number, from: number, to: number): void {
    const cost = this.#costOf(shard, from);
    this.loads[from] -= cost;
    this.loads[to] += cost;
  }

  /**
   * By how much the deviation falls when `shard` goes from one to the other, and `back` the other
   * way, less what a step must gain; above 0 it is worth it.
   */
  gain(from: number, to: number, shard: number, back: number): number {
    const { ideal, loads } = this;
    const cost = this.#costOf(shard, from) - (back === NONE ? 0 : this.#costOf(back, to));
    const steepness = (1 + GAIN_MIN) * (1 / ideal[from] + 1 / ideal[to]);
    const slope = loads[from] / ideal[from] - loads[to] / ideal[to];
    return 2 * cost * slope - cost * cost * steepness;
  }

  /** Above the gain of any shard that goes from one to the other, whatever it weighs. */
  gainMax(from: number, to: number): number {
    const { ideal, loads } = this;
    const steepness = (1 + GAIN_MIN) * (1 / ideal[from] + 1 / ideal[to]);
    const slope = loads[from] / ideal[from] - loads[to] / ideal[to];
    return slope > 0 ? (slope * slope) / steepness : 0;
  }
}

/** The loads of the nodes in all dimensions. */
class Scale {
  readonly #weighed: Weighed;
  readonly #levels: readonly Level[];
  readonly #companion: Level | undefined;
  readonly #nodes: readonly number[];

  constructor(weighed: Weighed, shardCount: number) {
    const { dimensions, companion } = weighed;
    const shardsOf = (node: number): readonly number[] => weighed.shardsOf(node);
    this.#weighed = weighed;
    this.#nodes = Array.from(dimensions[0].shares, (_, node) => node);
    this.#levels = dimensions.map(
      (dimension) => new Level(dimension, shardCount, shardsOf, (shard) => dimension.costs[shard]),
    );
    if (companion !== undefined) {
      const costOf = (shard: number, node: number): number =>
        companion.isWith(shard, node) ? companion.costs[shard] : 0;
      this.#companion = new Level(companion, shardCount, shardsOf, costOf);
    }
  }

  /** The node that is out by most, if by more than the tolerance. */
  worst(settled: ReadonlySet<number>): number | undefined {
    let worst: number | undefined;
    let mostOut = TOLERANCE;
    for (const node of this.#nodes) {
      if (settled.has(node)) continue;
      const out = Math.max(
        ...this.#levels.map(({ loads, ideal }) => Math.abs(loads[node] / ideal[node] - 1)),
      );
      if (out > mostOut) [worst, mostOut] = [node, out];
    }
    return worst;
  }

  bestMove(node: number): Step | undefined {
    let best: Step | undefined;
    let bestRank = NO_STEP;
    for (const other of this.#nodes) {
      if (other === node) continue;
      for (const [from, to] of [
        [node, other],
        [other, node],
      ]) {
        if (!this.#mayGain(from, to, bestRank)) continue;
        for (const shard of this.#weighed.shardsOf(from)) {
          const rank = this.#rank(from, to, shard, NONE);
          if (rank <= bestRank || !this.#weighed.mayPass(shard, from, to)) continue;
          [best, bestRank] = [{ shard, from, to }, rank];
        }
      }
    }
    return best;
  }

  bestExchange(node: number): Step | undefined {
    let best: Step | undefined;
    let bestRank = NO_STEP;
    for (const other of this.#opposite(node)) {
      for (const shard of this.#weighed.shardsOf(node)) {
        if (!this.#weighed.mayPass(shard, node, other)) continue;
        for (const back of this.#weighed.shardsOf(other)) {
          const rank = this.#rank(node, other, shard, back);
          if (rank <= bestRank || !this.#weighed.mayPass(back, other, node)) continue;
          [best, bestRank] = [{ shard, from: node, to: other, back }, rank];
        }
      }
    }
    return best;
  }

  take({ shard, from, to, back }: Step): void {
    this.#pass(shard, from, to);
    if (back !== undefined) this.#pass(back, to, from);
  }

  #pass(shard: number, from: number, to: number): void {
    for (const level of this.#levels) level.pass(shard, from, to);
    this.#companion?.pass(shard, from, to);
    this.#weighed.pass(shard, from, to);
  }

  /** The most is to be taken first; `NO_STEP` where it is not worth it. */
  #rank(from: number, to: number, shard: number, back: number): number {
    let gain = 0;
    for (const level of this.#levels) gain += level.gain(from, to, shard, back);
    if (gain <= GAIN_FLOOR) return NO_STEP;
    return gain + (this.#companion?.gain(from, to, shard, back) ?? 0);
  }

  /** Whether some shard that goes from one to the other may be worth it, and rank above `rank`. */
  #mayGain(from: number, to: number, rank: number): boolean {
    let gain = 0;
    for (const level of this.#levels) gain += level.gainMax(from, to);
    return gain > GAIN_FLOOR && gain + (this.#companion?.gainMax(from, to) ?? 0) > rank;
  }

  /** The nodes that differ from this one by most in the sum of their deviations. */
  #opposite(node: number): number[] {
    const out = this.#nodes.map((other) =>
      this.#levels.reduce((sum, { loads, ideal }) => sum + loads[other] / ideal[other], 0),
    );
    return this.#nodes
      .filter((other) => other !== node)
      .sort((a, b) => Math.abs(out[b] - out[node]) - Math.abs(out[a] - out[node]) || a - b)
      .slice(0, EXCHANGE_NODES_MAX);
  }
}
