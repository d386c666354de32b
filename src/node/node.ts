/**
 * A cache node: listens, keeps the sessions, carries out commands on the engine.
 *
 * Everything happens in one turn of the event loop a batch: a client's requests are parsed where
 * they arrived, carried out one after another, and answered with one send.
 */
import { Engine, type Domain } from '../engine/index.ts';
import { type RequestLimits } from '../resp/index.ts';
import {
  OutputBuffer,
  type Connection,
  type Listener,
  type Runtime,
  type SystemError,
  type Timer,
} from '../runtime/index.ts';
import { Call } from './call.ts';
import type { Command } from './command.ts';
import { CommandTable } from './command-table.ts';
import { COMMANDS } from './commands/index.ts';
import { NODE_SETTINGS, requestLimits, type NodeOptions, type NodeSettings } from './config.ts';
import { LongCommands } from './long-commands.ts';
import { refusalOf } from './refusal.ts';
import { Scout } from './scout.ts';
import { Session } from './session.ts';
import { SlowLog } from './slow-log.ts';
import { NodeStats } from './stats.ts';
import { Tracking } from './tracking.ts';

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
const HOUSEKEEPING_MS = 100;
/** Looked at for expired records and holes in one turn: about half a millisecond's work. */
const MAINTAIN_BYTES = 2 * 1024 * 1024;
/** More turns follow while this share of the records looked at had expired. */
const EXPIRED_SHARE_HIGH = 0.25;
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
  readonly tracking: Tracking;
  readonly longCommands = new LongCommands(this);
  readonly sessions = new Map<number, Session>();
  readonly nodeId: string;
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

  readonly #scout: Scout;
  /** Made with the first session. */
  #call: Call | undefined;
  /** Empty buffers, and the sessions whose replies wait for the end of the turn. */
  readonly #spareOutputs: OutputBuffer[] = [];
  #parked: Session[] = [];
  readonly #pushOut = new OutputBuffer(4096);
  #listener: Listener | undefined;
  #housekeeping: Timer | undefined;
  #nextSessionId = 1;
  #timesAll = false;

  constructor(runtime: Runtime, options: NodeOptions, processFacts: () => ProcessFacts) {
    this.runtime = runtime;
    this.options = options;
    this.settings = { ...NODE_SETTINGS, ...options.settings };
    this.requestLimits = requestLimits(this.settings);
    this.processFacts = processFacts;
    this.startedAtUs = runtime.clock.monotonicUs();
    this.nodeId = options.nodeId ?? hex(runtime.random.bytes(20));
    this.nowMs = Math.floor(runtime.clock.wallUs() / 1000);
    this.tracking = new Tracking(
      (session, write) => this.#push(session, write),
      () => this.settings.trackingKeysMax,
    );
    this.engine = new Engine({
      memoryBytes: this.settings.memoryBytes,
      random: runtime.random,
      onRemoval: (_domain, octets, start, length) => {
        if (this.tracking.isUsed) {
          this.tracking.invalidate(octets, start, start + length, undefined);
        }
      },
    });
    this.engine.nowMs = this.nowMs;
    this.defaultDomain = this.engine.addDomain(DEFAULT_DOMAIN, this.settings.policy);
    this.#scout = new Scout(this.engine, this.defaultDomain);
    this.settingsChanged();
  }

  /** Starts listening; `done` gets the error where that fails. */
  start(done: (error: SystemError | undefined) => void): void {
    let started = false;
    this.runtime.network.listen(this.options.listen, {
      onListening: (listener) => {
        started = true;
        this.#listener = listener;
        this.#scheduleHousekeeping(HOUSEKEEPING_MS);
        done(undefined);
      },
      onConnection: (connection) => this.#addSession(connection),
      onError: (error) => {
        if (started) this.runtime.log.write('error', `cannot accept: ${error.message}`);
        else done(error);
      },
    });
  }

  /** Stops listening, sends what is under way, closes all connections. */
  stop(done: () => void): void {
    this.#housekeeping?.cancel();
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
    this.requestLimits = requestLimits(settings);
    this.#timesAll = settings.slowlogUs >= 0 && settings.slowlogUs < SLOWLOG_TIMES_ALL_US;
    if (this.engine.memoryBytes !== settings.memoryBytes) {
      this.engine.setMemoryBytes(settings.memoryBytes);
    }
    this.engine.setPolicy(this.defaultDomain, settings.policy);
  }

  /**
   * Keeps the replies of a batch until the event loop has served all that was ready, then sends
   * those of all clients. Waking a client's process is most of what a send costs: one that is woken
   * by the first reply is still awake for the others (measured: 1.6 times the system time without).
   *
   * @returns the buffer that the session now keeps; the next batch gets another
   */
  park(session: Session): OutputBuffer {
    const output = this.out;
    this.#setOutput(this.#spareOutputs.pop() ?? new OutputBuffer(OUTPUT_BYTES));
    this.#parked.push(session);
    if (this.#parked.length === 1) this.runtime.timers.defer(() => this.#sendParked());
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

  #sendParked(): void {
    const sessions = this.#parked;
    this.#parked = [];
    for (const session of sessions) session.sendParked();
  }

  /** Reads the clock, once for all requests of a batch and all batches of a turn. */
  beginBatch(): void {
    if (this.#parked.length > 0) return;
    this.nowMs = Math.floor(this.runtime.clock.wallUs() / 1000);
    this.engine.nowMs = this.nowMs;
  }

  /** Has the keys of the next requests fetched; gives the number of requests seen. */
  scoutAhead(session: Session): number {
    if (!this.engine.isLarge) return 0;
    this.#scout.domain = session.domain;
    return session.reader.lookAhead(this.#scout);
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
    command.timedCalls++;
    command.timedUs += durationUs;
    const { slowlogUs, slowlogLength } = this.settings;
    if (slowlogUs >= 0 && durationUs >= slowlogUs) {
      this.slowLog.add(call, durationUs, slowlogLength);
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
      return command;
    }
    return refusalOf(this, call, command);
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

  needsSecret(_domain: Domain): boolean {
    return this.settings.secret !== '';
  }

  removeSession(session: Session, error: SystemError | undefined): void {
    this.sessions.delete(session.id);
    this.tracking.disable(session);
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
    this.sessions.set(session.id, session);
    this.stats.connections++;
    connection.start(session);
  }

  #scheduleHousekeeping(delayMs: number): void {
    this.#housekeeping = this.runtime.timers.after(delayMs, () => {
      this.beginBatch();
      const expiredShare = this.engine.maintain(MAINTAIN_BYTES);
      this.stats.sample(
        this.runtime.clock.monotonicUs(),
        this.sessions.size,
        this.engine.usedBytes,
      );
      if (this.pausedUntilMs !== 0 && this.nowMs >= this.pausedUntilMs) this.unpause();
      this.#disconnectIdle();
      this.#scheduleHousekeeping(expiredShare > EXPIRED_SHARE_HIGH ? 2 : HOUSEKEEPING_MS);
    });
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

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
