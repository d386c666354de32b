/**
 * Divides the quotas of tenants among the nodes, about every second, and tells the nodes. In memory:
 * a new leader begins with the shares that the nodes say are in force.
 *
 * Only tenants that are used somewhere are divided; of others every node takes an equal part.
 */
import {
  QuotaDivision,
  type Demand,
  type HeartbeatCall,
  type LeaseTimes,
  type NodeId,
  type QuotaShare,
  type Tenant,
  type TenantUsage,
} from '../../../cluster/index.ts';
import type { ControllerLoop, LoopStep, LoopTime, LoopView, NodePush } from '../loop.ts';

const EVERY_US = 1_000_000;
/** A node that hears of no shares for so long goes on with half of them. */
const TTL_MS = 4000;
/** Use this close to the share says that more is wanted. */
const NEARLY = 0.9;
const GROWTH = 1.5;

type Kind = Exclude<keyof QuotaShare, 'tenant'>;

interface KindRules {
  limitOf(tenant: Tenant): number | undefined;
  /** What is asked for, as far as that is known, and what is in use. */
  usedOf(usage: TenantUsage): { readonly demand?: number; readonly used: number };
  /** What is in use stays so when the share falls. */
  readonly isHeld: boolean;
}

const KINDS: Readonly<Record<Kind, KindRules>> = {
  opsPerSecond: {
    limitOf: ({ maxQps }) => maxQps,
    usedOf: ({ demandPerSecond, opsPerSecond }) => ({
      demand: demandPerSecond,
      used: opsPerSecond,
    }),
    isHeld: false,
  },
  bandwidthBytes: {
    limitOf: ({ maxBandwidthBytes }) => maxBandwidthBytes,
    usedOf: ({ bandwidthPerSecond }) => ({ used: bandwidthPerSecond }),
    isHeld: false,
  },
  connections: {
    limitOf: ({ maxConnections }) => maxConnections,
    usedOf: ({ connections }) => ({ used: connections }),
    isHeld: true,
  },
  memoryBytes: {
    limitOf: ({ maxMemoryBytes }) => maxMemoryBytes,
    usedOf: ({ bytes }) => ({ used: bytes }),
    isHeld: false,
  },
};

const KIND_NAMES = Object.keys(KINDS).filter((name): name is Kind => name in KINDS);

interface Divided {
  readonly division: QuotaDivision<NodeId>;
  shares: ReadonlyMap<NodeId, number>;
}

export class QuotaLoop implements ControllerLoop {
  readonly name = 'quotas';
  readonly #handoverMs: number;
  readonly #divided = new Map<string, Divided>();
  #dueAtUs = 0;

  constructor({ leaseMs, marginMs }: LeaseTimes) {
    this.#handoverMs = leaseMs + marginMs;
  }

  step({ state, lives }: LoopView, { nowUs }: LoopTime): LoopStep {
    if (nowUs < this.#dueAtUs) return { wakeAtUs: this.#dueAtUs };
    this.#dueAtUs = nowUs + EVERY_US;
    const heartbeats = new Map<NodeId, HeartbeatCall | undefined>();
    for (const id of state.nodes.keys()) {
      if (lives.isAlive(id)) heartbeats.set(id, lives.heartbeatOf(id));
    }
    const usages = usagesOf(heartbeats);
    const shares = new Map<NodeId, QuotaShare[]>();
    const divided = new Set<string>();
    for (const [name, byNode] of usages) {
      const tenant = state.tenants.get(name);
      if (tenant === undefined) continue;
      for (const kind of KIND_NAMES) {
        const limit = KINDS[kind].limitOf(tenant);
        if (limit === undefined) continue;
        divided.add(`${kind} ${name}`);
        const known = { heartbeats, byNode };
        for (const [node, share] of this.#divide(kind, name, limit, known, nowUs)) {
          addShare(shares, node, name, kind, share);
        }
      }
    }
    for (const key of this.#divided.keys()) if (!divided.has(key)) this.#divided.delete(key);
    const pushes = [...shares].map(([node, own]): NodePush => {
      return { node, topic: 'quotas', body: { ttlMs: TTL_MS, shares: own } };
    });
    return { pushes, wakeAtUs: this.#dueAtUs };
  }

  #divide(
    kind: Kind,
    tenant: string,
    limit: number,
    known: {
      readonly heartbeats: ReadonlyMap<NodeId, HeartbeatCall | undefined>;
      readonly byNode: ReadonlyMap<NodeId, TenantUsage>;
    },
    nowUs: number,
  ): ReadonlyMap<NodeId, number> {
    const key = `${kind} ${tenant}`;
    const divided = this.#divided.get(key) ?? {
      division: new QuotaDivision<NodeId>(this.#handoverMs),
      shares: new Map<NodeId, number>(),
    };
    this.#divided.set(key, divided);
    const demands = [...known.heartbeats.keys()].map((node) =>
      demandOf(kind, node, known.byNode.get(node), divided.shares.get(node)),
    );
    divided.shares = divided.division.divide(
      limit,
      demands,
      nowUs / 1000,
      (node) =>
        known.heartbeats.get(node)?.quotaShares?.find((share) => share.tenant === tenant)?.[kind],
    );
    return divided.shares;
  }
}

/** Of the tenants that are used anywhere: by tenant, by node. */
function usagesOf(
  heartbeats: ReadonlyMap<NodeId, HeartbeatCall | undefined>,
): Map<string, Map<NodeId, TenantUsage>> {
  const usages = new Map<string, Map<NodeId, TenantUsage>>();
  for (const [node, heartbeat] of heartbeats) {
    for (const usage of heartbeat?.tenants ?? []) {
      const byNode = usages.get(usage.tenant) ?? new Map<NodeId, TenantUsage>();
      usages.set(usage.tenant, byNode.set(node, usage));
    }
  }
  return usages;
}

/** Where only what is used is known, use near the share is taken for a wish for more. */
function demandOf(
  kind: Kind,
  node: NodeId,
  usage: TenantUsage | undefined,
  share: number | undefined,
): Demand<NodeId> {
  if (usage === undefined) return { node, demand: 0, held: 0 };
  const { usedOf, isHeld } = KINDS[kind];
  const { demand, used } = usedOf(usage);
  const isFull = share !== undefined && used >= NEARLY * share;
  return {
    node,
    demand: demand ?? (isFull ? Math.ceil(used * GROWTH) + 1 : used),
    held: isHeld ? used : 0,
  };
}

function addShare(
  shares: Map<NodeId, QuotaShare[]>,
  node: NodeId,
  tenant: string,
  kind: Kind,
  share: number,
): void {
  const own = shares.get(node) ?? [];
  shares.set(node, own);
  const last = own.at(-1);
  if (last?.tenant === tenant) own[own.length - 1] = { ...last, [kind]: share };
  else own.push({ tenant, [kind]: share });
}
