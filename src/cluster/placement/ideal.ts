/**
 * What each node ideally holds: the number of copies of every shard that falls to it, as a fraction
 * between 0 and 1, in proportion to the weights as far as the spread over zones and machines
 * allows.
 *
 * Nodes stand on machines, machines in zones: a tree. At each level what is to be held is poured
 * over the children like water: by weight, none below its minimum, none above its maximum. Every
 * shard's copies obey the same bounds, so the constraints are those of a flow, and a flow with whole
 * bounds has a whole solution: there always is a placement in which each node holds its ideal
 * rounded up or down (`counts.ts` finds it).
 *
 * A machine that nodes of several zones claim to stand on counts as one in each of the zones.
 */
import { invariant } from '../../runtime/index.ts';
import type { NodeRecord } from '../node-record.ts';

export type PlacementNode = Pick<NodeRecord, 'id' | 'zone' | 'machine' | 'weight' | 'state'>;

/** The nodes that may be given shards, by index, and where they stand. */
export interface Topology {
  /** In the order of their ids. */
  readonly nodes: readonly PlacementNode[];
  readonly zoneOf: Int32Array;
  /** Numbered over all zones. */
  readonly machineOf: Int32Array;
  readonly zoneCount: number;
  readonly machineCount: number;
  /** By zone: how many machines stand in it. */
  readonly machinesIn: Int32Array;
  /** Copies of each shard: what was asked for, or the number of nodes where that is less. */
  readonly copies: number;
  /** By zone: the most copies of one shard it may hold, so that they are spread evenly. */
  readonly copiesMaxOfZone: Int32Array;
  /** By node, in [0, 1]: the fraction of all shards of which it holds a copy. */
  readonly copyShare: Float64Array;
  /** By node, at most its `copyShare`: the fraction of all shards of which it is the primary. */
  readonly primaryShare: Float64Array;
}

interface Vessel {
  readonly weight: number;
  readonly min: number;
  readonly max: number;
}

/** Divides `total` by weight, within each one's bounds, which must leave room for a solution. */
function pour(total: number, vessels: readonly Vessel[]): number[] {
  const amounts = vessels.map(({ min }) => min);
  let open = vessels.map((_, index) => index);
  let left = total;
  while (open.length > 0) {
    const weight = open.reduce((sum, index) => sum + vessels[index].weight, 0);
    let overflow = 0;
    for (const index of open) {
      const { weight: own, min, max } = vessels[index];
      const fair = (left * own) / weight;
      amounts[index] = Math.min(Math.max(fair, min), max);
      overflow += amounts[index] - fair;
    }
    // Those on the side that outweighs the other are settled; the rest is divided anew.
    const settled = open.filter((index) => {
      const fair = (left * vessels[index].weight) / weight;
      return overflow > 0 ? amounts[index] > fair : overflow < 0 && amounts[index] < fair;
    });
    if (settled.length === 0) return amounts;
    for (const index of settled) left -= amounts[index];
    open = open.filter((index) => !settled.includes(index));
  }
  return amounts;
}

/** The least bound under which vessels of these sizes hold `total` together. */
function evenBound(total: number, sizes: readonly number[]): number {
  let bound = 1;
  while (sizes.reduce((sum, size) => sum + Math.min(size, bound), 0) < total) bound++;
  return bound;
}

/** As even as can be while copies are on as many machines as there are. */
function zoneMaxima(
  copies: number,
  zones: ReadonlyArray<readonly number[]>,
  machinesIn: Int32Array,
): Int32Array {
  const machineCount = machinesIn.reduce((sum, count) => sum + count, 0);
  const isRoomy = machineCount >= copies;
  const sizes = zones.map(({ length }, zone) => (isRoomy ? machinesIn[zone] : length));
  const bound = evenBound(copies, sizes);
  return Int32Array.from(sizes, (size, zone) =>
    Math.min(size, isRoomy ? bound : Math.max(bound, machinesIn[zone])),
  );
}

function sumOf(nodes: readonly number[], values: ArrayLike<number>): number {
  return nodes.reduce((sum, node) => sum + values[node], 0);
}

/** Numbers what `keyOf` tells apart, in order of appearance, and lists the members of each. */
function group<T>(items: readonly T[], keyOf: (item: T) => string): [Int32Array, number[][]] {
  const numbers = new Map<string, number>();
  const members: number[][] = [];
  const groupOf = Int32Array.from(items, (item, index) => {
    const key = keyOf(item);
    const number = numbers.get(key) ?? numbers.size;
    numbers.set(key, number);
    (members[number] ??= []).push(index);
    return number;
  });
  return [groupOf, members];
}

/** @param copiesAsked of each shard, the primary's included */
export function topologyOf(all: Iterable<PlacementNode>, copiesAsked: number): Topology {
  const nodes = [...all]
    .filter(({ state, weight }) => state === 'up' && weight > 0)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
  const [zoneOf, zones] = group(nodes, ({ zone }) => zone);
  const [machineOf, machines] = group(nodes, ({ zone, machine }) => `${zone} ${machine}`);
  const copies = Math.min(copiesAsked, nodes.length);
  const weights = Float64Array.from(nodes, ({ weight }) => weight);
  const machinesByZone: number[][] = zones.map(() => []);
  for (const [machine, [node]] of machines.entries()) machinesByZone[zoneOf[node]].push(machine);
  const machinesIn = Int32Array.from(machinesByZone, ({ length }) => length);
  const copiesMaxOfZone = zoneMaxima(copies, zones, machinesIn);

  const copyShare = new Float64Array(nodes.length);
  const amounts = pour(
    copies,
    zones.map((members, zone) => ({
      weight: sumOf(members, weights),
      min: copies >= machines.length ? machinesIn[zone] : copies >= zones.length ? 1 : 0,
      max: copiesMaxOfZone[zone],
    })),
  );
  for (const [zone, amount] of amounts.entries()) {
    const within = machinesByZone[zone].map((machine) => machines[machine]);
    const bound = evenBound(
      Math.ceil(amount - 1e-9),
      within.map(({ length }) => length),
    );
    const ofMachines = pour(
      amount,
      within.map((members) => ({
        weight: sumOf(members, weights),
        min: amount >= within.length ? 1 : 0,
        max: Math.min(members.length, bound),
      })),
    );
    for (const [index, members] of within.entries()) {
      const vessels = members.map((node) => ({ weight: weights[node], min: 0, max: 1 }));
      const ofNodes = pour(ofMachines[index], vessels);
      for (const [at, node] of members.entries()) copyShare[node] = ofNodes[at];
    }
  }
  const primaryShare = Float64Array.from(
    pour(
      Math.min(1, copies),
      nodes.map(({ weight }, node) => ({ weight, min: 0, max: copyShare[node] })),
    ),
  );
  const total = copyShare.reduce((sum, share) => sum + share, 0);
  invariant(Math.abs(total - copies) < 1e-6, 'all copies are divided');
  return {
    nodes,
    zoneOf,
    machineOf,
    zoneCount: zones.length,
    machineCount: machines.length,
    machinesIn,
    copies,
    copiesMaxOfZone,
    copyShare,
    primaryShare,
  };
}
