/** Plain binary records: big-endian numbers, and byte strings that carry their length. */
import { invariant } from '../runtime/invariant.ts';

const HIGH = 2 ** 32;

export class ByteWriter {
  #bytes = new Uint8Array(64);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  uint8(value: number): void {
    const at = this.#take(1);
    this.#view.setUint8(at, value);
  }

  uint16(value: number): void {
    const at = this.#take(2);
    this.#view.setUint16(at, value);
  }

  uint32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value);
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
    this.bytes(new TextEncoder().encode(value));
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
      this.#view = new DataView(grown.buffer);
    }
    return start;
  }
}

/** Every read throws `InvariantError` where the bytes end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2));
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4));
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
    return new TextDecoder().decode(this.bytes());
  }

  #take(count: number): number {
    const start = this.#at;
    invariant(count <= this.#bytes.length - start, 'a record is not cut short');
    this.#at = start + count;
    return start;
  }
}
