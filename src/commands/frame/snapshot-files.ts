/** Snapshot files on disk, and what is shown of them. */
import { openSync, closeSync, fsyncSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { CachectlError } from '../../cluster/errors.ts';
import { decodeSnapshotFile, type Snapshot } from '../../meta/snapshot/index.ts';
import { roughSize } from './admin-views.ts';
import type { Report } from './output.ts';

/** @throws {CachectlError} `ERR_CACHECTL_FAILED` where it cannot be read, or is not whole */
export function readSnapshot(path: string): Snapshot {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CachectlError('ERR_CACHECTL_FAILED', `cannot read the snapshot: ${reason}`);
  }
  const snapshot = decodeSnapshotFile(text);
  if (!('fault' in snapshot)) return snapshot;
  throw new CachectlError('ERR_CACHECTL_FAILED', `${path} cannot be used: ${snapshot.fault}`);
}

/**
 * Whole, or not at all; only its owner can read it, since it holds hashes of secrets.
 *
 * @throws {CachectlError} `ERR_CACHECTL_FAILED`
 */
export function writeSnapshot(path: string, text: string): void {
  const unfinished = `${path}.${process.pid}.new`;
  try {
    writeFileSync(unfinished, text, { mode: 0o600 });
    const file = openSync(unfinished, 'r');
    fsyncSync(file);
    closeSync(file);
    renameSync(unfinished, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CachectlError('ERR_CACHECTL_FAILED', `cannot write the snapshot: ${reason}`);
  }
}

export function snapshotReport(path: string, text: string, { head, entries }: Snapshot): Report {
  const kinds = new Map<string, number>();
  for (const { key } of entries) {
    const kind = key.split('/')[0];
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const bytes = Buffer.byteLength(text);
  const data = { path, bytes, ...head, entries: Object.fromEntries(kinds) };
  const lines = [
    `file      ${path}, ${roughSize(bytes)}`,
    `cluster   ${head.clusterId}`,
    `revision  ${head.revision}`,
    `taken     ${new Date(head.createdAtMs).toISOString()}`,
    `records   ${head.entryCount}: ${[...kinds].map(([kind, count]) => `${count} ${kind}`).join(', ')}`,
    `sha256    ${head.sha256}`,
  ];
  return { kind: 'MetaSnapshot', data, view: lines.join('\n'), names: [path] };
}
