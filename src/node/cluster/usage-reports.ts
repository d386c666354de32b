/**
 * What heartbeats tell of tenants: those that do something, and in turn some of the others that hold
 * something, so that a new leader knows all of them after a while. What it costs does not follow the
 * number of tenants.
 */
import type { QuotaShare, TenantUsage } from '../../cluster/index.ts';
import type { TenantState } from './tenant-state.ts';
import type { Tenants } from './tenants.ts';

/** In one heartbeat; those that are left out are first in the next. */
const ACTIVE_MAX = 1000;
/** Looked at in one heartbeat, beside those that are active. */
const IN_TURN = 256;

export interface UsageReport {
  readonly tenants: TenantUsage[];
  /** Their shares of quotas in force: a new leader divides anew from there. */
  readonly quotaShares: QuotaShare[];
}

export class UsageReports {
  readonly #tenants: Tenants;
  #turn: Iterator<TenantState> | undefined;

  constructor(tenants: Tenants) {
    this.#tenants = tenants;
  }

  /** To be called about every quarter of a second. */
  next(nowUs: number): UsageReport {
    const { active } = this.#tenants;
    const tenants: TenantUsage[] = [];
    const quotaShares: QuotaShare[] = [];
    const tell = (tenant: TenantState): TenantUsage => {
      const usage = tenant.usage();
      tenants.push(usage);
      if (tenant.share !== undefined) quotaShares.push(tenant.share);
      return usage;
    };
    for (const tenant of [...active].slice(0, ACTIVE_MAX)) {
      tenant.sample(nowUs);
      const usage = tell(tenant);
      active.delete(tenant);
      // Its last report says that it is still.
      tenant.isActive = usage.demandPerSecond > 0 || usage.bandwidthPerSecond > 0;
      if (tenant.isActive) active.add(tenant);
    }
    for (let looked = 0; looked < IN_TURN; looked++) {
      const tenant = this.#nextInTurn();
      if (tenant === undefined) break;
      const holdsAny = tenant.account.bytes > 0 || tenant.connections > 0;
      if (holdsAny && !tenant.isActive) tell(tenant);
    }
    return { tenants, quotaShares };
  }

  /** Undefined after the last. */
  #nextInTurn(): TenantState | undefined {
    this.#turn ??= this.#tenants.all();
    const next = this.#turn.next();
    if (next.done !== true) return next.value;
    this.#turn = undefined;
    return undefined;
  }
}
