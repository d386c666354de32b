/**
 * Divides a limit of the whole cluster among its nodes, by what is asked of each.
 *
 * Guarantee: what nodes may use together is never above the limit, though they learn of their
 * shares at different times. A share that falls is sent at once; what it sets free is given to
 * others only when its node has surely heard: after `handoverMs`, since a node that has heard
 * nothing for that long holds no lease and admits nothing.
 *
 * Each node keeps a small share whatever is asked, so that new demand finds an open door; all the
 * rest goes where the demand is, equally among those that could use more (max-min fairness). So one
 * node can have all but `RESERVED` of the limit.
 */

/** The fraction of the limit that is divided equally, asked for or not. */
const RESERVED = 0.04;

/** What is asked of a node that is alive. */
export interface Demand<Id> {
  readonly node: Id;
  /** A second, or at a time; what was refused included. */
  readonly demand: number;
  /** In use, and not given back by a lower share at once: connections, memory. */
  readonly held: number;
}

interface Grant {
  share: number;
  /** Higher ones that it may not have heard the end of, and when they were taken back. */
  before: Array<{ readonly share: number; readonly untilMs: number }>;
  /** Of the last round: demand fades, so that shares do not jump about. */
  demand: number;
}

/** Of one limit. Times are monotonic. */
export class QuotaDivision<Id> {
  readonly #handoverMs: number;
  readonly #grants = new Map<Id, Grant>();

  constructor(handoverMs: number) {
    this.#handoverMs = handoverMs;
  }

  /**
   * The shares to be sent now: whole numbers, of all these nodes. A node that is not among them
   * must hold no lease.
   *
   * @param known of nodes that are new here: what they have; else they are taken to have an equal
   *   part
   */
  divide(
    limit: number,
    demands: ReadonlyArray<Demand<Id>>,
    nowMs: number,
    known?: (node: Id) => number | undefined,
  ): ReadonlyMap<Id, number> {
    const nodes = new Set(demands.map(({ node }) => node));
    for (const node of this.#grants.keys()) if (!nodes.has(node)) this.#grants.delete(node);
    const equal = Math.floor(limit / Math.max(1, demands.length));
    for (const { node, demand } of demands) {
      const grant = this.#grants.get(node) ?? { share: 0, before: [], demand: 0 };
      if (!this.#grants.has(node)) {
        grant.before.push({ share: known?.(node) ?? equal, untilMs: nowMs + this.#handoverMs });
        this.#grants.set(node, grant);
      }
      grant.before = grant.before.filter(({ untilMs }) => untilMs > nowMs);
      grant.demand = Math.max(Math.min(demand, limit), Math.floor(grant.demand / 4));
    }
    const targets = this.#targets(limit, demands);
    this.#lower(demands, targets, nowMs);
    this.#raise(limit, demands, targets);
    return new Map(demands.map(({ node }) => [node, this.#grant(node).share]));
  }

  /** What each would have if all heard at once. */
  #targets(limit: number, demands: ReadonlyArray<Demand<Id>>): Map<Id, number> {
    const reserved = Math.floor((limit * RESERVED) / Math.max(1, demands.length));
    const targets = new Map<Id, number>();
    let left = limit;
    for (const { node, held } of demands) {
      const first = Math.min(left, Math.max(reserved, Math.ceil(held)));
      targets.set(node, first);
      left -= first;
    }
    const wants = demands
      .map(({ node }) => ({ node, want: Math.ceil(this.#grant(node).demand) }))
      .sort((a, b) => a.want - b.want);
    // From the most modest on, each takes what it wants, or an equal part of what is left.
    for (const [index, { node, want }] of wants.entries()) {
      const has = targets.get(node) ?? 0;
      const more = Math.max(0, Math.min(want - has, Math.floor(left / (wants.length - index))));
      targets.set(node, has + more);
      left -= more;
    }
    // What nobody asks for lies where most is asked for, ready for more.
    const total = wants.reduce((sum, { want }) => sum + want, 0);
    const spare = left;
    for (const { node, want } of wants) {
      const part = total === 0 ? 1 / wants.length : want / total;
      const more = Math.min(left, Math.floor(spare * part));
      targets.set(node, (targets.get(node) ?? 0) + more);
      left -= more;
    }
    const last = wants.at(-1);
    if (last !== undefined) targets.set(last.node, (targets.get(last.node) ?? 0) + left);
    return targets;
  }

  #lower(
    demands: ReadonlyArray<Demand<Id>>,
    targets: ReadonlyMap<Id, number>,
    nowMs: number,
  ): void {
    for (const { node } of demands) {
      const grant = this.#grant(node);
      const target = targets.get(node) ?? 0;
      if (target >= grant.share) continue;
      grant.before.push({ share: grant.share, untilMs: nowMs + this.#handoverMs });
      grant.share = target;
    }
  }

  /** Out of what is surely free; where that is not enough, to each in the same proportion. */
  #raise(
    limit: number,
    demands: ReadonlyArray<Demand<Id>>,
    targets: ReadonlyMap<Id, number>,
  ): void {
    let used = 0;
    let wanted = 0;
    for (const demand of demands) {
      const bound = this.#boundOf(demand);
      used += bound;
      wanted += Math.max(0, (targets.get(demand.node) ?? 0) - bound);
    }
    const free = Math.max(0, limit - used);
    const ratio = wanted === 0 ? 0 : Math.min(1, free / wanted);
    for (const demand of demands) {
      const grant = this.#grant(demand.node);
      const target = targets.get(demand.node) ?? 0;
      const bound = this.#boundOf(demand);
      // Up to what it may be using already, a share may be raised freely.
      const raised = Math.min(target, bound + Math.floor(Math.max(0, target - bound) * ratio));
      grant.share = Math.max(grant.share, raised);
    }
  }

  /** The most that the node may be using. */
  #boundOf({ node, held }: Demand<Id>): number {
    const { share, before } = this.#grant(node);
    return Math.max(share, Math.ceil(held), ...before.map((earlier) => earlier.share));
  }

  #grant(node: Id): Grant {
    const grant = this.#grants.get(node);
    if (grant === undefined) throw new RangeError('a node that is divided among has a grant');
    return grant;
  }
}
