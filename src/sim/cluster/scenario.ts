/** What a scenario of the whole cluster may contain, and how one is drawn from a seed. */
import { z } from 'zod';
import { drawDisk, drawFaults, drawNetwork, drawPeers, type FaultProfile } from '../draw.ts';
import { NEVER, Stream, type Draws } from '../keyed-random.ts';
import { SCENARIO_VERSION, type Fault, type PeerSettings, type Scenario } from '../scenario.ts';

const count = z.int().min(0);
const base = { id: count, client: count, thinkMs: count };
const node = z.string();
/** Of the keys that a client writes. */
const key = count;

export const clusterOperation = z.discriminatedUnion('kind', [
  z.strictObject({ ...base, kind: z.literal('set'), key, bytes: count }),
  z.strictObject({ ...base, kind: z.literal('delete'), key }),
  /** Of a client of the same tenant. */
  z.strictObject({ ...base, kind: z.literal('get'), owner: count, key }),
  // What follows is asked for by the administrator.
  z.strictObject({ ...base, kind: z.literal('drain'), node }),
  z.strictObject({ ...base, kind: z.literal('undrain'), node }),
  z.strictObject({ ...base, kind: z.literal('remove'), node }),
  z.strictObject({ ...base, kind: z.literal('rebalance') }),
  /** A planned switch. */
  z.strictObject({ ...base, kind: z.literal('failover'), shard: count }),
  /** Of the oldest move under way. */
  z.strictObject({ ...base, kind: z.literal('pause') }),
  z.strictObject({ ...base, kind: z.literal('resume') }),
  z.strictObject({ ...base, kind: z.literal('abort') }),
  z.strictObject({ ...base, kind: z.literal('transfer') }),
  /** Starts a node that has not been there yet. */
  z.strictObject({ ...base, kind: z.literal('join'), node }),
  /** A node is stopped in order, and started again later. */
  z.strictObject({ ...base, kind: z.literal('stop'), node, restartMs: count }),
]);

/** What is promised to the writes of a tenant; see `TENANTS`. */
const promise = z.enum(['default', 'quorum', 'bounded']);

export const clusterOptions = z.strictObject({
  electionTimeoutMs: z.int().min(2),
  heartbeatIntervalMs: z.int().min(1),
  snapshotEveryEntries: z.int().min(1),
  callTimeoutMs: z.int().min(1),
  shards: z.int().min(1).max(64),
  replicas: z.int().min(0).max(4),
  memoryBytes: z.int().min(1024 * 1024),
  backlogBytes: z.int().min(1),
  /** One step of a copy looks into so many index buckets. */
  walkBuckets: z.int().min(1),
  /** Each client writes so many before faults begin. */
  keys: z.int().min(1),
  /** By client: the tenant that it is of. */
  tenants: z.array(promise).readonly(),
  /** Nodes that are started by `join` only. */
  lateNodes: z.array(z.string()).readonly(),
});

export type Promised = z.infer<typeof promise>;
export type ClusterOptions = z.infer<typeof clusterOptions>;
export type ClusterOperation = z.infer<typeof clusterOperation>;
export type ClusterScenario = Scenario<ClusterOptions, ClusterOperation>;
export type DataOperation = Extract<ClusterOperation, { kind: 'set' | 'delete' | 'get' }>;
export type AdminOperation = Exclude<ClusterOperation, DataOperation>;

export const isData = (operation: ClusterOperation): operation is DataOperation =>
  operation.kind === 'set' || operation.kind === 'delete' || operation.kind === 'get';

/** Beyond it, a tenant `bounded` is acknowledged no more while no replica has caught up. */
export const BOUND_MS = 300;

export const CLUSTER_FAULTS = {
  kinds: [
    ...(['cut', 'isolate', 'slowLinks', 'reset', 'halfOpen', 'crash', 'pause', 'slow'] as const),
    ...(['clock', 'diskError', 'diskFull', 'diskStall'] as const),
  ],
  signals: [
    ...['leader', 'candidate', 'leading', 'nodeDown', 'failover', 'switch', 'frozen', 'restart'],
    ...['copyingSource', 'copyingTarget', 'copyingLeader'],
    ...['switchingSource', 'switchingTarget', 'switchingLeader'],
    ...['droppingSource', 'droppingTarget', 'droppingLeader'],
    ...['doneTarget', 'doneLeader'],
  ],
  faultsMax: 8,
  lengthMsMax: 3000,
} as const satisfies Partial<FaultProfile>;

const TIMING = { warmUpMs: 10_000, faultsMs: 6000, convergeMs: 90_000 } as const;

/** Names tell what a process runs. */
export const META_PEERS = ['m1', 'm2', 'm3'] as const;
const ADMINISTRATOR = 'a1';
export const isMetaPeer = (name: string): boolean => name.startsWith('m');
export const isNode = (name: string): boolean => name.startsWith('n');
export const isClient = (name: string): boolean => name.startsWith('c');
export const clientNumber = (name: string): number => Number(name.slice(1)) - 1;

const CLIENTS = 4;
const OPERATIONS_A_CLIENT = 60;
const ADMINISTRATION_MAX = 8;
const NODES_MIN = 3;
const NODES_MAX = 9;
/** Ids that no fault drawn by the swarm has. */
const AIMED_ID = 100_000;
const REPLACED_ID = 200_000;
const LATE_ID = 300_000;
/** What the margin of leases covers is a tenth, on either side. */
const DRIFT_PPM_MAX = 95_000;

/** @param peersWished meta peers and nodes together */
export function drawClusterScenario(seed: number, peersWished?: number): ClusterScenario {
  const nodes = drawNodeCount(seed, peersWished);
  const numbered = (letter: string, many: number): string[] =>
    Array.from({ length: many }, (_, i) => `${letter}${i + 1}`);
  const nodeNames = numbered('n', nodes);
  const names = [...META_PEERS, ...nodeNames, ...numbered('c', CLIENTS), ADMINISTRATOR];
  const peers = driftFar(seed, drawPeers(seed, names, 3));
  const troubled = peers.filter(({ name }) => isMetaPeer(name) || isNode(name));
  const options = drawOptions(seed, nodeNames);
  return {
    version: SCENARIO_VERSION,
    world: 'cluster',
    seed,
    timing: TIMING,
    peers,
    // Clients and calls rely on TCP's checksum.
    network: { ...drawNetwork(seed), bitFlip: NEVER, replay: NEVER },
    disk: drawDisk(seed),
    options,
    faults: [
      ...drawFaults(seed, { peers: troubled, faultsMs: TIMING.faultsMs, ...CLUSTER_FAULTS }),
      ...drawAimed(seed, nodeNames),
      ...drawReplaced(seed, nodeNames),
      ...drawLate(seed, nodeNames),
    ],
    operations: [
      ...drawDataOperations(seed, options),
      ...drawAdministration(seed, nodeNames, options),
    ],
  };
}

function drawNodeCount(seed: number, peersWished: number | undefined): number {
  if (peersWished !== undefined) return Math.max(1, peersWished - META_PEERS.length);
  const stream = new Stream(seed, 'cluster: nodes');
  return stream.chance([1, 8], 0)
    ? stream.between(NODES_MIN, NODES_MAX, 1)
    : stream.between(NODES_MIN, 5, 2);
}

/** In every third run clocks part as fast as leases must bear. */
function driftFar(seed: number, peers: readonly PeerSettings[]): PeerSettings[] {
  const stream = new Stream(seed, 'cluster: drift');
  if (stream.chance([2, 3], 0)) return [...peers];
  return peers.map((peer, i) => ({
    ...peer,
    driftPpm: stream.pick([-DRIFT_PPM_MAX, 0, DRIFT_PPM_MAX], 1, i),
  }));
}

/**
 * What failovers are about: primaries that die, alone or two at a time; that are heard by clients and
 * replicas and no more by the leader; whose replicas are not equally far.
 */
function drawAimed(seed: number, nodes: readonly string[]): Fault[] {
  const stream = new Stream(seed, 'cluster: aimed');
  const amount = stream.between(0, 3, 0);
  return Array.from({ length: amount }, (_, i) =>
    drawAimedShape(stream.sequence(1, i), nodes).map((fault, j) => ({
      ...fault,
      id: AIMED_ID + i * 10 + j,
    })),
  ).flat();
}

/**
 * What a primary that was replaced does harm by: what it had sent is on its way still when its
 * successor writes, or it comes back with writes that its successor never had.
 */
function drawReplaced(seed: number, nodes: readonly string[]): Fault[] {
  const draws = new Stream(seed, 'cluster: replaced').sequence(0);
  if (draws.chance([1, 2])) return [];
  const when = { id: REPLACED_ID, atMs: draws.between(0, TIMING.faultsMs - 2000) };
  const peer = draws.pick(nodes);
  const others = nodes.filter((name) => name !== peer);
  const forMs = draws.between(1500, 4000);
  const unheard = META_PEERS.map((name) => `${peer}~${name}`);
  if (draws.chance([1, 2])) {
    const apart = others.map((name) => `${peer}~${name}`);
    return [{ ...when, kind: 'cut', links: [...unheard, ...apart], forMs }];
  }
  const extraUs = draws.between(300_000, 800_000);
  const late = others.map((name) => `${peer}>${name}`);
  return [
    { ...when, kind: 'cut', links: unheard, forMs },
    { ...when, id: REPLACED_ID + 1, kind: 'slowLinks', links: late, extraUs, bytesPerMs: 0, forMs },
  ];
}

/** A primary's last heartbeats are heard at once, and answered late. */
function drawLate(seed: number, nodes: readonly string[]): Fault[] {
  const draws = new Stream(seed, 'cluster: late').sequence(0);
  if (draws.chance([3, 4])) return [];
  const peer = draws.pick(nodes);
  const atMs = draws.between(0, TIMING.faultsMs - 3500);
  const forMs = draws.between(2000, 3500);
  const extraUs = draws.between(150_000, 450_000);
  const answers = META_PEERS.map((name) => `${name}>${peer}`);
  const heartbeats = META_PEERS.map((name) => `${peer}>${name}`);
  const cutMs = draws.between(500, 1000);
  return [
    { id: LATE_ID, atMs, kind: 'slowLinks', links: answers, extraUs, bytesPerMs: 0, forMs },
    { id: LATE_ID + 1, atMs: atMs + cutMs, kind: 'cut', links: heartbeats, forMs: forMs - cutMs },
  ];
}

function drawAimedShape(draws: Draws, nodes: readonly string[]): Fault[] {
  const when = { id: 0, atMs: draws.between(0, TIMING.faultsMs - 2000) };
  const peer = draws.pick(nodes);
  const others = nodes.filter((name) => name !== peer);
  const other = draws.pick(others);
  const restartMs = draws.between(0, 3000);
  const crash = { kind: 'crash', how: 'kill', unsynced: 'keep', effects: 0, restartMs } as const;
  const forMs = draws.between(1000, 4000);
  switch (
    draws.pick(['two', 'one', 'isolate', 'pause', 'unheard', 'unheard', 'apart', 'apart'] as const)
  ) {
    case 'two':
      return [{ ...when, ...crash, peers: [peer, other] }];
    case 'one':
      return [{ ...when, ...crash, peers: [peer] }];
    case 'isolate':
      return [{ ...when, kind: 'isolate', peer, direction: 'both', forMs }];
    case 'pause':
      return [{ ...when, kind: 'pause', peer, forMs }];
    case 'unheard': {
      // Its last writes are on their way when the others are asked how far they are.
      const extraUs = draws.between(20_000, 500_000);
      const links = draws.some(others, [2, 3]).map((name) => `${peer}~${name}`);
      const unheard = META_PEERS.map((name) => `${peer}~${name}`);
      const slow: Fault = { ...when, kind: 'slowLinks', links, extraUs, bytesPerMs: 0, forMs };
      const cut: Fault = { ...when, kind: 'cut', links: unheard, forMs };
      return links.length === 0 ? [cut] : [slow, cut];
    }
    case 'apart': {
      // One replica is behind, and the other is not heard in time when the primary dies.
      const deathMs = when.atMs + draws.between(400, 2000);
      const third = draws.pick(others);
      return [
        { ...when, kind: 'cut', links: [`${peer}~${other}`], forMs: forMs + 1000 },
        { ...when, ...crash, peers: [peer], atMs: deathMs },
        {
          ...{ ...when, kind: 'isolate', peer: third, direction: 'both' },
          atMs: deathMs + draws.between(0, 1000),
          forMs: draws.between(100, 900),
        },
      ];
    }
  }
}

function drawOptions(seed: number, nodes: readonly string[]): ClusterOptions {
  const draws = new Stream(seed, 'cluster: options').sequence(0);
  const late = nodes.length > NODES_MIN && draws.chance([1, 2]) ? 1 : 0;
  const tenants = draws.pick([
    ['default', 'default', 'default', 'default'],
    ['default', 'default', 'quorum', 'quorum'],
    ['default', 'default', 'bounded', 'bounded'],
    ['default', 'quorum', 'quorum', 'bounded'],
  ] as const);
  return {
    electionTimeoutMs: draws.between(300, 800),
    heartbeatIntervalMs: draws.between(60, 100),
    snapshotEveryEntries: draws.chance([1, 3]) ? draws.between(10, 60) : 1000,
    callTimeoutMs: draws.between(300, 2500),
    shards: draws.between(4, 8),
    replicas: draws.pick([1, 2]),
    memoryBytes: 2 * 1024 * 1024,
    backlogBytes: draws.pick([8 * 1024, 64 * 1024, 1024 * 1024]),
    walkBuckets: draws.pick([1, 4, 512]),
    keys: draws.between(4, 12),
    tenants,
    lateNodes: late === 0 ? [] : nodes.slice(-late),
  };
}

function drawDataOperations(seed: number, { keys, tenants }: ClusterOptions): ClusterOperation[] {
  const stream = new Stream(seed, 'cluster: operations');
  const paceMs = stream.between(20, 250, 0);
  const bytesMax = stream.pick([20, 20, 500, 4000], 1);
  // So that two streams that parted have the same offsets, as where a service writes records alike.
  const areAlike = stream.chance([1, 3], 3);
  const operations: ClusterOperation[] = [];
  for (let client = 0; client < CLIENTS; client += 1) {
    const owners = tenants.flatMap((of, number) => (of === tenants[client] ? [number] : []));
    for (let i = 0; i < OPERATIONS_A_CLIENT; i += 1) {
      const id = client * OPERATIONS_A_CLIENT + i;
      const draws = stream.sequence(2, id);
      const common = { id, client, thinkMs: draws.between(0, paceMs), key: draws.below(keys) };
      const kind = draws.pick(['set', 'set', 'set', 'delete', 'get', 'get'] as const);
      if (kind === 'get') operations.push({ ...common, kind, owner: draws.pick(owners) });
      else if (kind === 'delete') operations.push({ ...common, kind });
      else operations.push({ ...common, kind, bytes: areAlike ? 20 : draws.between(0, bytesMax) });
    }
  }
  return operations;
}

function drawAdministration(
  seed: number,
  nodes: readonly string[],
  { shards, lateNodes }: ClusterOptions,
): ClusterOperation[] {
  const stream = new Stream(seed, 'cluster: administration');
  const amount = stream.between(0, ADMINISTRATION_MAX, 0);
  const first = CLIENTS * OPERATIONS_A_CLIENT;
  const common = (i: number, thinkMs: number) => ({ id: first + i, client: CLIENTS, thinkMs });
  // A node that is never drained is left, whatever happens.
  const drainable = nodes.slice(0, Math.max(1, Math.floor(nodes.length / 3)));
  const joins = lateNodes.map((name, i): ClusterOperation => {
    const thinkMs = stream.between(100, 1500, 1, i);
    return { ...common(i, thinkMs), kind: 'join', node: name };
  });
  const others = Array.from({ length: amount }, (_, i) =>
    drawAdminOperation(
      common(lateNodes.length + i, stream.between(50, 1500, 2, i)),
      stream.sequence(3, i),
      { nodes, drainable, shards },
    ),
  );
  return [...joins, ...others];
}

function drawAdminOperation(
  common: Pick<ClusterOperation, 'id' | 'client' | 'thinkMs'>,
  draws: Draws,
  of: {
    readonly nodes: readonly string[];
    readonly drainable: readonly string[];
    readonly shards: number;
  },
): ClusterOperation {
  const kind = draws.pick([
    ...(['drain', 'drain', 'undrain', 'remove', 'rebalance', 'rebalance', 'rebalance'] as const),
    ...(['failover', 'failover', 'failover', 'pause', 'resume', 'abort', 'transfer'] as const),
    'stop' as const,
  ]);
  switch (kind) {
    case 'drain':
    case 'undrain':
    case 'remove':
      return { ...common, kind, node: draws.pick(of.drainable) };
    case 'failover':
      return { ...common, kind, shard: draws.below(of.shards) };
    case 'stop':
      return { ...common, kind, node: draws.pick(of.nodes), restartMs: draws.between(0, 2000) };
    case 'rebalance':
    case 'pause':
    case 'resume':
    case 'abort':
    case 'transfer':
      return { ...common, kind };
  }
}
