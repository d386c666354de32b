/**
 * What a node is in a cluster: routes by the map that the leader pushes, serves as a primary while
 * it has a lease, and keeps to tenants and quotas. A node that stands alone has none of this.
 *
 * Each request passes `admits`. Its cost for a key that this node serves: the key's CRC16, two
 * look-ups in typed arrays, two counters; it allocates nothing.
 */
import {
  DEFAULT_NAMESPACE,
  nodeIdOfName,
  roleOf,
  slotOfKey,
  type NodeFacts,
  type NodeId,
  type Push,
  type ShardId,
  type ShardReport,
} from '../../cluster/index.ts';
import type { Domain } from '../../engine/index.ts';
import type { Runtime, SystemError } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { Command } from '../command.ts';
import type { NodeSettings } from '../config.ts';
import { ERRORS } from '../errors.ts';
import type { CacheNode } from '../node.ts';
import { Replication } from '../replication/index.ts';
import type { Session } from '../session.ts';
import { nodeFacts, type ClusterOptions } from './cluster-options.ts';
import { Farewells } from './farewells.ts';
import { Freezes } from './freezes.ts';
import { HeldBack } from './held-back.ts';
import {
  MetaLink,
  type MetaLinkHandler,
  type NodeReport,
  type ReportPositions,
} from './meta-link.ts';
import { Durability } from './durability.ts';
import { RecentRate } from './recent-rate.ts';
import { ownShareOf, ReplicatedShards } from './replicated-shards.ts';
import { CLUSTER_ERRORS, DUTY, Routing, sharesSlot, type Standing } from './routing.ts';
import { Secrets } from './secrets.ts';
import type { ShardSizes } from './shard-sizes.ts';
import type { TenantState } from './tenant-state.ts';
import { Tenants, type NamespaceState } from './tenants.ts';
import type { Topology } from './topology.ts';
import { UsageReports } from './usage-reports.ts';

/** Of its memory what a node without shards makes ready. */
const READY_SHARE = 0.25;

export class Cluster implements MetaLinkHandler {
  readonly options: ClusterOptions;
  readonly self: NodeId;
  readonly routing: Routing;
  readonly tenants: Tenants;
  readonly replication: Replication;
  readonly states: ReplicatedShards;
  readonly durability: Durability;
  readonly farewells = new Farewells();
  /** On the monotonic clock, at the batch under way. */
  nowUs = 0;
  /** Whether the node may act as a primary, at the batch under way. */
  isOpen = false;
  readonly #node: CacheNode;
  readonly #runtime: Runtime;
  readonly #freezes = new Freezes();
  readonly #heldBack: HeldBack;
  readonly #secrets: Secrets;
  readonly #usage: UsageReports;
  readonly #sizes: ShardSizes;
  readonly #standing: Standing;
  readonly #shardRates: RecentRate[] = [];
  #link: MetaLink | undefined;
  #hasTenants = false;
  /** Whether it has ever had a copy of a shard. */
  #hasHeld = false;
  /** What the settings were that a config document has changed. */
  #settingsBefore: Partial<NodeSettings> = {};

  constructor(node: CacheNode, options: ClusterOptions, sizes: ShardSizes) {
    this.#sizes = sizes;
    this.options = options;
    this.#node = node;
    this.#runtime = node.runtime;
    this.self = nodeIdOfName(options.name);
    this.routing = new Routing(this.self, options.routingRules);
    this.tenants = new Tenants(node.engine, node.defaultDomain);
    this.replication = this.#makeReplication();
    this.replication.onCleared = (held) => this.#shardReady(held.id);
    this.replication.onProgress = () => this.#link?.hasNews();
    const nowUs = (): number => this.#runtime.clock.monotonicUs();
    this.states = new ReplicatedShards(this.replication, nowUs);
    this.durability = new Durability(this.replication, this.#runtime.timers, () => this.nowUs);
    this.#usage = new UsageReports(this.tenants);
    this.#secrets = new Secrets(node.runtime);
    this.#heldBack = new HeldBack(node.runtime);
    this.#standing = {
      isLeased: false,
      isLeaseDue: false,
      staleMs: (shard) => this.#staleMs(shard),
      staleMsMax: 0,
    };
  }

  #makeReplication(): Replication {
    const { options, tenants, self } = this;
    const node = this.#node;
    const { engine } = node;
    return new Replication({
      runtime: this.#runtime,
      spaces: {
        engine,
        all: () => tenants.domains(),
        numbered: (namespace) => tenants.numbered(namespace),
        numberOf: (domain) => tenants.numberOf(domain),
        wasRemoved: (namespace) => tenants.wasRemoved(namespace),
      },
      clusterId: () => this.clusterId,
      nodeId: self,
      token: options.token ?? '',
      backlogBytesMax: options.backlogBytesMax,
      ...(options.walkBuckets === undefined ? {} : { walkBuckets: options.walkBuckets }),
      bytesOf: (shard) => this.#sizes.bytes(shard),
      itemsOf: (shard) => this.#sizes.items(shard),
      nowUs: () => this.nowUs,
      onBatch: () => node.beginBatch(),
      afterReplies: (callback) => node.turn.afterReplies(callback),
      onApplied: (domain, bytes, start, end) => node.keyInvalidated(domain, bytes, start, end),
      ...(options.replicationRules === undefined ? {} : { rules: options.replicationRules }),
    });
  }

  /** The node serves clients at `port` from now on; `done` gets the error where that fails. */
  start(port: number, done: (error: SystemError | undefined) => void): void {
    const { host } = this.#node.options.listen;
    const { memoryBytes } = this.#node.settings;
    const facts = nodeFacts(this.options, { port, memoryBytes }, this.#runtime.random);
    this.replication.listen({ host, port: facts.replicationPort }, (error) => {
      if (error === undefined) this.#join({ ...facts, replicationPort: this.replication.port });
      done(error);
    });
  }

  #join(facts: NodeFacts): void {
    const { meta, token, leaseRules } = this.options;
    const rules = leaseRules === undefined ? {} : { leaseRules };
    this.#link = new MetaLink(this.#runtime, { addresses: meta, token, facts, ...rules }, this);
    this.#link.start();
  }

  stop(done: () => void): void {
    this.#heldBack.releaseAll();
    const end = (): void => this.replication.stop(done);
    if (this.#link === undefined) end();
    else this.#link.stop(end);
  }

  /** Undefined until the node has been registered. */
  get clusterId(): string | undefined {
    return this.#link?.clusterId;
  }

  get topology(): Topology {
    const { self, isOpen } = this;
    const { map, nodes } = this.routing;
    return { self, map, nodes, isOpen };
  }

  /** Looks at the lease, for the requests that follow: so a process that was paused sees it end. */
  beginBatch(): void {
    this.nowUs = this.#runtime.clock.monotonicUs();
    this.isOpen = this.isOpenAt(this.nowUs);
  }

  /** Whether the node may act as a primary at this moment of its monotonic clock. */
  isOpenAt(nowUs: number): boolean {
    return this.#hasTenants && this.#link?.lease.isHeld(nowUs) === true;
  }

  /** Whether the node carries a request out now; else it is answered, or held back. */
  admits(call: Call, command: Command): boolean {
    const { routing } = this;
    const first = command.keyFirst;
    if (first !== 0 && first < call.count) {
      const slot = slotOfKey(call.bytes, call.starts[first], call.ends[first]);
      call.slot = slot;
      if (command.keyLast !== first && !sharesSlot(call, command, slot)) {
        call.fail(CLUSTER_ERRORS.crossSlot);
        return false;
      }
      const shard = routing.shardBySlot[slot];
      const isServed = this.isOpen && routing.duties[shard] === DUTY.primary;
      if (!isServed && !this.#servesOtherwise(call, command, slot)) return false;
      routing.operations[shard]++;
    } else if (command.isOnAllKeys && !this.isOpen && !this.#isStaleRead(call, command)) {
      this.#holdBack(call, undefined);
      return false;
    }
    const tenant = call.session.namespace?.tenant;
    if (tenant === undefined) return true;
    if (!command.isOperation) return !command.isAdmin || this.#mayAdminister(tenant, call, command);
    if (!tenant.isActive) this.tenants.wake(tenant, this.nowUs);
    if (command.isWrite && tenant.isCareful && !this.#isSafe(tenant, call, command)) return false;
    if (tenant.isLimited) {
      const refusal = tenant.refusal(this.nowUs);
      if (refusal !== undefined) {
        call.fail(refusal);
        return false;
      }
    }
    tenant.operations++;
    return true;
  }

  /** What one tenant sees and changes of the node would be others' too. */
  #mayAdminister(tenant: TenantState, call: Call, command: Command): boolean {
    if (tenant === this.tenants.default.tenant) return true;
    command.rejected++;
    const words = `User ${tenant.record.name} has no permissions to run the`;
    call.fail(`NOPERM ${words} '${command.fullName}' command`);
    return false;
  }

  /** Whether enough replicas follow for what the tenant asks of a write. */
  #isSafe(tenant: TenantState, call: Call, command: Command): boolean {
    const first = command.keyFirst;
    if (first === 0 || first >= call.count) return true;
    const slot = slotOfKey(call.bytes, call.starts[first], call.ends[first]);
    const refusal = this.durability.refusal(tenant.record, slot);
    if (refusal === undefined) return true;
    command.rejected++;
    call.fail(refusal);
    return false;
  }

  #isStaleRead(call: Call, command: Command): boolean {
    return call.session.readonlyMode && !command.isWrite;
  }

  #servesOtherwise(call: Call, command: Command, slot: number): boolean {
    const access = { isWrite: command.isWrite, takesStale: call.session.readonlyMode };
    const verdict = this.routing.decide(slot, access, {
      ...this.#standing,
      isLeased: this.isOpen,
      isLeaseDue: this.#leaseDueMs > 0,
      staleMsMax: this.options.replicaLagMsMax,
    });
    switch (verdict.kind) {
      case 'serve':
        return true;
      case 'hold':
        this.#holdBack(call, verdict.shard);
        return false;
      case 'refuse':
        command.rejected++;
        call.fail(verdict.text);
        return false;
    }
  }

  /** Has the client wait until it is known who serves, where that may be soon. */
  #holdBack(call: Call, shard: ShardId | undefined): void {
    const dueMs = this.isOpen ? undefined : this.#leaseDueMs;
    const isKept = dueMs !== 0 && this.#heldBack.add(call, shard, dueMs);
    if (!isKept) call.fail(CLUSTER_ERRORS.down);
  }

  get #leaseDueMs(): number {
    return this.#link?.lease.dueMs(this.nowUs) ?? 0;
  }

  /** A replica knows how far it is behind; a primary without lease, since when it has none. */
  #staleMs(shard: ShardId): number {
    if (this.routing.duties[shard] === DUTY.replica) return this.states.progressOf(shard).lagMs;
    const untilUs = this.#link?.lease.untilUs ?? 0;
    return Math.max(0, (this.nowUs - untilUs) / 1000);
  }

  /** Whether a record belongs to what this node is the primary of. */
  isPrimaryOfKey(octets: Uint8Array, start: number, end: number): boolean {
    return this.routing.isPrimaryOf(slotOfKey(octets, start, end));
  }

  /** How many keys of a namespace this node is the primary of. */
  itemsServed(domain: Domain): number {
    let items = 0;
    for (const { id, primary } of this.routing.map.shards) {
      if (primary === this.self) items += this.#sizes.itemsOf(domain, id);
    }
    return items;
  }

  /** A command of `writer` has changed a key, or removed it: then `ref` is 0. */
  changed(
    domain: Domain,
    bytes: Uint8Array,
    start: number,
    end: number,
    slot: number,
    ref: number,
    writer: Session | undefined,
  ): void {
    const held = this.replication.changed(domain, bytes, start, end, slot, ref);
    if (held !== undefined) writer?.noteWrite(held);
  }

  /** A connection begins in the tenant `default`; an error where there are too many. */
  opened(session: Session): string | undefined {
    const refusal = this.#enter(session, this.tenants.default);
    if (refusal === undefined) session.setAuthenticated(!this.needsSecret());
    return refusal;
  }

  closed(session: Session): void {
    this.#heldBack.forget(session);
    this.#leave(session);
  }

  /** `RESET`. */
  reset(session: Session): void {
    const { namespace } = session;
    if (namespace !== this.tenants.default) {
      this.#leave(session);
      this.#place(session, this.tenants.default);
    }
    session.setAuthenticated(!this.needsSecret());
  }

  /** Whether a connection to the tenant `default` has to authenticate. */
  needsSecret(): boolean {
    const { record } = this.tenants.default.tenant;
    return record.secretHash !== undefined || this.#node.settings.secret !== '';
  }

  /**
   * Puts a connection into `tenant` or `tenant/namespace`, if the secret is right.
   *
   * @param done called once, at once or later, with the error that there was
   */
  authenticate(
    session: Session,
    user: string,
    secret: Uint8Array,
    done: (problem: string | undefined) => void,
  ): void {
    if (!this.#hasTenants) {
      done('LOADING this node has not learnt of the tenants yet, try again');
      return;
    }
    const slash = user.indexOf('/');
    const tenantName = slash === -1 ? user : user.slice(0, slash);
    const namespaceName = slash === -1 ? DEFAULT_NAMESPACE : user.slice(slash + 1);
    const namespace = this.tenants.find(tenantName, namespaceName);
    if (namespace === undefined) {
      done(ERRORS.wrongPass);
      return;
    }
    const hash = namespace.tenant.record.secretHash;
    if (hash === undefined) {
      const isRight =
        namespace.tenant !== this.tenants.default.tenant || this.#node.isSecret(secret);
      done(isRight ? this.#enterBySecret(session, namespace) : ERRORS.wrongPass);
      return;
    }
    this.#secrets.verify(hash, secret, (verdict) => {
      const isCurrent =
        this.tenants.find(tenantName, namespaceName) === namespace &&
        namespace.tenant.record.secretHash === hash;
      if (verdict === 'busy') {
        done('ERR too many secrets are being checked, try again');
      } else {
        const isRight = verdict === 'right' && isCurrent && !session.closed;
        done(isRight ? this.#enterBySecret(session, namespace) : ERRORS.wrongPass);
      }
    });
  }

  #enter(session: Session, namespace: NamespaceState): string | undefined {
    const { tenant } = namespace;
    if (session.namespace?.tenant !== tenant && tenant.connections >= tenant.connectionsMax) {
      return 'QUOTA connections';
    }
    if (this.tenants.domainOf(namespace) === undefined) {
      return 'ERR this node can hold no more namespaces';
    }
    this.#leave(session);
    this.#place(session, namespace);
    return undefined;
  }

  #enterBySecret(session: Session, namespace: NamespaceState): string | undefined {
    const refusal = this.#enter(session, namespace);
    if (refusal !== undefined) return refusal;
    session.setAuthenticated(true);
    session.hasGivenSecret = true;
    return undefined;
  }

  #place(session: Session, namespace: NamespaceState): void {
    const domain = this.tenants.domainOf(namespace);
    if (domain === undefined) return;
    if (session.domain !== domain) this.#node.tracking.disable(session);
    session.namespace = namespace;
    session.domain = domain;
    this.tenants.wake(namespace.tenant, this.nowUs);
    namespace.tenant.connections++;
  }

  #leave(session: Session): void {
    if (session.namespace === undefined) return;
    this.tenants.wake(session.namespace.tenant, this.nowUs);
    session.namespace.tenant.connections--;
    session.namespace = undefined;
  }

  /** To be called about ten times a second. */
  tick(): void {
    this.tenants.tick(this.nowUs);
  }

  report(): NodeReport {
    const nowUs = this.#runtime.clock.monotonicUs();
    return {
      shards: this.#shardReports(nowUs),
      ...this.#usage.next(nowUs),
      usedBytes: this.#node.engine.usedBytes,
      memoryBytes: this.#node.engine.memoryBytes,
    };
  }

  #shardReports(nowUs: number): ShardReport[] {
    const reports: ShardReport[] = [];
    for (const shard of this.routing.map.shards) {
      const role = roleOf(shard, this.self);
      if (role === undefined) continue;
      const rate = (this.#shardRates[shard.id] ??= new RecentRate());
      rate.sample(this.routing.operations[shard.id], nowUs);
      const frozenBy = this.#freezes.frozenBy(shard.id);
      reports.push({
        shard: shard.id,
        role,
        ...this.states.progressOf(shard.id),
        bytes: this.#sizes.bytes(shard.id),
        items: this.#sizes.items(shard.id),
        opsPerSecond: rate.perSecond,
        ...(frozenBy === undefined ? {} : { frozenBy }),
      });
    }
    return reports;
  }

  onLeased(): void {
    this.#releaseHeld();
  }

  onMap({ map, nodes, replicas }: Push<'map'>): void {
    const mapBefore = this.routing.map;
    this.routing.apply(map, nodes);
    this.farewells.mapChanged(mapBefore, this.routing, this.#runtime.clock.monotonicUs());
    this.#sizes.divide(this.routing.shardBySlot, map.shards.length);
    this.#freezes.mapChanged(map);
    this.states.mapChanged(map, this.routing.nodes);
    for (const { id } of map.shards) {
      if (!this.#mayServe(id)) this.routing.setFrozen(id, true);
    }
    this.durability.copiesWanted = (replicas ?? 0) + 1;
    this.#prepare();
    this.#node.engine.ownShare = ownShareOf(map, this.routing.nodes, this.self);
    this.tenants.setNodeCount(nodes.length, this.#runtime.clock.monotonicUs());
    this.#releaseHeld();
  }

  /** Until it has its first shard, a node gets the memory ready that copies will come into. */
  #prepare(): void {
    this.#hasHeld ||= this.routing.map.shards.some(
      (shard) => roleOf(shard, this.self) !== undefined,
    );
    const { engine } = this.#node;
    engine.readyMemory.aheadBytes = this.#hasHeld ? 0 : engine.memoryBytes * READY_SHARE;
  }

  onTenants(push: Push<'tenants'>): void {
    const gone = this.tenants.apply(push, this.#runtime.clock.monotonicUs());
    this.#node.applyDefaultPolicy(this.tenants.default.tenant.record.policy);
    if (gone.length > 0) this.#endNamespaces(new Set(gone));
    if (!this.#hasTenants && this.needsSecret()) this.#askForSecrets();
    this.#hasTenants = true;
  }

  /** Connections that came before it was known whether they need a secret. */
  #askForSecrets(): void {
    for (const session of this.#node.sessions.values()) {
      if (session.namespace === this.tenants.default && !session.hasGivenSecret) {
        session.setAuthenticated(false);
      }
    }
  }

  #endNamespaces(gone: ReadonlySet<NamespaceState>): void {
    for (const session of [...this.#node.sessions.values()]) {
      if (session.namespace === undefined || !gone.has(session.namespace)) continue;
      this.#node.endSession(session, 'ERR the tenant or namespace of this connection was deleted');
    }
  }

  onConfig({ version, values }: Push<'config'>): void {
    const { settings, problems } = this.options.settingsOf(values);
    for (const problem of problems) {
      this.#runtime.log.write('warn', `config ${version}: ${problem}`);
    }
    const { settings: current } = this.#node;
    // What the document before this one has set and this one leaves alone is as it was.
    Object.assign(current, this.#settingsBefore);
    this.#settingsBefore = Object.fromEntries(
      Object.entries(current).filter(([name]) => Object.hasOwn(settings, name)),
    );
    Object.assign(current, settings);
    this.#node.settingsChanged();
  }

  onQuotas(push: Push<'quotas'>): void {
    this.tenants.applyQuotas(push, this.#runtime.clock.monotonicUs());
  }

  onSeal(push: Push<'seal'>, answer: ReportPositions): void {
    this.states.seal(push, answer);
  }

  onFreeze(push: Push<'freeze'>, answer: ReportPositions): void {
    if (!this.#freezes.freeze(push, this.routing.map, this.self)) {
      answer([], `shard ${push.shard} is not this node's to freeze at epoch ${push.epoch}`);
      return;
    }
    this.routing.setFrozen(push.shard, true);
    const position = this.states.freeze(push.shard);
    if (position !== undefined) answer([position]);
  }

  onThaw(push: Push<'thaw'>): void {
    if (!this.#freezes.thaw(push)) return;
    this.states.thaw(push.shard);
    this.#shardReady(push.shard);
  }

  /** What kept a shard from being served has ended. */
  #shardReady(shard: ShardId): void {
    if (!this.#mayServe(shard)) return;
    this.routing.setFrozen(shard, false);
    this.#releaseHeld();
  }

  #mayServe(shard: ShardId): boolean {
    return this.#freezes.frozenBy(shard) === undefined && this.states.isReady(shard);
  }

  onThrottle(push: Push<'throttle'>): void {
    this.states.throttle(push);
  }

  #releaseHeld(): void {
    this.#heldBack.release((shard) => this.#mayServe(shard));
  }
}
