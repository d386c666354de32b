/**
 * A peer: the core, its log, its snapshots and its transport, over one `Runtime`.
 *
 * The shell is thin on purpose. It gives the core its inputs one at a time, and performs the
 * effects: what may be sent is sent, what must be durable goes to the storage, what is committed to
 * the state machine. It decides nothing about consensus, and it is the same in the simulator and in
 * a real process.
 *
 * A peer that cannot trust its disk, or itself, stops: it answers nobody any more, and the others
 * elect another leader. Starting it again is up to whoever runs it.
 *
 * Reading order: this, `peer-open.ts` (how one is made), `peer-storage.ts`, `peer-machine.ts`,
 * `peer-requests.ts`, `proposer.ts`.
 */
import { InvariantError } from '../runtime/index.ts';
import type { Runtime, Timer } from '../runtime/index.ts';
import type { RaftCore } from './core.ts';
import type {
  AdministrationOutcome,
  ConfigurationChange,
  Effects,
  Input,
  RaftEvent,
  Role,
  SnapshotReadRequest,
} from './effects.ts';
import type { RaftLimits } from './options.ts';
import { PeerMachine } from './peer-machine.ts';
import { PendingProposals, PendingReads } from './peer-requests.ts';
import type { ReadOutcome, SubmitOutcome } from './peer-requests.ts';
import { PeerStorage } from './peer-storage.ts';
import { Proposer } from './proposer.ts';
import type { ProposeOutcome } from './proposer.ts';
import { encodeCommand } from './sessions.ts';
import type { SessionCommand, SessionStateMachine } from './sessions.ts';
import type { LogStore, SnapshotStore, Transport } from './stores.ts';
import type { Configuration, Index, PeerId, RefusalReason, Term } from './types.ts';

/** Sees everything, changes nothing: for oracles, metrics and logs. */
export interface PeerObserver {
  /** After each step, before its effects are performed. */
  onStep?(core: RaftCore, input: Input, effects: Effects): void;
  /** The peer has stopped by itself, for good. */
  onFailure?(error: Error): void;
}

export interface PeerStatus {
  readonly id: PeerId;
  readonly role: Role;
  readonly term: Term;
  readonly leader: PeerId | undefined;
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
  readonly lastIndex: Index;
  readonly snapshotIndex: Index | undefined;
  readonly configuration: Configuration;
  /** Known by the leader alone. */
  readonly followers: ReadonlyArray<{
    readonly peer: PeerId;
    readonly matchIndex: Index;
    readonly sending: 'probe' | 'replicate' | 'snapshot';
    readonly heardAgoMs: number;
  }>;
  readonly isStopped: boolean;
}

/** What `openPeer` has put together. */
export interface PeerParts {
  readonly runtime: Runtime;
  readonly limits: RaftLimits;
  readonly core: RaftCore;
  readonly machine: SessionStateMachine;
  readonly log: LogStore;
  readonly snapshots: SnapshotStore;
  readonly transport: Transport;
  readonly snapshotEntries: number;
  readonly snapshotBytes: number;
  readonly observer: PeerObserver;
  /** Closes the stores. */
  readonly close: (done: () => void) => void;
}

interface Batch {
  /** Under which the core is told of it. */
  readonly number: number;
  readonly commands: Uint8Array[];
  bytes: number;
}

/** Numbers of one life: more than a peer can use, few enough to stay a safe integer. */
const NUMBERS_PER_LIFE = 2 ** 21;
/** Proposals that wait for their outcome. */
const PROPOSALS_MAX = 16_384;

export class RaftPeer {
  readonly id: PeerId;
  readonly #parts: PeerParts;
  readonly #storage: PeerStorage;
  readonly #machine: PeerMachine;
  readonly #proposals = new PendingProposals();
  readonly #reads = new PendingReads();
  readonly #proposer: Proposer;
  #inputs: Input[] = [];
  #isStepping = false;
  #isStopped = false;
  #wake: { readonly atUs: number; readonly timer: Timer } | undefined;
  /** Commands of this turn of the event loop: few inputs, and few messages, for all of them. */
  #batches: Batch[] = [];
  #administrations: Array<(outcome: AdministrationOutcome) => void> = [];
  /** Unlike those of an earlier life, whose answers may still be under way. */
  #lastNumber: number;

  /** Use `openPeer`. */
  constructor(id: PeerId, parts: PeerParts) {
    const { runtime, limits, core, machine, log, snapshots, transport } = parts;
    this.id = id;
    this.#parts = parts;
    this.#lastNumber = runtime.random.uint32() * NUMBERS_PER_LIFE;
    this.#storage = new PeerStorage(
      log,
      snapshots,
      (sequence) => this.#step({ kind: 'persisted', sequence }),
      (error) => this.#fail(error),
    );
    this.#machine = new PeerMachine(machine, snapshots, core.log.applied, {
      onAnswer: (answer) => this.#proposals.answered(answer),
      onApplied: (index, isRestored) => this.#applied(index, isRestored),
      onSnapshot: (snapshot) => this.#step({ kind: 'snapshotSaved', snapshot }),
      onFailure: (error) => this.#fail(error),
    });
    this.#proposer = new Proposer(
      runtime,
      {
        pendingMax: 512,
        pauseMs: limits.heartbeatIntervalMs,
        attemptMs: 2 * limits.electionTimeoutMs,
      },
      (command, untilUs, done) => this.#submit(command, untilUs, done),
    );
    transport.setPeers(core.log.configuration.addresses);
    transport.start({
      onMessage: (message) => this.#step({ kind: 'message', message }),
      onUnreachable: (peer) => this.#step({ kind: 'unreachable', peer }),
    });
    this.#step({ kind: 'tick' });
  }

  /** Has `command` applied once, proposing it again as long as that is needed and allowed. */
  propose(command: Uint8Array, timeoutMs: number, done: (outcome: ProposeOutcome) => void): void {
    this.#proposer.propose(command, timeoutMs, done);
  }

  /**
   * One attempt for a client that has a session of its own, and that asks again, here or elsewhere,
   * when it gets no answer.
   */
  submit(command: SessionCommand, timeoutMs: number, done: (outcome: SubmitOutcome) => void): void {
    this.#submit(command, this.#parts.runtime.clock.monotonicUs() + timeoutMs * 1000, done);
  }

  /** A linearizable read: `done` is called when the state machine may be read, and must be. */
  read(done: (outcome: ReadOutcome) => void): void {
    if (this.#isStopped) {
      this.#later(() => done({ kind: 'refused', reason: 'stopped' }));
      return;
    }
    const read = this.#nextNumber();
    this.#reads.add(read, done);
    this.#later(() => this.#step({ kind: 'read', read }));
  }

  /** `done` says whether the change was begun; `status().configuration` shows how far it is. */
  change(change: ConfigurationChange, done: (outcome: AdministrationOutcome) => void): void {
    this.#administer({ kind: 'change', change }, done);
  }

  /** @param to `undefined`: the voter that is furthest. */
  transferLeadership(to: PeerId | undefined, done: (outcome: AdministrationOutcome) => void): void {
    this.#administer({ kind: 'transfer', to }, done);
  }

  /** Takes a snapshot now, unless one is being taken or nothing was applied since the last. */
  takeSnapshot(): void {
    const { core, snapshots } = this.#parts;
    const { log } = core;
    // Not what the core knows to be applied: while it takes a step, the state may be further.
    const index = this.#machine.applied;
    const term = log.termAt(index);
    const held = Math.max(log.snapshot?.index ?? 0, snapshots.latest?.index ?? 0);
    if (this.#isStopped || this.#machine.isSaving || term === undefined || index <= held) return;
    this.#machine.save({ index, term, configuration: log.configurationAt(index) });
  }

  status(): PeerStatus {
    const { core, runtime } = this.#parts;
    const { log } = core;
    const nowUs = runtime.clock.monotonicUs();
    const followers = [...(core.replication?.followers ?? [])].map(([peer, progress]) => ({
      peer,
      matchIndex: progress.match,
      sending: progress.sending.mode,
      heardAgoMs: Math.max(0, Math.round((nowUs - progress.heardAtUs) / 1000)),
    }));
    return {
      id: this.id,
      role: core.role,
      term: core.term,
      leader: core.leader,
      commitIndex: log.commit,
      appliedIndex: log.applied,
      lastIndex: log.lastIndex,
      snapshotIndex: log.snapshot?.index,
      configuration: log.configuration,
      followers,
      isStopped: this.#isStopped,
    };
  }

  /** Stops in order: nothing is lost that was acknowledged. Hand over leadership before, if any. */
  stop(done: () => void): void {
    const { transport, close } = this.#parts;
    this.#silence();
    transport.stop(() => close(done));
  }

  #submit(command: SessionCommand, untilUs: number, done: (outcome: SubmitOutcome) => void): void {
    const { core, limits } = this.#parts;
    const bytes = encodeCommand(command);
    const reason = this.#reasonAgainst(bytes, limits);
    if (reason !== undefined) {
      this.#later(() => done({ kind: 'refused', reason }));
      return;
    }
    const batch = this.#batchFor(bytes.length);
    batch.commands.push(bytes);
    batch.bytes += bytes.length;
    this.#proposals.add(command, batch.number, core.leader, untilUs, done);
    this.#armTimer();
  }

  #batchFor(bytes: number): Batch {
    const last = this.#batches.at(-1);
    if (last !== undefined && last.bytes + bytes <= this.#parts.limits.messageBytesMax) return last;
    if (last === undefined) this.#later(() => this.#proposeBatches());
    const batch = { number: this.#nextNumber(), commands: [], bytes: 0 };
    this.#batches.push(batch);
    return batch;
  }

  #reasonAgainst(bytes: Uint8Array, limits: RaftLimits): RefusalReason | undefined {
    if (this.#isStopped) return 'stopped';
    if (bytes.length > limits.commandBytesMax) return 'tooLarge';
    return this.#proposals.size >= PROPOSALS_MAX ? 'overloaded' : undefined;
  }

  #proposeBatches(): void {
    for (const { number, commands } of this.#batches.splice(0)) {
      this.#step({ kind: 'propose', proposal: number, commands });
    }
  }

  #administer(input: Input, done: (outcome: AdministrationOutcome) => void): void {
    this.#later(() => {
      if (this.#isStopped) {
        done(STOPPED);
        return;
      }
      this.#administrations.push(done);
      this.#step(input);
    });
  }

  /** Inputs are taken one after another, also those that arise while effects are performed. */
  #step(input: Input): void {
    this.#inputs.push(input);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      if (!this.#isStopped) this.#stepOnce(next);
    }
    this.#isStepping = false;
    this.#armTimer();
  }

  #stepOnce(input: Input): void {
    const { core, observer, runtime } = this.#parts;
    let effects: Effects;
    try {
      effects = core.step(input, runtime.clock.monotonicUs());
    } catch (error) {
      if (!(error instanceof InvariantError)) throw error;
      this.#fail(error);
      return;
    }
    observer.onStep?.(core, input, effects);
    this.#perform(effects);
  }

  #perform(effects: Effects): void {
    const { core, transport } = this.#parts;
    for (const message of effects.messages) transport.send(message);
    if (effects.persist !== undefined) this.#storage.begin(effects.persist);
    for (const event of effects.events) this.#react(event);
    for (const outcome of effects.proposals) this.#proposals.proposed(outcome);
    for (const outcome of effects.reads) {
      if ('index' in outcome) this.#reads.confirmed(outcome.read, outcome.index);
      else this.#reads.refused(outcome.read, outcome.refused);
    }
    if (effects.administration !== undefined) {
      this.#administrations.shift()?.(effects.administration);
    }
    for (const request of effects.snapshotReads) this.#readSnapshot(request);
    if (effects.restore !== undefined) this.#machine.restore(effects.restore);
    if (effects.apply.length > 0) this.#machine.apply(effects.apply);
    this.#reads.applied(core.log.applied);
  }

  #react(event: RaftEvent): void {
    const { log } = this.#parts.core;
    if (event.kind === 'leader' && event.leader !== undefined) {
      this.#proposals.leaderChanged(event.leader);
    } else if (event.kind === 'configuration') {
      // Who is leaving must still hear of it.
      const { configuration, configurationBefore } = log;
      const peers = new Map([...configurationBefore.addresses, ...configuration.addresses]);
      this.#parts.transport.setPeers(peers);
    }
  }

  #readSnapshot({ to, snapshot, offset, lengthMax }: SnapshotReadRequest): void {
    this.#parts.snapshots.read(snapshot, offset, lengthMax, (error, bytes) => {
      if (error !== undefined) this.#fail(error);
      else this.#step({ kind: 'snapshotRead', to, index: snapshot.index, offset, bytes });
    });
  }

  #applied(index: Index, isRestored: boolean): void {
    const { core, snapshotEntries, snapshotBytes } = this.#parts;
    this.#proposals.applied(index, isRestored);
    this.#step({ kind: 'applied', index });
    const entriesSince = this.#machine.applied - (core.log.snapshot?.index ?? 0);
    const isDue =
      entriesSince >= snapshotEntries || this.#machine.bytesSinceSnapshot >= snapshotBytes;
    if (isDue) this.takeSnapshot();
  }

  /** A timer that goes off too early is harmless, so it is set anew only to go off earlier. */
  #armTimer(): void {
    if (this.#isStopped) return;
    const { core, runtime } = this.#parts;
    const atUs = Math.min(core.wakeAtUs, this.#proposals.wakeAtUs);
    if (this.#wake !== undefined && this.#wake.atUs <= atUs) return;
    this.#wake?.timer.cancel();
    const delayMs = Math.ceil(Math.max(0, atUs - runtime.clock.monotonicUs()) / 1000);
    const timer = runtime.timers.after(delayMs, () => this.#wakeUp());
    this.#wake = { atUs, timer };
  }

  #wakeUp(): void {
    this.#wake = undefined;
    if (this.#isStopped) return;
    const { core, runtime } = this.#parts;
    const nowUs = runtime.clock.monotonicUs();
    this.#proposals.expire(nowUs);
    if (core.wakeAtUs <= nowUs) this.#step({ kind: 'tick' });
    else this.#armTimer();
  }

  #fail(error: Error): void {
    if (this.#isStopped) return;
    const { runtime, transport, observer } = this.#parts;
    runtime.log.write('error', 'a Raft peer stops, since it can no longer be trusted', {
      peer: this.id,
      reason: error.message,
    });
    this.#silence();
    transport.stop(() => observer.onFailure?.(error));
  }

  #silence(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#wake?.timer.cancel();
    this.#proposals.abandon();
    this.#reads.abandon();
    for (const done of this.#administrations.splice(0)) done(STOPPED);
  }

  #later(callback: () => void): void {
    this.#parts.runtime.timers.defer(callback);
  }

  #nextNumber(): number {
    this.#lastNumber++;
    return this.#lastNumber;
  }
}

const STOPPED: AdministrationOutcome = {
  accepted: false,
  refused: 'stopped',
  words: 'this peer has stopped',
};
