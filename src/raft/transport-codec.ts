/**
 * Messages as bytes. Cluster, sender and receiver are not among them: the connection has them, so
 * a message cannot claim to come from anybody else.
 *
 *     message   kind u8, term, then the fields of the kind in the order of its type
 *     number    u53 (8 bytes); flag u8; bytes and text with their length before them
 *
 * What is decoded owns its bytes together: one copy of the message holds all entries of it.
 */
import { InvariantError } from '../runtime/index.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import {
  asIndex,
  asTerm,
  type ClusterId,
  type Entry,
  type EntryKind,
  type Index,
  type Message,
  type PeerId,
  type RefusalReason,
  type Term,
} from './types.ts';
import { decodeSnapshotMetadata, encodeSnapshotMetadata, ENTRY_KINDS } from './wal-format.ts';

/** What every message of a connection has in common. */
export interface Route {
  readonly cluster: ClusterId;
  readonly from: PeerId;
  readonly to: PeerId;
}

/** A kind's number is its place here. New kinds go to the end. */
const KINDS = [
  'preVote',
  'preVoteResponse',
  'vote',
  'voteResponse',
  'append',
  'appendAccepted',
  'appendRejected',
  'heartbeat',
  'heartbeatResponse',
  'snapshotChunk',
  'snapshotResponse',
  'timeoutNow',
  'propose',
  'proposeResponse',
  'readIndex',
  'readIndexResponse',
] as const satisfies ReadonlyArray<Message['kind']>;

/** 0 stands for "not refused". */
const REFUSALS: readonly RefusalReason[] = [
  'noLeader',
  'notLeader',
  'overloaded',
  'tooLarge',
  'transferring',
  'changePending',
  'invalidChange',
  'notMember',
  'stopped',
];

export function encodeMessage(message: Message): Uint8Array {
  const writer = new ByteWriter();
  writer.uint8(KINDS.indexOf(message.kind));
  writer.uint53(message.term);
  switch (message.kind) {
    case 'preVote':
      writer.uint53(message.nextTerm);
      writer.uint53(message.lastIndex);
      writer.uint53(message.lastTerm);
      break;
    case 'preVoteResponse':
      writer.uint53(message.nextTerm);
      writeFlag(writer, message.granted);
      break;
    case 'vote':
      writer.uint53(message.lastIndex);
      writer.uint53(message.lastTerm);
      writeFlag(writer, message.transfer);
      break;
    case 'voteResponse':
      writeFlag(writer, message.granted);
      break;
    case 'append':
      writer.uint53(message.previousIndex);
      writer.uint53(message.previousTerm);
      writer.uint53(message.commit);
      writer.uint32(message.entries.length);
      for (const entry of message.entries) writeEntry(writer, entry);
      break;
    case 'appendAccepted':
      writer.uint53(message.match);
      break;
    case 'appendRejected':
      writer.uint53(message.previousIndex);
      writer.uint53(message.hintIndex);
      writer.uint53(message.hintTerm);
      writeFlag(writer, message.lostEntries);
      break;
    case 'heartbeat':
      writer.uint53(message.commit);
      writer.uint53(message.readContext);
      break;
    case 'heartbeatResponse':
    case 'readIndex':
      writer.uint53(message.readContext);
      break;
    case 'snapshotChunk':
      writer.bytes(encodeSnapshotMetadata(message.snapshot));
      writer.uint53(message.offset);
      writer.bytes(message.bytes);
      break;
    case 'snapshotResponse':
      writer.uint53(message.index);
      writer.uint53(message.nextOffset);
      break;
    case 'timeoutNow':
      break;
    case 'propose':
      writer.uint53(message.proposal);
      writer.uint32(message.commands.length);
      for (const command of message.commands) writer.bytes(command);
      break;
    case 'proposeResponse':
      writer.uint53(message.proposal);
      writer.uint8(message.refused === undefined ? 0 : REFUSALS.indexOf(message.refused) + 1);
      break;
    case 'readIndexResponse':
      writer.uint53(message.readContext);
      writeFlag(writer, message.index !== undefined);
      if (message.index !== undefined) writer.uint53(message.index);
      break;
  }
  return writer.finish();
}

/**
 * @param bytes are kept: the message's own byte arrays are views of them.
 * @returns undefined for bytes that `encodeMessage` does not make.
 */
export function decodeMessage(bytes: Uint8Array, route: Route): Message | undefined {
  try {
    const reader = new ByteReader(bytes);
    const message = readMessage(reader, route);
    return reader.isAtEnd ? message : undefined;
  } catch (error) {
    if (error instanceof InvariantError) return undefined;
    throw error;
  }
}

function readMessage(reader: ByteReader, route: Route): Message | undefined {
  const kind: Message['kind'] | undefined = KINDS[reader.uint8()];
  const envelope = { ...route, term: readTerm(reader) };
  switch (kind) {
    case 'preVote': {
      const nextTerm = readTerm(reader);
      return {
        kind,
        ...envelope,
        nextTerm,
        lastIndex: readIndex(reader),
        lastTerm: readTerm(reader),
      };
    }
    case 'preVoteResponse':
      return { kind, ...envelope, nextTerm: readTerm(reader), granted: readFlag(reader) };
    case 'vote': {
      const lastIndex = readIndex(reader);
      return {
        kind,
        ...envelope,
        lastIndex,
        lastTerm: readTerm(reader),
        transfer: readFlag(reader),
      };
    }
    case 'voteResponse':
      return { kind, ...envelope, granted: readFlag(reader) };
    case 'append': {
      const previousIndex = readIndex(reader);
      const previousTerm = readTerm(reader);
      const commit = readIndex(reader);
      const entries = readMany(reader, readEntry);
      return { kind, ...envelope, previousIndex, previousTerm, commit, entries };
    }
    case 'appendAccepted':
      return { kind, ...envelope, match: readIndex(reader) };
    case 'appendRejected': {
      const previousIndex = readIndex(reader);
      const hintIndex = readIndex(reader);
      const hintTerm = readTerm(reader);
      return {
        kind,
        ...envelope,
        previousIndex,
        hintIndex,
        hintTerm,
        lostEntries: readFlag(reader),
      };
    }
    case 'heartbeat':
      return { kind, ...envelope, commit: readIndex(reader), readContext: reader.uint53() };
    case 'heartbeatResponse':
    case 'readIndex':
      return { kind, ...envelope, readContext: reader.uint53() };
    case 'snapshotChunk': {
      const snapshot = decodeSnapshotMetadata(reader.bytes());
      return { kind, ...envelope, snapshot, offset: reader.uint53(), bytes: reader.bytes() };
    }
    case 'snapshotResponse':
      return { kind, ...envelope, index: readIndex(reader), nextOffset: reader.uint53() };
    case 'timeoutNow':
      return { kind, ...envelope };
    case 'propose': {
      const proposal = reader.uint53();
      return { kind, ...envelope, proposal, commands: readMany(reader, (each) => each.bytes()) };
    }
    case 'proposeResponse': {
      const proposal = reader.uint53();
      const refusal = reader.uint8();
      if (refusal > REFUSALS.length) return undefined;
      return {
        kind,
        ...envelope,
        proposal,
        refused: refusal === 0 ? undefined : REFUSALS[refusal - 1],
      };
    }
    case 'readIndexResponse': {
      const readContext = reader.uint53();
      const index = readFlag(reader) ? readIndex(reader) : undefined;
      return { kind, ...envelope, readContext, index };
    }
    case undefined:
      return undefined;
  }
}

function writeEntry(writer: ByteWriter, entry: Entry): void {
  writer.uint8(ENTRY_KINDS.indexOf(entry.kind));
  writer.uint53(entry.index);
  writer.uint53(entry.term);
  writer.bytes(entry.bytes);
}

function readEntry(reader: ByteReader): Entry {
  const kind: EntryKind | undefined = ENTRY_KINDS[reader.uint8()];
  if (kind === undefined) throw new InvariantError('an entry is of a kind known here');
  return { kind, index: readIndex(reader), term: readTerm(reader), bytes: reader.bytes() };
}

/** However many are declared, this takes no more memory than what is there. */
function readMany<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const many: T[] = [];
  for (let count = reader.uint32(); count > 0; count--) many.push(read(reader));
  return many;
}

function writeFlag(writer: ByteWriter, flag: boolean): void {
  writer.uint8(flag ? 1 : 0);
}

function readFlag(reader: ByteReader): boolean {
  const flag = reader.uint8();
  if (flag > 1) throw new InvariantError('a flag is 0 or 1');
  return flag === 1;
}

function readTerm(reader: ByteReader): Term {
  return asTerm(reader.uint53());
}

function readIndex(reader: ByteReader): Index {
  return asIndex(reader.uint53());
}
