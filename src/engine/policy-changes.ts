/** Changes how domains evict, one domain after the other, in steps of bounded size. */
import type { Domain } from './domain.ts';
import { WORK_BYTES_PER_RECORD, type HousekeepingJob } from './housekeeping.ts';
import { PolicyChange } from './policy-change.ts';
import type { EvictionPolicy, PolicyName } from './policy/index.ts';

/** Of a domain whose policy is changed again and again, so many changes are under way at a time. */
const DEPTH_MAX = 4;

export class PolicyChanges implements HousekeepingJob {
  readonly #domains: Domain[] = [];
  readonly #hashOf: (ref: number) => number;

  constructor(hashOf: (ref: number) => number) {
    this.#hashOf = hashOf;
  }

  get isBehind(): boolean {
    return this.#domains.length > 0;
  }

  begin(domain: Domain, to: EvictionPolicy, policyName: PolicyName): void {
    const { policy } = domain;
    if (policy instanceof PolicyChange && policy.depth >= DEPTH_MAX) {
      while (domain.policy === policy) this.#step(domain, policy);
    }
    const change = new PolicyChange(domain.policy, to, domain.index, this.#hashOf);
    domain.setPolicy(change, policyName);
    if (!this.#domains.includes(domain)) this.#domains.push(domain);
  }

  /** The domain holds no records any more: there is nothing to hand over. */
  settle(domain: Domain): void {
    const at = this.#domains.indexOf(domain);
    if (at !== -1) this.#domains.splice(at, 1);
    const { policy } = domain;
    if (!(policy instanceof PolicyChange)) return;
    policy.clear();
    domain.policy = policy.to;
  }

  run(budgetBytes: number): number {
    let passed = 0;
    while (passed < budgetBytes && this.#domains.length > 0) {
      const [domain] = this.#domains;
      const { policy } = domain;
      if (policy instanceof PolicyChange) {
        passed += (this.#step(domain, policy) + 1) * WORK_BYTES_PER_RECORD;
      }
    }
    return passed;
  }

  #step(domain: Domain, change: PolicyChange): number {
    // It may have been completed by the search for a victim.
    const found = change.isDone ? 0 : change.step();
    if (change.isDone) {
      this.#domains.splice(this.#domains.indexOf(domain), 1);
      domain.policy = change.to;
    }
    return found;
  }
}
