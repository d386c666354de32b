/**
 * The real disk: files under one root directory, over `node:fs`.
 *
 * - Nothing is synchronous but taking a lock, so a slow disk never holds up the event loop.
 * - Calls on one open file run one after another, in the order they were made; calls on different
 *   files run side by side.
 * - A path cannot name anything outside the root. Symbolic links are followed: they are the
 *   operator's, who may well keep one directory on another device.
 */
import * as fs from 'node:fs';
import * as nodePath from 'node:path';

import { invariant } from '../invariant.ts';
import { type AppendFile, type Disk, type Done, type FileLock, SystemError } from '../ports.ts';

/**
 * @param rootDirectory made by the first `makeDirectory` where it is missing; relative to the
 *   process' working directory at this call.
 */
export function createDisk(rootDirectory: string): Disk {
  return new NodeDisk(nodePath.resolve(rootDirectory));
}

class NodeDisk implements Disk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  openAppend(path: string, done: Done<AppendFile>): void {
    const full = this.#resolve(path, done);
    if (full === undefined) return;
    fs.open(full, 'a', 0o640, (error, fd) => {
      if (error) fail(done, error, 'open', full);
      else done(undefined, new NodeAppendFile(fd, full));
    });
  }

  read(path: string, offset: number, length: number, done: Done<Uint8Array>): void {
    invariant(isCount(offset) && isCount(length), 'offset and length are counts of bytes');
    const full = this.#resolve(path, done);
    if (full === undefined) return;
    fs.open(full, 'r', (openError, fd) => {
      if (openError) fail(done, openError, 'open', full);
      else readFully(fd, full, offset, length, done);
    });
  }

  size(path: string, done: Done<number>): void {
    const full = this.#resolve(path, done);
    if (full === undefined) return;
    fs.stat(full, (error, stats) => {
      if (error) fail(done, error, 'stat', full);
      else if (stats.isDirectory()) fail(done, codeOnly('EISDIR'), 'stat', full);
      else done(undefined, stats.size);
    });
  }

  rename(from: string, to: string, done: Done): void {
    const fullFrom = this.#resolve(from, done);
    if (fullFrom === undefined) return;
    const fullTo = this.#resolve(to, done);
    if (fullTo === undefined) return;
    fs.rename(fullFrom, fullTo, (error) => {
      if (error) fail(done, error, 'rename', `${fullFrom} to ${fullTo}`);
      else done(undefined);
    });
  }

  remove(path: string, done: Done): void {
    const full = this.#resolve(path, done);
    if (full === undefined) return;
    fs.unlink(full, (error) => {
      if (error) fail(done, error, 'remove', full);
      else done(undefined);
    });
  }

  list(directory: string, done: Done<readonly string[]>): void {
    const full = this.#resolve(directory, done);
    if (full === undefined) return;
    fs.readdir(full, (error, names) => {
      if (error) fail(done, error, 'list', full);
      else done(undefined, names.sort(byCodeUnit));
    });
  }

  makeDirectory(directory: string, done: Done): void {
    const full = this.#resolve(directory, done);
    if (full === undefined) return;
    fs.mkdir(full, { recursive: true, mode: 0o750 }, (error, firstMade) => {
      if (error) fail(done, error, 'make directory', full);
      // Also where nothing was made: whoever made it may have died before it was durable.
      else syncUpwards(full, nodePath.dirname(firstMade ?? this.#root), done);
    });
  }

  syncDirectory(directory: string, done: Done): void {
    const full = this.#resolve(directory, done);
    if (full !== undefined) syncOneDirectory(full, done);
  }

  lock(path: string, done: Done<FileLock>): void {
    const full = this.#resolve(path, done);
    if (full === undefined) return;
    // Node has no call for file locks. SQLite holds one of the kernel's on an empty file for as
    // long as an exclusive transaction is open: it vanishes with the process, however that ends,
    // and is seen across containers that share the volume, which no process id is.
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    let database: InstanceType<typeof DatabaseSync> | undefined;
    let refusal: SystemError | undefined;
    try {
      database = new DatabaseSync(full, { timeout: 0 });
      database.exec(
        'PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE',
      );
    } catch (error) {
      database?.close();
      refusal = lockError(error, full);
    }
    process.nextTick(() => {
      if (refusal !== undefined || database === undefined) fail(done, refusal, 'lock', full);
      else done(undefined, new NodeFileLock(database));
    });
  }

  /** The absolute path, or undefined once `done` has been promised an error. */
  #resolve<T>(path: string, done: Done<T>): string | undefined {
    const parts = path.split('/');
    const leaves = parts.some((part) => part === '' || part === '..' || part === '.');
    if ((!leaves || path === '.') && !path.includes('\0')) return nodePath.join(this.#root, path);
    const reason = `the path ${JSON.stringify(path)} does not name a file under ${this.#root}`;
    process.nextTick(() => fail(done, new SystemError('EINVAL', reason), 'resolve', path));
    return undefined;
  }
}

/** Runs one operation at a time. `close` is an operation like the others. */
class NodeAppendFile implements AppendFile {
  readonly #fd: number;
  readonly #path: string;
  /** The first one is under way. */
  readonly #queue: Array<(next: () => void) => void> = [];
  #closing = false;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  append(bytes: Uint8Array, done: Done): void {
    this.#enqueue('append', done, (finish) => writeFully(this.#fd, bytes, 0, finish));
  }

  sync(done: Done): void {
    // Data and, where it has changed, the length: all that a reader of the file needs.
    this.#enqueue('sync', done, (finish) => fs.fdatasync(this.#fd, finish));
  }

  truncate(length: number, done: Done): void {
    invariant(isCount(length), 'the length is a count of bytes');
    this.#enqueue('truncate', done, (finish) => fs.ftruncate(this.#fd, length, finish));
  }

  close(done: Done): void {
    this.#enqueue('close', done, (finish) => fs.close(this.#fd, finish));
    this.#closing = true;
  }

  #enqueue(what: string, done: Done, run: (finish: (error: Error | null) => void) => void): void {
    if (this.#closing) {
      process.nextTick(() => fail(done, codeOnly('EBADF'), what, this.#path));
      return;
    }
    this.#queue.push((next) => {
      run((error) => {
        // The next one starts first, so that the disk is not idle while the caller thinks.
        next();
        if (error) fail(done, error, what, this.#path);
        else done(undefined);
      });
    });
    if (this.#queue.length === 1) this.#runFirst();
  }

  #runFirst(): void {
    this.#queue[0]?.(() => {
      this.#queue.shift();
      this.#runFirst();
    });
  }
}

class NodeFileLock implements FileLock {
  readonly #database: { close(): void; readonly isOpen: boolean };

  constructor(database: { close(): void; readonly isOpen: boolean }) {
    this.#database = database;
  }

  release(done: Done): void {
    if (this.#database.isOpen) this.#database.close();
    process.nextTick(() => done(undefined));
  }
}

function writeFully(
  fd: number,
  bytes: Uint8Array,
  offset: number,
  finish: (error: Error | null) => void,
): void {
  if (offset === bytes.length) {
    process.nextTick(finish, null);
    return;
  }
  fs.write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
    if (error || offset + written === bytes.length) finish(error);
    else writeFully(fd, bytes, offset + written, finish);
  });
}

function readFully(
  fd: number,
  path: string,
  offset: number,
  length: number,
  done: Done<Uint8Array>,
): void {
  const bytes = new Uint8Array(length);
  const finish = (readError: Error | null, count: number): void => {
    fs.close(fd, (closeError) => {
      const error = readError ?? closeError;
      if (error) fail(done, error, 'read', path);
      else done(undefined, count === length ? bytes : bytes.slice(0, count));
    });
  };
  const readOn = (count: number): void => {
    if (count === length) {
      finish(null, count);
      return;
    }
    fs.read(fd, bytes, count, length - count, offset + count, (error, read) => {
      if (error || read === 0) finish(error, count);
      else readOn(count + read);
    });
  };
  readOn(0);
}

/** Makes durable the entry of `directory` in its parent, and so on up to the parent `last`. */
function syncUpwards(directory: string, last: string, done: Done): void {
  const parent = nodePath.dirname(directory);
  if (parent.length < last.length) {
    process.nextTick(() => done(undefined));
    return;
  }
  syncOneDirectory(parent, (error) => {
    if (error !== undefined || parent === last) done(error);
    else syncUpwards(parent, last, done);
  });
}

function syncOneDirectory(path: string, done: Done): void {
  fs.open(path, fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0), (openError, fd) => {
    if (openError) {
      fail(done, openError, 'open directory', path);
      return;
    }
    fs.fsync(fd, (syncError) => {
      fs.close(fd, (closeError) => {
        const error = syncError ?? closeError;
        if (error) fail(done, error, 'sync directory', path);
        else done(undefined);
      });
    });
  });
}

/** Node's messages name no path for calls on an open file, so each message is put together here. */
function fail<T>(done: Done<T>, cause: unknown, what: string, path: string): void {
  const error =
    cause instanceof SystemError
      ? cause
      : new SystemError(posixCode(cause), `cannot ${what} ${path}: ${reasonOf(cause)}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Done` promises no value beside an error
  (done as (error: SystemError) => void)(error);
}

function posixCode(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  // Node's own checks of arguments have codes such as ERR_OUT_OF_RANGE.
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : 'EINVAL';
}

function reasonOf(cause: unknown): string {
  // Without Node's ending of ", open '/the/path'": the message names both already.
  return cause instanceof Error ? cause.message.replace(/, \w+(?: '.*')?$/, '') : String(cause);
}

function codeOnly(code: 'EISDIR' | 'EBADF'): Error {
  const words = { EISDIR: 'it is a directory', EBADF: 'the file has been closed' };
  return Object.assign(new Error(words[code]), { code });
}

const SQLITE_BUSY = 5;
const SQLITE_CANTOPEN = 14;

function lockError(cause: unknown, path: string): SystemError {
  const result = cause instanceof Error && 'errcode' in cause ? cause.errcode : undefined;
  if (result === SQLITE_BUSY) {
    return new SystemError('EBUSY', `${path} is locked by a process that is running`);
  }
  // SQLite says no more than that it could not; the usual call says why.
  if (result === SQLITE_CANTOPEN) {
    try {
      fs.closeSync(fs.openSync(path, 'a'));
    } catch (error) {
      return new SystemError(posixCode(error), `cannot lock ${path}: ${reasonOf(error)}`);
    }
  }
  return new SystemError('EIO', `cannot lock ${path}: ${reasonOf(cause)}`);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
