/** One tenant on this node: what it may use, and what it does use. Pure. */
import type { QuotaShare, Tenant, TenantUsage } from '../../cluster/index.ts';
import { DomainAccount } from '../../engine/index.ts';
import { RecentRate } from './recent-rate.ts';
import type { NamespaceState } from './tenants.ts';
import { TokenBucket } from './token-bucket.ts';

export class TenantState {
  record: Tenant;
  readonly namespaces = new Map<string, NamespaceState>();
  /** Whether any of what it asks for is limited: all else is skipped while nothing is. */
  isLimited = false;
  /** Whether its writes ask more of replication than to be passed on. */
  isCareful = false;
  /** Operations carried out, and those refused. */
  operations = 0;
  refused = 0;
  /** Bytes of requests and replies. */
  bytesMoved = 0;
  connections = 0;
  /** Whether its rates are followed: since it did something, until it has been still for a while. */
  isActive = false;
  connectionsMax = Infinity;
  /** What all of its namespaces hold together, and may. */
  readonly account: DomainAccount;
  #share: QuotaShare | undefined;
  #shareEndsUs = Infinity;
  #isShareOld = false;
  #operationsAllowed: TokenBucket | undefined;
  #bytesAllowed: TokenBucket | undefined;
  readonly #operationsRate = new RecentRate();
  readonly #demandRate = new RecentRate();
  readonly #bytesRate = new RecentRate();

  constructor(record: Tenant, account = new DomainAccount()) {
    this.record = record;
    this.account = account;
  }

  /** What the leader gave this node of its quotas; undefined until it has. */
  get share(): QuotaShare | undefined {
    return this.#share;
  }

  /** This node's part of its quotas, good until then. */
  setShare(share: QuotaShare, endsUs: number): void {
    this.#share = share;
    this.#shareEndsUs = endsUs;
    this.#isShareOld = false;
  }

  /** Whether the share has become old with this moment; `limit` is to follow then. */
  ages(nowUs: number): boolean {
    if (this.#share === undefined || this.#isShareOld) return false;
    this.#isShareOld = this.#shareEndsUs <= nowUs;
    if (this.#isShareOld) this.#shareEndsUs = Infinity;
    return this.#isShareOld;
  }

  /** When its share becomes old; Infinity: it is so already, or there is none. */
  get shareEndsUs(): number {
    return this.#shareEndsUs;
  }

  /**
   * Works out the limits: the share that the leader gave, half of its rates once that is old, and
   * an equal part of each quota among the nodes where no share has come yet.
   */
  limit(nodes: number, nowUs: number): void {
    const part = this.#isShareOld ? 0.5 : 1;
    const { maxQps, maxBandwidthBytes, maxConnections, maxMemoryBytes } = this.record;
    const share = this.#share;
    const rate = (quota: number | undefined, given: number | undefined): number | undefined =>
      quota === undefined ? undefined : (given ?? quota / nodes) * part;
    this.#operationsAllowed = bucketOf(
      this.#operationsAllowed,
      rate(maxQps, share?.opsPerSecond),
      nowUs,
    );
    this.#bytesAllowed = bucketOf(
      this.#bytesAllowed,
      rate(maxBandwidthBytes, share?.bandwidthBytes),
      nowUs,
    );
    this.connectionsMax =
      maxConnections === undefined
        ? Infinity
        : (share?.connections ?? Math.ceil(maxConnections / nodes));
    this.account.bytesMax =
      maxMemoryBytes === undefined
        ? Infinity
        : (share?.memoryBytes ?? Math.floor(maxMemoryBytes / nodes));
    for (const namespace of this.namespaces.values()) namespace.limit(nodes);
    const { ack, maxUnreplicated: bound } = this.record;
    this.isCareful = ack !== 'primary' || bound.ms !== undefined || bound.bytes !== undefined;
    this.isLimited = this.#operationsAllowed !== undefined || this.#bytesAllowed !== undefined;
  }

  /** It does something: to be called before that is counted. */
  wake(nowUs: number): void {
    this.isActive = true;
    this.#operationsRate.restart(this.operations, nowUs);
    this.#demandRate.restart(this.operations + this.refused, nowUs);
    this.#bytesRate.restart(this.bytesMoved, nowUs);
  }

  /** @returns the error where an operation is over a quota now */
  refusal(nowUs: number): string | undefined {
    const bytes = this.#bytesAllowed;
    if (bytes?.isInDebt(nowUs)) {
      this.refused++;
      return `QUOTA bandwidth retry-after-ms=${bytes.waitMs()}`;
    }
    const operations = this.#operationsAllowed;
    if (operations === undefined || operations.take(nowUs)) return undefined;
    this.refused++;
    return `QUOTA ops retry-after-ms=${operations.waitMs()}`;
  }

  /** Bytes that have come or gone: what is over the quota has to be made up for. */
  moved(bytes: number, nowUs: number): void {
    this.bytesMoved += bytes;
    this.#bytesAllowed?.charge(bytes, nowUs);
  }

  /** To be called about every quarter of a second while it is active. */
  sample(nowUs: number): void {
    this.#operationsRate.sample(this.operations, nowUs);
    this.#demandRate.sample(this.operations + this.refused, nowUs);
    this.#bytesRate.sample(this.bytesMoved, nowUs);
  }

  usage(): TenantUsage {
    const usage = {
      tenant: this.record.name,
      bytes: this.account.bytes,
      items: 0,
      opsPerSecond: this.#operationsRate.perSecond,
      demandPerSecond: this.#demandRate.perSecond,
      connections: this.connections,
      bandwidthPerSecond: this.#bytesRate.perSecond,
      hits: 0,
      misses: 0,
      evicted: 0,
    };
    for (const { domain } of this.namespaces.values()) {
      if (domain === undefined) continue;
      usage.items += domain.items;
      usage.hits += domain.hits;
      usage.misses += domain.misses;
      usage.evicted += domain.evicted;
    }
    return usage;
  }
}

function bucketOf(
  bucket: TokenBucket | undefined,
  ratePerSecond: number | undefined,
  nowUs: number,
): TokenBucket | undefined {
  if (ratePerSecond === undefined) return undefined;
  if (bucket === undefined) return new TokenBucket(ratePerSecond, nowUs);
  bucket.setRate(ratePerSecond, nowUs);
  return bucket;
}
