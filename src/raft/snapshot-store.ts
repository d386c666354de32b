/**
 * Snapshots as files of one directory: the newest, and the one before it.
 *
 * - A snapshot is written under a temporary name. It gets its own once all of it is durable, so a
 *   file with a snapshot's name is complete; the directory is synced before it counts.
 * - Its description stands behind its bytes: what a snapshot is, is known only when it is complete.
 * - Opening reads every byte. One that has decayed is refused, or left aside for the one before it.
 * - An error of the disk is passed on, and ends the attempt. Nothing is tried again.
 */
import { crc32 } from 'node:zlib';

import { invariant, SystemError } from '../runtime/index.ts';
import type { AppendFile, FileLock } from '../runtime/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { runSteps, type Steps, waitFor } from './steps.ts';
import type { SnapshotSink, SnapshotStore } from './stores.ts';
import type { ClusterId, SnapshotMetadata } from './types.ts';
import type { LogRuntime } from './wal.ts';
import { isDirectoryFixture, lockDirectory } from './wal-directory.ts';
import { remedyFor, StorageError } from './wal-error.ts';
import { decodeSnapshotMetadata, encodeSnapshotMetadata } from './wal-format.ts';

export interface SnapshotStoreOptions {
  /** Of the snapshots alone, below the disk's root. Made where it is missing. */
  readonly directory: string;
  readonly cluster: ClusterId;
  /** What to do about a snapshot that has decayed. Default: `refuse`. */
  readonly onDamage?: 'refuse' | 'repair';
}

export type SnapshotStoreOpening =
  | { readonly error: undefined; readonly store: FileSnapshotStore }
  | { readonly error: StorageError };

/**
 * Opens the store for one process; others are refused. With `repair`, a snapshot that has decayed
 * is set aside and the one before it is the current one; then open the log with
 * `snapshotHeld`, since it may have been compacted too far for that.
 */
export function openSnapshotStore(
  runtime: LogRuntime,
  options: SnapshotStoreOptions,
  done: (opening: SnapshotStoreOpening) => void,
): void {
  runSteps(new Opening(runtime, options).steps(), (outcome) => {
    if ('value' in outcome) {
      done({ error: undefined, store: outcome.value });
      return;
    }
    const { thrown } = outcome;
    const { directory } = options;
    if (thrown instanceof StorageError) {
      done({ error: thrown });
    } else if (thrown instanceof SystemError) {
      const words = `the snapshots in ${directory} cannot be opened: ${thrown.message}. ${remedyFor(thrown.code)}`;
      done({ error: new StorageError('unusable', directory, words) });
    } else {
      throw thrown;
    }
  });
}

type Finish = (error: SystemError | undefined) => void;

const VERSION = 1;
const MAGIC = 'cctlsnap';
const FOOTER_BYTES = 4 + 4 + MAGIC.length;
const DESCRIPTION_BYTES_MAX = 1024 * 1024;
const READ_BYTES = 1024 * 1024;
const HELD_MAX = 2;
const NAME = /^(?:\d{16}-\d{16}\.snapshot(?:\.damaged)?|\d+\.new)$/;

/** Sorts by index, then term. */
function nameOf({ index, term }: Pick<SnapshotMetadata, 'index' | 'term'>): string {
  return `${String(index).padStart(16, '0')}-${String(term).padStart(16, '0')}.snapshot`;
}

export class FileSnapshotStore implements SnapshotStore {
  readonly #runtime: LogRuntime;
  readonly #options: SnapshotStoreOptions;
  readonly #lock: FileLock;
  /** Oldest first. */
  #held: readonly SnapshotMetadata[];
  #sinkCount = 0;
  /** Those that neither finished nor were cancelled. */
  readonly #sinks = new Set<FileSink>();
  #isClosed = false;

  /** Use `openSnapshotStore`. */
  constructor(
    runtime: LogRuntime,
    options: SnapshotStoreOptions,
    lock: FileLock,
    held: readonly SnapshotMetadata[],
  ) {
    this.#runtime = runtime;
    this.#options = options;
    this.#lock = lock;
    this.#held = held;
  }

  get latest(): SnapshotMetadata | undefined {
    return this.#held.at(-1);
  }

  create(): SnapshotSink {
    this.#sinkCount += 1;
    const path = `${this.#options.directory}/${this.#sinkCount}.new`;
    const sink = new FileSink(this.#runtime, path, this.#options.cluster, {
      take: (snapshot) => this.#take(path, snapshot),
      onEnd: () => this.#sinks.delete(sink),
    });
    this.#sinks.add(sink);
    if (this.#isClosed) sink.cancel(() => undefined);
    return sink;
  }

  read(
    snapshot: SnapshotMetadata,
    offset: number,
    lengthMax: number,
    done: (error: SystemError | undefined, bytes: Uint8Array | undefined) => void,
  ): void {
    const isHeld = this.#held.some((each) => nameOf(each) === nameOf(snapshot));
    if (!isHeld) {
      this.#runtime.timers.defer(() => done(undefined, undefined));
      return;
    }
    const length = Math.max(0, Math.min(lengthMax, snapshot.sizeBytes - offset));
    const path = `${this.#options.directory}/${nameOf(snapshot)}`;
    this.#runtime.disk.read(path, offset, length, (error, bytes) => {
      if (error === undefined) done(undefined, bytes);
      else if (error.code === 'ENOENT') done(undefined, undefined);
      else done(error, undefined);
    });
  }

  /**
   * Lets another process have the directory. What sinks were called for is done before that; those
   * that have not ended then are cancelled, and what is asked of them later fails with `EBADF`.
   */
  close(done: Finish): void {
    this.#isClosed = true;
    const open = [...this.#sinks];
    let failure: SystemError | undefined;
    let left = open.length;
    const release = (): void =>
      this.#lock.release((error) => {
        done(failure ?? error);
      });
    if (left === 0) release();
    for (const sink of open) {
      sink.cancel((error) => {
        failure ??= error;
        left -= 1;
        if (left === 0) release();
      });
    }
  }

  /** What was written at `path` is durable, and is to be the snapshot. */
  *#take(path: string, snapshot: SnapshotMetadata): Steps<void> {
    const { disk } = this.#runtime;
    const { directory } = this.#options;
    const { latest } = this;
    if (latest !== undefined && nameOf(latest) > nameOf(snapshot)) {
      // A leader's has overtaken one that this peer was making.
      yield* waitFor((done) => disk.remove(path, done));
      return;
    }
    const target = `${directory}/${nameOf(snapshot)}`;
    yield* waitFor((done) => disk.rename(path, target, done));
    yield* waitFor((done) => disk.syncDirectory(directory, done));
    const others = this.#held.filter((each) => nameOf(each) !== nameOf(snapshot));
    const surplus = others.slice(0, Math.max(0, others.length + 1 - HELD_MAX));
    this.#held = [...others.slice(surplus.length), snapshot];
    for (const old of surplus) {
      yield* waitFor((done) => disk.remove(`${directory}/${nameOf(old)}`, done));
    }
  }
}

interface SinkHandler {
  /** Makes what is durable the snapshot. */
  readonly take: (snapshot: SnapshotMetadata) => Steps<void>;
  readonly onEnd: () => void;
}

class FileSink implements SnapshotSink {
  readonly #runtime: LogRuntime;
  readonly #path: string;
  readonly #cluster: ClusterId;
  readonly #handler: SinkHandler;
  /** Calls, one after another; the first is under way. */
  readonly #calls: Array<{ readonly steps: () => Steps<void>; readonly done: Finish }> = [];
  #file: AppendFile | undefined;
  #failure: SystemError | undefined;
  #hasEnded = false;
  #sizeBytes = 0;
  #checksum = 0;

  constructor(runtime: LogRuntime, path: string, cluster: ClusterId, handler: SinkHandler) {
    this.#runtime = runtime;
    this.#path = path;
    this.#cluster = cluster;
    this.#handler = handler;
  }

  write(bytes: Uint8Array, done: Finish): void {
    this.#call(() => this.#write(bytes), done);
  }

  finish(snapshot: SnapshotMetadata, done: Finish): void {
    this.#call(() => this.#finish(snapshot), done);
  }

  cancel(done: Finish): void {
    this.#call(() => this.#cancel(), done);
  }

  #call(steps: () => Steps<void>, done: Finish): void {
    this.#calls.push({ steps, done });
    if (this.#calls.length === 1) this.#runFirst();
  }

  #runFirst(): void {
    const [call] = this.#calls;
    if (call === undefined) return;
    runSteps(call.steps(), (outcome) => {
      let error: SystemError | undefined;
      if ('thrown' in outcome) {
        if (!(outcome.thrown instanceof SystemError)) throw outcome.thrown;
        error = outcome.thrown;
        this.#failure = error;
      }
      this.#calls.shift();
      this.#runFirst();
      call.done(error);
    });
  }

  *#open(): Steps<AppendFile> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#file ??= yield* waitFor<AppendFile>((done) =>
      this.#runtime.disk.openAppend(this.#path, done),
    );
    return this.#file;
  }

  *#write(bytes: Uint8Array): Steps<void> {
    const file = yield* this.#open();
    this.#sizeBytes += bytes.length;
    this.#checksum = crc32(bytes, this.#checksum);
    yield* waitFor((done) => file.append(bytes, done));
  }

  *#finish(snapshot: SnapshotMetadata): Steps<void> {
    const file = yield* this.#open();
    invariant(this.#sizeBytes === snapshot.sizeBytes, 'a snapshot is as long as it says');
    invariant(this.#checksum === snapshot.checksum, 'a snapshot has the checksum that it says');
    yield* waitFor((done) => file.append(encodeEnding(this.#cluster, snapshot), done));
    yield* waitFor((done) => file.sync(done));
    yield* waitFor((done) => file.close(done));
    yield* this.#handler.take(snapshot);
    this.#end('was finished');
  }

  *#cancel(): Steps<void> {
    const file = this.#file;
    if (this.#hasEnded) return;
    this.#end('was cancelled');
    if (file === undefined) return;
    yield* waitFor((done) => file.close(done));
    yield* waitFor((done) => this.#runtime.disk.remove(this.#path, done));
  }

  #end(how: string): void {
    this.#hasEnded = true;
    this.#failure ??= new SystemError('EBADF', `the snapshot ${this.#path} ${how}`);
    this.#handler.onEnd();
  }
}

/** What stands behind a snapshot's bytes: a description, its length, the checksum of both, magic. */
function encodeEnding(cluster: ClusterId, snapshot: SnapshotMetadata): Uint8Array {
  const writer = new ByteWriter();
  writer.uint32(VERSION);
  writer.text(cluster);
  writer.bytes(encodeSnapshotMetadata(snapshot));
  const description = writer.finish();
  const bytes = new Uint8Array(description.length + FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(description);
  view.setUint32(description.length, description.length);
  view.setUint32(description.length + 4, crc32(bytes.subarray(0, description.length + 4)));
  bytes.set(new TextEncoder().encode(MAGIC), description.length + 8);
  return bytes;
}

class Opening {
  readonly #runtime: LogRuntime;
  readonly #options: SnapshotStoreOptions;
  readonly #directory: string;

  constructor(runtime: LogRuntime, options: SnapshotStoreOptions) {
    this.#runtime = runtime;
    this.#options = options;
    this.#directory = options.directory;
  }

  *steps(): Steps<FileSnapshotStore> {
    const { disk } = this.#runtime;
    yield* waitFor((done) => disk.makeDirectory(this.#directory, done));
    const lock = yield* lockDirectory(disk, this.#directory);
    try {
      const held = yield* this.#readAll();
      return new FileSnapshotStore(this.#runtime, this.#options, lock, held);
    } catch (error) {
      yield* waitFor((done) => lock.release(done));
      throw error;
    }
  }

  *#readAll(): Steps<SnapshotMetadata[]> {
    const { disk } = this.#runtime;
    const names = yield* waitFor<readonly string[]>((done) => disk.list(this.#directory, done));
    const held: SnapshotMetadata[] = [];
    for (const name of names) {
      if (isDirectoryFixture(name)) continue;
      const path = `${this.#directory}/${name}`;
      if (!NAME.test(name)) {
        const words = `${path} is no snapshot, so ${this.#directory} is not this peer's: give it a data directory of its own.`;
        throw new StorageError('foreign', path, words);
      }
      // Of a process that ended before the snapshot was complete.
      if (name.endsWith('.new')) yield* waitFor((done) => disk.remove(path, done));
      if (!name.endsWith('.snapshot')) continue;
      const damage = yield* this.#read(path, name, held);
      if (damage !== undefined) yield* this.#setAside(path, damage);
    }
    // The process that gave the newest its name may have ended before that was durable.
    yield* waitFor((done) => disk.syncDirectory(this.#directory, done));
    return held;
  }

  /** Adds it to `held`, or says what is wrong with it. */
  *#read(path: string, name: string, held: SnapshotMetadata[]): Steps<string | undefined> {
    const { disk } = this.#runtime;
    const size = yield* waitFor<number>((done) => disk.size(path, done));
    const start = Math.max(0, size - FOOTER_BYTES - DESCRIPTION_BYTES_MAX);
    const tail = yield* waitFor<Uint8Array>((done) => disk.read(path, start, size - start, done));
    const ending = decodeEnding(tail);
    if (ending === undefined) return 'what describes it is damaged';
    if ('newerVersion' in ending) {
      const words = `${path} was written in format ${ending.newerVersion} by a later release of cachectl: start this peer with that release.`;
      throw new StorageError('newerVersion', path, words);
    }
    const { cluster } = this.#options;
    if (ending.cluster !== cluster) {
      const words = `${path} belongs to cluster ${ending.cluster}, and not to ${cluster}: correct the name of the cluster, or give this peer a data directory of its own.`;
      throw new StorageError('foreign', path, words);
    }
    const { snapshot } = ending;
    if (nameOf(snapshot) !== name) {
      const words = `${path} is another snapshot than its name says: give it back its name, ${nameOf(snapshot)}.`;
      throw new StorageError('foreign', path, words);
    }
    let checksum = 0;
    for (let offset = 0; offset < snapshot.sizeBytes; offset += READ_BYTES) {
      const length = Math.min(READ_BYTES, snapshot.sizeBytes - offset);
      const bytes = yield* waitFor<Uint8Array>((done) => disk.read(path, offset, length, done));
      checksum = crc32(bytes, checksum);
    }
    if (checksum !== snapshot.checksum) return 'its bytes are not those that were written';
    held.push(snapshot);
    return undefined;
  }

  *#setAside(path: string, damage: string): Steps<void> {
    if (this.#options.onDamage !== 'repair') {
      const words = `${path} is damaged: ${damage}. Restore the file, or start this peer so that it repairs its data: then it is sent what it lost by the other peers.`;
      throw new StorageError('damaged', path, words);
    }
    this.#runtime.log.write('warn', 'a snapshot is damaged, and left aside', {
      path,
      reason: damage,
    });
    yield* waitFor((done) => this.#runtime.disk.rename(path, `${path}.damaged`, done));
  }
}

interface Ending {
  readonly cluster: string;
  readonly snapshot: SnapshotMetadata;
}

function decodeEnding(tail: Uint8Array): Ending | { newerVersion: number } | undefined {
  const footer = tail.length - FOOTER_BYTES;
  if (footer < 0) return undefined;
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const length = view.getUint32(footer);
  const magic = new TextDecoder('latin1').decode(tail.subarray(footer + 8));
  if (magic !== MAGIC || length > footer) return undefined;
  const description = tail.subarray(footer - length, footer);
  if (crc32(tail.subarray(footer - length, footer + 4)) !== view.getUint32(footer + 4))
    return undefined;
  const reader = new ByteReader(description);
  const version = reader.uint32();
  if (version > VERSION) return { newerVersion: version };
  const cluster = reader.text();
  const snapshot = decodeSnapshotMetadata(reader.bytes());
  return { cluster, snapshot };
}
