/**
 * What two nodes say to each other about shards, on a connection that the follower opens. Both
 * sides send RESP arrays; the last element is a checksum of all bytes from the first element to the
 * end of the one before, since what one node tells another becomes its data.
 *
 * Follower to source:
 *
 *     HELLO version cluster node token       who it is
 *     FOLLOW shard epoch at-epoch at-offset  wants the stream of the shard's primary of `epoch`
 *     CLEARED shard copy                     is empty now, and takes the copy
 *     ACK table                              how far it has applied which stream; see `rows.ts`.
 *                                            Empty where it would have been silent for too long
 *     STEPPED step                           has applied all of a copy up to this step
 *     UNFOLLOW shard
 *
 * Source to follower:
 *
 *     WELCOME version node
 *     STREAM shard epoch offset (epoch offset)…   goes on at `offset`; then the history's parts
 *     COPY shard epoch copy                       must begin anew: clear, then say CLEARED
 *     ITEMS shard copy effects                    of the copy
 *     STEP step                                   these were the items of a step; wants STEPPED
 *     COPIED shard copy offset                    whole once all before `offset` is applied
 *     DATA table effects                          of the streams; see `rows.ts`
 *     ASK                                         wants an ACK at once
 *     TICK (shard epoch offset copied total)…     the stream's end now, after all sent before, of
 *                                                 streams of which no DATA has told it just before
 *     REFUSED shard words
 *
 * Anything that does not check ends the connection.
 */
import { crc32 } from 'node:zlib';
import {
  ARGUMENT_BYTES_CEILING,
  INCOMPLETE,
  REQUEST,
  type RequestParser,
  RequestReader,
  writeArrayHeader,
  writeBulk,
  writeBulkText,
} from '../../resp/index.ts';
import { asShardId, SLOT_COUNT, type ShardId } from '../../cluster/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import { parseSmallInteger } from '../numbers.ts';

export const REPLICATION_VERSION = 4;

/** Memory follows what has arrived, not what was declared. */
export const FRAME_BYTES_MAX = ARGUMENT_BYTES_CEILING;
/** With its key a value must fit into a frame. */
export const REPLICATED_VALUE_BYTES_MAX = ARGUMENT_BYTES_CEILING / 2;

const ARGUMENT_COUNT_MAX = 64 * 1024;
/** Under load nearly each frame is cut somewhere: memory of its own would call the collector. */
const CARRY_BYTES_KEPT = 512 * 1024;
const LINE_END_BYTES = 2;
export type FrameArgument = string | number | Uint8Array;

/** Appends a frame. Its first argument is its name, in ASCII. */
export function writeFrame(out: OutputBuffer, args: readonly [string, ...FrameArgument[]]): void {
  writeArrayHeader(out, args.length + 1);
  let start = 0;
  for (const arg of args) {
    if (typeof arg === 'object') writeBulk(out, arg);
    else writeBulkText(out, String(arg));
    if (start === 0) start = out.length - LINE_END_BYTES - args[0].length;
  }
  const end = out.length - LINE_END_BYTES;
  writeBulkText(out, String(checksumOf(args.length, out.bytes, start, end)));
}

/** One call for the whole frame: each costs more than the bytes of a small one. */
function checksumOf(count: number, bytes: Uint8Array, start: number, end: number): number {
  return crc32(bytes.subarray(start, end), count);
}

/** A frame that has arrived; good until the handler returns. */
export class Frame {
  name = '';
  readonly #request: RequestParser;

  constructor(request: RequestParser) {
    this.#request = request;
  }

  /** Without the checksum. */
  get count(): number {
    return this.#request.argumentCount - 1;
  }

  text(index: number): string {
    return Buffer.from(this.bytes(index)).toString('utf8');
  }

  /** A view, not a copy. Empty where there is no such argument. */
  bytes(index: number): Uint8Array {
    if (index >= this.count) return new Uint8Array(0);
    const { argumentBytes, starts, ends } = this.#request;
    return argumentBytes.subarray(starts[index], ends[index]);
  }

  /** A whole number that is not negative; NaN where the argument is none, or is missing. */
  number(index: number): number {
    if (index >= this.count) return NaN;
    const { argumentBytes, starts, ends } = this.#request;
    const value = parseSmallInteger(argumentBytes, starts[index], ends[index]);
    return value >= 0 ? value : NaN;
  }

  /** Undefined where the argument is no shard's number. */
  shard(index: number): ShardId | undefined {
    const number = this.number(index);
    return number < SLOT_COUNT ? asShardId(number) : undefined;
  }

  /** To be called first. */
  checks(): boolean {
    const { count } = this;
    if (count < 1) return false;
    const { argumentBytes, starts, ends } = this.#request;
    const said = parseSmallInteger(argumentBytes, starts[count], ends[count]);
    if (said !== checksumOf(count, argumentBytes, starts[0], ends[count - 1])) return false;
    this.name = this.text(0);
    return true;
  }
}

/** Takes frames out of a connection's bytes. */
export class FrameReader {
  readonly #reader: RequestReader;
  readonly #frame: Frame;
  readonly #onFrame: (frame: Frame) => string | undefined;

  /**
   * @param frameBytesMax of one frame
   * @param onFrame gives words where the frame makes no sense
   */
  constructor(frameBytesMax: number, onFrame: (frame: Frame) => string | undefined) {
    const limits = {
      argumentCountMax: ARGUMENT_COUNT_MAX,
      argumentBytesMax: frameBytesMax,
      requestBytesMax: frameBytesMax,
      lineBytesMax: 1024,
    };
    this.#reader = new RequestReader(limits, CARRY_BYTES_KEPT);
    this.#frame = new Frame(this.#reader.request);
    this.#onFrame = onFrame;
  }

  /** @returns why the connection is of no more use; undefined where it is */
  push(bytes: Uint8Array, start: number, end: number): string | undefined {
    this.#reader.push(bytes, start, end);
    for (;;) {
      const code = this.#reader.next();
      if (code === INCOMPLETE) break;
      if (code !== REQUEST) return this.#reader.request.errorText;
      if (!this.#frame.checks()) return 'a frame was altered on its way, or is none';
      const words = this.#onFrame(this.#frame);
      if (words !== undefined) return words;
    }
    this.#reader.finish();
    return undefined;
  }
}
