/**
 * What a primary's stream consists of: the effects of commands, never the commands. Each says what a
 * key is from now on, whole, so that applying one twice changes nothing, and the last one counts.
 *
 *     SET   1 | namespace u32 | key length u32 | value length u32 | deadline f64 | key | value
 *     DEL   2 | namespace u32 | key length u32 | key
 *
 * Numbers are big-endian; a deadline is in milliseconds since 1970, 0: never.
 */
import { copyBytes } from '../../runtime/index.ts';
import { putUint32, putUint64, uint32, uint64 } from './integers.ts';

export const SET = 1;
export const DEL = 2;

const SET_HEADER_BYTES = 21;
const DEL_HEADER_BYTES = 9;

export function setBytes(keyLength: number, valueLength: number): number {
  return SET_HEADER_BYTES + keyLength + valueLength;
}

export function delBytes(keyLength: number): number {
  return DEL_HEADER_BYTES + keyLength;
}

/** Writes a SET of `setBytes` bytes at `at`; in `source` the value follows the key. */
export function writeSet(
  bytes: Uint8Array,
  at: number,
  namespace: number,
  source: Uint8Array,
  keyStart: number,
  keyLength: number,
  valueLength: number,
  deadlineMs: number,
): void {
  bytes[at] = SET;
  putUint32(bytes, at + 1, namespace);
  putUint32(bytes, at + 5, keyLength);
  putUint32(bytes, at + 9, valueLength);
  putUint64(bytes, at + 13, deadlineMs);
  copyBytes(source, keyStart, bytes, at + SET_HEADER_BYTES, keyLength + valueLength);
}

/** Writes a DEL of `delBytes` bytes at `at`. */
export function writeDel(
  bytes: Uint8Array,
  at: number,
  namespace: number,
  source: Uint8Array,
  keyStart: number,
  keyLength: number,
): void {
  bytes[at] = DEL;
  putUint32(bytes, at + 1, namespace);
  putUint32(bytes, at + 5, keyLength);
  copyBytes(source, keyStart, bytes, at + DEL_HEADER_BYTES, keyLength);
}

/** Goes through effects in place, without allocating. */
export class EffectReader {
  kind: typeof SET | typeof DEL = SET;
  namespace = 0;
  keyStart = 0;
  keyLength = 0;
  valueStart = 0;
  valueLength = 0;
  deadlineMs = 0;

  /**
   * Reads the effect that begins at `at`.
   *
   * @returns where the next one begins; -1 where there is no whole effect before `end`
   */
  next(bytes: Uint8Array, at: number, end: number): number {
    const kind = bytes[at];
    const headerBytes = kind === SET ? SET_HEADER_BYTES : DEL_HEADER_BYTES;
    if ((kind !== SET && kind !== DEL) || at + headerBytes > end) return -1;
    this.kind = kind;
    this.namespace = uint32(bytes, at + 1);
    this.keyLength = uint32(bytes, at + 5);
    this.keyStart = at + headerBytes;
    this.valueStart = this.keyStart + this.keyLength;
    if (kind === SET) {
      this.valueLength = uint32(bytes, at + 9);
      this.deadlineMs = uint64(bytes, at + 13);
    } else {
      this.valueLength = 0;
      this.deadlineMs = 0;
    }
    const next = this.valueStart + this.valueLength;
    return next > end ? -1 : next;
  }
}
