/** Why a log or a snapshot directory cannot be used, in words that name the file and the way out. */

/**
 * - `locked`: a running process uses the directory.
 * - `foreign`: it holds something else, or the data of another cluster or peer.
 * - `newerVersion`: a later release has written it.
 * - `damaged`: the disk has not kept what it had confirmed.
 * - `unusable`: the disk refuses a call: full, read-only, broken.
 */
export type StorageErrorCode = 'locked' | 'foreign' | 'newerVersion' | 'damaged' | 'unusable';

export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly code: StorageErrorCode;
  /** Below the disk's root. */
  readonly path: string;

  constructor(code: StorageErrorCode, path: string, message: string) {
    super(message);
    this.code = code;
    this.path = path;
  }
}

/** What to do about a disk that refuses, by its POSIX code. */
export function remedyFor(code: string): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Free some space, then start this peer again.';
    case 'EROFS':
    case 'EACCES':
    case 'EPERM':
      return 'Make the directory writable for this process, then start this peer again.';
    default:
      return 'Check the disk; then start this peer again, or replace it by a new one.';
  }
}
