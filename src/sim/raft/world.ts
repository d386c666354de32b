/**
 * The world of Raft: peers with their real log, snapshots and transport over the simulated
 * runtime, clients with sessions, changes of the group, and all oracles.
 */
import type { RaftCore } from '../../raft/core.ts';
import type { Effects, Input, RaftEvent } from '../../raft/effects.ts';
import { asClusterId, asPeerId, openPeer } from '../../raft/index.ts';
import type { Configuration, PeerId, RaftPeer } from '../../raft/index.ts';
import type { Rules } from '../../raft/rules.ts';
import type { SessionRules } from '../../raft/sessions.ts';
import { PeerTransport } from '../../raft/transport.ts';
import type { Address, Runtime } from '../../runtime/index.ts';
import { checkLinearizable } from '../linearizability.ts';
import { explainViolation } from '../linearizability-explain.ts';
import { registerModel } from '../linearizability-register.ts';
import { NEVER, type Draws } from '../keyed-random.ts';
import type { SimProcess } from '../process.ts';
import { OracleViolation, type Simulation } from '../simulation.ts';
import { leaderAmong, Supervisor } from '../supervisor.ts';
import type { BuildHooks, Oracle, Subject, World } from '../world.ts';
import { RaftClient, type PeerService, type RegisterRequest } from './client.ts';
import { decides } from './configurations.ts';
import { RegisterMachine } from './machine.ts';
import { RAFT_ORACLES, RaftOracles } from './oracles.ts';
import { RAFT_POINTS } from './points.ts';
import { drawRaftScenario, RAFT_FAULTS, raftOperation, raftOptions } from './scenario.ts';
import type { RaftOperation, RaftOptions, RaftScenario } from './scenario.ts';

const CLUSTER = asClusterId('sim');
const PORT = 7500;

/** What was lost before the network became calm is sent again within this time. */
const ARRIVAL_MS = 3000;

/** How long a leader is watched. */
const STABLE_ELECTION_TIMEOUTS = 6;

const UNDISTURBED = {
  latency: { shape: 'uniform', minUs: 100, spreadUs: 400 },
  loss: NEVER,
  reset: NEVER,
  bitFlip: NEVER,
  replay: NEVER,
} as const;

const HISTORY_ORACLES = [
  {
    name: 'stable-leadership',
    promise: 'a leader that reaches a quorum is not deposed by a peer that does not hear it',
  },
  { name: 'linearizability', promise: 'what clients are told has one order that explains it all' },
  { name: 'equal-states', promise: 'peers that have applied the same have the same state' },
] as const satisfies readonly Oracle[];

/** One life of a peer. */
interface Running {
  readonly machine: RegisterMachine;
  /** Once it is open. */
  peer: RaftPeer | undefined;
  core: RaftCore | undefined;
}

class RaftSubject implements Subject {
  readonly #simulation: Simulation;
  readonly #scenario: RaftScenario;
  readonly #mistakes: RaftMistakes;
  readonly #oracles: RaftOracles;
  readonly #running = new Map<SimProcess, Running>();
  readonly #clients: RaftClient[];
  readonly #addresses: ReadonlyMap<PeerId, Address>;
  readonly #proposed = new Set<string>();
  readonly #supervisor: Supervisor;
  #hasDamage = false;
  #leaders = 0;
  #cutOffs = 0;
  #stable: { readonly leader: SimProcess; readonly term: number } | undefined;
  readonly #roles = new Map<SimProcess, RaftCore['role']>();
  readonly #handedTo = new Set<PeerId>();

  constructor(
    simulation: Simulation,
    scenario: RaftScenario,
    mistakes: RaftMistakes,
    { addPeer }: BuildHooks,
  ) {
    this.#simulation = simulation;
    this.#supervisor = new Supervisor(simulation, 'raft');
    this.#mistakes = mistakes;
    this.#scenario = scenario;
    this.#oracles = new RaftOracles(scenario.options.electionTimeoutMs);
    this.#addresses = new Map(
      scenario.peers.map(({ name }) => [asPeerId(name), { host: name, port: PORT }]),
    );
    for (const { name } of scenario.peers) {
      const process = addPeer(name, (runtime) => this.#open(process, runtime));
    }
    const requests = scenario.operations.filter((operation) => 'key' in operation);
    const numbers = [...new Set(requests.map(({ client }) => client))].sort((a, b) => a - b);
    this.#clients = numbers.map((number) => this.#client(number, requests));
  }

  start(): void {
    for (const process of this.#simulation.processes) process.start();
    for (const client of this.#clients) client.start();
    this.#administer(this.#scenario.operations.filter((operation) => !('key' in operation)));
  }

  isReady(): boolean {
    return this.leader() !== undefined;
  }

  leader(): SimProcess | undefined {
    return leaderAmong(this.#running);
  }

  cutOff(process: SimProcess): void {
    const running = this.#running.get(process);
    const peer = running?.peer;
    if (peer === undefined || running?.core?.role !== 'leader') return;
    this.#cutOffs += 1;
    const nonce = BURST_NONCE * 2 + this.#cutOffs * 100;
    process.enter(process.life, 'request', () =>
      this.#burst(peer, this.#scenario.options.burstWhenCutOff, nonce),
    );
  }

  /** A majority of every configuration that may be in force, or everyone. */
  core(draws: Draws): readonly SimProcess[] {
    const { usable } = this.#supervisor;
    const some = usable.filter(() => draws.chance([2, 3]));
    // A peer that has lost entries elects only who has them: that may need the others.
    const isDiskLost = usable.length < this.#simulation.processes.length;
    if (draws.chance([1, 2]) || this.#hasDamage || isDiskLost) return usable;
    const isIn = (peer: PeerId): boolean => some.some(({ name }) => name === peer);
    const configurations: Configuration[] = [];
    for (const process of usable) {
      const core = this.#running.get(process)?.core;
      // One that is down may know of a configuration that nobody else does.
      if (core === undefined) return usable;
      configurations.push(core.log.configuration, core.log.configurationBefore);
    }
    // Learners may be about to become voters, by a change that only the leader knows of.
    if (configurations.some(({ learners }) => learners.length > 0)) return usable;
    const suffices = configurations.every((configuration) => decides(configuration, isIn));
    return suffices ? some : usable;
  }

  healed(core: readonly SimProcess[]): void {
    this.#supervisor.healed(core);
    // Each client does more, so that what was done before is no excuse.
    for (const [number, client] of this.#clients.entries()) {
      for (const probe of probes(number)) client.add(probe);
    }
  }

  pending(): string | undefined {
    const left = this.#clients.reduce((sum, client) => sum + client.left, 0);
    if (left > 0) return `${left} operations of clients have no outcome yet`;
    const leader = this.leader();
    const core = leader === undefined ? undefined : this.#running.get(leader)?.core;
    if (core === undefined) return 'there is no leader';
    if (core.log.commit < core.log.lastIndex) return 'the leader has entries to commit';
    if (core.log.configuration.votersOutgoing.length > 0) return 'the configuration is joint';
    for (const process of this.#supervisor.core) {
      if (this.#supervisor.isLost(process)) continue;
      const isMember = core.log.configuration.addresses.has(asPeerId(process.name));
      const applied = this.#running.get(process)?.core?.log.applied ?? 0;
      if (isMember && applied < core.log.commit) {
        return `${process.name} has applied ${applied} of ${core.log.commit} entries`;
      }
    }
    return undefined;
  }

  afterStep(): void {
    // All that there is to see is seen at each step of a core, which is more often.
  }

  ended(process: SimProcess): void {
    this.#running.delete(process);
    this.#oracles.ended(asPeerId(process.name));
    this.#simulation.note(process, process.hasPower ? 'killed' : 'power lost');
  }

  /** A group that is whole keeps its leader, though one follower no longer hears it. */
  settle(): number {
    const { options } = this.#scenario;
    const { network, processes } = this.#simulation;
    if (!options.provesStability || this.#supervisor.core.length !== processes.length) return 0;
    network.settings = { ...network.settings, ...UNDISTURBED };
    this.#simulation.schedule(ARRIVAL_MS * 1000, 'deaf follower', () => this.#deafen());
    return ARRIVAL_MS + options.electionTimeoutMs * STABLE_ELECTION_TIMEOUTS;
  }

  #deafen(): void {
    const { network } = this.#simulation;
    const leader = this.leader();
    const core = leader === undefined ? undefined : this.#running.get(leader)?.core;
    if (leader === undefined || core === undefined) return;
    const others = core.log.configuration.voters.filter((voter) => voter !== asPeerId(leader.name));
    const deaf = this.#simulation.processNamed(others[0] ?? '');
    if (others.length < 2 || deaf === undefined) return;
    network.cut(network.link(leader, deaf));
    this.#stable = { leader, term: core.term };
  }

  finalChecks(): void {
    const digests = new Map<number, number>();
    for (const [process, { core, machine }] of this.#running) {
      const applied = core?.log.applied ?? 0;
      const known = digests.get(applied) ?? machine.digest;
      if (known !== machine.digest) {
        const words = `${process.name} differs from another peer that has applied ${applied}`;
        throw new OracleViolation('equal-states', words);
      }
      digests.set(applied, machine.digest);
    }
    const history = this.#clients.flatMap((client) => client.wholeHistory);
    const verdict = checkLinearizable(history, registerModel);
    if (verdict.verdict === 'violation') {
      const { words } = explainViolation(verdict, registerModel);
      throw new OracleViolation('linearizability', words);
    }
    if (verdict.verdict === 'unknown') {
      throw new OracleViolation('linearizability', `no verdict on key ${verdict.key} in time`);
    }
  }

  describe(process: SimProcess): string {
    const core = this.#running.get(process)?.core;
    if (core === undefined) return process.status;
    const { role, term, log } = core;
    return `${role} ${term} log ${log.commit}/${log.lastIndex}`;
  }

  #client(number: number, requests: readonly RegisterRequest[]): RaftClient {
    return new RaftClient({
      simulation: this.#simulation,
      number,
      operations: requests.filter(({ client }) => client === number),
      timeoutMs: this.#scenario.options.clientTimeoutMs,
      stays: this.#scenario.options.clientsStay,
      peers: this.#simulation.processes,
      serviceOf: (process) => this.#serviceOf(process),
      onSessionLost: () => {
        throw new OracleViolation('exactly-once', `the session of client ${number + 1} is gone`);
      },
    });
  }

  #serviceOf(process: SimProcess): PeerService | undefined {
    const running = this.#running.get(process);
    const peer = running?.peer;
    if (running === undefined || peer === undefined) return undefined;
    const { clientTimeoutMs } = this.#scenario.options;
    return {
      propose: (command, done) => {
        if (command.kind === 'command') this.#noteProposal(command.session, command.serial);
        peer.submit(command, clientTimeoutMs, (outcome) =>
          done(outcome.kind === 'answered' ? outcome.answer : undefined),
        );
      },
      read: (key, done) => {
        const { commit } = this.#oracles;
        peer.read((outcome) => {
          if (outcome.kind === 'refused') {
            done(false);
            return;
          }
          this.#oracles.read(asPeerId(process.name), commit, running.core?.log.applied ?? 0);
          done({ value: running.machine.read(key) });
        });
      },
    };
  }

  /** Soon after an election, and when the leader before it may still believe to lead. */
  #readEverywhere(): void {
    const draws = this.#simulation.stream('readers').sequence(this.#leaders);
    const { electionTimeoutMs } = this.#scenario.options;
    for (const process of this.#simulation.processes) {
      const delayMs = draws.pick([1, 5, electionTimeoutMs]);
      this.#simulation.schedule(draws.below(delayMs * 1000), 'reader', () => {
        const service = this.#serviceOf(process);
        process.enter(process.life, 'request', () => service?.read('a', () => undefined));
      });
    }
  }

  #noteProposal(session: number, serial: number): void {
    const key = `${session} ${serial}`;
    this.#simulation.sometimes(this.#proposed.has(key), 'raft: a command is proposed twice');
    this.#proposed.add(key);
  }

  #open(process: SimProcess, runtime: Runtime): void {
    const id = asPeerId(process.name);
    const { options } = this.#scenario;
    const machine = new RegisterMachine((index, digest, tag) =>
      this.#oracles.applied(id, index, digest, tag),
    );
    const running: Running = { machine, peer: undefined, core: undefined };
    this.#running.set(process, running);
    const voters = new Map([...this.#addresses].slice(0, options.voters));
    openPeer(
      {
        runtime,
        cluster: CLUSTER,
        peer: id,
        directory: 'raft',
        stateMachine: machine,
        transport: (store) => this.#listen(process, runtime, store),
        ...(voters.has(id) ? { bootstrap: voters } : {}),
        limits: {
          electionTimeoutMs: options.electionTimeoutMs,
          heartbeatIntervalMs: options.heartbeatIntervalMs,
          messageBytesMax: options.messageBytesMax,
          inflightMessagesMax: options.inflightMessagesMax,
          snapshotChunkBytes: options.snapshotChunkBytes,
          trailingEntries: options.trailingEntries,
        },
        snapshotEntries: options.snapshotEveryEntries,
        segmentBytesMax: options.segmentBytesMax,
        onDamage: 'repair',
        onRecovered: (contents) => {
          this.#oracles.opened(id, contents);
          if (contents.lostThrough !== undefined) this.#damaged(process);
        },
        observer: {
          onStep: (core, input, effects) => {
            running.core = core;
            if (input.kind === 'snapshotSaved') {
              this.#oracles.saved(id, input.snapshot.index, machine.digestSaved);
            }
            this.#stepped(process, core, input, effects);
          },
          onFailure: (error) => this.#supervisor.gaveUp(process, error),
        },
        rules: this.#mistakes.rules ?? {},
        sessionRules: this.#mistakes.sessionRules ?? {},
      },
      (opening) => {
        if (opening.error === undefined) running.peer = opening.peer;
        else this.#supervisor.gaveUp(process, opening.error);
      },
    );
  }

  #listen(process: SimProcess, runtime: Runtime, store: Uint8Array): PeerTransport {
    const address = { host: process.name, port: PORT };
    const peer = asPeerId(process.name);
    const transport = new PeerTransport(runtime, { cluster: CLUSTER, peer, store, address });
    transport.listen(address, (error) => {
      if (error !== undefined) this.#supervisor.gaveUp(process, error);
    });
    return transport;
  }

  #damaged(process: SimProcess): void {
    this.#simulation.note(process, 'has lost entries, and is to be sent them anew');
    this.#simulation.reachable('raft: a disk has lost entries');
    this.#hasDamage = true;
  }

  #stepped(process: SimProcess, core: RaftCore, input: Input, effects: Effects): void {
    const { nowUs } = this.#simulation.queue;
    this.#oracles.stepped(asPeerId(process.name), core, input, effects, nowUs);
    for (const message of effects.messages) {
      if (message.kind === 'timeoutNow') this.#handedTo.add(message.to);
    }
    for (const event of effects.events) this.#tell(process, core, event);
  }

  /** Notes transitions for reports, calls out signals for faults, counts points. */
  #tell(process: SimProcess, core: RaftCore, event: RaftEvent): void {
    const simulation = this.#simulation;
    switch (event.kind) {
      case 'role':
        this.#checkStable(process, event.role, event.term);
        simulation.note(process, `${event.role} of term ${event.term}`);
        simulation.sometimes(
          event.role === 'follower' && this.#roles.get(process) === 'candidate',
          'raft: a candidate is not elected',
        );
        simulation.sometimes(
          event.role === 'follower' && this.#roles.get(process) === 'leader',
          'raft: a leader stands down',
        );
        this.#roles.set(process, event.role);
        if (event.role === 'leader') {
          simulation.sometimes(
            this.#handedTo.delete(asPeerId(process.name)),
            'raft: a transfer succeeds',
          );
          this.#leaders += 1;
          simulation.sometimes(this.#leaders > 1, 'raft: a second leader is elected');
          simulation.signal('leader', process);
          if (this.#scenario.options.readsAtElections) this.#readEverywhere();
        }
        if (event.role === 'candidate') simulation.signal('candidate', process);
        break;
      case 'configuration': {
        const isJoint = event.configuration.votersOutgoing.length > 0;
        simulation.note(
          process,
          `configuration ${membersOf(event.configuration)} at ${event.index}`,
        );
        if (isJoint) {
          simulation.reachable('raft: a joint configuration is entered');
          simulation.signal('joint', process);
        } else if (core.role === 'leader') {
          simulation.reachable('raft: a joint configuration is left');
          simulation.signal('jointLeft', process);
          simulation.sometimes(
            !event.configuration.addresses.has(asPeerId(process.name)),
            'raft: a leader is removed',
          );
        }
        break;
      }
      case 'truncated':
        simulation.note(process, `cuts its log at ${event.from}`);
        simulation.reachable('raft: entries are cut away');
        simulation.signal('truncated', process);
        break;
      case 'snapshotInstalled':
        this.#oracles.installed(asPeerId(process.name), core, event.index);
        simulation.note(process, `installs a snapshot of ${event.index}`);
        simulation.reachable('raft: a snapshot is installed');
        simulation.signal('snapshotInstalled', process);
        break;
      case 'snapshotBegun':
        simulation.note(process, `sends ${event.to} a snapshot of ${event.index}`);
        simulation.reachable('raft: a snapshot is sent');
        simulation.signal('snapshotBegun', process);
        break;
      case 'caughtUp':
        simulation.reachable('raft: a learner has caught up');
        break;
      case 'lostData':
      case 'transferAborted':
      case 'leader':
      case 'committed':
        break;
    }
  }

  #checkStable(process: SimProcess, role: RaftCore['role'], term: number): void {
    if (this.#stable === undefined || term <= this.#stable.term) return;
    const { leader, term: before } = this.#stable;
    const words = `${process.name} is ${role} of term ${term}, though ${leader.name} leads`;
    throw new OracleViolation('stable-leadership', `${words} ${before} with a quorum`);
  }

  #administer(operations: readonly RaftOperation[]): void {
    const [operation, ...rest] = operations;
    if (operation === undefined) return;
    this.#simulation.schedule(operation.thinkMs * 1000 + 1, 'administration', () => {
      if (this.#supervisor.isHealed) return;
      this.#ask(operation);
      this.#administer(rest);
    });
  }

  #ask(operation: RaftOperation): void {
    const process =
      operation.kind === 'snapshot' ? this.#simulation.processNamed(operation.peer) : this.leader();
    const peer = process === undefined ? undefined : this.#running.get(process)?.peer;
    if (process === undefined || peer === undefined) return;
    process.enter(process.life, 'administration', () =>
      this.#administerAt(process, peer, operation),
    );
  }

  #administerAt(process: SimProcess, peer: RaftPeer, operation: RaftOperation): void {
    switch (operation.kind) {
      case 'change': {
        const voters = this.#addressesOf(operation.voters);
        this.#simulation.note(process, `is asked for voters ${operation.voters.join(' ')}`);
        peer.change({ voters, learners: this.#addressesOf(operation.learners) }, () => undefined);
        break;
      }
      case 'transfer': {
        const to = operation.to === undefined ? undefined : asPeerId(operation.to);
        this.#simulation.note(process, `is asked to hand over to ${to ?? 'anyone'}`);
        peer.transferLeadership(to, () => undefined);
        break;
      }
      case 'snapshot':
        peer.takeSnapshot();
        break;
      case 'burst':
        this.#burst(peer, operation.count, BURST_NONCE + operation.id * 100);
        break;
      case 'read':
      case 'write':
      case 'cas':
      case 'delete':
        break;
    }
  }

  #burst(peer: RaftPeer, count: number, nonce: number): void {
    const { clientTimeoutMs } = this.#scenario.options;
    for (let i = 0; i < count; i += 1) {
      peer.submit({ kind: 'open', nonce: nonce + i }, clientTimeoutMs, () => undefined);
    }
  }

  #addressesOf(names: readonly string[]): ReadonlyMap<PeerId, Address> {
    return new Map([...this.#addresses].filter(([id]) => names.includes(id)));
  }
}

function membersOf({ voters, votersOutgoing, learners }: Configuration): string {
  const from = votersOutgoing.length === 0 ? '' : `${votersOutgoing.join(' ')} → `;
  return `${from}${voters.join(' ')}${learners.length === 0 ? '' : ` (${learners.join(' ')})`}`;
}

/** What no client opens its session with. */
const BURST_NONCE = 1_000_000;

/** Ids that no drawn operation has. */
const PROBE_ID = 1_000_000;

function probes(client: number): RegisterRequest[] {
  const base = { client, thinkMs: 10, key: 'probe' };
  const id = PROBE_ID + client * 2;
  return [
    { ...base, id, kind: 'write', value: `p${id}` },
    { ...base, id: id + 1, kind: 'read' },
  ];
}

/** Rules to be played by in place of the right ones: historical mistakes, to prove the oracles. */
export interface RaftMistakes {
  readonly rules?: Partial<Rules>;
  readonly sessionRules?: Partial<SessionRules>;
}

export const raftWorld = raftWorldWith({});

export function raftWorldWith(mistakes: RaftMistakes): World<RaftOptions, RaftOperation> {
  return {
    name: 'raft',
    summary: 'a Raft group with clients, changes of the group, snapshots and failing disks',
    oracles: [...RAFT_ORACLES, ...HISTORY_ORACLES],
    points: RAFT_POINTS,
    faults: RAFT_FAULTS,
    options: raftOptions,
    operation: raftOperation,
    draw: drawRaftScenario,
    withoutPeer(scenario, name) {
      const peers = scenario.peers.filter((peer) => peer.name !== name);
      const isFirst = scenario.peers[0].name === name;
      if (peers.length < 3 || isFirst) return undefined;
      const voters = Math.min(scenario.options.voters, peers.length);
      return { ...scenario, peers, options: { ...scenario.options, voters } };
    },
    build: (simulation, scenario, hooks) => new RaftSubject(simulation, scenario, mistakes, hooks),
  };
}
