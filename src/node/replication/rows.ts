/**
 * Tables in frames that are sent often, with a row for each shard:
 *
 *     shard u32 | last u1 | number u31 | epoch u64 | offset u64
 *
 * Big-endian. A `DATA` says of each row's stream what comes beside the table: `number` bytes of
 * effects, which begin at `offset`; those of the next row follow. `last` says that the stream ends
 * with them, for now. An `ACK` says that all before `offset` is applied, and `number` is the copy it
 * began with. Where clients do not pipeline there is a row for nearly each effect.
 */
import { asShardId, SLOT_COUNT, type ShardId } from '../../cluster/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import { putUint32, putUint64, uint32, uint64 } from './integers.ts';

export const ROW_BYTES = 24;

const LAST = 0x8000_0000;

/** Appends a row. */
export function writeRow(
  table: OutputBuffer,
  shard: ShardId,
  epoch: number,
  offset: number,
  number: number,
  isLast = false,
): void {
  table.reserve(ROW_BYTES);
  const { bytes, length: at } = table;
  putUint32(bytes, at, shard);
  putUint32(bytes, at + 4, isLast ? number + LAST : number);
  putUint64(bytes, at + 8, epoch);
  putUint64(bytes, at + 16, offset);
  table.length += ROW_BYTES;
}

/** Goes through a table, without allocating. */
export class RowReader {
  /** Undefined where that is no shard's number. */
  shard: ShardId | undefined;
  number = 0;
  isLast = false;
  epoch = 0;
  offset = 0;
  #table: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @returns false where this is no table */
  begin(table: Uint8Array): boolean {
    this.#table = table;
    this.#at = 0;
    return table.length % ROW_BYTES === 0;
  }

  /** @returns false after the last */
  next(): boolean {
    const table = this.#table;
    const at = this.#at;
    if (at >= table.length) return false;
    const shard = uint32(table, at);
    this.shard = shard < SLOT_COUNT ? asShardId(shard) : undefined;
    const number = uint32(table, at + 4);
    this.isLast = number >= LAST;
    this.number = this.isLast ? number - LAST : number;
    this.epoch = uint64(table, at + 8);
    this.offset = uint64(table, at + 16);
    this.#at = at + ROW_BYTES;
    return true;
  }
}
