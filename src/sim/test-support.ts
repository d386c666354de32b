/**
 * A small real system to try the simulator on: a log that one primary writes and every backup
 * copies, over the seam's network and disks. A write is acknowledged once all have synced it.
 *
 * Its bugs can be switched on. Each is one that real systems have had.
 */
import { z } from 'zod';
import { invariant, OutputBuffer } from '../runtime/index.ts';
import type { AppendFile, Connection, Runtime } from '../runtime/index.ts';
import { drawDisk, drawFaults, drawNetwork, drawPeers } from './draw.ts';
import { hashBytes, Stream } from './keyed-random.ts';
import type { SimProcess } from './process.ts';
import type { Scenario } from './scenario.ts';
import { OracleViolation, type Simulation } from './simulation.ts';
import type { BuildHooks, Subject, World } from './world.ts';

const BUGS = ['none', 'ackBeforeSync', 'ackBeforeBackup', 'trustBytes', 'useDate', 'spin'] as const;

const options = z.strictObject({ bug: z.enum(BUGS) });
const operation = z.strictObject({
  id: z.int().min(0),
  client: z.int().min(0),
  value: z.int().min(1).max(1_000_000),
  thinkMs: z.int().min(0),
});

export type CopyOptions = z.infer<typeof options>;
export type CopyOperation = z.infer<typeof operation>;
type CopyScenario = Scenario<CopyOptions, CopyOperation>;

const PORT = 7000;
const RECORD_BYTES = 12;

/** A record is its number, its value, and a checksum of both. */
function encode(number: number, value: number): Uint8Array {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  view.setUint32(0, number);
  view.setUint32(4, value);
  view.setUint32(8, hashBytes(record, 0, 8));
  return record;
}

/** A record at `offset`, or undefined where the checksum is wrong. */
function decode(bytes: Uint8Array, offset: number): { number: number; value: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, RECORD_BYTES);
  if (view.getUint32(8) !== hashBytes(bytes, offset, offset + 8)) return undefined;
  return { number: view.getUint32(0), value: view.getUint32(4) };
}

/** A connection that carries records; closed when a checksum is wrong or it has been silent. */
class RecordStream {
  readonly connection: Connection;
  #buffered = new Uint8Array(0);
  #lastHeardUs: number;

  constructor(
    runtime: Runtime,
    connection: Connection,
    bug: CopyOptions['bug'],
    handler: {
      onRecord: (number: number, value: number) => void;
      onClose: () => void;
    },
  ) {
    this.connection = connection;
    this.#lastHeardUs = runtime.clock.monotonicUs();
    let isOpen = true;
    connection.start({
      onData: (bytes, start, end) => {
        this.#lastHeardUs = runtime.clock.monotonicUs();
        const all = new Uint8Array(this.#buffered.length + end - start);
        all.set(this.#buffered);
        all.set(bytes.subarray(start, end), this.#buffered.length);
        let at = 0;
        for (; at + RECORD_BYTES <= all.length; at += RECORD_BYTES) {
          const view = new DataView(all.buffer, at);
          const record =
            bug === 'trustBytes'
              ? { number: view.getUint32(0), value: view.getUint32(4) }
              : decode(all, at);
          if (record === undefined) {
            connection.destroy();
            return;
          }
          handler.onRecord(record.number, record.value);
        }
        this.#buffered = all.slice(at);
      },
      onDrain() {},
      onEnd: () => connection.close(),
      onClose: () => {
        isOpen = false;
        handler.onClose();
      },
    });
    const check = (): void => {
      if (!isOpen) return;
      if (runtime.clock.monotonicUs() - this.#lastHeardUs > 800_000) connection.destroy();
      else runtime.timers.after(200, check);
    };
    runtime.timers.after(200, check);
  }

  send(number: number, value: number): void {
    const output = new OutputBuffer(64);
    output.append(encode(number, value));
    this.connection.send(output);
  }
}

/** One life of a peer. */
class CopyPeer {
  readonly values: number[] = [];
  isOpen = false;
  synced = 0;
  /** How many records each backup has synced, by its connection. */
  readonly copied = new Map<RecordStream, number>();
  onProgress: () => void = () => undefined;
  readonly #runtime: Runtime;
  readonly #bug: CopyOptions['bug'];
  #file: AppendFile | undefined;

  constructor(runtime: Runtime, bug: CopyOptions['bug'], isPrimary: boolean, onFatal: () => void) {
    this.#runtime = runtime;
    this.#bug = bug;
    const open = (): void => {
      runtime.disk.openAppend('log', (error, file) => {
        if (error !== undefined) return onFatal();
        file.truncate(this.values.length * RECORD_BYTES, (cut) => {
          if (cut !== undefined) return onFatal();
          runtime.disk.syncDirectory('.', (failed) => {
            if (failed !== undefined) return onFatal();
            this.#file = file;
            this.synced = this.values.length;
            this.isOpen = true;
            if (isPrimary) this.#serve();
            else this.#follow();
          });
        });
      });
    };
    this.onFatal = onFatal;
    runtime.disk.read('log', 0, 1_000_000, (error, bytes) => {
      if (error?.code === 'ENOENT') return open();
      if (error !== undefined) return onFatal();
      for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
        const record = decode(bytes, at);
        if (record === undefined || record.number !== this.values.length + 1) break;
        this.values.push(record.value);
      }
      open();
    });
  }

  readonly onFatal: () => void;

  append(value: number): void {
    this.values.push(value);
    const number = this.values.length;
    if (this.#bug === 'useDate' && number === 3) Date.now();
    this.#file?.append(encode(number, value), (error) => {
      if (error !== undefined) this.onFatal();
    });
    if (this.#bug === 'ackBeforeSync') this.synced = number;
    this.#file?.sync((error) => {
      if (error !== undefined) return this.onFatal();
      this.synced = Math.max(this.synced, number);
      this.onProgress();
    });
    for (const [backup] of this.copied) backup.send(number, value);
  }

  #serve(): void {
    const { network } = this.#runtime;
    network.listen(
      { host: '0.0.0.0', port: PORT },
      {
        onListening() {},
        onError: () => this.onFatal(),
        onConnection: (connection) => {
          const backup = new RecordStream(this.#runtime, connection, this.#bug, {
            onRecord: (number) => {
              const known = this.copied.get(backup);
              this.copied.set(backup, number);
              if (known === undefined) {
                this.values.slice(number).forEach((value, i) => backup.send(number + i + 1, value));
              }
              this.onProgress();
            },
            onClose: () => this.copied.delete(backup),
          });
          const ping = (): void => {
            const known = this.copied.get(backup);
            if (known !== undefined && known > 0) backup.send(known, this.values[known - 1]);
            if (connection.bytesQueued === 0) this.#runtime.timers.after(300, ping);
          };
          ping();
        },
      },
    );
  }

  #follow(): void {
    const { network, timers } = this.#runtime;
    const again = (): void => void timers.after(100, () => this.#follow());
    network.connect(
      { host: 'p1', port: PORT },
      {
        onError: again,
        onConnect: (connection) => {
          const primary = new RecordStream(this.#runtime, connection, this.#bug, {
            onRecord: (number, value) => {
              if (number > this.values.length + 1) connection.destroy();
              if (number === this.values.length + 1) this.append(value);
              else primary.send(this.synced, 0);
            },
            onClose: again,
          });
          this.onProgress = () => primary.send(this.synced, 0);
          primary.send(this.synced, 0);
        },
      },
    );
  }
}

class CopySubject implements Subject {
  readonly #simulation: Simulation;
  readonly #scenario: CopyScenario;
  readonly #peers = new Map<SimProcess, CopyPeer>();
  readonly #primary: SimProcess;
  readonly #acknowledged: number[] = [];
  readonly #waiting: CopyOperation[];
  #isHealed = false;

  constructor(simulation: Simulation, scenario: CopyScenario, { addPeer }: BuildHooks) {
    this.#simulation = simulation;
    this.#scenario = scenario;
    this.#waiting = [...scenario.operations];
    for (const { name } of scenario.peers) {
      const process = addPeer(name, (runtime) => {
        const isPrimary = name === 'p1';
        const { bug } = scenario.options;
        const peer = new CopyPeer(runtime, bug, isPrimary, () => this.#stop(process));
        this.#peers.set(process, peer);
        if (isPrimary) peer.onProgress = () => this.#acknowledge(peer);
        if (bug === 'spin') {
          const spin = (): void => runtime.timers.defer(spin);
          spin();
        }
      });
    }
    this.#primary = simulation.processes[0];
  }

  start(): void {
    for (const process of this.#simulation.processes) process.start();
    this.#next();
  }

  isReady(): boolean {
    return this.#acknowledged.length > 0;
  }

  leader(): SimProcess {
    return this.#primary;
  }

  core(): readonly SimProcess[] {
    return this.#simulation.processes;
  }

  healed(): void {
    this.#isHealed = true;
    for (const process of this.#simulation.processes) {
      if (process.status === 'down') process.start();
    }
  }

  pending(): string | undefined {
    if (this.#waiting.length > 0) return `${this.#waiting.length} writes are still to be made`;
    const open = [...this.#peers.values()].filter(({ isOpen }) => isOpen);
    if (open.length < this.#scenario.peers.length) return 'a copy is not open';
    const counts = [...this.#peers.values()].map(({ values }) => values.length);
    const isEqual = counts.every((count) => count === counts[0]);
    return isEqual ? undefined : `the copies hold ${counts.join(', ')} values`;
  }

  afterStep(process: SimProcess): void {
    const peer = this.#peers.get(process);
    if (peer === undefined || !peer.isOpen || process !== this.#primary) return;
    this.#acknowledged.forEach((value, i) => {
      if (peer.values[i] === value) return;
      const holds = peer.values[i] ?? 'nothing';
      throw new OracleViolation(
        'kept',
        `write ${i + 1} of ${value} was acknowledged, p1 has ${holds}`,
      );
    });
  }

  ended(process: SimProcess): void {
    this.#simulation.note(process, 'down');
    this.#peers.delete(process);
  }

  settle(): number {
    return 0;
  }

  finalChecks(): void {
    for (const [process, { values }] of this.#peers) {
      const at = this.#acknowledged.findIndex((value, i) => value !== values[i]);
      if (at === -1) continue;
      throw new OracleViolation('equal copies', `${process.name} differs in write ${at + 1}`);
    }
    this.#simulation.reachable('toy: finished');
  }

  describe(process: SimProcess): string {
    return String(this.#peers.get(process)?.values.length ?? '-');
  }

  /** The client: one write after another, again until it is known to be there. */
  #next(): void {
    if (this.#waiting.length === 0) return;
    const { value, thinkMs } = this.#waiting[0];
    this.#simulation.schedule((thinkMs + 1) * 1000, 'write', () => {
      const peer = this.#peers.get(this.#primary);
      if (this.#primary.status !== 'running' || peer?.isOpen !== true) return this.#next();
      const place = this.#acknowledged.length;
      this.#primary.enter(this.#primary.life, 'write', () => {
        if (peer.values[place] === undefined) peer.append(value);
      });
      this.#waitFor(place, value);
    });
  }

  #waitFor(place: number, value: number): void {
    this.#simulation.schedule(20_000, 'wait', () => {
      if (this.#acknowledged.length > place) {
        this.#waiting.shift();
        this.#next();
      } else if (this.#peers.get(this.#primary)?.values[place] === value) {
        this.#waitFor(place, value);
      } else {
        this.#next();
      }
    });
  }

  #acknowledge(peer: CopyPeer): void {
    const copies = [...peer.copied.values()];
    const isCopied = copies.length === this.#scenario.peers.length - 1;
    const copied = isCopied ? Math.min(peer.synced, ...copies) : 0;
    const known = this.#scenario.options.bug === 'ackBeforeBackup' ? peer.synced : copied;
    while (this.#acknowledged.length < known) {
      const value = peer.values[this.#acknowledged.length];
      this.#acknowledged.push(value);
      this.#simulation.note(this.#primary, `acknowledged ${value}`);
      this.#simulation.signal('acknowledged', this.#primary);
    }
  }

  /** What a supervisor does with a process that gives up. */
  #stop(process: SimProcess): void {
    process.kill();
    this.#simulation.schedule(100_000, 'restart', () => {
      if (process.status === 'down' && (this.#isHealed || process.hasPower)) process.start();
    });
  }
}

const FAULTS = {
  kinds: [
    ...(['cut', 'isolate', 'slowLinks', 'reset', 'halfOpen', 'crash', 'pause'] as const),
    ...(['slow', 'clock', 'diskError', 'diskFull', 'diskStall'] as const),
  ],
  signals: ['acknowledged'],
  faultsMax: 8,
  lengthMsMax: 3000,
} as const;

/** The world of the replicated log, with one of its bugs or with none. */
export function copyWorld(bug: CopyOptions['bug']): World<CopyOptions, CopyOperation> {
  return {
    name: 'copy',
    summary: 'a log with copies',
    oracles: [
      { name: 'kept', promise: 'an acknowledged write is never lost' },
      { name: 'equal copies', promise: 'all copies hold the acknowledged writes' },
    ],
    points: ['toy: finished', 'network: a bit flipped', 'network: bytes arrived twice'],
    faults: FAULTS,
    options,
    operation,
    draw(seed) {
      const stream = new Stream(seed, 'copy');
      const names = stream.chance([1, 2], 0) ? ['p1', 'p2', 'p3'] : ['p1', 'p2'];
      const peers = drawPeers(seed, names, 2);
      const timing = { warmUpMs: 2000, faultsMs: 5000, convergeMs: 30_000 };
      return {
        version: 1,
        world: 'copy',
        seed,
        timing,
        peers,
        network: drawNetwork(seed),
        disk: drawDisk(seed),
        options: { bug },
        faults: drawFaults(seed, { peers, faultsMs: timing.faultsMs, ...FAULTS }),
        operations: Array.from({ length: 20 }, (_, id) => ({
          id,
          client: 0,
          value: stream.between(1, 1_000_000, 1, id),
          thinkMs: stream.between(0, 300, 2, id),
        })),
      };
    },
    withoutPeer(scenario, name) {
      if (name === 'p1' || scenario.peers.length <= 2) return undefined;
      return { ...scenario, peers: scenario.peers.filter((peer) => peer.name !== name) };
    },
    build(simulation, scenario, hooks) {
      invariant(scenario.peers[0].name === 'p1', 'the first peer is the primary');
      return new CopySubject(simulation, scenario, hooks);
    },
  };
}
