/**
 * What a `DATA` frame brings: effects of several shards' streams, one after the other, and a table
 * that says whose they are. In the table, for each shard that has some:
 *
 *     shard u32 | length u32 | epoch u64 | offset u64
 *
 * Numbers are big-endian; `length` counts the bytes of effects, which begin in the stream at
 * `offset`. Few effects come together where clients do not pipeline: a line in the table costs a
 * tenth of four arguments of a frame.
 */
import type { OutputBuffer } from '../../runtime/index.ts';
import { putUint32, putUint64, uint32, uint64 } from './integers.ts';

export const PIECE_BYTES = 24;

/** Appends a line. */
export function writePiece(
  table: OutputBuffer,
  shard: number,
  epoch: number,
  offset: number,
  length: number,
): void {
  table.reserve(PIECE_BYTES);
  const { bytes, length: at } = table;
  putUint32(bytes, at, shard);
  putUint32(bytes, at + 4, length);
  putUint64(bytes, at + 8, epoch);
  putUint64(bytes, at + 16, offset);
  table.length += PIECE_BYTES;
}

/** Goes through a table and the effects beside it, without allocating. */
export class PieceReader {
  shard = 0;
  epoch = 0;
  /** Where the effects begin in the stream. */
  offset = 0;
  /** They are `effects[start, end)`. */
  start = 0;
  end = 0;
  #table: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** @returns false where the two do not fit together */
  begin(table: Uint8Array, effects: Uint8Array): boolean {
    this.#table = table;
    this.#at = 0;
    this.end = 0;
    if (table.length % PIECE_BYTES !== 0) return false;
    let length = 0;
    for (let at = 0; at < table.length; at += PIECE_BYTES) length += uint32(table, at + 4);
    return length === effects.length;
  }

  /** @returns false after the last */
  next(): boolean {
    const table = this.#table;
    const at = this.#at;
    if (at >= table.length) return false;
    this.shard = uint32(table, at);
    this.start = this.end;
    this.end += uint32(table, at + 4);
    this.epoch = uint64(table, at + 8);
    this.offset = uint64(table, at + 16);
    this.#at = at + PIECE_BYTES;
    return true;
  }
}
