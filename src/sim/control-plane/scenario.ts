/** What a scenario of the control plane may contain, and how one is drawn from a seed. */
import { z } from 'zod';
import { LEASE_TIMES } from '../../cluster/index.ts';
import { drawDisk, drawFaults, drawNetwork, drawPeers, type FaultProfile } from '../draw.ts';
import { NEVER, Stream, type Draws } from '../keyed-random.ts';
import { SCENARIO_VERSION, type Fault, type PeerSettings, type Scenario } from '../scenario.ts';

const count = z.int().min(0);
const base = { id: count, client: count, thinkMs: count };
const group = z.enum(['a', 'b']);
const key = z.enum(['a/1', 'a/2', 'a/3', 'b/1', 'b/2']);
/** Of each key of the group. */
const one = { ...base, key };

export const controlOperation = z.discriminatedUnion('kind', [
  z.strictObject({ ...base, kind: z.literal('read'), group }),
  /** Where it is absent. */
  z.strictObject({ ...one, kind: z.literal('create') }),
  /** Where it is still as the client saw it last. */
  z.strictObject({ ...one, kind: z.literal('update') }),
  z.strictObject({ ...one, kind: z.literal('put') }),
  /** Where it is there. */
  z.strictObject({ ...one, kind: z.literal('remove') }),
  /** Puts two keys where both are as they were seen last. */
  z.strictObject({ ...base, kind: z.literal('pair'), group }),
  /** Deletes all of the group. */
  z.strictObject({ ...base, kind: z.literal('sweep'), group }),
  /** Asks the leader to forget the history but for the last so many revisions. */
  z.strictObject({ ...base, kind: z.literal('compact'), keep: count }),
  /** Asks the admin API to have a node's shards go elsewhere, or to let it have some again. */
  z.strictObject({ ...base, kind: z.enum(['drain', 'undrain']), node: z.string() }),
  /** Asks the leader to hand over. */
  z.strictObject({ ...base, kind: z.literal('transfer') }),
  /** Has the admin API do something about a tenant; `seen`: where it is still as it was seen last. */
  z.strictObject({
    ...base,
    kind: z.literal('tenant'),
    tenant: z.enum(['shop', 'blog']),
    action: z.enum(['show', 'create', 'update', 'update-seen', 'delete', 'delete-seen']),
  }),
]);

export const controlOptions = z.strictObject({
  electionTimeoutMs: z.int().min(2),
  heartbeatIntervalMs: z.int().min(1),
  snapshotChunkBytes: z.int().min(1),
  /** A peer takes a snapshot after so many entries. */
  snapshotEveryEntries: z.int().min(1),
  trailingEntries: count,
  /** Of the history that watches are served from. */
  historyRevisionsMax: z.int().min(1),
  callTimeoutMs: z.int().min(1),
  leaseMs: z.int().min(10),
  marginMs: z.int().min(0),
  shards: z.int().min(1).max(64),
  replicas: z.int().min(0).max(8),
  /** One watcher each. */
  watched: z.array(z.string()).readonly(),
});

export type ControlOperation = z.infer<typeof controlOperation>;
export type TenantRequest = Extract<ControlOperation, { kind: 'tenant' }>;
export type ControlOptions = z.infer<typeof controlOptions>;
export type ControlScenario = Scenario<ControlOptions, ControlOperation>;

export const CONTROL_FAULTS = {
  kinds: [
    ...(['cut', 'isolate', 'slowLinks', 'reset', 'halfOpen', 'crash', 'pause', 'slow'] as const),
    ...(['clock', 'diskError', 'diskFull', 'diskStall'] as const),
  ],
  signals: ['leader', 'candidate', 'leading', 'snapshotInstalled', 'failover', 'restart'],
  faultsMax: 8,
  lengthMsMax: 4000,
} as const satisfies Partial<FaultProfile>;

const TIMING = { warmUpMs: 8000, faultsMs: 12_000, convergeMs: 90_000 } as const;

/** Names tell what a process runs. */
export const META_PEERS = ['m1', 'm2', 'm3'] as const;
export const isNode = (name: string): boolean => name.startsWith('n');
export const isClient = (name: string): boolean => name.startsWith('c') || isTenantClient(name);
export const isTenantClient = (name: string): boolean => name.startsWith('t');

const CLIENTS = 3;
const NODES_DEFAULT = 3;
const OPERATIONS_A_CLIENT = 30;
/** One client asks for nothing but what an administrator does. */
const ADMINISTRATOR = CLIENTS;
const ADMINISTRATION_MAX = 6;
const TENANT_CLIENTS = 2;
const OPERATIONS_A_TENANT_CLIENT = 20;
/** Ids that no operation of another client has. */
const TENANT_ID = 10_000;
const CUT_OFFS_MAX = 2;
/** Ids that no fault drawn by the swarm has. */
const CUT_OFF_ID = 100_000;
/** What the margin of leases covers is a tenth, on either side. */
const DRIFT_PPM_MAX = 95_000;

/** @param peersWished meta peers and nodes together */
export function drawControlScenario(seed: number, peersWished?: number): ControlScenario {
  const nodes = Math.max(1, (peersWished ?? META_PEERS.length + NODES_DEFAULT) - META_PEERS.length);
  const numbered = (letter: string, many: number): string[] =>
    Array.from({ length: many }, (_, i) => `${letter}${i + 1}`);
  const names = [
    ...META_PEERS,
    ...numbered('n', nodes),
    ...numbered('c', CLIENTS),
    ...numbered('t', TENANT_CLIENTS),
  ];
  const peers = driftFar(seed, drawPeers(seed, names, 3));
  const troubled = peers.filter(({ name }) => !isClient(name));
  return {
    version: SCENARIO_VERSION,
    world: 'control-plane',
    seed,
    timing: TIMING,
    peers,
    // Calls have no checksum of their own, as Raft's messages do: they rely on TCP's.
    network: { ...drawNetwork(seed), bitFlip: NEVER, replay: NEVER },
    disk: drawDisk(seed),
    options: drawOptions(seed, nodes),
    faults: [
      ...drawFaults(seed, { peers: troubled, faultsMs: TIMING.faultsMs, ...CONTROL_FAULTS }),
      ...drawCutOffs(seed, numbered('n', nodes)),
    ],
    operations: [
      ...drawClientOperations(seed),
      ...drawAdministration(seed, nodes),
      ...drawTenantOperations(seed),
    ],
  };
}

/** In every second run clocks part as fast as leases must bear. */
function driftFar(seed: number, peers: readonly PeerSettings[]): PeerSettings[] {
  const stream = new Stream(seed, 'control: drift');
  if (stream.chance([1, 2], 0)) return [...peers];
  return peers.map((peer, i) => ({
    ...peer,
    driftPpm: stream.pick([-DRIFT_PPM_MAX, 0, DRIFT_PPM_MAX], 1, i),
  }));
}

/**
 * What leases are for: a node that is heard no more while its lease lasts, as often as not when the
 * leader that granted it is lost, too.
 */
function drawCutOffs(seed: number, nodes: readonly string[]): Fault[] {
  const stream = new Stream(seed, 'control: cut off');
  const amount = stream.between(0, CUT_OFFS_MAX, 0);
  return Array.from({ length: amount }, (_, i) => stream.sequence(1, i)).flatMap((draws, i) => {
    const atMs = draws.between(0, TIMING.faultsMs - 4000);
    const id = CUT_OFF_ID + i * 2;
    const forMs = draws.between(1000, 6000);
    const peer = draws.pick(nodes);
    const cutOff: Fault = { id, atMs, kind: 'isolate', peer, direction: 'both', forMs };
    if (draws.chance([1, 2])) return [cutOff];
    const loss: Fault = {
      ...{ id: id + 1, kind: 'isolate', peer: '@leader', direction: 'both' },
      atMs: atMs + draws.between(0, 300),
      forMs: draws.between(1000, 4000),
    };
    return [cutOff, loss];
  });
}

function drawOptions(seed: number, nodes: number): ControlOptions {
  const draws = new Stream(seed, 'control: options').sequence(0);
  return {
    electionTimeoutMs: draws.between(300, 800),
    heartbeatIntervalMs: draws.between(40, 100),
    snapshotChunkBytes: draws.pick([500, 4096, 512 * 1024]),
    snapshotEveryEntries: draws.chance([1, 2]) ? draws.between(5, 40) : 1000,
    trailingEntries: draws.pick([0, 3, 10]),
    historyRevisionsMax: draws.pick([2, 5, 20, 10_000]),
    callTimeoutMs: draws.between(500, 2500),
    ...draws.pick([
      { leaseMs: LEASE_TIMES.leaseMs, marginMs: LEASE_TIMES.marginMs },
      // Long enough for a leader to be lost, and another one to act, while a lease is held.
      { leaseMs: 3000, marginMs: 300 },
    ]),
    shards: draws.pick([1, 3, 4]),
    replicas: draws.between(0, Math.min(2, nodes - 1)),
    watched: ['sim/a/', 'sim/', ''],
  };
}

function drawClientOperations(seed: number): ControlOperation[] {
  const stream = new Stream(seed, 'control: operations');
  const paceMs = stream.between(20, 500, 0);
  const operations: ControlOperation[] = [];
  for (let client = 0; client < CLIENTS; client += 1) {
    for (let i = 0; i < OPERATIONS_A_CLIENT; i += 1) {
      const id = client * OPERATIONS_A_CLIENT + i;
      operations.push(drawClientOperation(id, client, paceMs, stream.sequence(1, id)));
    }
  }
  return operations;
}

function drawClientOperation(
  id: number,
  client: number,
  paceMs: number,
  draws: Draws,
): ControlOperation {
  const common = { id, client, thinkMs: draws.between(0, paceMs) };
  const kind = draws.pick([
    ...(['read', 'read', 'read', 'create', 'create', 'update', 'update'] as const),
    ...(['update', 'put', 'remove', 'pair', 'pair', 'sweep'] as const),
  ]);
  switch (kind) {
    case 'read':
    case 'pair':
    case 'sweep':
      return { ...common, kind, group: draws.pick(['a', 'a', 'b'] as const) };
    case 'create':
    case 'update':
    case 'put':
    case 'remove':
      return { ...common, kind, key: draws.pick(key.options) };
  }
}

function drawAdministration(seed: number, nodes: number): ControlOperation[] {
  const stream = new Stream(seed, 'control: administration');
  const amount = stream.between(0, ADMINISTRATION_MAX, 0);
  return Array.from({ length: amount }, (_, i): ControlOperation => {
    const draws = stream.sequence(1, i);
    const id = CLIENTS * OPERATIONS_A_CLIENT + i;
    const common = { id, client: ADMINISTRATOR, thinkMs: draws.between(100, 4000) };
    const kind = draws.pick([
      'transfer',
      'transfer',
      'compact',
      'drain',
      'drain',
      'undrain',
    ] as const);
    switch (kind) {
      case 'transfer':
        return { ...common, kind };
      case 'compact':
        return { ...common, kind, keep: draws.below(4) };
      case 'drain':
      case 'undrain':
        return { ...common, kind, node: `n${draws.between(1, nodes)}` };
    }
  });
}

/** `client` counts the clients of tenants alone. */
function drawTenantOperations(seed: number): ControlOperation[] {
  const stream = new Stream(seed, 'control: tenants');
  const paceMs = stream.between(50, 800, 0);
  const amount = TENANT_CLIENTS * OPERATIONS_A_TENANT_CLIENT;
  return Array.from({ length: amount }, (_, i): ControlOperation => {
    const draws = stream.sequence(1, i);
    return {
      id: TENANT_ID + i,
      client: i % TENANT_CLIENTS,
      thinkMs: draws.between(0, paceMs),
      kind: 'tenant',
      tenant: draws.pick(['shop', 'shop', 'blog']),
      action: draws.pick([
        ...(['show', 'show', 'create', 'create', 'create', 'update'] as const),
        ...(['update-seen', 'update-seen', 'delete', 'delete-seen'] as const),
      ]),
    };
  });
}
