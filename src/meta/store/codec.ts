/**
 * The bytes of commands and of their answers, as they stand in the log.
 *
 * Numbers are big-endian; a string is its length in bytes and its UTF-8. Both sides are the same
 * program, so bytes that make no sense are a broken invariant, not bad input.
 */
import { asRevision, type Revision } from '../../cluster/index.ts';
import { invariant } from '../../runtime/index.ts';
import type { Applied, HistoryBound } from './keyspace.ts';
import type { Change, Compare, Entry, Transaction } from './metadata-store.ts';

export type StoreCommand =
  | {
      readonly kind: 'commit';
      readonly transaction: Transaction;
      readonly bound: HistoryBound;
    }
  | { readonly kind: 'compact'; readonly through: Revision };

const COMMIT = 1;
const COMPACT = 2;
const COMMITTED = 3;
const CONFLICT = 4;

const COMPARE_REVISION = 0;
const COMPARE_PRESENT = 1;

const PUT = 0;
const DELETE = 1;
const DELETE_PREFIX = 2;

export function encodeStoreCommand(command: StoreCommand): Uint8Array {
  const writer = new RecordWriter();
  if (command.kind === 'compact') {
    writer.uint8(COMPACT);
    writer.uint53(command.through);
    return writer.finish();
  }
  const { transaction, bound } = command;
  writer.uint8(COMMIT);
  writer.uint32(bound.revisionsMax);
  writer.uint32(bound.lengthMax);
  writer.uint32(transaction.compares.length);
  for (const compare of transaction.compares) writeCompare(writer, compare);
  writer.uint32(transaction.changes.length);
  for (const change of transaction.changes) writeChange(writer, change);
  return writer.finish();
}

export function decodeStoreCommand(bytes: Uint8Array): StoreCommand {
  const reader = new RecordReader(bytes);
  const kind = reader.uint8();
  if (kind === COMPACT) return { kind: 'compact', through: reader.revision() };
  invariant(kind === COMMIT, 'a command commits or compacts');
  const bound = { revisionsMax: reader.uint32(), lengthMax: reader.uint32() };
  const compares = reader.many(readCompare);
  const changes = reader.many(readChange);
  return { kind: 'commit', transaction: { compares, changes }, bound };
}

export function encodeApplied(applied: Applied): Uint8Array {
  const writer = new RecordWriter();
  writer.uint8(applied.kind === 'committed' ? COMMITTED : CONFLICT);
  writer.uint53(applied.revision);
  if (applied.kind === 'conflict') {
    writer.uint32(applied.failed.length);
    for (const { key, current } of applied.failed) {
      writer.text(key);
      writer.uint8(current === undefined ? 0 : 1);
      if (current !== undefined) writer.entry(current);
    }
  }
  return writer.finish();
}

export function decodeApplied(bytes: Uint8Array): Applied {
  const reader = new RecordReader(bytes);
  const kind = reader.uint8();
  const revision = reader.revision();
  if (kind === COMMITTED) return { kind: 'committed', revision };
  invariant(kind === CONFLICT, 'an answer is a commit or a conflict');
  const failed = reader.many(() => ({
    key: reader.text(),
    current: reader.uint8() === 1 ? reader.entry() : undefined,
  }));
  return { kind: 'conflict', revision, failed };
}

function writeCompare(writer: RecordWriter, compare: Compare): void {
  writer.uint8('isPresent' in compare ? COMPARE_PRESENT : COMPARE_REVISION);
  writer.text(compare.key);
  if (!('isPresent' in compare)) writer.uint53(compare.modRevision);
}

function readCompare(reader: RecordReader): Compare {
  const kind = reader.uint8();
  const key = reader.text();
  if (kind === COMPARE_PRESENT) return { key, isPresent: true };
  invariant(kind === COMPARE_REVISION, 'a compare is of a revision or of presence');
  return { key, modRevision: reader.revision() };
}

function writeChange(writer: RecordWriter, change: Change): void {
  switch (change.kind) {
    case 'put':
      writer.uint8(PUT);
      writer.text(change.key);
      writer.text(change.value);
      break;
    case 'delete':
      writer.uint8(DELETE);
      writer.text(change.key);
      break;
    case 'deletePrefix':
      writer.uint8(DELETE_PREFIX);
      writer.text(change.prefix);
      break;
  }
}

function readChange(reader: RecordReader): Change {
  const kind = reader.uint8();
  if (kind === PUT) return { kind: 'put', key: reader.text(), value: reader.text() };
  if (kind === DELETE) return { kind: 'delete', key: reader.text() };
  invariant(kind === DELETE_PREFIX, 'a change puts or deletes');
  return { kind: 'deletePrefix', prefix: reader.text() };
}

/** Writes into one buffer that grows. */
export class RecordWriter {
  #bytes = Buffer.allocUnsafe(256);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  uint8(value: number): void {
    this.#reserve(1);
    this.#length = this.#bytes.writeUInt8(value, this.#length);
  }

  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
  }

  uint53(value: number): void {
    this.uint32(Math.floor(value / 2 ** 32));
    this.uint32(value % 2 ** 32);
  }

  text(value: string): void {
    // A UTF-16 unit becomes three bytes at most.
    this.#reserve(4 + value.length * 3);
    const length = this.#bytes.write(value, this.#length + 4, 'utf8');
    this.#bytes.writeUInt32BE(length, this.#length);
    this.#length += 4 + length;
  }

  entry({ key, value, createRevision, modRevision }: Entry): void {
    this.text(key);
    this.text(value);
    this.uint53(createRevision);
    this.uint53(modRevision);
  }

  /** What was written, in bytes of its own; the writer begins anew. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes.subarray(0, this.#length));
    this.#length = 0;
    return bytes;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

export class RecordReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  revision(): Revision {
    return asRevision(this.uint32() * 2 ** 32 + this.uint32());
  }

  text(): string {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  entry(): Entry {
    return {
      key: this.text(),
      value: this.text(),
      createRevision: this.revision(),
      modRevision: this.revision(),
    };
  }

  many<Item>(read: (reader: RecordReader) => Item): Item[] {
    const items: Item[] = [];
    for (let left = this.uint32(); left > 0; left--) items.push(read(this));
    return items;
  }

  #take(count: number): number {
    const start = this.#at;
    this.#at += count;
    invariant(this.#at <= this.#bytes.length, 'a record is not cut short');
    return start;
  }
}
