/**
 * The write-ahead log: a peer's entries, term and vote, in segments of one directory.
 *
 * - One group of records at a time is appended and synced. What comes meanwhile makes the next
 *   group: one sync for many batches, and none of them waits for a timer.
 * - An error of the disk is final. Nothing is tried again, since after a failed sync the kernel
 *   holds the data for written; all later calls fail.
 * - Opening begins a new segment, which repeats the last group of the one before it. So nothing
 *   counts but what was synced by the process that vouches for it, an end that was torn is left
 *   behind as it is, and no file is ever cut.
 * - A segment gets its name once it is durable, and its directory is synced before it is used.
 *
 * Reading order: `wal-format.ts` (the bytes), `wal-recovery.ts` (what to make of a directory),
 * `wal-open.ts` (who may use it), and this (how it grows).
 */
import { invariant, SystemError } from '../runtime/index.ts';
import type { AppendFile, FileLock, Runtime } from '../runtime/index.ts';
import { runSteps, type Steps, waitFor } from './steps.ts';
import type { LogBatch, LogStore } from './stores.ts';
import type { HardState, Index, Position, SnapshotMetadata } from './types.ts';
import { remedyFor } from './wal-error.ts';
import {
  encodeGroup,
  encodeSegmentHeader,
  recordBytes,
  seedOf,
  type WalRecord,
} from './wal-format.ts';
import { comparePositions } from './wal-recovery.ts';

type Finish = (error: SystemError | undefined) => void;

/** What the log uses of the world. */
export type LogRuntime = Pick<Runtime, 'clock' | 'disk' | 'log' | 'random' | 'timers'>;

/** One append and its sync. */
export interface SyncReport {
  readonly bytes: number;
  readonly batches: number;
  readonly durationUs: number;
}

export interface LogSettings {
  readonly directory: string;
  /** A segment that is larger gets no further group. */
  readonly segmentBytesMax: number;
  /** No further batch joins a group that is larger. */
  readonly groupBytesMax: number;
  readonly onSync: (report: SyncReport) => void;
}

export interface LogIdentity {
  readonly store: Uint8Array;
  readonly cluster: string;
  readonly peer: string;
}

/** What a segment begins with, so that none before it is needed to know it. */
interface LogState {
  readonly last: Position;
  readonly hardState: HardState;
  readonly snapshot: SnapshotMetadata | undefined;
}

/** A batch that is to be written. */
interface Waiting extends LogState {
  readonly records: readonly WalRecord[];
  readonly bytes: number;
  readonly dropTo: Index | undefined;
  readonly done: Finish;
}

interface OpenSegment {
  readonly number: number;
  readonly file: AppendFile;
  bytes: number;
}

const SLOW_SYNC_US = 1_000_000;

export function segmentName(number: number): string {
  return `${String(number).padStart(8, '0')}.wal`;
}

export class WriteAheadLog implements LogStore {
  readonly #runtime: LogRuntime;
  readonly #settings: LogSettings;
  readonly #identity: LogIdentity;
  readonly #lock: FileLock;
  readonly #seed: number;

  /** After the last batch that was taken on. */
  #state: LogState;
  #lost: Position | undefined;
  #sequence: number;
  #previousChecksum: number;
  #segment: OpenSegment | undefined;
  /** Of an entry in each segment, oldest first; the last is the one that grows. */
  readonly #highestIndexes: Map<number, number>;
  /** Segments before this one are not needed any more. */
  #firstNeeded = 0;
  /** Entries through this index are not needed any more. */
  #dropTo = 0;

  #queue: Waiting[] = [];
  #isWriting = false;
  #isRemoving = false;
  #failure: SystemError | undefined;
  #closing: Finish | undefined;

  /** For `openLog`, which alone knows where a log stands. Then call `beginSegment`. */
  constructor(
    runtime: LogRuntime,
    settings: LogSettings,
    identity: LogIdentity,
    lock: FileLock,
    start: LogState & {
      readonly lost: Position | undefined;
      readonly sequence: number;
      readonly previousChecksum: number;
      readonly highestIndexes: ReadonlyMap<number, number>;
    },
  ) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#identity = identity;
    this.#lock = lock;
    this.#seed = seedOf(identity.store);
    this.#state = start;
    this.#lost = start.lost;
    this.#sequence = start.sequence;
    this.#previousChecksum = start.previousChecksum;
    this.#highestIndexes = new Map(start.highestIndexes);
  }

  append(batch: LogBatch, done: Finish): void {
    const { hardState, snapshot, entries } = batch;
    const records: WalRecord[] = [];
    let { last } = this.#state;
    if (hardState !== undefined) records.push({ kind: 'hardState', hardState });
    if (snapshot !== undefined) {
      records.push({ kind: 'snapshot', snapshot, beginsAnew: true });
      last = { index: snapshot.index, term: snapshot.term };
    }
    entries.forEach((entry, place) => {
      const follows = place === 0 ? entry.index <= last.index + 1 : entry.index === last.index + 1;
      invariant(follows && entry.index > 0, 'entries follow one another, and the log');
      records.push({ kind: 'entry', entry });
      last = { index: entry.index, term: entry.term };
    });
    this.#enqueue({
      last,
      hardState: hardState ?? this.#state.hardState,
      snapshot: snapshot ?? this.#state.snapshot,
      records,
      bytes: sizeOf(records),
      dropTo: undefined,
      done,
    });
  }

  compact(snapshot: SnapshotMetadata, dropTo: Index, done: Finish): void {
    const { last, hardState } = this.#state;
    invariant(dropTo <= snapshot.index, 'only what a snapshot covers may go');
    invariant(snapshot.index <= last.index, 'a snapshot of our own is not ahead of the log');
    const records: WalRecord[] = [{ kind: 'snapshot', snapshot, beginsAnew: false }];
    const bytes = sizeOf(records);
    this.#enqueue({ last, hardState, snapshot, records, bytes, dropTo, done });
  }

  /** What was taken on is written first. */
  close(done: Finish): void {
    if (this.#closing !== undefined) {
      this.#refuse(done);
      return;
    }
    this.#closing = done;
    this.#closeIfIdle();
  }

  /**
   * Goes on in a new segment, whose first group says how the log stands, and then `records`. The
   * segment has its name once all of it is durable.
   *
   * @returns the bytes written.
   */
  *beginSegment(
    number: number,
    beginsAnew: boolean,
    state: LogState,
    records: readonly WalRecord[],
  ): Steps<number> {
    const { disk } = this.#runtime;
    const path = `${this.#settings.directory}/${segmentName(number)}`;
    const header = encodeSegmentHeader({
      ...this.#identity,
      number,
      beginsAnew,
      firstSequence: this.#sequence,
      previousChecksum: this.#previousChecksum,
    });
    const group = this.#encode(state, [...this.#standing(state), ...records]);
    const bytes = new Uint8Array(header.length + group.length);
    bytes.set(header);
    bytes.set(group, header.length);
    const file = yield* waitFor<AppendFile>((done) => disk.openAppend(`${path}.new`, done));
    this.#segment = { number, file, bytes: bytes.length };
    yield* waitFor((done) => file.append(bytes, done));
    yield* waitFor((done) => file.sync(done));
    yield* waitFor((done) => disk.rename(`${path}.new`, path, done));
    yield* waitFor((done) => disk.syncDirectory(this.#settings.directory, done));
    this.#highestIndexes.set(number, highestIndexOf(records));
    return bytes.length;
  }

  #enqueue(batch: Waiting): void {
    if (this.#failure !== undefined || this.#closing !== undefined) {
      this.#refuse(batch.done);
      return;
    }
    this.#state = batch;
    this.#queue.push(batch);
    this.#write();
  }

  #refuse(done: Finish): void {
    const { directory } = this.#settings;
    const error = this.#failure ?? new SystemError('EBADF', `the log in ${directory} is closed`);
    this.#runtime.timers.defer(() => done(error));
  }

  /** Writes what waits as one group, and goes on until nothing waits. */
  #write(): void {
    if (this.#isWriting || this.#queue.length === 0) return;
    this.#isWriting = true;
    const group = this.#takeGroup();
    const startedAtUs = this.#runtime.clock.monotonicUs();
    runSteps(this.#writeGroup(group), (outcome) => {
      if ('thrown' in outcome) {
        this.#fail(outcome.thrown, group);
        return;
      }
      this.#report(outcome.value, group.length, startedAtUs);
      this.#noteDurable(group);
      this.#isWriting = false;
      // The disk goes on before the callers do.
      this.#write();
      this.#removeOld();
      for (const { done } of group) done(undefined);
      this.#closeIfIdle();
    });
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && bytes < this.#settings.groupBytesMax) {
      bytes += this.#queue[count].bytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  *#writeGroup(group: readonly Waiting[]): Steps<number> {
    const segment = this.#segment;
    const state = group.at(-1);
    invariant(segment !== undefined && state !== undefined, 'there is a segment, and a batch');
    const records = group.flatMap((batch) => batch.records);
    if (segment.bytes >= this.#settings.segmentBytesMax) {
      yield* waitFor((done) => segment.file.close(done));
      return yield* this.beginSegment(segment.number + 1, false, state, records);
    }
    const bytes = this.#encode(state, records);
    // Both calls at once: the disk carries them out in order.
    let appendError: SystemError | undefined;
    segment.file.append(bytes, (error) => {
      appendError = error;
    });
    yield* waitFor((done) => segment.file.sync((error) => done(appendError ?? error)));
    segment.bytes += bytes.length;
    const highest = this.#highestIndexes.get(segment.number) ?? 0;
    this.#highestIndexes.set(segment.number, Math.max(highest, highestIndexOf(records)));
    return bytes.length;
  }

  #encode(state: LogState, records: readonly WalRecord[]): Uint8Array {
    const place = {
      sequence: this.#sequence,
      previousChecksum: this.#previousChecksum,
      seed: this.#seed,
    };
    const { last, hardState } = state;
    const { bytes, checksum } = encodeGroup(place, { last, term: hardState.term }, records);
    this.#sequence += 1;
    this.#previousChecksum = checksum;
    return bytes;
  }

  #standing({ hardState, snapshot, last }: LogState): WalRecord[] {
    if (this.#lost !== undefined && comparePositions(last, this.#lost) >= 0) this.#lost = undefined;
    const records: WalRecord[] = [{ kind: 'hardState', hardState }];
    if (snapshot !== undefined) records.push({ kind: 'snapshot', snapshot, beginsAnew: false });
    if (this.#lost !== undefined) records.push({ kind: 'lost', position: this.#lost });
    return records;
  }

  #noteDurable(group: readonly Waiting[]): void {
    for (const { dropTo, records } of group) {
      if (dropTo !== undefined) this.#dropTo = Math.max(this.#dropTo, dropTo);
      const beginsAnew = records.some((each) => each.kind === 'snapshot' && each.beginsAnew);
      if (beginsAnew && this.#segment !== undefined) this.#firstNeeded = this.#segment.number;
    }
  }

  /** Oldest first, and each durably, so that what a crash leaves has no gap. */
  #removeOld(): void {
    if (this.#isRemoving) return;
    this.#isRemoving = true;
    runSteps(this.#removeOldSegments(), (outcome) => {
      this.#isRemoving = false;
      if ('thrown' in outcome) {
        const { thrown } = outcome;
        if (!(thrown instanceof SystemError)) throw thrown;
        // It only takes space, and the next compaction tries again.
        this.#runtime.log.write('warn', 'cannot remove an old log segment', {
          reason: thrown.message,
        });
      }
      this.#closeIfIdle();
    });
  }

  *#removeOldSegments(): Steps<void> {
    const { disk } = this.#runtime;
    const { directory } = this.#settings;
    for (const [number, highestIndex] of this.#highestIndexes) {
      const isNeeded = number >= this.#firstNeeded && highestIndex > this.#dropTo;
      if (isNeeded || number === this.#segment?.number) return;
      yield* waitFor((done) => disk.remove(`${directory}/${segmentName(number)}`, done));
      yield* waitFor((done) => disk.syncDirectory(directory, done));
      this.#highestIndexes.delete(number);
    }
  }

  #report(bytes: number, batches: number, startedAtUs: number): void {
    const durationUs = this.#runtime.clock.monotonicUs() - startedAtUs;
    this.#settings.onSync({ bytes, batches, durationUs });
    if (durationUs < SLOW_SYNC_US) return;
    this.#runtime.log.write('warn', 'the disk is slow to sync the log', {
      directory: this.#settings.directory,
      milliseconds: Math.round(durationUs / 1000),
      bytes,
    });
  }

  #fail(thrown: unknown, group: readonly Waiting[]): void {
    if (!(thrown instanceof SystemError)) throw thrown;
    const { directory } = this.#settings;
    this.#failure = new SystemError(
      thrown.code,
      `the log in ${directory} can no longer be written, and this peer must stop: ` +
        `${thrown.message}. Nothing that was acknowledged is lost. ${remedyFor(thrown.code)}`,
    );
    this.#isWriting = false;
    const waiting = [...group, ...this.#queue];
    this.#queue = [];
    for (const { done } of waiting) done(this.#failure);
    this.#closeIfIdle();
  }

  #closeIfIdle(): void {
    const finish = this.#closing;
    const isIdle = !this.#isWriting && !this.#isRemoving && this.#queue.length === 0;
    const file = this.#segment?.file;
    if (finish === undefined || !isIdle || file === undefined) return;
    this.#segment = undefined;
    file.close((closeError) => {
      // A log that has failed has said so already.
      const error = this.#failure === undefined ? closeError : undefined;
      this.#lock.release((releaseError) => finish(error ?? releaseError));
    });
  }
}

function sizeOf(records: readonly WalRecord[]): number {
  return records.reduce((sum, record) => sum + recordBytes(record), 0);
}

function highestIndexOf(records: readonly WalRecord[]): number {
  return records.reduce(
    (highest, record) =>
      record.kind === 'entry' ? Math.max(highest, record.entry.index) : highest,
    0,
  );
}
