/**
 * The log's bytes: segments of groups of records. All numbers are big-endian.
 *
 *     segment   header, then groups; each begins at a multiple of 8
 *     header    magic, version, flags, number, first group, checksum before it, store, cluster, peer
 *     group     header, records, a mark to the next multiple of 8: one append, one sync
 *     record    hard state | snapshot | lost | entry
 *
 * Checksums are CRC-32 (IEEE), which Node computes natively. They chain: each group's header holds
 * the checksum of the header before it, and each is seeded by the store's id. So what was left by
 * an earlier use of the same disk blocks, or comes from another store, never counts.
 *
 * A group is appended only once the one before it is durable. So a good group proves that all
 * before it once were good; only the last can be torn.
 */
import { crc32 } from 'node:zlib';

import { invariant, InvariantError } from '../runtime/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { decodeConfiguration, encodeConfiguration } from './configuration.ts';
import {
  asIndex,
  asPeerId,
  asTerm,
  type Entry,
  type EntryKind,
  type HardState,
  type Index,
  type Position,
  type SnapshotMetadata,
  type Term,
} from './types.ts';

const VERSION = 1;
const SEGMENT_MAGIC = 'cctl-log';
const GROUP_MAGIC = 0x63_47_72_70;
export const STORE_ID_BYTES = 16;
export const ALIGNMENT = 8;
/** Fills a group up, with at least one: its end is never of zeros, which mean "not written". */
const END_MARK = 0xed;
export const GROUP_HEADER_BYTES = 56;
/** Magic and version stand at the same place in every version. */
const VERSION_OFFSET = 8;
const SEGMENT_HEADER_BYTES_MAX = 1024;

export interface SegmentHeader {
  readonly number: number;
  /** What came before this segment does not count: it was copied here, or is lost. */
  readonly beginsAnew: boolean;
  /** Groups of this sequence number or a higher one in earlier segments do not count. */
  readonly firstSequence: number;
  /** Of the header of the group before the first; 0 where there is none. */
  readonly previousChecksum: number;
  /** Drawn when the directory was first used: names the disk. */
  readonly store: Uint8Array;
  readonly cluster: string;
  readonly peer: string;
}

export function encodeSegmentHeader(header: SegmentHeader): Uint8Array {
  const writer = new ByteWriter();
  for (const letter of new TextEncoder().encode(SEGMENT_MAGIC)) writer.uint8(letter);
  writer.uint32(VERSION);
  writer.uint32(header.beginsAnew ? 1 : 0);
  writer.uint53(header.number);
  writer.uint53(header.firstSequence);
  writer.uint32(header.previousChecksum);
  writer.bytes(header.store);
  writer.text(header.cluster);
  writer.text(header.peer);
  const content = writer.finish();
  const bytes = new Uint8Array(aligned(content.length + 4));
  bytes.set(content);
  viewOf(bytes).setUint32(bytes.length - 4, crc32(bytes.subarray(0, bytes.length - 4)));
  return bytes;
}

export type SegmentHeaderRead =
  | { readonly kind: 'good'; readonly header: SegmentHeader; readonly length: number }
  | { readonly kind: 'damaged' }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'newerVersion'; readonly version: number };

export function readSegmentHeader(bytes: Uint8Array): SegmentHeaderRead {
  const start = bytes.slice(0, SEGMENT_HEADER_BYTES_MAX);
  const good = parseSegmentHeader(start);
  if (good !== undefined) return good;
  if (start.length < VERSION_OFFSET + 4) return { kind: 'damaged' };
  const magic = new TextDecoder('latin1').decode(start.subarray(0, VERSION_OFFSET));
  const version = viewOf(start).getUint32(VERSION_OFFSET);
  // With what the two should be in their place, a header that was damaged only there is whole.
  start.set(new TextEncoder().encode(SEGMENT_MAGIC));
  viewOf(start).setUint32(VERSION_OFFSET, VERSION);
  if (parseSegmentHeader(start) !== undefined) return { kind: 'damaged' };
  if (magic !== SEGMENT_MAGIC) return { kind: 'foreign' };
  return version > VERSION ? { kind: 'newerVersion', version } : { kind: 'damaged' };
}

function parseSegmentHeader(bytes: Uint8Array): SegmentHeaderRead | undefined {
  try {
    const reader = new ByteReader(bytes);
    const letters = Uint8Array.from({ length: SEGMENT_MAGIC.length }, () => reader.uint8());
    if (new TextDecoder('latin1').decode(letters) !== SEGMENT_MAGIC) return undefined;
    if (reader.uint32() !== VERSION) return undefined;
    const flags = reader.uint32();
    const header = {
      beginsAnew: flags === 1,
      number: reader.uint53(),
      firstSequence: reader.uint53(),
      previousChecksum: reader.uint32(),
      store: reader.bytes().slice(),
      cluster: reader.text(),
      peer: reader.text(),
    };
    const { length } = encodeSegmentHeader(header);
    if (length > bytes.length) return undefined;
    const checksum = viewOf(bytes).getUint32(length - 4);
    if (crc32(bytes.subarray(0, length - 4)) !== checksum) return undefined;
    return { kind: 'good', header, length };
  } catch (error) {
    if (error instanceof InvariantError) return undefined;
    throw error;
  }
}

export type WalRecord =
  | { readonly kind: 'hardState'; readonly hardState: HardState }
  /** `beginsAnew`: the entries before it are dropped, and the log goes on after the snapshot. */
  | {
      readonly kind: 'snapshot';
      readonly snapshot: SnapshotMetadata;
      readonly beginsAnew: boolean;
    }
  /** The log had reached this position, and lost what led to it. */
  | { readonly kind: 'lost'; readonly position: Position }
  /** Drops what there is from its index on. */
  | { readonly kind: 'entry'; readonly entry: Entry };

/** What a group's header says beside its place in the chain. */
export interface GroupState {
  /** Where the log ends after this group. */
  readonly last: Position;
  /** The hard state's term after this group. */
  readonly term: Term;
}

export interface GroupHeader extends GroupState {
  readonly sequence: number;
  readonly previousChecksum: number;
  /** Of this header. */
  readonly checksum: number;
  readonly recordCount: number;
  readonly bodyLength: number;
  readonly bodyChecksum: number;
  /** Where the group ends in the segment. */
  readonly end: number;
}

const HARD_STATE = 1;
const SNAPSHOT = 2;
const LOST = 3;
const ENTRY = 4;
const ENTRY_HEADER_BYTES = 1 + 1 + 8 + 8 + 4;
/** A kind's number, here and on the wire, is its place. New kinds go to the end. */
export const ENTRY_KINDS: readonly EntryKind[] = ['noop', 'data', 'configuration'];
const HIGH = 2 ** 32;

/** The bytes that the record takes in a group. */
export function recordBytes(record: WalRecord): number {
  if (record.kind === 'entry') return ENTRY_HEADER_BYTES + record.entry.bytes.length;
  return encodeSmallRecord(record).length;
}

export function encodeGroup(
  place: { readonly sequence: number; readonly previousChecksum: number; readonly seed: number },
  state: GroupState,
  records: readonly WalRecord[],
): { readonly bytes: Uint8Array; readonly checksum: number } {
  let bodyLength = 0;
  for (const record of records) bodyLength += recordBytes(record);
  const bytes = new Uint8Array(GROUP_HEADER_BYTES + aligned(bodyLength + 1));
  const view = viewOf(bytes);
  let at = GROUP_HEADER_BYTES;
  for (const record of records) at = writeRecord(bytes, view, at, record);
  bytes.fill(END_MARK, at);
  view.setUint32(0, GROUP_MAGIC);
  view.setUint32(4, bodyLength);
  writeUint53(view, 8, place.sequence);
  writeUint53(view, 16, state.last.index);
  writeUint53(view, 24, state.last.term);
  writeUint53(view, 32, state.term);
  view.setUint32(40, place.previousChecksum);
  view.setUint32(44, records.length);
  view.setUint32(48, crc32(bytes.subarray(GROUP_HEADER_BYTES), place.seed));
  const checksum = crc32(bytes.subarray(0, 52), place.seed);
  view.setUint32(52, checksum);
  return { bytes, checksum };
}

/** What seeds the checksums of a store's groups. */
export function seedOf(store: Uint8Array): number {
  return crc32(store);
}

/** The header at `offset`, if there is a good one. Its group may still end after the segment. */
export function readGroupHeader(
  bytes: Uint8Array,
  offset: number,
  seed: number,
): GroupHeader | undefined {
  if (bytes.length - offset < GROUP_HEADER_BYTES) return undefined;
  const header = bytes.subarray(offset, offset + GROUP_HEADER_BYTES);
  const view = viewOf(header);
  if (view.getUint32(0) !== GROUP_MAGIC) return undefined;
  const checksum = view.getUint32(52);
  if (crc32(header.subarray(0, 52), seed) !== checksum) return undefined;
  const bodyLength = view.getUint32(4);
  return {
    bodyLength,
    sequence: readUint53(view, 8),
    last: { index: asIndex(readUint53(view, 16)), term: asTerm(readUint53(view, 24)) },
    term: asTerm(readUint53(view, 32)),
    previousChecksum: view.getUint32(40),
    recordCount: view.getUint32(44),
    bodyChecksum: view.getUint32(48),
    checksum,
    end: offset + GROUP_HEADER_BYTES + aligned(bodyLength + 1),
  };
}

/** The group's records; undefined where its bytes are not what was written. */
export function readGroupBody(
  bytes: Uint8Array,
  header: GroupHeader,
  seed: number,
): readonly WalRecord[] | undefined {
  if (header.end > bytes.length) return undefined;
  const start = header.end - aligned(header.bodyLength + 1);
  const padded = bytes.subarray(start, header.end);
  if (crc32(padded, seed) !== header.bodyChecksum) return undefined;
  const reader = new ByteReader(padded.subarray(0, header.bodyLength));
  const records: WalRecord[] = [];
  while (records.length < header.recordCount) records.push(readRecord(reader));
  invariant(reader.isAtEnd, 'a group has the records that it says, and nothing after them');
  return records;
}

function writeRecord(bytes: Uint8Array, view: DataView, at: number, record: WalRecord): number {
  if (record.kind !== 'entry') {
    const small = encodeSmallRecord(record);
    bytes.set(small, at);
    return at + small.length;
  }
  const { entry } = record;
  view.setUint8(at, ENTRY);
  view.setUint8(at + 1, ENTRY_KINDS.indexOf(entry.kind));
  writeUint53(view, at + 2, entry.index);
  writeUint53(view, at + 10, entry.term);
  view.setUint32(at + 18, entry.bytes.length);
  bytes.set(entry.bytes, at + ENTRY_HEADER_BYTES);
  return at + ENTRY_HEADER_BYTES + entry.bytes.length;
}

function encodeSmallRecord(record: Exclude<WalRecord, { kind: 'entry' }>): Uint8Array {
  const writer = new ByteWriter();
  switch (record.kind) {
    case 'hardState':
      writer.uint8(HARD_STATE);
      writer.uint53(record.hardState.term);
      writer.text(record.hardState.vote ?? '');
      break;
    case 'snapshot':
      writer.uint8(SNAPSHOT);
      writer.uint8(record.beginsAnew ? 1 : 0);
      writer.bytes(encodeSnapshotMetadata(record.snapshot));
      break;
    case 'lost':
      writer.uint8(LOST);
      writer.uint53(record.position.index);
      writer.uint53(record.position.term);
      break;
  }
  return writer.finish();
}

/** @throws {InvariantError} on a record that this version does not write. */
function readRecord(reader: ByteReader): WalRecord {
  const type = reader.uint8();
  switch (type) {
    case HARD_STATE: {
      const term = asTerm(reader.uint53());
      const vote = reader.text();
      return {
        kind: 'hardState',
        hardState: { term, vote: vote === '' ? undefined : asPeerId(vote) },
      };
    }
    case SNAPSHOT: {
      const beginsAnew = reader.uint8() === 1;
      return { kind: 'snapshot', beginsAnew, snapshot: decodeSnapshotMetadata(reader.bytes()) };
    }
    case LOST: {
      const index = asIndex(reader.uint53());
      return { kind: 'lost', position: { index, term: asTerm(reader.uint53()) } };
    }
    case ENTRY: {
      const kind = ENTRY_KINDS[reader.uint8()];
      const index: Index = asIndex(reader.uint53());
      const term = asTerm(reader.uint53());
      return { kind: 'entry', entry: { index, term, kind, bytes: reader.bytes().slice() } };
    }
    default:
      throw new InvariantError(`a log has no records of type ${type}`);
  }
}

export function encodeSnapshotMetadata(snapshot: SnapshotMetadata): Uint8Array {
  const writer = new ByteWriter();
  writer.uint53(snapshot.index);
  writer.uint53(snapshot.term);
  writer.uint53(snapshot.sizeBytes);
  writer.uint32(snapshot.checksum);
  writer.bytes(encodeConfiguration(snapshot.configuration));
  return writer.finish();
}

/** @throws {InvariantError} on bytes that `encodeSnapshotMetadata` does not make. */
export function decodeSnapshotMetadata(bytes: Uint8Array): SnapshotMetadata {
  const reader = new ByteReader(bytes);
  const snapshot = {
    index: asIndex(reader.uint53()),
    term: asTerm(reader.uint53()),
    sizeBytes: reader.uint53(),
    checksum: reader.uint32(),
    configuration: decodeConfiguration(reader.bytes()),
  };
  invariant(reader.isAtEnd, 'nothing follows the description of a snapshot');
  return snapshot;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function writeUint53(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / HIGH));
  view.setUint32(at + 4, value % HIGH);
}

function readUint53(view: DataView, at: number): number {
  return view.getUint32(at) * HIGH + view.getUint32(at + 4);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
