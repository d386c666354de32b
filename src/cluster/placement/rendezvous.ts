/**
 * Weighted rendezvous hashing: every node has a score for every shard, which depends on nothing
 * else, so that the preferences of a shard stay when other nodes come and go.
 *
 * The score is an exponentially distributed number of rate `weight`; of several such numbers each is
 * the least with a probability in proportion to its rate. Reference: Schindelhauer and Schomaker,
 * "Weighted distributed hash tables", 2005.
 */
import type { PlacementNode } from './ideal.ts';

const GOLDEN_RATIO = 0x9e37_79b1;

/** The finalizer of MurmurHash3: each bit of the input changes each bit of the output. */
function mix(word: number): number {
  let mixed = word;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}

/** Scores of nodes, by index, for shards. The least is preferred. */
export class Rendezvous {
  readonly #seeds: Int32Array;
  readonly #weights: Float64Array;

  constructor(nodes: readonly PlacementNode[]) {
    this.#seeds = Int32Array.from(nodes, ({ id }) => {
      let seed = 0;
      for (let at = 0; at < id.length; at += 8) {
        seed = mix(seed ^ Number.parseInt(id.slice(at, at + 8), 16));
      }
      return seed;
    });
    this.#weights = Float64Array.from(nodes, ({ weight }) => weight);
  }

  score(shard: number, node: number): number {
    const hash = mix(this.#seeds[node] ^ Math.imul(shard + 1, GOLDEN_RATIO)) >>> 0;
    return -Math.log((hash + 0.5) / 2 ** 32) / this.#weights[node];
  }
}
