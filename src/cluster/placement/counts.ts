/**
 * Balance by number: changes an assignment as little as possible until each node holds its ideal,
 * rounded up or down.
 *
 * Nodes are the vertices of a graph. An edge leads from `o` to `v` where a shard of `o` may go to
 * `v` instead; a path from a node that holds too much to one that has room moves one shard along
 * each edge and leaves all between them as they were. Shortest paths are taken first, so that most
 * of what moves goes straight. That such a path exists while anything is out of balance is the
 * augmenting-path theorem of flows; see `ideal.ts` for why there is a whole solution.
 */
/** What is balanced: copies, or the primary roles among them. */
export interface Balanced {
  readonly nodeCount: number;
  /** Of how many shards the node has it. */
  count(node: number): number;
  /** Of which it has it. */
  shardsOf(node: number): readonly number[];
  /** Among these are the nodes that may have it instead. */
  candidates(shard: number): ArrayLike<number>;
  mayPass(shard: number, from: number, to: number): boolean;
  pass(shard: number, from: number, to: number): void;
  /** Whether this pass is one to take before others. Absent: all are alike. */
  isWelcome?(shard: number, from: number, to: number): boolean;
  /** The least is preferred, among those that are as welcome. */
  score(shard: number, node: number): number;
}

/** The ideal of each node, rounded down and up. */
export interface Bounds {
  readonly low: Int32Array;
  readonly high: Int32Array;
}

/** Less than this from a whole number is rounding of floating point. */
const EPSILON = 1e-6;

export function boundsOf(shares: Float64Array, shardCount: number): Bounds {
  return {
    low: Int32Array.from(shares, (share) => Math.floor(share * shardCount + EPSILON)),
    high: Int32Array.from(shares, (share) => Math.ceil(share * shardCount - EPSILON)),
  };
}

interface Hop {
  readonly shard: number;
  readonly from: number;
  readonly to: number;
}

export function balanceCounts(balanced: Balanced, { low, high }: Bounds): void {
  const nodes = Array.from({ length: balanced.nodeCount }, (_, node) => node);
  const over = (node: number): number => balanced.count(node) - high[node];
  const under = (node: number): number => low[node] - balanced.count(node);
  for (const node of nodes) {
    while (over(node) > 0) {
      const path =
        shortestPath(
          balanced,
          [node],
          nodes.filter((to) => under(to) > 0),
          1,
        ) ??
        shortestPath(
          balanced,
          [node],
          nodes.filter((to) => over(to) < 0),
        );
      if (path === undefined) break;
      follow(balanced, path);
    }
  }
  for (const node of nodes) {
    while (under(node) > 0) {
      const givers = nodes.filter((from) => under(from) < 0);
      const path = shortestPath(balanced, givers, [node]);
      if (path === undefined) break;
      follow(balanced, path);
    }
  }
}

/** From the end, so that what passes through a node between has left it before it comes. */
function follow(balanced: Balanced, path: readonly Hop[]): void {
  for (const { shard, from, to } of path.toReversed()) balanced.pass(shard, from, to);
}

/** The shortest path from a start to one of `ends`; of those, the last hop decides. */
function shortestPath(
  balanced: Balanced,
  starts: readonly number[],
  ends: readonly number[],
  hopsMax = Infinity,
): Hop[] | undefined {
  /** By which each node was come to; undefined for the starts. */
  const hopTo = new Map<number, Hop | undefined>(starts.map((start) => [start, undefined]));
  let frontier = starts;
  for (let hops = 1; hops <= hopsMax && frontier.length > 0; hops++) {
    let best: Hop | undefined;
    let bestScore = Infinity;
    let isBestWelcome = false;
    for (const from of frontier) {
      for (const shard of balanced.shardsOf(from)) {
        for (const to of ends) {
          if (!balanced.mayPass(shard, from, to)) continue;
          const score = balanced.score(shard, to);
          const isWelcome = balanced.isWelcome?.(shard, from, to) ?? true;
          const isBetter = isWelcome === isBestWelcome ? score < bestScore : isWelcome;
          if (!isBetter || isOnPath(hopTo, from, shard)) continue;
          [best, bestScore, isBestWelcome] = [{ shard, from, to }, score, isWelcome];
        }
      }
    }
    if (best !== undefined) return trace(hopTo, best);
    if (hops < hopsMax) frontier = nextFrontier(balanced, frontier, hopTo);
  }
  return undefined;
}

/** What one hop more leads to, and nothing shorter does. */
function nextFrontier(
  balanced: Balanced,
  frontier: readonly number[],
  hopTo: Map<number, Hop | undefined>,
): number[] {
  const next: number[] = [];
  for (const from of frontier) {
    for (const shard of balanced.shardsOf(from)) {
      if (isOnPath(hopTo, from, shard)) continue;
      const candidates = balanced.candidates(shard);
      for (let at = 0; at < candidates.length; at++) {
        const to = candidates[at];
        if (hopTo.has(to) || !balanced.mayPass(shard, from, to)) continue;
        hopTo.set(to, { shard, from, to });
        next.push(to);
      }
    }
  }
  return next;
}

/** Whether the way here passes the shard on: then a second time would not be as computed. */
function isOnPath(
  hopTo: ReadonlyMap<number, Hop | undefined>,
  node: number,
  shard: number,
): boolean {
  for (let hop = hopTo.get(node); hop !== undefined; hop = hopTo.get(hop.from)) {
    if (hop.shard === shard) return true;
  }
  return false;
}

function trace(hopTo: ReadonlyMap<number, Hop | undefined>, last: Hop): Hop[] {
  const path: Hop[] = [];
  for (let hop: Hop | undefined = last; hop !== undefined; hop = hopTo.get(hop.from)) {
    path.unshift(hop);
  }
  return path;
}
