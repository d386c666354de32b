/**
 * Snapshots of the metadata as files: taken of a running cluster, and restored into a new one.
 * Read `file.ts`, then `restore.ts`.
 */
export {
  decodeSnapshotFile,
  encodeSnapshotFile,
  type Snapshot,
  type SnapshotHead,
} from './file.ts';
export { restoreSnapshot, type RestoreOptions } from './restore.ts';
