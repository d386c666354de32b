/**
 * Memory for the tables that grow with the records: chunks cut from the same blocks that records
 * lie in. So a table grows without an allocation, and all together stays in the reserved space.
 *
 * Invariant: a block is held as long as one of its chunks is lent.
 */
import { invariant } from '../runtime/index.ts';
import { CHUNK_BYTES, CHUNK_WORDS, type ChunkSource } from './policy/index.ts';
import type { Slabs } from './slabs.ts';

export class TableMemory implements ChunkSource {
  readonly #slabs: Slabs;
  readonly #chunksPerBlock: number;
  /** By number of the block: its chunks that are not lent. */
  readonly #free = new Map<number, number[]>();
  /** Blocks that have such chunks. */
  readonly #open: number[] = [];
  #chunksLent = 0;

  constructor(slabs: Slabs) {
    this.#slabs = slabs;
    this.#chunksPerBlock = slabs.blockBytes / CHUNK_BYTES;
    invariant(Number.isInteger(this.#chunksPerBlock), 'a block is a number of whole chunks');
  }

  /** Memory held, lent or not. */
  get bytesHeld(): number {
    return this.#free.size * this.#slabs.blockBytes;
  }

  /** Memory held and not lent, in bytes. */
  get bytesSpare(): number {
    return this.bytesHeld - this.#chunksLent * CHUNK_BYTES;
  }

  take(): number {
    const block = this.#open.at(-1) ?? this.#addBlock();
    const free = this.#freeOf(block);
    const chunk = free.pop();
    invariant(chunk !== undefined, 'an open block has a chunk to lend');
    if (free.length === 0) this.#open.pop();
    this.#chunksLent++;
    return chunk;
  }

  words(chunk: number): Uint32Array {
    const block = Math.floor(chunk / this.#chunksPerBlock);
    const offset = (chunk % this.#chunksPerBlock) * CHUNK_BYTES;
    const slabs = this.#slabs;
    return new Uint32Array(slabs.buffer(block), slabs.offset(block) + offset, CHUNK_WORDS);
  }

  give(chunk: number): void {
    const block = Math.floor(chunk / this.#chunksPerBlock);
    const free = this.#freeOf(block);
    free.push(chunk);
    this.#chunksLent--;
    if (free.length === 1) this.#open.push(block);
    if (free.length < this.#chunksPerBlock) return;
    this.#open.splice(this.#open.indexOf(block), 1);
    this.#free.delete(block);
    this.#slabs.give(block);
  }

  #addBlock(): number {
    const block = this.#slabs.take();
    const first = block * this.#chunksPerBlock;
    this.#free.set(
      block,
      Array.from({ length: this.#chunksPerBlock }, (_, at) => first + at),
    );
    this.#open.push(block);
    return block;
  }

  #freeOf(block: number): number[] {
    const free = this.#free.get(block);
    invariant(free !== undefined, 'a chunk belongs to a block that is held');
    return free;
  }
}
