/**
 * A placement in the making: which nodes hold a copy of each shard, and whether one may stand in
 * for another without harm to the spread over zones and machines.
 *
 * Invariants: a node holds a shard at most once; `shardsOf` and the sets say the same.
 */
import { invariant } from '../../runtime/index.ts';
import type { Topology } from './ideal.ts';

const NONE = -1;

export class Assignment {
  readonly topology: Topology;
  readonly shardCount: number;
  /** By shard, `topology.copies` places for indexes of nodes, of which the first `#sizes` count. */
  readonly #places: Int32Array;
  readonly #sizes: Uint8Array;
  /** By node: the shards of which it holds a copy. */
  readonly shardsOf: number[][];
  /** Whether each zone may hold one copy of a shard: then zones are all that matters. */
  readonly #isOneAZone: boolean;
  readonly #zoneMarks: Int32Array;
  readonly #machineMarks: Int32Array;
  #mark = 0;

  constructor(topology: Topology, shardCount: number) {
    this.topology = topology;
    this.shardCount = shardCount;
    this.#places = new Int32Array(shardCount * topology.copies).fill(NONE);
    this.#sizes = new Uint8Array(shardCount);
    this.shardsOf = topology.nodes.map(() => []);
    this.#isOneAZone =
      topology.zoneCount >= topology.copies && topology.copiesMaxOfZone.every((max) => max <= 1);
    this.#zoneMarks = new Int32Array(topology.zoneCount);
    this.#machineMarks = new Int32Array(topology.machineCount);
  }

  size(shard: number): number {
    return this.#sizes[shard];
  }

  nodesOf(shard: number): Int32Array {
    const start = shard * this.topology.copies;
    return this.#places.subarray(start, start + this.#sizes[shard]);
  }

  holds(shard: number, node: number): boolean {
    const start = shard * this.topology.copies;
    const end = start + this.#sizes[shard];
    for (let at = start; at < end; at++) if (this.#places[at] === node) return true;
    return false;
  }

  add(shard: number, node: number): void {
    const size = this.#sizes[shard];
    invariant(size < this.topology.copies && !this.holds(shard, node), 'there is a place for it');
    this.#places[shard * this.topology.copies + size] = node;
    this.#sizes[shard] = size + 1;
    this.shardsOf[node].push(shard);
  }

  remove(shard: number, node: number): void {
    const start = shard * this.topology.copies;
    const at = this.#places.indexOf(node, start);
    const last = start + this.#sizes[shard] - 1;
    invariant(at >= start && at <= last, 'it holds the shard');
    this.#places[at] = this.#places[last];
    this.#places[last] = NONE;
    this.#sizes[shard]--;
    const shards = this.shardsOf[node];
    shards.splice(shards.indexOf(shard), 1);
  }

  exchange(shard: number, from: number, to: number): void {
    this.remove(shard, from);
    this.add(shard, to);
  }

  /** Whether `to` may join the shard, for `from` where one is given, with no harm to the spread. */
  mayJoin(shard: number, to: number, from = NONE): boolean {
    if (this.holds(shard, to)) return false;
    if (this.#isOneAZone) return this.#isZoneFree(shard, this.topology.zoneOf[to], from);
    return this.#faults(shard, from, to) <= this.#faults(shard, NONE, NONE);
  }

  /**
   * By how much the spread of a shard's copies falls short of the best there is: copies above the
   * most that a zone should have, zones that will have none, machines that will have none, and
   * those of a zone that have none while copies share another one.
   */
  faults(shard: number): number {
    return this.#faults(shard, NONE, NONE);
  }

  /** As `faults`, were `to` in for `from`. */
  faultsAfter(shard: number, from: number, to: number): number {
    return this.#faults(shard, from, to);
  }

  #isZoneFree(shard: number, zone: number, from: number): boolean {
    const start = shard * this.topology.copies;
    const end = start + this.#sizes[shard];
    const { zoneOf } = this.topology;
    for (let at = start; at < end; at++) {
      const node = this.#places[at];
      if (node !== from && zoneOf[node] === zone) return false;
    }
    return true;
  }

  /** As `faults`, were `from` out and `to` in. */
  #faults(shard: number, from: number, to: number): number {
    const { zoneOf, zoneCount, machineOf, machineCount, copies } = this.topology;
    const { machinesIn, copiesMaxOfZone } = this.topology;
    const start = shard * copies;
    const end = start + this.#sizes[shard];
    const members = this.#sizes[shard] - (from === NONE ? 0 : 1) + (to === NONE ? 0 : 1);
    const mark = this.#nextMark();
    let zones = 0;
    let machines = 0;
    let faults = 0;
    // A zone's mark counts its copies in the low bits, a machine's mark says that it has one.
    for (let at = start; at <= end; at++) {
      const node = at < end ? this.#places[at] : to;
      if (node === NONE || node === from) continue;
      const zone = zoneOf[node];
      const before = Math.max(0, this.#zoneMarks[zone] - mark);
      this.#zoneMarks[zone] = mark + before + 1;
      if (before === 0) zones++;
      if (before >= copiesMaxOfZone[zone]) faults++;
      if (before < machinesIn[zone]) faults++;
      if (this.#machineMarks[machineOf[node]] === mark) continue;
      this.#machineMarks[machineOf[node]] = mark;
      machines++;
      faults--;
    }
    const open = copies - members;
    if (copies >= zoneCount) faults += Math.max(0, zoneCount - zones - open);
    if (copies >= machineCount) faults += Math.max(0, machineCount - machines - open);
    return faults;
  }

  /** Above all marks that are in use: a zone's mark grows by the copies it counts. */
  #nextMark(): number {
    this.#mark += 16;
    if (this.#mark > 0x7fff_0000) {
      this.#mark = 16;
      this.#zoneMarks.fill(0);
      this.#machineMarks.fill(0);
    }
    return this.#mark;
  }
}
