/** A simulated machine for the tests of what this peer keeps on its disk. */
import type { LogLevel, Runtime, SystemError } from '../runtime/index.ts';
import {
  type DiskCall,
  type DiskImage,
  type DiskOutcome,
  EventQueue,
  SimDisk,
} from '../sim/index.ts';
import { initialConfiguration } from './configuration.ts';
import {
  asClusterId,
  asIndex,
  asPeerId,
  asTerm,
  type Entry,
  type EntryKind,
  type HardState,
  type SnapshotMetadata,
} from './types.ts';
import type { LogBatch, LogContents } from './stores.ts';
import type { WriteAheadLog } from './wal.ts';
import type { StorageError } from './wal-error.ts';
import { type LogOpening, type LogOptions, openLog } from './wal-open.ts';

export const CLUSTER = asClusterId('green');
export const PEER = asPeerId('m1');

export interface Machine {
  readonly queue: EventQueue;
  readonly disk: SimDisk;
  readonly runtime: Pick<Runtime, 'clock' | 'disk' | 'log' | 'random' | 'timers'>;
  readonly words: Array<{ readonly level: LogLevel; readonly message: string }>;
}

export interface MachineOptions {
  readonly image?: DiskImage;
  readonly decide?: (call: DiskCall) => DiskOutcome;
  readonly onCall?: (call: DiskCall) => void;
}

export function makeMachine(options: MachineOptions = {}): Machine {
  const queue = new EventQueue();
  const words: Machine['words'] = [];
  const disk = new SimDisk({
    schedule: (delayUs, run) => queue.schedule(delayUs, run),
    ...options,
  });
  let drawn = 0;
  return {
    queue,
    disk,
    words,
    runtime: {
      disk,
      clock: { monotonicUs: () => queue.nowUs, wallUs: () => queue.nowUs },
      timers: {
        after: (delayMs, callback) => {
          const event = queue.schedule(delayMs * 1000, callback);
          return { cancel: () => void (event.run = undefined) };
        },
        defer: (callback) => void queue.schedule(0, callback),
      },
      random: {
        uint32: () => (drawn = (Math.imul(drawn, 1664525) + 1013904223) >>> 0),
        bytes: (length) => new Uint8Array(length).map((_, index) => (index * 37 + 11) & 0xff),
      },
      log: { write: (level, message) => words.push({ level, message }) },
    },
  };
}

/** Makes a call and lets time pass until it is answered. */
export function answerOf<T>(queue: EventQueue, call: (done: (answer: T) => void) => void): T {
  const answers: T[] = [];
  let hasReturned = false;
  call((answer) => {
    if (!hasReturned) throw new Error('answered before the call has returned');
    answers.push(answer);
  });
  hasReturned = true;
  while (answers.length === 0 && queue.runNext());
  if (answers.length !== 1) throw new Error(`answered ${answers.length} times`);
  return answers[0];
}

export function entry(
  index: number,
  term: number,
  text = `${index}.${term}`,
  kind: EntryKind = 'data',
): Entry {
  return { index: asIndex(index), term: asTerm(term), kind, bytes: new TextEncoder().encode(text) };
}

export function hardState(term: number, vote?: string): HardState {
  return { term: asTerm(term), vote: vote === undefined ? undefined : asPeerId(vote) };
}

export function snapshotAt(
  index: number,
  term: number,
  sizeBytes = 10,
  checksum = 7,
): SnapshotMetadata {
  const voters = new Map(
    [PEER, asPeerId('m2'), asPeerId('m3')].map((peer) => [peer, { host: '127.0.0.1', port: 7500 }]),
  );
  return {
    index: asIndex(index),
    term: asTerm(term),
    configuration: initialConfiguration(voters),
    sizeBytes,
    checksum,
  };
}

export const DIRECTORY = 'raft/log';
const OPTIONS: LogOptions = { directory: DIRECTORY, cluster: CLUSTER, peer: PEER };

export function opening(machine: Machine, options: Partial<LogOptions> = {}): LogOpening {
  return answerOf(machine.queue, (done) =>
    openLog(machine.runtime, { ...OPTIONS, ...options }, done),
  );
}

interface Opened {
  readonly log: WriteAheadLog;
  readonly contents: LogContents;
}

export function open(machine: Machine, options: Partial<LogOptions> = {}): Opened {
  const opened = opening(machine, options);
  if (opened.error !== undefined) throw opened.error;
  return opened;
}

export function refusal(machine: Machine, options: Partial<LogOptions> = {}): StorageError {
  const { error } = opening(machine, options);
  if (error === undefined) throw new Error('expected the log to be refused');
  return error;
}

export const batchOf = (batch: Partial<LogBatch>): LogBatch => ({
  hardState: undefined,
  snapshot: undefined,
  entries: [],
  ...batch,
});

export function append(machine: Machine, log: WriteAheadLog, batch: Partial<LogBatch>): void {
  const error = answerOf<SystemError | undefined>(machine.queue, (done) =>
    log.append(batchOf(batch), done),
  );
  if (error !== undefined) throw error;
}

export function compact(
  machine: Machine,
  log: WriteAheadLog,
  index: number,
  term: number,
  dropTo = index,
): void {
  const error = answerOf<SystemError | undefined>(machine.queue, (done) =>
    log.compact(snapshotAt(index, term), asIndex(dropTo), done),
  );
  if (error !== undefined) throw error;
}

export const settle = ({ queue }: Machine): void => {
  while (queue.runNext());
};

/** What was written there comes back, on the same disk or on a copy of it. */
export function reopened(image: DiskImage, options: Partial<LogOptions> = {}): LogContents {
  return open(makeMachine({ image }), options).contents;
}
