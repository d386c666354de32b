/**
 * A map from string keys to values, in the order of its keys, that can be frozen in no time.
 *
 * The entries lie in chunks of at most `CHUNK_ITEMS`, each sorted, and the chunks in one array: two
 * binary searches find a key, a prefix is a run of neighbours, and an insertion moves one chunk's
 * worth of pointers. `freeze` shares all chunks with a view that never changes again; from then on
 * a chunk is copied before the first write to it. So a snapshot of a large store can be written
 * while commits go on, at the price of copying what they touch.
 *
 * Invariants: keys ascend strictly over all chunks; no chunk is empty.
 */
import { invariant } from '../../runtime/index.ts';

const CHUNK_ITEMS = 256;

interface Chunk<Value> {
  readonly keys: string[];
  readonly values: Value[];
  /** The map's when the chunk was made: an older one may be shared with a view. */
  readonly generation: number;
}

/** The map as it was when it was frozen. */
export interface SortedView<Value> {
  readonly size: number;
  get(key: string): Value | undefined;
  /** In the order of the keys: those not before `from`. */
  from(from: string): Generator<readonly [string, Value]>;
}

export class SortedMap<Value> implements SortedView<Value> {
  #chunks: Chunk<Value>[] = [];
  #size = 0;
  #generation = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): Value | undefined {
    return find(this.#chunks, key);
  }

  /** Good until the next change. */
  from(from: string): Generator<readonly [string, Value]> {
    return walk(this.#chunks, from);
  }

  set(key: string, value: Value): void {
    if (this.#chunks.length === 0) {
      this.#chunks.push({ keys: [key], values: [value], generation: this.#generation });
      this.#size = 1;
      return;
    }
    const place = chunkOf(this.#chunks, key);
    const chunk = this.#own(place);
    const at = lowerBound(chunk.keys, key);
    if (chunk.keys[at] === key) {
      chunk.values[at] = value;
      return;
    }
    chunk.keys.splice(at, 0, key);
    chunk.values.splice(at, 0, value);
    this.#size++;
    if (chunk.keys.length > CHUNK_ITEMS) this.#split(place, chunk);
  }

  /** @returns whether it was there */
  delete(key: string): boolean {
    if (find(this.#chunks, key) === undefined) return false;
    const place = chunkOf(this.#chunks, key);
    const chunk = this.#own(place);
    const at = lowerBound(chunk.keys, key);
    chunk.keys.splice(at, 1);
    chunk.values.splice(at, 1);
    this.#size--;
    if (chunk.keys.length === 0) this.#chunks.splice(place, 1);
    else if (chunk.keys.length < CHUNK_ITEMS / 4) this.#join(place);
    return true;
  }

  clear(): void {
    this.#chunks = [];
    this.#size = 0;
  }

  freeze(): SortedView<Value> {
    const chunks = [...this.#chunks];
    const size = this.#size;
    this.#generation++;
    return {
      size,
      get: (key) => find(chunks, key),
      from: (from) => walk(chunks, from),
    };
  }

  /** The chunk at `place`, to be written to. */
  #own(place: number): Chunk<Value> {
    const chunk = this.#chunks[place];
    if (chunk.generation === this.#generation) return chunk;
    const owned = {
      keys: [...chunk.keys],
      values: [...chunk.values],
      generation: this.#generation,
    };
    this.#chunks[place] = owned;
    return owned;
  }

  #split(place: number, chunk: Chunk<Value>): void {
    // A key that ends the map is likely to be one of many that ascend: leave full chunks behind.
    const isLast = place === this.#chunks.length - 1;
    const cut = isLast ? CHUNK_ITEMS - 1 : CHUNK_ITEMS / 2;
    const keys = chunk.keys.splice(cut);
    const values = chunk.values.splice(cut);
    this.#chunks.splice(place + 1, 0, { keys, values, generation: this.#generation });
  }

  /** Puts a small chunk and the one after it together, if they are one chunk's worth. */
  #join(place: number): void {
    const first = place + 1 < this.#chunks.length ? place : place - 1;
    if (first < 0) return;
    const next = this.#chunks[first + 1];
    if (this.#chunks[first].keys.length + next.keys.length > CHUNK_ITEMS / 2) return;
    const chunk = this.#own(first);
    chunk.keys.push(...next.keys);
    chunk.values.push(...next.values);
    this.#chunks.splice(first + 1, 1);
    invariant(chunk.keys.length <= CHUNK_ITEMS, 'joined chunks fit into one');
  }
}

function find<Value>(chunks: readonly Chunk<Value>[], key: string): Value | undefined {
  if (chunks.length === 0) return undefined;
  const { keys, values } = chunks[chunkOf(chunks, key)];
  const at = lowerBound(keys, key);
  return keys[at] === key ? values[at] : undefined;
}

function* walk<Value>(
  chunks: readonly Chunk<Value>[],
  from: string,
): Generator<readonly [string, Value]> {
  if (chunks.length === 0) return;
  let place = chunkOf(chunks, from);
  let at = lowerBound(chunks[place].keys, from);
  for (; place < chunks.length; place++, at = 0) {
    const { keys, values } = chunks[place];
    for (; at < keys.length; at++) yield [keys[at], values[at]];
  }
}

/** The last chunk that does not begin after `key`; the first where all do. */
function chunkOf(chunks: readonly Chunk<unknown>[], key: string): number {
  let low = 0;
  let high = chunks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (chunks[middle].keys[0] <= key) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The first place whose key is not before `key`. */
function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
