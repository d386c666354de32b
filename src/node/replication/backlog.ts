/**
 * The recent past of each shard's stream, kept so that a replica that was away goes on where it was.
 *
 * Positions in a stream are counted in bytes of effects since the shard was made. A backlog holds
 * whole effects in chunks, from some offset to the end. All backlogs of a node share one budget:
 * what is over it goes, the oldest chunk of the whole node first. Whoever still needed it takes a
 * full copy, so a slow replica costs no memory beyond the budget. One that is not slow was told
 * before: else a burst of writes would have all replicas drop what they have at one time.
 */
import { copyBytes, invariant } from '../../runtime/index.ts';

const CHUNK_BYTES_MIN = 4 * 1024;
const CHUNK_BYTES_MAX = 64 * 1024;
const SPARE_MAX = 16;

interface Chunk {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of its first byte, in the stream. */
  readonly offset: number;
  length: number;
}

/** The budget that backlogs share. */
export class BacklogPool {
  bytesMax: number;
  bytesUsed = 0;
  /** In the order in which chunks were begun. */
  #order: Array<{ readonly backlog: Backlog; readonly bytes: number }> = [];
  #first = 0;
  /** Whole chunks that went, for those to come: else each would bring the collector nearer. */
  readonly #spare: Array<Uint8Array<ArrayBuffer>> = [];
  readonly #onDrop: (backlog: Backlog, offset: number) => void;

  /** @param onDrop told before a backlog's oldest chunk goes, and with it all before `offset` */
  constructor(bytesMax: number, onDrop: (backlog: Backlog, offset: number) => void) {
    this.bytesMax = bytesMax;
    this.#onDrop = onDrop;
  }

  /** Memory for a chunk; what was in it before may still be there. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const spare = bytes === CHUNK_BYTES_MAX ? this.#spare.pop() : undefined;
    return spare ?? new Uint8Array(bytes);
  }

  /** A chunk was begun. */
  began(backlog: Backlog, bytes: number): void {
    this.bytesUsed += bytes;
    this.#order.push({ backlog, bytes });
    while (this.bytesUsed > this.bytesMax && this.#order.length - this.#first > 1)
      this.#dropOldest();
  }

  #dropOldest(): void {
    const { backlog, bytes } = this.#order[this.#first];
    this.#first++;
    this.bytesUsed -= bytes;
    this.#onDrop(backlog, backlog.firstEnd);
    const dropped = backlog.dropFirst();
    if (dropped.length === CHUNK_BYTES_MAX && this.#spare.length < SPARE_MAX) {
      this.#spare.push(dropped);
    }
    if (this.#first > 1024 && this.#first * 2 > this.#order.length) {
      this.#order = this.#order.slice(this.#first);
      this.#first = 0;
    }
  }

  /** A backlog is no more. */
  forget(of: Backlog): void {
    const kept = this.#order.slice(this.#first).filter(({ backlog }) => backlog !== of);
    this.bytesUsed = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#order = kept;
    this.#first = 0;
  }
}

export class Backlog {
  /** The offset of the next effect. */
  end: number;
  /** After `append`: where the effect's bytes go. */
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  /** After `read`: what was found, in `readBytes[readStart, readEnd)`. */
  readBytes: Uint8Array = this.bytes;
  readStart = 0;
  readEnd = 0;
  readonly #pool: BacklogPool;
  #chunks: Chunk[] = [];
  /** The one that is being filled. */
  #last: Chunk | undefined;

  constructor(pool: BacklogPool, offset: number) {
    this.#pool = pool;
    this.end = offset;
  }

  /** The offset of the first effect that is still held. */
  get start(): number {
    return this.#chunks.length === 0 ? this.end : this.#chunks[0].offset;
  }

  /** Where its oldest chunk ends. */
  get firstEnd(): number {
    const [first] = this.#chunks;
    return first.offset + first.length;
  }

  /** Makes room for an effect of so many bytes, to be written at `bytes[at]` at once. */
  append(length: number): void {
    let last = this.#last;
    if (last === undefined || last.length + length > last.bytes.length) {
      const wanted = last === undefined ? CHUNK_BYTES_MIN : last.bytes.length * 2;
      last = this.#begin(Math.max(length, Math.min(wanted, CHUNK_BYTES_MAX)));
    }
    this.bytes = last.bytes;
    this.at = last.length;
    last.length += length;
    this.end += length;
  }

  /** Appends whole effects as they are. */
  appendFrom(source: Uint8Array, start: number, end: number): void {
    this.append(end - start);
    copyBytes(source, start, this.bytes, this.at, end - start);
  }

  /** Counts an effect that nobody will ask for. What came before it is then of no use, either. */
  skip(length: number): void {
    if (this.#chunks.length > 0) this.clear(this.end);
    this.end += length;
  }

  /** Whether the stream from this offset on is all here. */
  holds(offset: number): boolean {
    return offset >= this.start && offset <= this.end;
  }

  /**
   * Finds effects from `offset` on: a whole number of them, at most a chunk.
   *
   * @returns false where there is none, or `offset` is not held
   */
  read(offset: number): boolean {
    if (offset >= this.end || offset < this.start) return false;
    const chunks = this.#chunks;
    let low = 0;
    let high = chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (chunks[middle].offset <= offset) low = middle;
      else high = middle - 1;
    }
    const chunk = chunks[low];
    this.readBytes = chunk.bytes;
    this.readStart = offset - chunk.offset;
    this.readEnd = chunk.length;
    return true;
  }

  /** Begins anew, with nothing, at this offset. */
  clear(offset: number): void {
    this.#pool.forget(this);
    this.#chunks = [];
    this.#last = undefined;
    this.end = offset;
  }

  /**
   * To be called by the pool alone.
   *
   * @returns the memory of the chunk
   */
  dropFirst(): Uint8Array<ArrayBuffer> {
    const first = this.#chunks.shift();
    invariant(first !== undefined, 'a chunk that is counted is held');
    if (first === this.#last) this.#last = undefined;
    return first.bytes;
  }

  #begin(capacity: number): Chunk {
    const chunk = { bytes: this.#pool.take(capacity), offset: this.end, length: 0 };
    this.#chunks.push(chunk);
    this.#last = chunk;
    this.#pool.began(this, capacity);
    return chunk;
  }
}
