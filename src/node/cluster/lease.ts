/**
 * The right to act as primary, until a time on this node's own monotonic clock. Pure.
 *
 * Safety (design, section 8): the leader holds the node alive until *its receipt* of a heartbeat +
 * lease + margin, and the node counts from *its sending* of that heartbeat, margin taken off. The
 * sending is before the receipt, whatever the network does, and the margins cover clocks that do
 * not run at one rate: so the node stops before the leader gives its shards away.
 *
 * An answer that speaks of a newer map than the node has renews nothing: a node that was declared
 * dead and has come back must not serve by the map from before.
 */
import type { Epoch } from '../../cluster/index.ts';

export interface AnsweredHeartbeat {
  readonly sentAtUs: number;
  readonly receivedAtUs: number;
  /** The map's epoch that the answer speaks of. */
  readonly answerEpoch: Epoch;
  /** Of the map that the node routes by. */
  readonly ownEpoch: Epoch;
  /** What a lease lasts, margin taken off. */
  readonly leaseMs: number;
}

/** What the safety rests on, so that a simulation can put a wrong rule in its place. */
export interface LeaseRules {
  countsFromUs(heartbeat: AnsweredHeartbeat): number;
  renews(heartbeat: AnsweredHeartbeat): boolean;
  /** Whether the lease that ends at `untilUs` is held now. */
  isHeld(untilUs: number, nowUs: number): boolean;
}

export const LEASE_RULES: LeaseRules = Object.freeze({
  countsFromUs: ({ sentAtUs }: AnsweredHeartbeat) => sentAtUs,
  renews: ({ answerEpoch, ownEpoch }: AnsweredHeartbeat) => answerEpoch <= ownEpoch,
  isHeld: (untilUs: number, nowUs: number) => nowUs < untilUs,
});

/** A new leader stands, as a rule, before leases end; where it does not, soon after. */
const DUE_MS = 500;

export class Lease {
  readonly #rules: LeaseRules;
  #untilUs = 0;
  #isGivenUp = false;

  constructor(rules: LeaseRules = LEASE_RULES) {
    this.#rules = rules;
  }

  /** The first moment at which it is no longer held; 0: it never was, or was given up. */
  get untilUs(): number {
    return this.#untilUs;
  }

  /** Answers may come in any order: none shortens a lease that a later heartbeat has earned. */
  answered(heartbeat: AnsweredHeartbeat): void {
    if (this.#isGivenUp || !this.#rules.renews(heartbeat)) return;
    const untilUs = this.#rules.countsFromUs(heartbeat) + heartbeat.leaseMs * 1000;
    this.#untilUs = Math.max(this.#untilUs, untilUs);
  }

  isHeld(nowUs: number): boolean {
    return this.#rules.isHeld(this.#untilUs, nowUs);
  }

  /** For how long after its end another answer is expected to renew it yet; 0: no longer. */
  dueMs(nowUs: number): number {
    if (this.#untilUs === 0) return 0;
    return Math.min(DUE_MS, Math.max(0, DUE_MS - (nowUs - this.#untilUs) / 1000));
  }

  /** The node is to act as primary no more: no answer that is still under way renews anything. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#untilUs = 0;
  }
}
