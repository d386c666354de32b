/**
 * How a table that grows with the records gets its memory: in chunks of one size, from whoever has
 * set memory aside for them.
 */
export const CHUNK_BYTES = 16 * 1024;
export const CHUNK_WORDS = CHUNK_BYTES / 4;

export interface ChunkSource {
  /** The number of a chunk that is the caller's until `give`. Its words are anything. */
  take(): number;
  words(chunk: number): Uint32Array;
  give(chunk: number): void;
}

/** For tables whose owner sets nothing aside: memory as it is needed, which the heap takes back. */
export const UNPOOLED: ChunkSource = {
  take: () => 0,
  words: () => new Uint32Array(CHUNK_WORDS),
  give: () => {},
};
