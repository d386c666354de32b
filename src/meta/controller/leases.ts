/**
 * Which nodes may hold a lease, as the leader must see it. Pure.
 *
 * A node is held alive for `heldMs` from the receipt of its last heartbeat, and each that was there
 * before for `graceMs` from the election. A node that is found dead stays so until it is registered anew: no
 * heartbeat of it is answered meanwhile, so that it holds no lease while its shards are given away.
 *
 * Whoever looks at the clock only now and then may have been stopped itself, with heartbeats waiting
 * to be read: after such a stall the nodes are given time to be heard before they are judged.
 */
import type { HeartbeatCall, LeaseTimes, NodeId } from '../../cluster/index.ts';
import type { ControllerRules } from './rules.ts';

interface Life {
  readonly bootId: string;
  /** The last receipt; undefined: none since the election. */
  heardAtUs: number | undefined;
  /** From when on it holds no lease, unless it is heard. */
  untilUs: number;
  heartbeat: HeartbeatCall | undefined;
  /** Its heartbeats are answered no more; what it holds runs out. */
  isCondemned: boolean;
  isDead: boolean;
}

export class Leases {
  readonly #times: LeaseTimes;
  readonly #rules: ControllerRules;
  readonly #graceUntilUs: number;
  readonly #lives = new Map<NodeId, Life>();
  #lookedAtUs: number;
  #judgesFromUs = 0;

  constructor(times: LeaseTimes, rules: ControllerRules, electedAtUs: number) {
    this.#times = times;
    this.#rules = rules;
    this.#graceUntilUs = electedAtUs + rules.graceMs(times) * 1000;
    this.#lookedAtUs = electedAtUs;
  }

  /** Was registered before the election: its lease may be of a predecessor's granting. */
  inherited(node: NodeId, bootId: string): void {
    this.#begin(node, bootId, this.#graceUntilUs);
  }

  /** Is registered by this leader, so that only this leader has granted leases to this boot. */
  registered(node: NodeId, bootId: string, nowUs: number): void {
    this.#begin(node, bootId, nowUs + this.#heldUs());
  }

  /** Whether this boot of it has begun a life here, be that over or not. */
  knows(node: NodeId, bootId: string): boolean {
    return this.#lives.get(node)?.bootId === bootId;
  }

  nodes(): Iterable<NodeId> {
    return this.#lives.keys();
  }

  /**
   * The store says that it is dead, or nothing of it. Where this leader did not find it so, a lease
   * that it has granted must run out first.
   */
  condemn(node: NodeId): void {
    const life = this.#lives.get(node);
    if (life !== undefined) life.isCondemned = true;
  }

  forget(node: NodeId): void {
    this.#lives.delete(node);
  }

  /** @returns false where the heartbeat must not be answered: the node is to register */
  heard(heartbeat: HeartbeatCall, nowUs: number): boolean {
    const life = this.#lives.get(heartbeat.id);
    if (life === undefined || life.bootId !== heartbeat.bootId) return false;
    if (life.isDead || life.isCondemned) return false;
    life.heardAtUs = nowUs;
    life.untilUs = Math.max(life.untilUs, nowUs + this.#heldUs());
    life.heartbeat = heartbeat;
    return true;
  }

  /** It has said that it acts as primary no more. */
  left(node: NodeId, bootId: string): void {
    const life = this.#lives.get(node);
    if (life?.bootId === bootId) life.isDead = true;
  }

  /** Finds those whose time is over. To be called at least every heartbeat interval. */
  look(nowUs: number): void {
    const spanUs = this.#times.heartbeatMs * 1000;
    if (nowUs - this.#lookedAtUs > 2 * spanUs) this.#judgesFromUs = nowUs + 2 * spanUs;
    this.#lookedAtUs = nowUs;
    if (nowUs < this.#judgesFromUs) return;
    for (const life of this.#lives.values()) if (nowUs >= life.untilUs) life.isDead = true;
  }

  /** May hold a lease. Nodes that were never registered, or are forgotten, do not. */
  isAlive(node: NodeId): boolean {
    const life = this.#lives.get(node);
    return life !== undefined && !life.isDead;
  }

  /** The same boot, and alive. */
  isAliveAs(node: NodeId, bootId: string): boolean {
    return this.isAlive(node) && this.#lives.get(node)?.bootId === bootId;
  }

  heartbeatOf(node: NodeId): HeartbeatCall | undefined {
    return this.#lives.get(node)?.heartbeat;
  }

  heardAgoMs(node: NodeId, nowUs: number): number | undefined {
    const heardAtUs = this.#lives.get(node)?.heardAtUs;
    return heardAtUs === undefined
      ? undefined
      : Math.max(0, Math.round((nowUs - heardAtUs) / 1000));
  }

  #begin(node: NodeId, bootId: string, untilUs: number): void {
    const unheard = {
      heardAtUs: undefined,
      heartbeat: undefined,
      isCondemned: false,
      isDead: false,
    };
    this.#lives.set(node, { bootId, untilUs, ...unheard });
  }

  #heldUs(): number {
    return this.#rules.heldMs(this.#times) * 1000;
  }
}
