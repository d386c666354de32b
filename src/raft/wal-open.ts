/**
 * Opens a log: locks its directory, sees whose it is, and makes of it what can be made.
 *
 * What is not this peer's is refused, and left as it is. So is a log with damage that has cost
 * entries, unless `onDamage` says otherwise: then what was before the damage is written anew, the
 * damaged segments are set aside under another name, and the peer has to be sent again what it
 * lost (`LogContents.lostThrough`).
 */
import { SystemError } from '../runtime/index.ts';
import type { FileLock } from '../runtime/index.ts';
import { runSteps, type Steps, waitFor } from './steps.ts';
import type { LogContents } from './stores.ts';
import { asTerm, type ClusterId, type PeerId, type SnapshotMetadata } from './types.ts';
import { type LogRuntime, type LogSettings, segmentName, WriteAheadLog } from './wal.ts';
import { isDirectoryFixture, lockDirectory } from './wal-directory.ts';
import { remedyFor, StorageError } from './wal-error.ts';
import { readSegmentHeader, STORE_ID_BYTES } from './wal-format.ts';
import { LOG_START, recoverLog, type Recovery, type Segment } from './wal-recovery.ts';

export interface LogOptions extends Partial<Omit<LogSettings, 'directory'>> {
  /** Of this log alone, below the disk's root. Made where it is missing. */
  readonly directory: string;
  readonly cluster: ClusterId;
  readonly peer: PeerId;
  /**
   * The newest snapshot that is really there. Where it is older than the one that the log goes on
   * from, what lies between is lost. Without this, the log's own word is taken for it.
   */
  readonly snapshotHeld?: { readonly latest: SnapshotMetadata | undefined };
  /** What to do with a log that has lost entries. Default: `refuse`. */
  readonly onDamage?: 'refuse' | 'repair';
}

const LOG_DEFAULTS = Object.freeze({
  segmentBytesMax: 8 * 1024 * 1024,
  groupBytesMax: 1024 * 1024,
  onSync: () => undefined,
});

export interface OpenedLog {
  readonly log: WriteAheadLog;
  readonly contents: LogContents;
  /** Names this disk: another one under the same peer id is another peer. */
  readonly store: Uint8Array;
}

export type LogOpening =
  (OpenedLog & { readonly error: undefined }) | { readonly error: StorageError };

export function openLog(
  runtime: LogRuntime,
  options: LogOptions,
  done: (opening: LogOpening) => void,
): void {
  runSteps(new Opening(runtime, options).steps(), (outcome) => {
    if ('value' in outcome) {
      done({ ...outcome.value, error: undefined });
      return;
    }
    const { thrown } = outcome;
    if (thrown instanceof StorageError) done({ error: thrown });
    else if (thrown instanceof SystemError) done({ error: unusable(options.directory, thrown) });
    else throw thrown;
  });
}

const NAME = /^(\d{8,15})\.wal(\.new|\.damaged)?$/;
class Opening {
  readonly #runtime: LogRuntime;
  readonly #options: LogOptions;
  readonly #directory: string;

  constructor(runtime: LogRuntime, options: LogOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#directory = options.directory;
  }

  *steps(): Steps<OpenedLog> {
    const { disk } = this.#runtime;
    yield* waitFor((done) => disk.makeDirectory(this.#directory, done));
    const lock = yield* lockDirectory(disk, this.#directory);
    try {
      const segments = yield* this.#readSegments();
      return segments.length === 0
        ? yield* this.#create(lock)
        : yield* this.#continue(lock, segments);
    } catch (error) {
      yield* waitFor((done) => lock.release(done));
      throw error;
    }
  }

  *#readSegments(): Steps<Segment[]> {
    const { disk } = this.#runtime;
    const names = yield* waitFor<readonly string[]>((done) => disk.list(this.#directory, done));
    const segments: Segment[] = [];
    for (const name of names) {
      if (isDirectoryFixture(name)) continue;
      const path = `${this.#directory}/${name}`;
      const parts = NAME.exec(name);
      if (parts === null) {
        const words = `${path} is no part of a log, so ${this.#directory} is not this peer's: give it a data directory of its own.`;
        throw new StorageError('foreign', path, words);
      }
      const [, number, ending] = parts;
      // Of a process that ended before the segment was durable.
      if (ending === '.new') yield* waitFor((done) => disk.remove(path, done));
      if (ending === undefined) segments.push(yield* this.#readSegment(path, Number(number)));
    }
    return segments.sort((a, b) => a.number - b.number);
  }

  *#readSegment(path: string, number: number): Steps<Segment> {
    const { disk } = this.#runtime;
    const size = yield* waitFor<number>((done) => disk.size(path, done));
    const bytes = yield* waitFor<Uint8Array>((done) => disk.read(path, 0, size, done));
    const read = readSegmentHeader(bytes);
    switch (read.kind) {
      case 'damaged':
        return { path, bytes, number, header: undefined, headerLength: 0 };
      case 'foreign': {
        const words = `${path} is no log of cachectl: move it away, or give this peer a data directory of its own.`;
        throw new StorageError('foreign', path, words);
      }
      case 'newerVersion': {
        const words = `${path} was written in format ${read.version} by a later release of cachectl: start this peer with that release.`;
        throw new StorageError('newerVersion', path, words);
      }
      case 'good':
        this.#checkOwner(path, 'cluster', read.header.cluster, this.#options.cluster);
        this.#checkOwner(path, 'peer', read.header.peer, this.#options.peer);
        if (read.header.number !== number) {
          const words = `${path} is segment ${read.header.number} of a log: give it back its name, ${segmentName(read.header.number)}.`;
          throw new StorageError('foreign', path, words);
        }
        return { path, bytes, number, header: read.header, headerLength: read.length };
    }
  }

  #checkOwner(path: string, what: 'cluster' | 'peer', found: string, own: string): void {
    if (found === own) return;
    const words = `${path} belongs to ${what} ${found}, and not to ${own}: correct the name of the ${what}, or give this peer a data directory of its own.`;
    throw new StorageError('foreign', path, words);
  }

  *#create(lock: FileLock): Steps<OpenedLog> {
    const store = this.#runtime.random.bytes(STORE_ID_BYTES);
    const contents: LogContents = {
      hardState: { term: asTerm(0), vote: undefined },
      snapshot: undefined,
      entries: [],
      lostThrough: undefined,
    };
    return yield* this.#begin(lock, store, contents, {
      next: { sequence: 1, previousChecksum: 0, beginsAnew: true, records: [] },
      highestIndexes: new Map(),
      number: 1,
    });
  }

  *#continue(lock: FileLock, segments: readonly Segment[]): Steps<OpenedLog> {
    const store = this.#storeOf(segments);
    const recovery = recoverLog(segments, store, this.#options.snapshotHeld);
    if ('fatal' in recovery) {
      const { path, offset, words } = recovery.fatal;
      throw new StorageError(
        'damaged',
        path,
        `${path} is damaged at byte ${offset} (${words}), and nobody can tell any more what this peer has voted for or acknowledged. Remove this peer from the cluster, and add it under a new name with an empty data directory.`,
      );
    }
    if (recovery.next.beginsAnew && this.#options.onDamage !== 'repair') {
      const [{ path, offset, words }] = recovery.damages;
      throw new StorageError(
        'damaged',
        path,
        `${path} is damaged at byte ${offset} (${words}): entries or votes that this peer has given word of are lost. Restore the file, or start this peer so that it repairs its log: then it is sent what it lost by the other peers.`,
      );
    }
    this.#logFindings(recovery);
    // Those whose groups are all repeated in the new segment count no more.
    const highestIndexes = new Map(recovery.highestIndexes);
    for (const { number, header } of segments) {
      if (header !== undefined && header.firstSequence >= recovery.next.sequence) {
        highestIndexes.delete(number);
      }
    }
    const number = segments[segments.length - 1].number + 1;
    const { contents, next } = recovery;
    const opened = yield* this.#begin(lock, store, contents, { next, highestIndexes, number });
    for (const segment of segments) {
      if (!highestIndexes.has(segment.number)) yield* this.#leave(segment, next.beginsAnew);
    }
    return opened;
  }

  *#begin(
    lock: FileLock,
    store: Uint8Array,
    contents: LogContents,
    how: Pick<Recovery, 'next' | 'highestIndexes'> & { readonly number: number },
  ): Steps<OpenedLog> {
    const { cluster, peer, directory } = this.#options;
    const { hardState, snapshot, entries, lostThrough } = contents;
    const { next, number } = how;
    const end = entries.at(-1) ?? snapshot ?? LOG_START;
    const last = { index: end.index, term: end.term };
    const log = new WriteAheadLog(
      this.#runtime,
      { ...LOG_DEFAULTS, ...this.#options, directory },
      { store, cluster, peer },
      lock,
      {
        ...{ last, hardState, snapshot, lost: lostThrough },
        sequence: next.sequence,
        previousChecksum: next.previousChecksum,
        highestIndexes: how.highestIndexes,
      },
    );
    yield* log.beginSegment(number, next.beginsAnew, { last, hardState, snapshot }, next.records);
    return { log, contents, store };
  }

  /** Removes a segment that counts no more; one of a damaged log is kept for whoever looks into it. */
  *#leave({ path, number }: Segment, isEvidence: boolean): Steps<void> {
    const { disk } = this.#runtime;
    const aside = `${this.#directory}/${segmentName(number)}.damaged`;
    if (isEvidence) yield* waitFor((done) => disk.rename(path, aside, done));
    else yield* waitFor((done) => disk.remove(path, done));
    yield* waitFor((done) => disk.syncDirectory(this.#directory, done));
  }

  #storeOf(segments: readonly Segment[]): Uint8Array {
    const headers = segments.flatMap(({ header }) => (header === undefined ? [] : [header]));
    const [first] = headers;
    if (first === undefined) {
      const [{ path }] = segments;
      throw new StorageError(
        'damaged',
        path,
        `${path} is damaged at byte 0 (the header), as is every other segment of the log. Remove this peer from the cluster, and add it under a new name with an empty data directory.`,
      );
    }
    const other = headers.find(({ store }) => hex(store) !== hex(first.store));
    if (other !== undefined) {
      const path = `${this.#directory}/${segmentName(other.number)}`;
      const words = `${path} is of another log than ${segmentName(first.number)}: give back to each directory its own files.`;
      throw new StorageError('foreign', path, words);
    }
    return first.store;
  }

  #logFindings({ damages, tornBytes, next }: Recovery): void {
    const { log } = this.#runtime;
    const directory = this.#directory;
    if (tornBytes > 0) {
      log.write('info', 'the log ends in a write that was cut short', { directory, tornBytes });
    }
    for (const { path, offset, words } of damages) {
      const what = next.beginsAnew ? 'entries are lost' : 'nothing that counts is lost';
      log.write('warn', `the log is damaged: ${what}`, { path, offset, reason: words });
    }
  }
}

function unusable(directory: string, error: SystemError): StorageError {
  const words = `the log in ${directory} cannot be opened: ${error.message}. ${remedyFor(error.code)}`;
  return new StorageError('unusable', directory, words);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
