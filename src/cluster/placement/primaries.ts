/** Which holder of each shard is its primary: kept as far as it may be, then balanced. */
import type { Assignment } from './assignment.ts';
import { balanceCounts, boundsOf } from './counts.ts';
import { balanceLoads, costsOf, type ShardLoad } from './loads.ts';

const NONE = -1;

export class Primaries {
  readonly #assignment: Assignment;
  readonly #primaryOf: Int32Array;
  readonly #shardsOf: number[][];

  constructor(assignment: Assignment) {
    this.#assignment = assignment;
    this.#primaryOf = new Int32Array(assignment.shardCount).fill(NONE);
    this.#shardsOf = assignment.topology.nodes.map(() => []);
  }

  of(shard: number): number {
    return this.#primaryOf[shard];
  }

  /** Each shard is led by whom `leads` says, else by the holder that leads fewest. */
  settle(leads: Int32Array): void {
    const { shardCount } = this.#assignment;
    const open: number[] = [];
    for (let shard = 0; shard < shardCount; shard++) {
      if (leads[shard] >= 0) this.#give(shard, leads[shard]);
      else if (this.#assignment.size(shard) > 0) open.push(shard);
    }
    for (const shard of open) {
      const nodes = [...this.#assignment.nodesOf(shard)].sort((a, b) => a - b);
      const node = nodes.reduce((best, each) =>
        this.#filled(each) < this.#filled(best) ? each : best,
      );
      this.#give(shard, node);
    }
  }

  balance(loads: ReadonlyMap<number, ShardLoad> | undefined): void {
    const { topology, shardCount } = this.#assignment;
    const roles = {
      shardsOf: (node: number) => this.#shardsOf[node],
      mayPass: (shard: number, _from: number, to: number) => this.#mayLead(shard, to),
      pass: (shard: number, from: number, to: number) => {
        this.#shardsOf[from].splice(this.#shardsOf[from].indexOf(shard), 1);
        this.#give(shard, to);
      },
    };
    if (loads !== undefined) {
      const costs = costsOf(loads, shardCount, 'opsPerSecond');
      const dimensions = [{ costs, shares: topology.primaryShare }];
      balanceLoads({ ...roles, dimensions }, shardCount);
      return;
    }
    balanceCounts(
      {
        ...roles,
        nodeCount: topology.nodes.length,
        count: (node) => this.#shardsOf[node].length,
        candidates: (shard) => this.#assignment.nodesOf(shard),
        score: (_shard, node) => this.#filled(node),
      },
      boundsOf(topology.primaryShare, shardCount),
    );
  }

  #mayLead(shard: number, node: number): boolean {
    return this.#primaryOf[shard] !== node && this.#assignment.holds(shard, node);
  }

  #give(shard: number, node: number): void {
    this.#primaryOf[shard] = node;
    this.#shardsOf[node].push(shard);
  }

  #filled(node: number): number {
    return (this.#shardsOf[node].length + 1) / this.#assignment.topology.primaryShare[node];
  }
}
