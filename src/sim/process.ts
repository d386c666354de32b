/**
 * A simulated process on a machine of its own: it is started, and then it can be killed (the
 * machine lives on), lose power, be paused, be slow, and be started again.
 *
 * Death may come at any effect: once dead, the code that still runs in the callback under way has
 * no effect on the world any more, and no callback of that life is called again.
 */
import { scryptSync } from 'node:crypto';
import { invariant, SystemError } from '../runtime/index.ts';
import type { Crypto, Log, Random, Runtime, Timers } from '../runtime/index.ts';
import { SimClock, type ClockSettings } from './clock.ts';
import { chooseBy, type CrashMode } from './crash-states.ts';
import { SimDisk, type DiskCall, type DiskOutcome } from './disk.ts';
import type { SimEvent } from './event-queue.ts';
import type { Simulation } from './simulation.ts';

/** What scrypt takes for each unit of its cost: about 30 ms at N = 16,384, r = 8. */
const SCRYPT_US = 0.25;

/** Starts the program under test; called anew in each life. */
export type Program = (runtime: Runtime) => void;

export interface ProcessSettings {
  readonly name: string;
  readonly zone: string;
  readonly clock: ClockSettings;
  readonly program: Program;
  /** Asked before each disk call. */
  readonly decideDisk: (process: SimProcess, call: DiskCall) => DiskOutcome;
  /** Timers fire up to this much late. */
  readonly timerLatenessUsMax: number;
}

export class SimProcess {
  readonly id: number;
  readonly name: string;
  readonly zone: string;
  readonly clock: SimClock;
  readonly disk: SimDisk;
  /** Each callback takes this long, and what is due meanwhile waits. */
  callbackUs = 0;
  readonly #simulation: Simulation;
  readonly #settings: ProcessSettings;
  #status: 'running' | 'paused' | 'down' = 'down';
  #hasPower = true;
  #life = 0;
  #busyUntilUs = 0;
  #effectsUntilDeath = 0;
  #deathByEffect: (() => void) | undefined;
  #draws = 0;
  #timers = 0;
  /** What waits for `resume`, or for the callback that takes its time. */
  #backlog: Array<{ readonly what: string; readonly run: () => void }> = [];

  constructor(simulation: Simulation, id: number, settings: ProcessSettings) {
    this.id = id;
    this.name = settings.name;
    this.zone = settings.zone;
    this.#simulation = simulation;
    this.#settings = settings;
    this.clock = new SimClock(simulation.queue, settings.clock);
    this.disk = new SimDisk({
      schedule: (delayUs, run) => void this.schedule(delayUs, 'disk', run),
      decide: (call) => settings.decideDisk(this, call),
      admit: () => this.admitEffect(),
    });
  }

  get status(): 'running' | 'paused' | 'down' {
    return this.#status;
  }

  /** False from a loss of power until the next start: nothing answers, not even with a reset. */
  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** Counts the starts. */
  get life(): number {
    return this.#life;
  }

  start(): void {
    invariant(this.#status === 'down', 'a process is started only when it is down');
    this.#status = 'running';
    this.#hasPower = true;
    this.#life += 1;
    this.#busyUntilUs = 0;
    this.#simulation.network.hostChanged(this);
    this.schedule(0, 'start', () => this.#settings.program(this.#runtime()));
  }

  /** The process ends at once; what it has written stays, and its connections are closed. */
  kill(): void {
    if (this.#status === 'down') return;
    this.#end();
    this.disk.kill();
    this.#simulation.network.processKilled(this);
    this.#simulation.ended(this);
  }

  /** The machine goes dark; what was not synced fares as `unsynced` says. */
  losePower(unsynced: CrashMode): void {
    if (this.#status === 'down') return;
    this.#end();
    this.#hasPower = false;
    const draws = this.#simulation.stream('crash').sequence(this.id, this.#life);
    this.disk.crash(chooseBy(unsynced, draws));
    this.#simulation.network.powerLost(this);
    this.#simulation.ended(this);
  }

  /** Dies by `death` just before its `effects`-th effect from now (1: before the next). */
  dieAtEffect(effects: number, death: () => void): void {
    this.#effectsUntilDeath = effects;
    this.#deathByEffect = death;
  }

  /** Undoes `dieAtEffect`. */
  disarm(): void {
    this.#deathByEffect = undefined;
  }

  /** Nothing is called until `resume`; its clock goes on. */
  pause(): void {
    if (this.#status === 'running') this.#status = 'paused';
  }

  resume(): void {
    if (this.#status !== 'paused') return;
    this.#status = 'running';
    this.#shuffleBacklog();
    if (this.#backlog.length > 0) this.#drainLater();
  }

  /** False when the code that asks is that of a dead process. Counts towards `dieAtEffect`. */
  admitEffect(): boolean {
    if (this.#status === 'down') return false;
    if (this.#deathByEffect === undefined) return true;
    this.#effectsUntilDeath -= 1;
    if (this.#effectsUntilDeath > 0) return true;
    const death = this.#deathByEffect;
    this.#deathByEffect = undefined;
    death();
    return false;
  }

  /** Calls into this life of the process, `delayUs` of virtual time from now. */
  schedule(delayUs: number, what: string, run: () => void): SimEvent {
    const life = this.#life;
    return this.#simulation.queue.schedule(delayUs, () => this.enter(life, what, run));
  }

  /** Calls into `life` of the process now, or when it is no longer paused or busy. */
  enter(life: number, what: string, run: () => void): void {
    if (life !== this.#life || this.#status === 'down') return;
    const isBusy = this.#busyUntilUs > this.#simulation.queue.nowUs;
    if (this.#status === 'running' && !isBusy && this.#backlog.length === 0) {
      this.#call(what, run);
      return;
    }
    this.#backlog.push({ what, run });
    if (this.#backlog.length === 1 && this.#status === 'running') this.#drainLater();
  }

  #call(what: string, run: () => void): void {
    if (this.callbackUs > 0) this.#busyUntilUs = this.#simulation.queue.nowUs + this.callbackUs;
    this.#simulation.step(this, what, run);
  }

  #drainLater(): void {
    const life = this.#life;
    const { queue } = this.#simulation;
    queue.schedule(Math.max(0, this.#busyUntilUs - queue.nowUs), () => {
      if (life !== this.#life || this.#status !== 'running') return;
      const next = this.#backlog.shift();
      if (next !== undefined) this.#call(next.what, next.run);
      if (life === this.#life && this.#status === 'running' && this.#backlog.length > 0) {
        this.#drainLater();
      }
    });
  }

  /** Requests come over connections of their own: some of the time they are seen before all else. */
  #shuffleBacklog(): void {
    const stream = this.#simulation.stream('resume');
    if (!stream.chance([1, 2], this.id, this.#simulation.queue.nowUs)) return;
    const isRequest = ({ what }: { readonly what: string }): boolean => what === 'request';
    const others = this.#backlog.filter((each) => !isRequest(each));
    this.#backlog = [...this.#backlog.filter(isRequest), ...others];
  }

  #end(): void {
    this.#status = 'down';
    this.#backlog = [];
    this.#deathByEffect = undefined;
    this.callbackUs = 0;
  }

  #runtime(): Runtime {
    const life = this.#life;
    const { network } = this.#simulation;
    return {
      clock: this.clock,
      timers: this.#makeTimers(),
      random: this.#makeRandom(life),
      network: network.portOf(this),
      disk: this.disk,
      crypto: this.#makeCrypto(),
      log: this.#makeLog(),
    };
  }

  #makeTimers(): Timers {
    const { timerLatenessUsMax } = this.#settings;
    const lateness = this.#simulation.stream('timers');
    return {
      after: (delayMs, callback) => {
        this.#timers += 1;
        const late =
          timerLatenessUsMax === 0
            ? 0
            : lateness.between(0, timerLatenessUsMax, this.id, this.#timers);
        const delayUs = this.clock.virtualDelayUs(Math.max(0, Math.ceil(delayMs * 1000)));
        const event = this.schedule(delayUs + late, 'timer', callback);
        return { cancel: () => (event.run = undefined) };
      },
      defer: (callback) => void this.schedule(0, 'deferred', callback),
    };
  }

  #makeRandom(life: number): Random {
    const stream = this.#simulation.stream('process');
    const uint32 = (): number => stream.uint32(this.id, life, (this.#draws += 1));
    return {
      uint32,
      bytes: (length) => {
        const bytes = new Uint8Array(length);
        for (let i = 0; i < length; i += 1) bytes[i] = uint32() >>> 24;
        return bytes;
      },
    };
  }

  /** The real function, in the time that it would take about. */
  #makeCrypto(): Crypto {
    return {
      scrypt: (secret, salt, length, cost, done) => {
        const { N, r, p } = cost;
        let key = new Uint8Array(0);
        let error: SystemError | undefined;
        try {
          const memory = { maxmem: 256 * N * r };
          key = new Uint8Array(scryptSync(secret, salt, length, { N, r, p, ...memory }));
        } catch (cause) {
          error = new SystemError('EINVAL', cause instanceof Error ? cause.message : 'bad cost');
        }
        const delayUs = Math.ceil(N * r * p * SCRYPT_US);
        this.schedule(delayUs, 'scrypt', () => done(error, key));
      },
    };
  }

  #makeLog(): Log {
    return {
      write: (level, message) => {
        if (level === 'warn' || level === 'error') this.#simulation.note(this, message);
      },
    };
  }
}
