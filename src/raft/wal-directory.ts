/** A directory of which one process at a time makes use. */
import { SystemError } from '../runtime/index.ts';
import type { Disk, FileLock } from '../runtime/index.ts';
import { type Steps, waitFor } from './steps.ts';
import { StorageError } from './wal-error.ts';

const LOCK_NAME = 'LOCK';

/** Whether it is no data: the lock, or what a file system puts into the root of a volume. */
export function isDirectoryFixture(name: string): boolean {
  return name === LOCK_NAME || name === 'lost+found';
}

/** @throws {StorageError} `locked` where a running process has it. */
export function* lockDirectory(disk: Disk, directory: string): Steps<FileLock> {
  const path = `${directory}/${LOCK_NAME}`;
  try {
    return yield* waitFor<FileLock>((done) => disk.lock(path, done));
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'EBUSY') throw error;
    const words = `${directory} is in use: a running process holds ${path}. Stop that one, or give this peer a data directory of its own.`;
    throw new StorageError('locked', path, words);
  }
}
