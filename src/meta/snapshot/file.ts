/**
 * A snapshot of the metadata as a file: one line of JSON that describes it, then one line for each
 * record. The description has the number of the records and the checksum of their lines, so that a
 * file that was cut or changed is found out before anything is made of it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { revisionSchema } from '../../cluster/index.ts';
import type { Entry } from '../store/index.ts';

const FORMAT = 'cachectl metadata snapshot';
const VERSION = 1;

const headSchema = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  clusterId: z.string(),
  revision: revisionSchema,
  createdAtMs: z.int().min(0),
  entryCount: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const entrySchema = z.strictObject({
  key: z.string(),
  value: z.string(),
  createRevision: revisionSchema,
  modRevision: revisionSchema,
});

export type SnapshotHead = Readonly<z.infer<typeof headSchema>>;

export interface Snapshot {
  readonly head: SnapshotHead;
  /** In the order of their keys. */
  readonly entries: readonly Entry[];
}

export function encodeSnapshotFile(
  source: Pick<SnapshotHead, 'clusterId' | 'revision' | 'createdAtMs'>,
  entries: readonly Entry[],
): string {
  const body = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  const { clusterId, revision, createdAtMs } = source;
  const head: SnapshotHead = {
    ...{ format: FORMAT, version: VERSION, clusterId, revision, createdAtMs },
    entryCount: entries.length,
    sha256: sha256(body),
  };
  return `${JSON.stringify(head)}\n${body}`;
}

/** @returns what is wrong with it, in words, where it cannot be used */
export function decodeSnapshotFile(text: string): Snapshot | { readonly fault: string } {
  const end = text.indexOf('\n');
  const head = headSchema.safeParse(parseJson(text.slice(0, end < 0 ? undefined : end)));
  if (!head.success) return { fault: headFault(parseJson(text.slice(0, Math.max(0, end)))) };
  const body = text.slice(end + 1);
  if (sha256(body) !== head.data.sha256) {
    return { fault: 'it was cut or changed: its checksum is another' };
  }
  const lines = body.split('\n').slice(0, -1);
  const entries = lines.map((line) => entrySchema.parse(JSON.parse(line)));
  return { head: head.data, entries };
}

function headFault(head: unknown): string {
  if (typeof head !== 'object' || head === null || !('format' in head) || head.format !== FORMAT) {
    return 'it is no snapshot of cachectl meta snapshot save';
  }
  const version = 'version' in head ? head.version : undefined;
  return version === VERSION
    ? 'its first line is damaged'
    : `it is of version ${JSON.stringify(version)}, and this program knows version ${VERSION}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
