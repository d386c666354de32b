/**
 * A snapshot of the keyspace as a stream of blocks, each with its length before it: the head (the
 * format, the revision, how many entries and commits follow), then the entries in the order of
 * their keys, then the history. A block holds as many records as fit into `BLOCK_BYTES`, and one
 * longer record on its own, so neither side ever holds the whole of it in one buffer.
 *
 * A change in the history whose value is still the key's value is written without it.
 */
import type { Revision } from '../../cluster/index.ts';
import { PieceReader } from '../../raft/sessions.ts';
import { invariant } from '../../runtime/index.ts';
import { RecordReader, RecordWriter } from './codec.ts';
import { lengthOf, type Changed, type FrozenKeyspace, type HistoricCommit } from './keyspace.ts';
import type { Entry } from './metadata-store.ts';

const FORMAT = 1;
const BLOCK_BYTES = 64 * 1024;

const DELETED = 0;
const PUT = 1;
const PUT_CURRENT = 2;

export function* encodeSnapshot(frozen: FrozenKeyspace): Generator<Uint8Array> {
  const writer = new RecordWriter();
  writer.uint8(FORMAT);
  writer.uint53(frozen.revision);
  writer.uint53(frozen.entries.size);
  writer.uint53(frozen.history.length);
  yield* block(writer);
  for (const [, entry] of frozen.entries.from('')) {
    writer.entry(entry);
    if (writer.length >= BLOCK_BYTES) yield* block(writer);
  }
  for (const commit of frozen.history) {
    writeCommit(writer, commit, frozen);
    if (writer.length >= BLOCK_BYTES) yield* block(writer);
  }
  if (writer.length > 0) yield* block(writer);
}

/** @param pieces of what `encodeSnapshot` has made, cut anywhere */
export function decodeSnapshot(pieces: Iterable<Uint8Array>): {
  readonly revision: Revision;
  readonly entries: readonly Entry[];
  readonly history: readonly HistoricCommit[];
} {
  const source = new PieceReader(pieces);
  let reader = nextBlock(source);
  const next = (): RecordReader => {
    if (reader.isAtEnd) reader = nextBlock(source);
    return reader;
  };
  invariant(reader.uint8() === FORMAT, 'a snapshot of the metadata store is of a known format');
  const revision = reader.revision();
  const entryCount = reader.revision();
  const commitCount = reader.revision();
  const entries: Entry[] = [];
  const byKey = new Map<string, Entry>();
  while (entries.length < entryCount) {
    const entry = next().entry();
    entries.push(entry);
    byKey.set(entry.key, entry);
  }
  const history: HistoricCommit[] = [];
  while (history.length < commitCount) history.push(readCommit(next(), byKey));
  return { revision, entries, history };
}

function* block(writer: RecordWriter): Generator<Uint8Array> {
  const records = writer.finish();
  writer.uint32(records.length);
  yield writer.finish();
  yield records;
}

function nextBlock(source: PieceReader): RecordReader {
  const length = new RecordReader(source.take(4)).uint32();
  return new RecordReader(source.take(length));
}

function writeCommit(writer: RecordWriter, commit: HistoricCommit, frozen: FrozenKeyspace): void {
  writer.uint53(commit.revision);
  writer.uint32(commit.changes.length);
  for (const change of commit.changes) {
    if (change.value === undefined) {
      writer.uint8(DELETED);
      writer.text(change.key);
    } else if (frozen.entries.get(change.key) === change) {
      writer.uint8(PUT_CURRENT);
      writer.text(change.key);
    } else {
      writer.uint8(PUT);
      writer.entry(change);
    }
  }
}

function readCommit(reader: RecordReader, current: ReadonlyMap<string, Entry>): HistoricCommit {
  const revision = reader.revision();
  const changes = reader.many((): Changed => {
    const kind = reader.uint8();
    if (kind === PUT) return reader.entry();
    const key = reader.text();
    if (kind === DELETED) return { key, value: undefined };
    invariant(kind === PUT_CURRENT, 'a change puts or deletes');
    const entry = current.get(key);
    invariant(entry?.modRevision === revision, 'a current value is that of its last change');
    return entry;
  });
  return { revision, changes, length: lengthOf(changes) };
}
