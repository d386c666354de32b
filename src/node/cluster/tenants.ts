/**
 * The tenants and namespaces that the node knows, what they may use here, and what they do use.
 *
 * Each namespace is a domain of the engine, made when it is first used: ten thousand tenants of
 * which most are idle cost their records alone. The tenant `default` with its namespace `default`
 * is there from the start, as the domain that the node was made with.
 */
import {
  DEFAULT_NAMESPACE,
  DEFAULT_TENANT,
  type Namespace,
  type Push,
  type Tenant,
} from '../../cluster/index.ts';
import { DOMAIN_MAX, type Domain, type Engine } from '../../engine/index.ts';
import { invariant } from '../../runtime/index.ts';
import { TenantState } from './tenant-state.ts';

export class NamespaceState {
  readonly tenant: TenantState;
  record: Namespace;
  /** Undefined until it is used. */
  domain: Domain | undefined;

  constructor(tenant: TenantState, record: Namespace) {
    this.tenant = tenant;
    this.record = record;
  }

  /**
   * Works out what it may hold here of its own bound: the part of it that the tenant's share is of
   * the tenant's, and an equal part among the nodes where the tenant has no bound.
   */
  limit(nodes: number): void {
    if (this.domain === undefined) return;
    const { maxMemoryBytes } = this.record;
    const { maxMemoryBytes: ofTenant } = this.tenant.record;
    const part = ofTenant === undefined ? 1 / nodes : this.tenant.account.bytesMax / ofTenant;
    this.domain.bytesMax =
      maxMemoryBytes === undefined ? Infinity : Math.floor(maxMemoryBytes * part);
  }
}

export class Tenants {
  readonly default: NamespaceState;
  /** Those whose rates are followed. */
  readonly active = new Set<TenantState>();
  readonly #engine: Engine;
  readonly #byName = new Map<string, TenantState>();
  readonly #byNumber = new Map<number, NamespaceState>();
  /** Numbers of domains that are being removed, or were: to be used again. */
  #leavingIds: number[] = [];
  /** The namespace of each domain, by the domain's id. */
  readonly #byDomain: Array<NamespaceState | undefined> = [];
  #domainsMade = 1;
  #numberMax = 0;
  #nodes = 1;
  /** When the first of the shares is to become old. */
  #sharesEndUs = Infinity;

  constructor(engine: Engine, domain: Domain) {
    this.#engine = engine;
    const tenant = new TenantState(defaultTenant(domain), domain.account);
    this.default = new NamespaceState(tenant, defaultNamespace());
    this.default.domain = domain;
    tenant.namespaces.set(DEFAULT_NAMESPACE, this.default);
    this.#byName.set(DEFAULT_TENANT, tenant);
    this.#byNumber.set(0, this.default);
    this.#byDomain[domain.id] = this.default;
  }

  all(): IterableIterator<TenantState> {
    return this.#byName.values();
  }

  find(tenant: string, namespace: string): NamespaceState | undefined {
    return this.#byName.get(tenant)?.namespaces.get(namespace);
  }

  /** The domain of the namespace that has this number in the cluster. */
  numbered(number: number): Domain | undefined {
    const namespace = this.#byNumber.get(number);
    return namespace === undefined ? undefined : this.domainOf(namespace);
  }

  /** The number in the cluster of a domain's namespace. */
  numberOf(domain: Domain): number {
    const namespace = this.#byDomain[domain.id];
    invariant(namespace !== undefined, 'a domain that is in use has a namespace');
    return namespace.record.number;
  }

  /** Whether this namespace was there and is gone, rather than not there yet: none is reused. */
  wasRemoved(number: number): boolean {
    return number <= this.#numberMax && !this.#byNumber.has(number);
  }

  /** The domains in use. */
  *domains(): IterableIterator<Domain> {
    for (const { domain } of this.#byNumber.values()) if (domain !== undefined) yield domain;
  }

  /**
   * Applies a push, whole or in part; see `wire.ts`.
   *
   * @returns the namespaces that are gone: whoever has connections or records of them lets go
   */
  apply(push: Push<'tenants'>, nowUs: number): readonly NamespaceState[] {
    const gone = this.#goneWith(push);
    for (const namespace of gone) this.#remove(namespace);
    for (const record of push.tenants) this.#put(record, nowUs);
    for (const record of push.namespaces) this.#putNamespace(record);
    return gone;
  }

  applyQuotas({ ttlMs, shares }: Push<'quotas'>, nowUs: number): void {
    for (const share of shares) {
      const tenant = this.#byName.get(share.tenant);
      if (tenant === undefined) continue;
      tenant.setShare(share, nowUs + ttlMs * 1000);
      this.#sharesEndUs = Math.min(this.#sharesEndUs, nowUs + ttlMs * 1000);
      tenant.limit(this.#nodes, nowUs);
    }
  }

  /** A tenant does something: its rates are followed from now on. */
  wake(tenant: TenantState, nowUs: number): void {
    if (tenant.isActive) return;
    tenant.wake(nowUs);
    this.active.add(tenant);
  }

  /** How many nodes share a quota that has not been divided yet. */
  setNodeCount(nodes: number, nowUs: number): void {
    if (this.#nodes === Math.max(1, nodes)) return;
    this.#nodes = Math.max(1, nodes);
    for (const tenant of this.#byName.values()) tenant.limit(this.#nodes, nowUs);
  }

  /** To be called some times a second: shares that were not renewed in time are worth half. */
  tick(nowUs: number): void {
    if (nowUs < this.#sharesEndUs) return;
    this.#sharesEndUs = Infinity;
    for (const tenant of this.#byName.values()) {
      if (tenant.ages(nowUs)) tenant.limit(this.#nodes, nowUs);
      this.#sharesEndUs = Math.min(this.#sharesEndUs, tenant.shareEndsUs);
    }
  }

  /** The domain of a namespace; undefined where the engine can have no more of them. */
  domainOf(namespace: NamespaceState): Domain | undefined {
    if (namespace.domain !== undefined) return namespace.domain;
    const id = this.#freeId();
    if (id === undefined) return undefined;
    const { record, account } = namespace.tenant;
    const domain = this.#engine.addDomain(id, record.policy, account);
    namespace.domain = domain;
    namespace.limit(this.#nodes);
    this.#byDomain[id] = namespace;
    return domain;
  }

  #freeId(): number | undefined {
    if (this.#domainsMade <= DOMAIN_MAX) return this.#domainsMade++;
    const id = this.#leavingIds.find((leaving) => this.#engine.isFree(leaving));
    this.#leavingIds = this.#leavingIds.filter((leaving) => leaving !== id);
    return id;
  }

  /** What is named as removed, is missing from a whole push, or was made anew under its name. */
  #goneWith(push: Push<'tenants'>): NamespaceState[] {
    const gone = new Set<NamespaceState | undefined>(
      push.since === 0 ? this.#byNumber.values() : [],
    );
    for (const { tenant, name } of push.removedNamespaces) gone.add(this.find(tenant, name));
    for (const { tenant, name } of push.namespaces) gone.add(this.find(tenant, name));
    const renewed = push.tenants.filter((tenant) => this.#isOther(tenant));
    for (const name of [...push.removedTenants, ...renewed.map((tenant) => tenant.name)]) {
      for (const namespace of this.#byName.get(name)?.namespaces.values() ?? []) {
        gone.add(namespace);
      }
    }
    const stays = new Set(push.namespaces.map(({ number }) => number));
    const isGone = (namespace: NamespaceState | undefined): namespace is NamespaceState =>
      namespace !== undefined && namespace !== this.default && !stays.has(namespace.record.number);
    return [...gone].filter(isGone);
  }

  /** Whether a tenant of that name is known that is not this one. */
  #isOther({ name, number }: Tenant): boolean {
    const known = this.#byName.get(name);
    return known !== undefined && known.record.number !== number;
  }

  #remove(namespace: NamespaceState): void {
    const { tenant, record, domain } = namespace;
    if (domain !== undefined) {
      this.#engine.removeDomain(domain);
      this.#leavingIds.push(domain.id);
    }
    tenant.namespaces.delete(record.name);
    this.#byNumber.delete(record.number);
    if (tenant.namespaces.size > 0) return;
    this.#byName.delete(tenant.record.name);
    this.active.delete(tenant);
  }

  #put(record: Tenant, nowUs: number): void {
    let tenant = this.#byName.get(record.name);
    if (tenant === undefined) {
      tenant = new TenantState(record);
      this.#byName.set(record.name, tenant);
    } else if (tenant.record.policy !== record.policy) {
      for (const { domain } of tenant.namespaces.values()) {
        if (domain !== undefined) this.#engine.setPolicy(domain, record.policy);
      }
    }
    tenant.record = record;
    tenant.limit(this.#nodes, nowUs);
  }

  #putNamespace(record: Namespace): void {
    const tenant = this.#byName.get(record.tenant);
    // A namespace never comes without its tenant, or after it.
    if (tenant === undefined) return;
    let namespace = tenant.namespaces.get(record.name);
    if (namespace === undefined) {
      namespace = new NamespaceState(tenant, record);
      tenant.namespaces.set(record.name, namespace);
      this.#byNumber.set(record.number, namespace);
    }
    namespace.record = record;
    namespace.limit(this.#nodes);
    this.#numberMax = Math.max(this.#numberMax, record.number);
  }
}

/** Until the leader has told of it. */
function defaultTenant(domain: Domain): Tenant {
  return {
    name: DEFAULT_TENANT,
    number: 0,
    policy: domain.policyName,
    replicas: 0,
    ack: 'primary',
    maxUnreplicated: {},
    createdAtMs: 0,
  };
}

function defaultNamespace(): Namespace {
  return { tenant: DEFAULT_TENANT, name: DEFAULT_NAMESPACE, number: 0, createdAtMs: 0 };
}
