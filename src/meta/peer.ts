/**
 * A meta peer: a member of the group that keeps the cluster's truth, and its controller while it
 * leads.
 *
 * It puts together what is apart: the Raft peer over its log, the store over that peer, the state
 * that is read from the store, one port for peers and clients, and the controller, which lives from
 * the moment that this peer leads and has all that was committed before until it leads no more.
 * Calls that only the leader can answer are refused elsewhere with the leader's address.
 */
import {
  CachectlError,
  LEASE_TIMES,
  type HeartbeatCall,
  type LeaseTimes,
  type NodeId,
} from '../cluster/index.ts';
import {
  asClusterId,
  asPeerId,
  openPeer,
  PeerTransport,
  type PeerId,
  type PeerObserver,
  type PeerOptions,
  type RaftLimits,
  type RaftPeer,
  type Role,
} from '../raft/index.ts';
import { RpcClient, RpcServer, type RpcOutcome, type RpcSession } from '../rpc/index.ts';
import { invariant } from '../runtime/index.ts';
import type { Address, Listener, Runtime, SystemError } from '../runtime/index.ts';
import { CONTROLLER_RULES, type ControllerRules } from './controller/rules.ts';
import { ClusterState } from './controller/cluster-state.ts';
import { Controller, NODE_METHODS } from './controller/controller.ts';
import { HeldCalls } from './held-calls.ts';
import { PeerGroup, type MetaPeerView } from './peer-group.ts';
import { type PortTakers, takeConnection } from './shared-port.ts';
import {
  RaftMetadataStore,
  StoreMachine,
  type MetadataStore,
  type RaftStoreOptions,
} from './store/index.ts';

/** Carries out one kind of call. `answer` is to be called once, now or later. */
export type CallHandler = (
  body: unknown,
  answer: (outcome: RpcOutcome) => void,
  /** Undefined where the call did not come through the port. */
  session: RpcSession | undefined,
) => void;

/** By their methods. They are called while this peer leads, and only then. */
export type CallTable = ReadonlyMap<string, CallHandler>;

/** What is known of a node beside its record: by the leader, from its heartbeats. */
export interface NodeLife {
  readonly isAlive: boolean;
  /** Undefined where this leader has heard no heartbeat of it. */
  readonly heardAgoMs: number | undefined;
  readonly heartbeat: HeartbeatCall | undefined;
}

export interface MetaPeerOptions {
  readonly name: string;
  /** The group's name: peers of another refuse each other, and each other's data. */
  readonly cluster: string;
  readonly listen: Address;
  /** Where the other peers, nodes and clients reach this one. Default: where it listens. */
  readonly address?: Address | undefined;
  /** The peers of a new group, this one among them; of no meaning where there are data. */
  readonly bootstrap?: ReadonlyMap<string, Address> | undefined;
  /** Of this peer alone, below the disk's root. */
  readonly directory: string;
  /** Asked of every caller. */
  readonly token?: string | undefined;
  /** What the cluster is to be, where this peer leads before there is one. */
  readonly shardCount: number;
  readonly replicas: number;
  readonly initialNodes: number;
  /** Further calls, made once the peer is open. */
  readonly makeCalls?: (peer: MetaPeer) => CallTable;
  readonly times?: LeaseTimes;
  readonly raftLimits?: Partial<RaftLimits>;
  readonly raftStorage?: Pick<PeerOptions, 'snapshotEntries' | 'segmentBytesMax'>;
  readonly storeOptions?: Partial<RaftStoreOptions>;
  /** Replaced by tests, which put mistakes in the place of single rules. */
  readonly rules?: Partial<ControllerRules>;
  readonly observer?: PeerObserver;
  /** The peer has stopped by itself, for good: it cannot trust its disk, or itself. */
  readonly onFailure?: (error: Error) => void;
}

/** What nodes say; see `wire.ts` of `src/cluster`. */
const NODE_CALLS: ReadonlySet<string> = new Set(NODE_METHODS);

/**
 * A leader that dies is followed by another before the leases that it granted run out, 650 to 900 ms
 * later: else all nodes would stop serving for a moment. An election is due after 300 to 600 ms of
 * silence, the sooner of two peers' draws counts, and nodes then take some tens of ms to come over.
 */
const RAFT_PACE = Object.freeze({ electionTimeoutMs: 300, heartbeatIntervalMs: 60 });

const FORWARD_CONNECT_MS = 1000;
const BARRIER_RETRY_MS = 50;
const HAND_OVER_MS = 1000;
const HAND_OVER_CHECK_MS = 10;

export class MetaPeer {
  readonly runtime: Runtime;
  readonly store: MetadataStore;
  readonly state: ClusterState;
  readonly group: PeerGroup;
  readonly #options: MetaPeerOptions;
  readonly #raft: RaftPeer;
  readonly #server: RpcServer;
  readonly #takers: PortTakers;
  readonly #held: HeldCalls;
  readonly #calls: CallTable;
  readonly #rules: ControllerRules;
  #listener: Listener | undefined;
  #forwarder: RpcClient | undefined;
  #controller: Controller | undefined;
  /** The term in which this peer leads, and has been seen to. */
  #leadsIn: number | undefined;
  #isStopped = false;

  /** Use `openMetaPeer`. */
  constructor(
    runtime: Runtime,
    options: MetaPeerOptions,
    machine: StoreMachine,
    raft: RaftPeer,
    transport: PeerTransport,
  ) {
    this.runtime = runtime;
    this.#options = options;
    this.#raft = raft;
    this.state = new ClusterState(runtime.log);
    this.store = new RaftMetadataStore(machine, raft, options.storeOptions);
    this.group = new PeerGroup(raft);
    this.#rules = { ...CONTROLLER_RULES, ...options.rules };
    this.#server = new RpcServer(
      runtime,
      {
        onCall: (session, method, body, answer) => this.#take(session, method, body, answer),
        onClose: (session) => this.#controller?.sessionClosed(session),
      },
      { token: options.token },
    );
    this.#takers = {
      peer: (connection, received) => transport.adopt(connection, received),
      client: (connection, received) => this.#server.accept(connection, received),
    };
    this.#held = new HeldCalls(runtime.timers);
    this.#calls = options.makeCalls?.(this) ?? new Map();
    this.#follow();
    const { role, term } = raft.status();
    this.leadershipMayHaveChanged(role, term);
  }

  get name(): string {
    return this.#options.name;
  }

  /** Where it listens; with port 0 asked for, the one that was given. */
  get address(): Address {
    return this.#listener?.address ?? this.#options.listen;
  }

  /** Leads, and has all that was committed before. */
  get isLeading(): boolean {
    return this.#controller !== undefined;
  }

  /** Undefined while none is known to this peer. */
  get leaderAddress(): Address | undefined {
    const { leader, configuration } = this.#raft.status();
    return leader === undefined ? undefined : configuration.addresses.get(leader);
  }

  peers(): readonly MetaPeerView[] {
    return this.group.peers();
  }

  /** Undefined where this peer does not lead. */
  lifeOf(node: NodeId): NodeLife | undefined {
    const lives = this.#controller?.lives;
    if (lives === undefined) return undefined;
    return {
      isAlive: lives.isAlive(node),
      heardAgoMs: lives.heardAgoMs(node),
      heartbeat: lives.heartbeatOf(node),
    };
  }

  /** Takes peers and clients from now on; `done` gets the error where that fails. */
  listen(done: (error: SystemError | undefined) => void): void {
    let isListening = false;
    this.runtime.network.listen(this.#options.listen, {
      onListening: (listener) => {
        isListening = true;
        this.#listener = listener;
        done(undefined);
      },
      onConnection: (connection) => takeConnection(this.runtime, connection, this.#takers),
      onError: (error) => {
        if (isListening) this.runtime.log.write('error', `cannot accept: ${error.message}`);
        else done(error);
      },
    });
  }

  /**
   * Has a call carried out, here or at the peer that leads: for whoever reached this peer by other
   * means than its port.
   */
  call(
    method: string,
    body: unknown,
    timeoutMs: number,
    done: (outcome: RpcOutcome) => void,
  ): void {
    const handler = this.#calls.get(method);
    if (this.isLeading && handler !== undefined) {
      handler(body, done, undefined);
      return;
    }
    const addresses = this.group.otherAddresses();
    if (addresses.length === 0) {
      // Nobody else could: this peer is about to lead, or it cannot.
      this.#held.hold(() => {
        if (this.isLeading && handler !== undefined) handler(body, done, undefined);
        else done({ ok: false, error: this.#notLeading() });
      });
      return;
    }
    this.#forwarder ??= new RpcClient(this.runtime, {
      addresses,
      token: this.#options.token,
      connectTimeoutMs: FORWARD_CONNECT_MS,
    });
    this.#forwarder.call(method, body, timeoutMs, done);
  }

  /** Stops in order: hands leadership over where it can, and loses nothing. */
  stop(done: () => void): void {
    this.#isStopped = true;
    const end = (): void => {
      this.#endLeadership();
      this.#forwarder?.close();
      this.#server.close();
      const listener = this.#listener;
      this.#raft.stop(() => (listener === undefined ? done() : listener.close(done)));
    };
    this.#handOver(this.runtime.clock.monotonicUs() + HAND_OVER_MS * 1000, end);
  }

  /** Another peer is asked to lead, so that nobody has to find out that this one is gone. */
  #handOver(untilUs: number, done: () => void): void {
    const isLeader = (): boolean => this.#raft.status().role === 'leader';
    if (!isLeader() || this.group.otherAddresses().length === 0) {
      done();
      return;
    }
    const wait = (): void => {
      const isOver = !isLeader() || this.runtime.clock.monotonicUs() >= untilUs;
      if (isOver) done();
      else this.runtime.timers.after(HAND_OVER_CHECK_MS, wait);
    };
    this.#raft.transferLeadership(undefined, (outcome) => (outcome.accepted ? wait() : done()));
  }

  /** To be called after each step of the Raft peer, and when it has stopped by itself. */
  leadershipMayHaveChanged(role: Role, term: number): void {
    if (!this.#held.isEmpty && this.#isLeaderKnown()) this.#held.release();
    const leadsIn = role === 'leader' && !this.#isStopped ? term : undefined;
    if (leadsIn === this.#leadsIn) return;
    this.#endLeadership();
    this.#leadsIn = leadsIn;
    if (leadsIn !== undefined) this.#beginLeadership(leadsIn, this.runtime.clock.monotonicUs());
  }

  #follow(): void {
    const { state, store } = this;
    state.load(store.view());
    store.watch('', state.revision, {
      onEvents: (revision, events) => {
        state.apply(revision, events);
        this.#controller?.stateChanged();
      },
      onCompacted: () => {
        this.#follow();
        this.#controller?.stateChanged();
      },
    });
  }

  /** Waits until all that was committed before is here: only then is there a controller. */
  #beginLeadership(term: number, electedAtUs: number): void {
    const { timers, log } = this.runtime;
    this.store.read({ prefix: '', limit: 1 }, (outcome) => {
      if (this.#leadsIn !== term) return;
      if (outcome.kind === 'refused') {
        timers.after(BARRIER_RETRY_MS, () => {
          if (this.#leadsIn === term) this.#beginLeadership(term, electedAtUs);
        });
        return;
      }
      this.#whenFollowed(outcome.revision, term, () => {
        log.write('info', `peer ${this.name} leads`, { term, revision: outcome.revision });
        this.#controller = this.#makeController(electedAtUs);
        this.#held.release();
      });
    });
  }

  #whenFollowed(revision: number, term: number, run: () => void): void {
    if (this.#leadsIn !== term) return;
    if (this.state.revision >= revision) run();
    else this.runtime.timers.defer(() => this.#whenFollowed(revision, term, run));
  }

  #makeController(electedAtUs: number): Controller {
    const { cluster, shardCount, replicas, initialNodes, times = LEASE_TIMES } = this.#options;
    const id = `${cluster}-${Buffer.from(this.runtime.random.bytes(4)).toString('hex')}`;
    const { runtime, store, state } = this;
    return new Controller(
      {
        ...{ runtime, store, state },
        confirmLeadership: (done) => this.#confirmLeadership(done),
        notLeading: () => this.#notLeading(),
      },
      {
        ...{ times, rules: this.#rules, electedAtUs, initialNodes },
        newCluster: { id, shardCount, replicas },
      },
    );
  }

  #endLeadership(): void {
    if (this.#leadsIn === undefined) return;
    this.#leadsIn = undefined;
    this.#controller?.stop();
    this.#controller = undefined;
    this.runtime.log.write('info', `peer ${this.name} leads no more`);
  }

  #confirmLeadership(done: (leads: boolean) => void): void {
    const term = this.#leadsIn;
    this.#raft.read((outcome) => {
      const { role, term: termNow } = this.#raft.status();
      done(outcome.kind === 'ready' && role === 'leader' && termNow === term);
    });
  }

  #take(
    session: RpcSession,
    method: string,
    body: unknown,
    answer: (outcome: RpcOutcome) => void,
    mayHold = true,
  ): void {
    const handler = this.#calls.get(method);
    const controller = this.#controller;
    if (!NODE_CALLS.has(method) && handler === undefined) {
      const words = `there is no operation '${method}'`;
      answer({ ok: false, error: new CachectlError('ERR_CACHECTL_NOT_FOUND', words) });
    } else if (controller === undefined) {
      if (!mayHold || this.#isLeaderKnown()) answer({ ok: false, error: this.#notLeading() });
      else this.#held.hold((isOver) => this.#take(session, method, body, answer, !isOver));
    } else if (handler === undefined) {
      controller.nodeCall(method, session, body, answer);
    } else {
      handler(body, answer, session);
    }
  }

  /** Another one, or nobody ever by this peer's doing: calls are not to wait for it. */
  #isLeaderKnown(): boolean {
    const { role, leader, isStopped } = this.#raft.status();
    return this.#isStopped || isStopped || (role !== 'leader' && leader !== undefined);
  }

  #notLeading(): CachectlError {
    const address = this.#raft.status().role === 'leader' ? undefined : this.leaderAddress;
    const leader = address === undefined ? null : `${address.host}:${address.port}`;
    const words =
      leader === null
        ? `peer ${this.name} does not lead, and knows of no leader yet`
        : `peer ${this.name} does not lead: ${leader} does`;
    return new CachectlError('ERR_CACHECTL_NOT_LEADER', words, { details: { leader } });
  }
}

export type MetaPeerOpening =
  | { readonly error: undefined; readonly peer: MetaPeer }
  /** The message says what is wrong, and the way out. */
  | { readonly error: Error };

/** Opens the data, then begins to take part; it listens once `listen` is called. */
export function openMetaPeer(
  runtime: Runtime,
  options: MetaPeerOptions,
  done: (opening: MetaPeerOpening) => void,
): void {
  const cluster = asClusterId(options.cluster);
  const id = asPeerId(options.name);
  const address = options.address ?? options.listen;
  const machine = new StoreMachine(runtime.timers);
  const bootstrap =
    options.bootstrap &&
    new Map<PeerId, Address>([...options.bootstrap].map(([name, at]) => [asPeerId(name), at]));
  let transport: PeerTransport | undefined;
  let peer: MetaPeer | undefined;
  openPeer(
    {
      runtime,
      cluster,
      peer: id,
      directory: options.directory,
      stateMachine: machine,
      ...(bootstrap === undefined ? {} : { bootstrap }),
      limits: { ...RAFT_PACE, ...options.raftLimits },
      ...options.raftStorage,
      transport: (store) =>
        (transport = new PeerTransport(runtime, { cluster, peer: id, store, address })),
      observer: {
        onStep: (core, input, effects) => {
          options.observer?.onStep?.(core, input, effects);
          peer?.leadershipMayHaveChanged(core.role, core.term);
        },
        onFailure: (error) => {
          options.observer?.onFailure?.(error);
          peer?.leadershipMayHaveChanged('follower', 0);
          options.onFailure?.(error);
        },
      },
    },
    (opening) => {
      if (opening.error !== undefined) {
        done(opening);
        return;
      }
      invariant(transport !== undefined, 'an open peer has a transport');
      peer = new MetaPeer(runtime, options, machine, opening.peer, transport);
      done({ error: undefined, peer });
    },
  );
}
