/** What a scenario of the Raft world may contain, and how one is drawn from a seed. */
import { z } from 'zod';
import { drawDisk, drawFaults, drawNetwork, drawPeers, type FaultProfile } from '../draw.ts';
import { Stream, type Draws } from '../keyed-random.ts';
import { SCENARIO_VERSION, type Fault, type Scenario } from '../scenario.ts';

const names = z.array(z.string()).readonly();
const count = z.int().min(0);

const register = {
  id: count,
  client: count,
  thinkMs: count,
  key: z.string().regex(/^[a-z0-9]{1,16}$/, 'a key is a to z and 0 to 9'),
};
const value = z.string().regex(/^[a-z0-9]{1,64}$/, 'a value is a to z and 0 to 9');
const administration = { id: count, client: count, thinkMs: count };

export const raftOperation = z.discriminatedUnion('kind', [
  z.strictObject({ ...register, kind: z.literal('read') }),
  z.strictObject({ ...register, kind: z.literal('write'), value }),
  /** Sets the key where it holds `expected`; without it, where it is absent. */
  z.strictObject({ ...register, kind: z.literal('cas'), value, expected: value.optional() }),
  z.strictObject({ ...register, kind: z.literal('delete') }),
  /** Asks the leader for these members. */
  z.strictObject({ ...administration, kind: z.literal('change'), voters: names, learners: names }),
  /** Asks the leader to hand over to `to`, or to whom it likes. */
  z.strictObject({ ...administration, kind: z.literal('transfer'), to: z.string().optional() }),
  /** Proposes so many commands at once to the leader, and does not wait for them. */
  z.strictObject({ ...administration, kind: z.literal('burst'), count: z.int().min(1).max(100) }),
  /** Asks a peer for a snapshot of its state. */
  z.strictObject({ ...administration, kind: z.literal('snapshot'), peer: z.string() }),
]);

export const raftOptions = z.strictObject({
  /** The first so many peers are the voters of a new group; the others wait to be added. */
  voters: z.int().min(1).max(9),
  electionTimeoutMs: z.int().min(2),
  heartbeatIntervalMs: z.int().min(1),
  messageBytesMax: z.int().min(1),
  inflightMessagesMax: z.int().min(1),
  snapshotChunkBytes: z.int().min(1),
  /** A peer takes a snapshot after so many entries. */
  snapshotEveryEntries: z.int().min(1),
  trailingEntries: count,
  segmentBytesMax: z.int().min(512),
  /** How long a client waits before it asks another peer. */
  clientTimeoutMs: z.int().min(1),
  /** Clients stay with a peer as long as it answers; else each request goes to another one. */
  clientsStay: z.boolean(),
  /** After convergence, one follower that does not hear the leader must not depose it. */
  provesStability: z.boolean(),
  /** So many commands are proposed to a leader just as it is cut off: most are never committed. */
  burstWhenCutOff: count.max(100),
  /** Reads are asked of all peers around each election, beside what clients ask. */
  readsAtElections: z.boolean(),
});

export type RaftOperation = z.infer<typeof raftOperation>;
export type RaftOptions = z.infer<typeof raftOptions>;
export type RaftScenario = Scenario<RaftOptions, RaftOperation>;

export const RAFT_FAULTS = {
  kinds: [
    ...(['cut', 'isolate', 'slowLinks', 'reset', 'halfOpen', 'crash', 'pause', 'slow'] as const),
    ...(['clock', 'diskError', 'diskFull', 'diskStall', 'bitRot'] as const),
    ...(['phantomWrite', 'misdirectedWrite'] as const),
  ],
  signals: [
    'leader',
    'candidate',
    'joint',
    'jointLeft',
    'snapshotBegun',
    'snapshotInstalled',
    'truncated',
  ],
  faultsMax: 8,
  lengthMsMax: 3000,
} as const satisfies Partial<FaultProfile>;

const TIMING = { warmUpMs: 3000, faultsMs: 6000, convergeMs: 60_000 } as const;

const CLIENTS = 3;
const OPERATIONS_A_CLIENT = 40;
const KEYS = ['a', 'b', 'c', 'd'] as const;
/** One client asks for nothing but changes of the group itself. */
const ADMINISTRATOR = CLIENTS;
const ADMINISTRATION_MAX = 10;

export function drawRaftScenario(seed: number, peersWished: number | undefined): RaftScenario {
  const draws = new Stream(seed, 'raft: shape').sequence(0);
  const members = peersWished ?? draws.pick([3, 3, 3, 5]);
  const isChanging = draws.chance([1, 2]);
  const voters = isChanging && members === 5 ? 3 : members;
  const peerNames = Array.from({ length: members }, (_, i) => `m${i + 1}`);
  const peers = drawPeers(seed, peerNames, draws.between(1, 3));
  return {
    version: SCENARIO_VERSION,
    world: 'raft',
    seed,
    timing: TIMING,
    peers,
    network: drawNetwork(seed),
    disk: drawDisk(seed),
    options: drawOptions(seed, voters),
    faults: survivable(
      drawFaults(seed, { peers, faultsMs: TIMING.faultsMs, ...RAFT_FAULTS }),
      isChanging ? 0 : voters,
    ),
    operations: [
      ...drawRegisterOperations(seed),
      ...drawAdministration(seed, peerNames, isChanging),
    ],
  };
}

/**
 * Raft survives a disk that has lost entries where the others have them: one disk in a run, in a
 * group that can spare one and does not change.
 */
function survivable(faults: readonly Fault[], voters: number): Fault[] {
  const isDamage = ({ kind }: Fault): boolean =>
    kind === 'bitRot' || kind === 'phantomWrite' || kind === 'misdirectedWrite';
  const first = faults.find(isDamage);
  return faults.filter((fault) => !isDamage(fault) || (fault === first && voters >= 3));
}

/** Bounds so tight that they are met, each in some of the runs. */
function drawOptions(seed: number, voters: number): RaftOptions {
  const draws = new Stream(seed, 'raft: options').sequence(0);
  const isRare = (): boolean => draws.chance([1, 4]);
  return {
    voters,
    electionTimeoutMs: draws.between(200, 1000),
    heartbeatIntervalMs: draws.between(40, 90),
    messageBytesMax: isRare() ? 100 : 1024 * 1024,
    inflightMessagesMax: isRare() ? 2 : 128,
    snapshotChunkBytes: draws.pick([64, 200, 512 * 1024]),
    snapshotEveryEntries: draws.chance([1, 2]) ? draws.between(5, 40) : 1000,
    trailingEntries: draws.pick([0, 3, 10]),
    segmentBytesMax: draws.pick([1024, 4096, 8 * 1024 * 1024]),
    clientTimeoutMs: draws.between(300, 1500),
    clientsStay: draws.chance([1, 2]),
    provesStability: draws.chance([1, 4]),
    readsAtElections: draws.chance([1, 2]),
    burstWhenCutOff: draws.chance([1, 2]) ? draws.between(1, 20) : 0,
  };
}

function drawRegisterOperations(seed: number): RaftOperation[] {
  const stream = new Stream(seed, 'raft: operations');
  const paceMs = stream.between(5, 120, 0);
  const operations: RaftOperation[] = [];
  for (let client = 0; client < CLIENTS; client += 1) {
    for (let i = 0; i < OPERATIONS_A_CLIENT; i += 1) {
      const id = client * OPERATIONS_A_CLIENT + i;
      operations.push(drawRegisterOperation(id, client, paceMs, stream.sequence(1, id)));
    }
  }
  return operations;
}

function drawRegisterOperation(
  id: number,
  client: number,
  paceMs: number,
  draws: Draws,
): RaftOperation {
  const base = { id, client, thinkMs: draws.between(0, paceMs), key: draws.pick(KEYS) };
  const written = `v${id}`;
  const kind = draws.pick(['read', 'read', 'read', 'write', 'write', 'cas', 'delete'] as const);
  switch (kind) {
    case 'read':
    case 'delete':
      return { ...base, kind };
    case 'write':
      return { ...base, kind, value: written };
    case 'cas': {
      const guess = draws.below(CLIENTS * OPERATIONS_A_CLIENT);
      const expected = draws.chance([1, 2]) ? { expected: `v${guess}` } : {};
      return { ...base, kind, value: written, ...expected };
    }
  }
}

function drawAdministration(
  seed: number,
  peers: readonly string[],
  isChanging: boolean,
): RaftOperation[] {
  const stream = new Stream(seed, 'raft: administration');
  const amount = stream.between(0, ADMINISTRATION_MAX, 0);
  return Array.from({ length: amount }, (_, i): RaftOperation => {
    const draws = stream.sequence(1, i);
    const id = CLIENTS * OPERATIONS_A_CLIENT + i;
    const isQuick = draws.chance([1, 3]);
    const thinkMs = isQuick ? draws.between(0, 30) : draws.between(100, 1500);
    const base = { id, client: ADMINISTRATOR, thinkMs };
    const kind = draws.pick([
      'change',
      'change',
      'transfer',
      'snapshot',
      'burst',
      'burst',
    ] as const);
    if (kind === 'burst') return { ...base, kind, count: draws.between(1, 20) };
    if (kind === 'change' && isChanging) {
      const voters = peers.filter(() => draws.chance([2, 3]));
      const isVoter = new Set(voters.length === 0 ? [peers[0]] : voters);
      const learners = peers.filter((peer) => !isVoter.has(peer) && draws.chance([1, 3]));
      return { ...base, kind, voters: [...isVoter], learners };
    }
    if (kind === 'snapshot') return { ...base, kind, peer: draws.pick(peers) };
    return {
      ...base,
      kind: 'transfer',
      ...(draws.chance([1, 2]) ? { to: draws.pick(peers) } : {}),
    };
  });
}
