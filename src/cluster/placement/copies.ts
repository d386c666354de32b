/**
 * Where the copies of every shard are to be: what is there is kept as far as it may be, what is
 * missing is filled by rendezvous among the nodes that have room, and then it is balanced.
 *
 * Where a primary's copy goes to another node, the lead goes along, in the same move. So of the
 * copies that are moved those are the primaries' that take the leads, too, where they are wanted;
 * else leads would be switched from node to node afterwards, each with a pause.
 */
import type { NodeId } from '../ids.ts';
import { replicaSet, type ShardMap } from '../shard-map.ts';
import { Assignment } from './assignment.ts';
import { balanceCounts, boundsOf, type Bounds } from './counts.ts';
import type { Topology } from './ideal.ts';
import { balanceLoads, costsOf, type ShardLoad } from './loads.ts';
import { Rendezvous } from './rendezvous.ts';

const NONE = -1;

export class CopyPlacer {
  readonly assignment: Assignment;
  /** By shard, the holder that leads it; below 0 where none does yet. */
  readonly leads: Int32Array;
  readonly #topology: Topology;
  readonly #rendezvous: Rendezvous;
  readonly #bounds: Bounds;
  readonly #nodes: Int32Array;
  /** By node, how many it leads. */
  readonly #leadCounts: Int32Array;

  constructor(topology: Topology, shardCount: number) {
    this.assignment = new Assignment(topology, shardCount);
    this.#topology = topology;
    this.#rendezvous = new Rendezvous(topology.nodes);
    this.#bounds = boundsOf(topology.copyShare, shardCount);
    this.#nodes = Int32Array.from(topology.nodes, (_, node) => node);
    this.leads = new Int32Array(shardCount).fill(NONE);
    this.#leadCounts = new Int32Array(topology.nodes.length);
  }

  /** Takes over what the nodes hold, the primary's copy first; what is too much is left out. */
  keep(map: ShardMap, indexOf: ReadonlyMap<NodeId, number>): void {
    for (const [shard, present] of map.shards.entries()) {
      const held = replicaSet(present).flatMap((id) => indexOf.get(id) ?? []);
      const isSpread = (node: number): boolean => this.assignment.mayJoin(shard, node);
      for (const wanted of [isSpread, () => true]) {
        for (const node of held) {
          const isFull = this.assignment.size(shard) === this.#topology.copies;
          const isIn = this.assignment.holds(shard, node);
          if (!isFull && !isIn && wanted(node)) this.assignment.add(shard, node);
        }
      }
      const lead = present.primary === null ? undefined : indexOf.get(present.primary);
      if (lead === undefined || !this.assignment.holds(shard, lead)) continue;
      this.leads[shard] = lead;
      this.#leadCounts[lead]++;
    }
  }

  /** Gives every shard as many copies as it is to have. */
  fill(): void {
    const { nodes, copies } = this.#topology;
    const scores = new Float64Array(nodes.length);
    for (let shard = 0; shard < this.assignment.shardCount; shard++) {
      if (this.assignment.size(shard) === copies) continue;
      for (const node of this.#nodes) scores[node] = this.#rendezvous.score(shard, node);
      while (this.assignment.size(shard) < copies) {
        // Nodes above the lower bound come second, since only so many of them may be.
        const node =
          this.#bestJoiner(shard, scores, this.#bounds.low) ??
          this.#bestJoiner(shard, scores, this.#bounds.high) ??
          this.#leastFilled(shard);
        this.assignment.add(shard, node);
      }
    }
  }

  /** Exchanges copies until no exchange of one brings a shard's spread closer to the best. */
  spread(): void {
    for (let shard = 0; shard < this.assignment.shardCount; shard++) {
      while (this.assignment.faults(shard) > 0 && this.#improveSpread(shard));
    }
  }

  balance(loads: ReadonlyMap<number, ShardLoad> | undefined): void {
    const { assignment } = this;
    const { shardCount } = assignment;
    const { copyShare, primaryShare } = this.#topology;
    const copies = {
      shardsOf: (node: number) => assignment.shardsOf[node],
      mayPass: (shard: number, from: number, to: number) => assignment.mayJoin(shard, to, from),
      pass: (shard: number, from: number, to: number) => this.#exchange(shard, from, to),
    };
    if (loads !== undefined) {
      const [bytes, ops] = (['bytes', 'opsPerSecond'] as const).map((dimension) => ({
        costs: costsOf(loads, shardCount, dimension),
        shares: copyShare,
      }));
      const isWith = (shard: number, node: number): boolean => this.leads[shard] === node;
      const companion = { costs: ops.costs, shares: primaryShare, isWith };
      balanceLoads({ ...copies, dimensions: [bytes, ops], companion }, shardCount);
      return;
    }
    balanceCounts(
      {
        ...copies,
        nodeCount: this.#nodes.length,
        count: (node) => assignment.shardsOf[node].length,
        candidates: () => this.#nodes,
        isWelcome: (shard, from, to) => {
          const isWanted = this.#leadsOver(from) > 0 && this.#leadsOver(to) < 0;
          return isWanted === (this.leads[shard] === from);
        },
        score: (shard, node) => this.#rendezvous.score(shard, node),
      },
      this.#bounds,
    );
  }

  /** How many it leads beyond its ideal. */
  #leadsOver(node: number): number {
    const { primaryShare } = this.#topology;
    return this.#leadCounts[node] - primaryShare[node] * this.assignment.shardCount;
  }

  #exchange(shard: number, from: number, to: number): void {
    this.assignment.exchange(shard, from, to);
    if (this.leads[shard] !== from) return;
    this.leads[shard] = to;
    this.#leadCounts[from]--;
    this.#leadCounts[to]++;
  }

  /** That with the best score, of those which do no harm and hold fewer copies than `bounds`. */
  #bestJoiner(shard: number, scores: Float64Array, bounds: Int32Array): number | undefined {
    let best: number | undefined;
    let bestScore = Infinity;
    for (const node of this.#nodes) {
      if (scores[node] >= bestScore || this.#count(node) >= bounds[node]) continue;
      if (this.assignment.mayJoin(shard, node)) [best, bestScore] = [node, scores[node]];
    }
    return best;
  }

  /** Where none has room: those that do no harm before others, and of them the emptiest. */
  #leastFilled(shard: number): number {
    const absent = [...this.#nodes].filter((node) => !this.assignment.holds(shard, node));
    const harmless = absent.filter((node) => this.assignment.mayJoin(shard, node));
    return (harmless.length > 0 ? harmless : absent).reduce((best, node) =>
      this.#filled(node) < this.#filled(best) ? node : best,
    );
  }

  #improveSpread(shard: number): boolean {
    const before = this.assignment.faults(shard);
    let best: { from: number; to: number; faults: number } | undefined;
    for (const from of this.assignment.nodesOf(shard).slice()) {
      for (const to of this.#nodes) {
        if (!this.assignment.mayJoin(shard, to, from)) continue;
        const faults = this.assignment.faultsAfter(shard, from, to);
        const isBetter =
          best === undefined
            ? faults < before
            : faults < best.faults ||
              (faults === best.faults && this.#filled(to) < this.#filled(best.to));
        if (isBetter) best = { from, to, faults };
      }
    }
    if (best === undefined) return false;
    this.#exchange(shard, best.from, best.to);
    return true;
  }

  #count(node: number): number {
    return this.assignment.shardsOf[node].length;
  }

  /** Its copies, were one more to come, in parts of its ideal. */
  #filled(node: number): number {
    return (this.#count(node) + 1) / this.#topology.copyShare[node];
  }
}
