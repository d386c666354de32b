/** Plain binary records: big-endian numbers, and byte strings that carry their length. */
import { invariant } from '../runtime/invariant.ts';

const HIGH = 2 ** 32;
// One for all: to make one takes longer than most of what they are used for.
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Without a `DataView`: it would move each short array off the heap, which costs more than the rest. */
export class ByteWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  uint8(value: number): void {
    const at = this.#take(1);
    this.#bytes[at] = value;
  }

  uint16(value: number): void {
    const at = this.#take(2);
    this.#bytes[at] = value >>> 8;
    this.#bytes[at + 1] = value;
  }

  uint32(value: number): void {
    const at = this.#take(4);
    const bytes = this.#bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  /** A safe integer ≥ 0. */
  uint53(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, 'a safe integer that is not negative');
    this.uint32(Math.floor(value / HIGH));
    this.uint32(value % HIGH);
  }

  bytes(value: Uint8Array): void {
    this.uint32(value.length);
    const at = this.#take(value.length);
    this.#bytes.set(value, at);
  }

  text(value: string): void {
    this.bytes(encoder.encode(value));
  }

  /** What was written; the writer is then of no more use. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #take(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return start;
  }
}

/** Every read throws `InvariantError` where the bytes end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint8(): number {
    return this.#bytes[this.#take(1)];
  }

  uint16(): number {
    const at = this.#take(2);
    return (this.#bytes[at] << 8) | this.#bytes[at + 1];
  }

  uint32(): number {
    return readUint32(this.#bytes, this.#take(4));
  }

  uint53(): number {
    const value = this.uint32() * HIGH + this.uint32();
    invariant(Number.isSafeInteger(value), 'a number fits into 53 bits');
    return value;
  }

  /** A view of the source, not a copy. */
  bytes(): Uint8Array {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  text(): string {
    return decoder.decode(this.bytes());
  }

  #take(count: number): number {
    const start = this.#at;
    invariant(count <= this.#bytes.length - start, 'a record is not cut short');
    this.#at = start + count;
    return start;
  }
}

/** Big-endian. */
export function readUint32(bytes: Uint8Array, at: number): number {
  const low = (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  return ((bytes[at] << 24) | low) >>> 0;
}
