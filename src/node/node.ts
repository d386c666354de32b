/**
 * A cache node: listens, keeps the sessions, carries out commands on the engine.
 *
 * Everything happens in one turn of the event loop a batch: a client's requests are parsed where
 * they arrived or were gathered, carried out one after another, and answered with one send.
 */
import { asNodeId, DEFAULT_TENANT, type NodeId } from '../cluster/index.ts';
import { Engine, type Domain, type PolicyName } from '../engine/index.ts';
import { type RequestLimits, writeError } from '../resp/index.ts';
import {
  OutputBuffer,
  type Connection,
  type Listener,
  type Runtime,
  type SystemError,
} from '../runtime/index.ts';
import { Call } from './call.ts';
import { Cluster } from './cluster/cluster.ts';
import { ShardSizes } from './cluster/shard-sizes.ts';
import type { Command } from './command.ts';
import { CommandTable } from './command-table.ts';
import { COMMANDS } from './commands/index.ts';
import { NODE_SETTINGS, requestLimits, type NodeOptions, type NodeSettings } from './config.ts';
import { ERRORS } from './errors.ts';
import { NodeHousekeeping } from './housekeeping.ts';
import { LatencyMonitor } from './latency-monitor.ts';
import { LongCommands } from './long-commands.ts';
import { refusalOf } from './refusal.ts';
import { REPLICATED_VALUE_BYTES_MAX } from './replication/index.ts';
import { Session } from './session.ts';
import { describeRequest, SlowLog, type SlowRequest } from './slow-log.ts';
import { NodeStats } from './stats.ts';
import { Tracking } from './tracking.ts';
import { Turn } from './turn.ts';

/** Where the arguments of a request lie; `RequestParser` is one. */
export interface RequestArguments {
  readonly argumentBytes: Uint8Array;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly argumentCount: number;
}

/** What `INFO` says of the process; the simulator's processes have none of it. */
export interface ProcessFacts {
  pid: number;
  residentBytes: number;
  userCpuUs: number;
  systemCpuUs: number;
  version: string;
}

const DEFAULT_DOMAIN = 0;
/** What an output buffer begins with, and how many are kept for reuse. */
const OUTPUT_BYTES = 16 * 1024;
const SPARE_OUTPUTS_MAX = 1024;
/** One call in so many is timed, for `INFO commandstats`: reading the clock takes 50 to 100 ns. */
const TIMED_CALLS_MASK = 63;
/** With a slow log threshold below this, each call is timed. */
const SLOWLOG_TIMES_ALL_US = 1000;
/** Requests this large are timed too. */
const LARGE_REQUEST_BYTES = 256 * 1024;

export class CacheNode {
  readonly runtime: Runtime;
  readonly options: NodeOptions;
  readonly settings: NodeSettings;
  readonly engine: Engine;
  readonly table = new CommandTable(COMMANDS);
  /** Where the batch under way writes its replies. */
  out = new OutputBuffer(OUTPUT_BYTES);
  readonly stats = new NodeStats();
  readonly slowLog = new SlowLog();
  readonly latency = new LatencyMonitor(
    () => this.nowMs,
    () => this.settings.latencyThresholdMs,
  );
  readonly tracking: Tracking;
  readonly longCommands = new LongCommands(this);
  /** Undefined: the node stands alone. */
  readonly cluster: Cluster | undefined;
  readonly sessions = new Map<number, Session>();
  readonly nodeId: NodeId;
  readonly processFacts: () => ProcessFacts;
  readonly startedAtUs: number;
  defaultDomain: Domain;
  requestLimits: RequestLimits;
  nowMs = 0;
  /** Memory of unfinished requests, over all clients. */
  inputBytesHeld = 0;
  /** Keys changed since the start. */
  changes = 0;
  /** Clients' commands are held back until then; 0: they are not. */
  pausedUntilMs = 0;
  pausesAll = false;

  readonly turn: Turn;
  /** Made with the first session. */
  #call: Call | undefined;
  /** Empty buffers. */
  readonly #spareOutputs: OutputBuffer[] = [];
  readonly #pushOut = new OutputBuffer(4096);
  #listener: Listener | undefined;
  readonly #housekeeping = new NodeHousekeeping(this, () => this.#eachRound());
  #nextSessionId = 1;
  #timesAll = false;

  constructor(runtime: Runtime, options: NodeOptions, processFacts: () => ProcessFacts) {
    this.runtime = runtime;
    this.options = options;
    this.settings = { ...NODE_SETTINGS, ...options.settings };
    this.requestLimits = requestLimits(this.settings);
    this.processFacts = processFacts;
    this.startedAtUs = runtime.clock.monotonicUs();
    this.nowMs = Math.floor(runtime.clock.wallUs() / 1000);
    this.tracking = new Tracking(
      (session, write) => this.#push(session, write),
      () => this.settings.trackingKeysMax,
    );
    const sizes = options.cluster === undefined ? undefined : new ShardSizes();
    this.engine = new Engine({
      ...(sizes === undefined ? {} : { records: sizes }),
      memoryBytes: this.settings.memoryBytes,
      random: runtime.random,
      ...(options.cluster === undefined
        ? {}
        : {
            isOwn: (octets: Uint8Array, start: number, length: number) =>
              this.cluster?.isPrimaryOfKey(octets, start, start + length) ?? true,
          }),
      onRemoval: (domain, octets, start, length, reason) => {
        this.#housekeeping.removed(reason);
        this.cluster?.replication.removed(domain, octets, start, length);
        this.keyInvalidated(domain, octets, start, start + length);
      },
    });
    this.engine.nowMs = this.nowMs;
    this.defaultDomain = this.engine.addDomain(DEFAULT_DOMAIN, this.settings.policy);
    this.turn = new Turn(this.engine, this.defaultDomain, runtime.timers);
    if (options.cluster !== undefined && sizes !== undefined) {
      sizes.watch(this.engine.arena);
      this.cluster = new Cluster(this, options.cluster, sizes);
    }
    this.nodeId = this.cluster?.self ?? asNodeId(options.nodeId ?? hex(runtime.random.bytes(20)));
    this.settingsChanged();
  }

  /** Starts listening; `done` gets the error where that fails. */
  start(done: (error: SystemError | undefined) => void): void {
    let started = false;
    this.runtime.network.listen(this.options.listen, {
      onListening: (listener) => {
        started = true;
        this.#listener = listener;
        this.#housekeeping.start();
        if (this.cluster === undefined) done(undefined);
        else this.cluster.start(listener.address.port, done);
      },
      onConnection: (connection) => this.#addSession(connection),
      onError: (error) => {
        if (started) this.runtime.log.write('error', `cannot accept: ${error.message}`);
        else done(error);
      },
    });
  }

  /** Tells the cluster, stops listening, sends what is under way, closes all connections. */
  stop(done: () => void): void {
    if (this.cluster === undefined) this.#close(done);
    else this.cluster.stop(() => this.#close(done));
  }

  #close(done: () => void): void {
    this.#housekeeping.stop();
    for (const session of this.sessions.values()) session.close();
    if (this.#listener === undefined) done();
    else this.#listener.close(done);
  }

  /** Where the node listens; the port is the one it was given for 0. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#listener?.address ?? this.options.listen;
  }

  /** To be called after a change to `settings`. */
  settingsChanged(): void {
    const { settings } = this;
    if (this.cluster !== undefined) {
      settings.valueBytesMax = Math.min(settings.valueBytesMax, REPLICATED_VALUE_BYTES_MAX);
    }
    this.requestLimits = requestLimits(settings);
    this.#timesAll =
      settings.latencyThresholdMs > 0 ||
      (settings.slowlogUs >= 0 && settings.slowlogUs < SLOWLOG_TIMES_ALL_US);
    if (this.engine.memoryBytes !== settings.memoryBytes) {
      this.engine.setMemoryBytes(settings.memoryBytes);
    }
    if (this.cluster === undefined) this.engine.setPolicy(this.defaultDomain, settings.policy);
  }

  /** What the tenant `default` has chosen, in a cluster. */
  applyDefaultPolicy(policy: PolicyName): void {
    this.settings.policy = policy;
    this.engine.setPolicy(this.defaultDomain, policy);
  }

  /**
   * Keeps the replies of a batch aside until its session gives them to `recycle`; the next batch
   * gets another buffer.
   */
  keepOutput(): OutputBuffer {
    const output = this.out;
    this.#setOutput(this.#spareOutputs.pop() ?? new OutputBuffer(OUTPUT_BYTES));
    return output;
  }

  /** Lets a batch go on with the replies that its session kept. */
  unpark(output: OutputBuffer): void {
    this.#spareOutputs.push(this.out);
    this.#setOutput(output);
  }

  /** Takes back a buffer whose content was sent. */
  recycle(output: OutputBuffer): void {
    if (this.#spareOutputs.length < SPARE_OUTPUTS_MAX) this.#spareOutputs.push(output);
  }

  #setOutput(output: OutputBuffer): void {
    this.out = output;
    if (this.#call !== undefined) this.#call.out = output;
  }

  /** Reads the clock, once for all requests of a batch and all batches of a turn. */
  beginBatch(): void {
    this.turn.beginBatch();
    if (this.cluster !== undefined) this.cluster.beginBatch();
    if (this.turn.hasReplies) return;
    this.nowMs = Math.floor(this.runtime.clock.wallUs() / 1000);
    this.engine.nowMs = this.nowMs;
  }

  /** Carries out one request. */
  execute(session: Session, request: RequestArguments): void {
    const call = (this.#call ??= new Call(this, session));
    call.session = session;
    call.domain = session.domain;
    call.version = session.version;
    call.bytes = request.argumentBytes;
    call.starts = request.starts;
    call.ends = request.ends;
    call.count = request.argumentCount;
    call.nowMs = this.nowMs;
    call.failed = false;
    this.stats.commands++;
    session.commandCount++;
    const lengthBefore = this.out.length;
    const command = this.#resolve(call);
    if (command !== undefined) this.#run(call, command);
    if (session.replyMode !== 'on') this.#muteReply(session, lengthBefore);
    if (this.tracking.isUsed) {
      this.tracking.commandDone(session);
      this.tracking.writePendingOwn(this.out);
    }
  }

  #run(call: Call, command: Command): void {
    call.command = command;
    call.session.lastCommand = command.fullName;
    const run = command.run;
    if (run === undefined) return;
    const isTimed =
      this.#timesAll ||
      command.maySlow ||
      (command.calls & TIMED_CALLS_MASK) === 0 ||
      call.ends[call.count - 1] - call.starts[0] > LARGE_REQUEST_BYTES;
    command.calls++;
    if (isTimed) this.#runTimed(call, command, run);
    else run(call);
    if (call.failed) command.failed++;
  }

  #runTimed(call: Call, command: Command, run: (call: Call) => void): void {
    const { clock } = this.runtime;
    const startUs = clock.monotonicUs();
    run(call);
    const durationUs = clock.monotonicUs() - startUs;
    // A command that takes several turns is timed at its end, with all of them.
    if (call.session.isSuspended) return;
    this.took(command, durationUs, () => describeRequest(call));
  }

  /** Accounts for the time that a command has taken. */
  took(command: Command, durationUs: number, request: () => SlowRequest): void {
    command.timings.add(durationUs);
    command.timedUs += durationUs;
    const isFast = command.spec.flags.includes('fast');
    this.latency.add(isFast ? 'fast-command' : 'command', durationUs);
    const { slowlogUs, slowlogLength } = this.settings;
    if (slowlogUs >= 0 && durationUs >= slowlogUs) {
      this.slowLog.add(request(), durationUs, slowlogLength);
    }
  }

  /** The command of a request, or undefined where it was refused with an error. */
  #resolve(call: Call): Command | undefined {
    const command = this.table.find(call.bytes, call.starts[0], call.ends[0]);
    if (
      command !== undefined &&
      command.isPlain &&
      command.takes(call.count) &&
      call.session.authenticated &&
      this.pausedUntilMs === 0
    ) {
      if (this.cluster === undefined || this.cluster.admits(call, command)) return command;
      return undefined;
    }
    const resolved = refusalOf(this, call, command);
    if (resolved === undefined || this.cluster === undefined) return resolved;
    return this.cluster.admits(call, resolved) ? resolved : undefined;
  }

  /** A client that silenced replies: `CLIENT REPLY`. */
  #muteReply(session: Session, lengthBefore: number): void {
    if (session.replyMode === 'skip-next') {
      session.replyMode = 'skip-this';
    } else {
      this.out.length = lengthBefore;
      if (session.replyMode === 'skip-this') session.replyMode = 'on';
    }
  }

  countError(text: string): void {
    this.stats.errors++;
    const space = text.indexOf(' ');
    const code = space === -1 ? text : text.slice(0, space);
    const { errorsByCode } = this.stats;
    errorsByCode.set(code, (errorsByCode.get(code) ?? 0) + 1);
  }

  /** `CONFIG RESETSTAT`. */
  resetStats(): void {
    this.stats.reset();
    for (const command of this.table.all()) command.resetCounters();
    const domain = this.defaultDomain;
    domain.hits = domain.misses = domain.expired = domain.evicted = 0;
  }

  /** Whether a connection has to authenticate before it may do anything. */
  needsSecret(): boolean {
    return this.cluster === undefined ? this.settings.secret !== '' : this.cluster.needsSecret();
  }

  /**
   * Puts a connection into a tenant, if the secret is right.
   *
   * @param done called once, at once or later, with the error that there was
   */
  authenticate(
    session: Session,
    user: string,
    secret: Uint8Array,
    done: (problem: string | undefined) => void,
  ): void {
    if (this.cluster !== undefined) {
      this.cluster.authenticate(session, user, secret, done);
    } else if (user === DEFAULT_TENANT && this.isSecret(secret)) {
      session.setAuthenticated(true);
      done(undefined);
    } else {
      done(ERRORS.wrongPass);
    }
  }

  /** Whether this is the node's own secret; where it has none, any is. */
  isSecret(given: Uint8Array): boolean {
    const { secret } = this.settings;
    return secret === '' || sameBytes(given, Buffer.from(secret));
  }

  /**
   * The key in `bytes[start, end)` has a new value or deadline, or is gone, by a command.
   *
   * @param slot the key's; looked at in a cluster only
   * @param ref the key's record; 0: it is gone
   */
  keyChanged(
    domain: Domain,
    bytes: Uint8Array,
    start: number,
    end: number,
    slot: number,
    ref: number,
    writer: Session | undefined,
  ): void {
    this.changes++;
    if (this.cluster !== undefined) {
      this.cluster.changed(domain, bytes, start, end, slot, ref, writer);
    }
    if (this.tracking.isUsed) this.tracking.invalidate(domain, bytes, start, end, writer);
  }

  /** A key of a shard that another node is the primary of has changed. */
  keyInvalidated(domain: Domain, bytes: Uint8Array, start: number, end: number): void {
    if (this.tracking.isUsed) this.tracking.invalidate(domain, bytes, start, end, undefined);
  }

  removeSession(session: Session, error: SystemError | undefined): void {
    this.sessions.delete(session.id);
    this.tracking.disable(session);
    this.cluster?.closed(session);
    this.longCommands.forget(session);
    if (error !== undefined) {
      this.runtime.log.write('debug', `client ${session.id} lost: ${error.message}`);
    }
  }

  /** A client that reads too slowly to be kept. */
  disconnectSlow(session: Session): void {
    this.stats.disconnectedSlow++;
    this.runtime.log.write('warn', 'client disconnected: its replies stay unread', {
      client: session.id,
      queuedBytes: session.connection.bytesQueued,
    });
    session.destroy();
  }

  /** Holds back all commands, or those that write, until a moment; a later end stays. */
  pause(untilMs: number, all: boolean): void {
    this.pausesAll = all || (this.pausedUntilMs !== 0 && this.pausesAll);
    this.pausedUntilMs = Math.max(this.pausedUntilMs, untilMs);
  }

  /** Whether `CLIENT PAUSE` holds this command back now. */
  isPausedFor(command: Command): boolean {
    if (this.pausedUntilMs === 0) return false;
    if (this.nowMs >= this.pausedUntilMs) return false;
    if (command.spec.name === 'client' || command.fullName.startsWith('client|')) return false;
    return this.pausesAll || command.isWrite;
  }

  /** Lets a client go that holds a large unfinished request while all of them hold too much. */
  checkInput(session: Session): void {
    if (this.inputBytesHeld <= this.settings.inputBytesMax) return;
    this.stats.disconnectedSlow++;
    this.#pushOut.append(INPUT_FULL_REPLY);
    session.connection.send(this.#pushOut);
    session.releaseInput();
    session.close();
  }

  /** Tells a client why it is let go, and closes its connection. */
  endSession(session: Session, text: string): void {
    this.#push(session, (out) => writeError(out, text));
    session.close();
  }

  /** Lets all clients go on that `CLIENT PAUSE` holds. */
  unpause(): void {
    this.pausedUntilMs = 0;
    for (const session of this.sessions.values()) session.release();
  }

  #push(session: Session, write: (out: OutputBuffer) => void): void {
    // A client must not learn that a key has changed before it gets the old value it asked for.
    if (session.addToParked(write)) return;
    write(this.#pushOut);
    session.connection.send(this.#pushOut);
    if (session.connection.bytesQueued > this.settings.outputBytesMax) this.disconnectSlow(session);
  }

  #addSession(connection: Connection): void {
    if (this.sessions.size >= this.settings.clientsMax) {
      this.stats.rejectedConnections++;
      this.#pushOut.append(MAX_CLIENTS_REPLY);
      connection.send(this.#pushOut);
      connection.close();
      return;
    }
    const session = new Session(this, this.#nextSessionId++, connection, this.defaultDomain);
    const refusal = this.cluster?.opened(session);
    if (refusal !== undefined) {
      this.stats.rejectedConnections++;
      writeError(this.#pushOut, refusal);
      connection.send(this.#pushOut);
      connection.close();
      return;
    }
    this.sessions.set(session.id, session);
    this.stats.connections++;
    connection.start(session);
  }

  #eachRound(): void {
    this.stats.sample(this.runtime.clock.monotonicUs(), this.sessions.size, this.engine.usedBytes);
    if (this.pausedUntilMs !== 0 && this.nowMs >= this.pausedUntilMs) this.unpause();
    this.#disconnectIdle();
    this.cluster?.tick();
  }

  #disconnectIdle(): void {
    const { idleTimeoutMs, requestTimeoutMs, outputTimeoutMs } = this.settings;
    for (const session of this.sessions.values()) {
      const idleMs = this.nowMs - session.lastActiveMs;
      const stuckMs = session.outputStuckMs(this.nowMs);
      if (session.connection.bytesQueued > 0) {
        if (outputTimeoutMs > 0 && stuckMs > outputTimeoutMs) this.disconnectSlow(session);
      } else if (session.isSuspended) {
        continue;
      } else if (session.reader.hasUnfinished) {
        if (requestTimeoutMs > 0 && idleMs > requestTimeoutMs) this.#endIdle(session, 'request');
      } else if (idleTimeoutMs > 0 && idleMs > idleTimeoutMs) {
        this.#endIdle(session, 'idle');
      }
    }
  }

  #endIdle(session: Session, what: 'request' | 'idle'): void {
    this.stats.disconnectedIdle++;
    if (what === 'request') {
      this.#pushOut.append(REQUEST_TIMEOUT_REPLY);
      session.connection.send(this.#pushOut);
    }
    session.close();
  }
}

const MAX_CLIENTS_REPLY = Buffer.from('-ERR max number of clients reached\r\n');
const INPUT_FULL_REPLY = Buffer.from(
  '-ERR unfinished commands take more memory than max-input allows; closing the connection\r\n',
);
const REQUEST_TIMEOUT_REPLY = Buffer.from(
  '-ERR the rest of a command did not arrive in time; closing the connection\r\n',
);

/** Takes the same time wherever the first difference is. */
function sameBytes(given: Uint8Array, expected: Uint8Array): boolean {
  let difference = given.length ^ expected.length;
  for (let i = 0; i < given.length; i++) difference |= given[i] ^ expected[i % expected.length];
  return difference === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
