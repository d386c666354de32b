/**
 * How many records of each shard the node holds, and how large they are: exact, and kept as records
 * come and go, since the engine keeps them by key and not by slot.
 */
import { slotOfKey } from '../../cluster/index.ts';
import type { Domain, Engine, RecordObserver } from '../../engine/index.ts';

/** Of one domain, by shard. */
interface Sizes {
  readonly items: Float64Array;
  readonly bytes: Float64Array;
}

export class ShardSizes implements RecordObserver {
  #arena: Engine['arena'] | undefined;
  /** Undefined until there is a map: before, nothing can be stored. */
  #shardBySlot: Int16Array | undefined;
  #total: Sizes = sizesFor(1);
  /** By the domain's number. */
  readonly #byDomain: Array<Sizes | undefined> = [];

  /** Where the records are that it is told of. */
  watch(arena: Engine['arena']): void {
    this.#arena = arena;
  }

  /** The number of shards, and so their slots, stay the same while a cluster lives. */
  divide(shardBySlot: Int16Array, shards: number): void {
    this.#shardBySlot = shardBySlot;
    if (this.#total.items.length < shards) this.#total = sizesFor(shards);
  }

  bytes(shard: number): number {
    return this.#total.bytes[shard];
  }

  items(shard: number): number {
    return this.#total.items[shard];
  }

  itemsOf(domain: Domain, shard: number): number {
    return this.#byDomain[domain.id]?.items[shard] ?? 0;
  }

  added(domain: Domain, ref: number): void {
    this.#count(domain, ref, 1);
  }

  removed(domain: Domain, ref: number): void {
    this.#count(domain, ref, -1);
  }

  cleared(domain: Domain): void {
    const sizes = this.#byDomain[domain.id];
    if (sizes === undefined) return;
    for (let shard = 0; shard < sizes.items.length; shard++) {
      this.#total.items[shard] -= sizes.items[shard];
      this.#total.bytes[shard] -= sizes.bytes[shard];
    }
    this.#byDomain[domain.id] = undefined;
  }

  #count(domain: Domain, ref: number, records: number): void {
    const arena = this.#arena;
    if (arena === undefined || this.#shardBySlot === undefined) return;
    const start = arena.keyStart(ref);
    const slot = slotOfKey(arena.octets(ref), start, start + arena.keyLength(ref));
    const shard = this.#shardBySlot[slot];
    const bytes = arena.recordBytes(ref) * records;
    const total = this.#total;
    let own = this.#byDomain[domain.id];
    if (own === undefined) {
      own = sizesFor(total.items.length);
      this.#byDomain[domain.id] = own;
    }
    own.items[shard] += records;
    own.bytes[shard] += bytes;
    total.items[shard] += records;
    total.bytes[shard] += bytes;
  }
}

function sizesFor(shards: number): Sizes {
  return { items: new Float64Array(shards), bytes: new Float64Array(shards) };
}
