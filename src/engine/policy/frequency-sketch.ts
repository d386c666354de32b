/**
 * What is remembered of keys that are not resident: how often each was used, 0 to 15, in four-bit
 * counters. A count-min sketch (Cormode and Muthukrishnan, 2005), blocked so that a key's four
 * counters share one cache line of 64 bytes (Putze, Sanders and Singler, 2007).
 *
 * A frequency read back is never below what was put in, and may be above it.
 *
 * Counters lie in chunks of up to 16 KiB, so that neither halving nor growth is done in one go:
 *
 * - Each chunk knows how many halvings it has been through, and catches up when next touched.
 * - In a sketch of twice the size, a key is found at its old place or at that place of the upper
 *   half, which begins as a copy of the lower half. So to double it is to double the directory; a
 *   chunk that stands there more than once is copied when it is next written.
 */
import { CHUNK_BYTES, UNPOOLED, type ChunkSource } from './table-chunks.ts';

const BLOCK_BYTES = 64;
const BLOCK_WORDS_LOG2 = 4;
const CHUNK_BLOCKS_MAX = CHUNK_BYTES / BLOCK_BYTES;
const BLOCKS_MIN = 16;
export const FREQUENCY_MAX = 15;
/** After this many halvings nothing is left of any counter. */
const HALVINGS_TO_ZERO = 4;
const DIRECTORY_ENTRY_BYTES = 8;

interface Chunk {
  readonly words: Uint32Array;
  /** What the memory's owner knows it by; -1 below full size. */
  readonly number: number;
  /** How many halvings its counters have been through. */
  halvings: number;
  /** In how many places of the directory it stands. */
  places: number;
}

export class FrequencySketch {
  readonly #memory: ChunkSource;
  #chunks: Chunk[] = [];
  #blockMask = 0;
  /** A block's number: the chunk's place in the directory above, the block in its chunk below. */
  #chunkShift = 0;
  #halvings = 0;

  constructor(memory: ChunkSource = UNPOOLED) {
    this.#memory = memory;
    this.clear();
  }

  /**
   * Memory that it holds or is going to hold, in bytes: chunks are shared until they are written,
   * which goes fast once records begin to be evicted, when memory is short.
   */
  get bytes(): number {
    return this.counterBytes + this.#chunks.length * DIRECTORY_ENTRY_BYTES;
  }

  /** Its size as far as accuracy goes: that of all chunks, were none shared. */
  get counterBytes(): number {
    return (this.#blockMask + 1) * BLOCK_BYTES;
  }

  /** How often the key was used, by what was last put in and halved since. */
  frequency(hash: number): number {
    const block = hash & this.#blockMask;
    const { words } = this.#current(block >>> this.#chunkShift);
    const row = this.#firstWord(block);
    const spread = mix(hash);
    return Math.min(
      counterAt(words, row, spread),
      counterAt(words, row + 4, spread >>> 5),
      counterAt(words, row + 8, spread >>> 10),
      counterAt(words, row + 12, spread >>> 15),
    );
  }

  /** Remembers that the key was used this often: 1 to 15. */
  raise(hash: number, frequency: number): void {
    const block = hash & this.#blockMask;
    const words = this.#writable(block >>> this.#chunkShift);
    const row = this.#firstWord(block);
    const spread = mix(hash);
    raiseAt(words, row, spread, frequency);
    raiseAt(words, row + 4, spread >>> 5, frequency);
    raiseAt(words, row + 8, spread >>> 10, frequency);
    raiseAt(words, row + 12, spread >>> 15, frequency);
  }

  /** Halves all frequencies, rounding down. */
  halve(): void {
    this.#halvings++;
  }

  /** Makes it twice as large; no frequency changes. */
  double(): void {
    if (this.#blockMask + 1 < CHUNK_BLOCKS_MAX) {
      const { words, halvings } = this.#chunks[0];
      const doubled = this.#newChunk(words.byteLength * 2, halvings);
      doubled.words.set(words);
      doubled.words.set(words, words.length);
      this.#chunks = [doubled];
      this.#chunkShift++;
    } else {
      for (const chunk of this.#chunks) chunk.places++;
      this.#chunks = this.#chunks.concat(this.#chunks);
    }
    this.#blockMask = this.#blockMask * 2 + 1;
  }

  /** Forgets everything and gives the memory back. */
  clear(): void {
    for (const chunk of this.#chunks) {
      if (--chunk.places === 0 && chunk.number >= 0) this.#memory.give(chunk.number);
    }
    this.#chunks = [this.#newChunk(BLOCKS_MIN * BLOCK_BYTES, 0)];
    this.#blockMask = BLOCKS_MIN - 1;
    this.#chunkShift = Math.log2(BLOCKS_MIN);
    this.#halvings = 0;
  }

  #firstWord(block: number): number {
    return (block & ((1 << this.#chunkShift) - 1)) << BLOCK_WORDS_LOG2;
  }

  #current(place: number): Chunk {
    const chunk = this.#chunks[place];
    if (chunk.halvings !== this.#halvings) halveChunk(chunk, this.#halvings);
    return chunk;
  }

  #writable(place: number): Uint32Array {
    const chunk = this.#current(place);
    if (chunk.places === 1) return chunk.words;
    chunk.places--;
    const copy = this.#newChunk(chunk.words.byteLength, chunk.halvings);
    copy.words.set(chunk.words);
    this.#chunks[place] = copy;
    return copy.words;
  }

  #newChunk(bytes: number, halvings: number): Chunk {
    const number = bytes === CHUNK_BYTES ? this.#memory.take() : -1;
    const words = number < 0 ? new Uint32Array(bytes >>> 2) : this.#memory.words(number);
    return { words, number, halvings, places: 1 };
  }
}

function halveChunk(chunk: Chunk, halvings: number): void {
  const { words } = chunk;
  const shift = Math.min(halvings - chunk.halvings, HALVINGS_TO_ZERO);
  const keep = (FREQUENCY_MAX >>> shift) * 0x1111_1111;
  for (let i = 0; i < words.length; i++) words[i] = (words[i] >>> shift) & keep;
  chunk.halvings = halvings;
}

/** Further bits of a key, of which twenty choose its four counters. The finalizer of MurmurHash3. */
function mix(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}

/** A row is four words of eight counters, and five bits of `spread` choose one of them. */
function counterAt(words: Uint32Array, row: number, spread: number): number {
  return (words[row + ((spread >>> 3) & 3)] >>> ((spread & 7) << 2)) & FREQUENCY_MAX;
}

function raiseAt(words: Uint32Array, row: number, spread: number, frequency: number): void {
  const word = row + ((spread >>> 3) & 3);
  const shift = (spread & 7) << 2;
  const present = (words[word] >>> shift) & FREQUENCY_MAX;
  if (present < frequency) words[word] += (frequency - present) << shift;
}
