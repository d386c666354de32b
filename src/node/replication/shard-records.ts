/**
 * The records of shards in the engine: walking, clearing and comparing them, in steps that are short
 * enough to come between clients.
 *
 * The engine keeps records by key and not by slot, so each walk looks at all of a node's records;
 * several shards are better walked together than one after another.
 */
import { slotOfKey, type ShardId } from '../../cluster/index.ts';
import type { Domain, Engine } from '../../engine/index.ts';

/** Index buckets, about as many as records, that one step looks into. */
export const WALK_BUCKETS = 512;

/** After a step a walk that is waited for rests this part of the time that the step took. */
export const RESTS_A_STEP = 0.5;

/** What a node's key spaces are called in a stream, where they have numbers of the cluster's. */
export interface KeySpaces {
  readonly engine: Engine;
  all(): Iterable<Domain>;
  /** Undefined where there is no such namespace (any more). */
  numbered(namespace: number): Domain | undefined;
  numberOf(domain: Domain): number;
}

/** Of the memory, or of what a domain may have, the part that is left when it becomes short. */
const ROOM_SHARE = 0.25;

/** Whether records may have to be evicted before long, of the node's or of some domain's. */
export function isMemoryShort({ engine, all }: KeySpaces): boolean {
  if (engine.usedBytes > engine.memoryBytes * (1 - ROOM_SHARE)) return true;
  for (const domain of all()) {
    if (domain.isFullFor(domain.bytesLimit * ROOM_SHARE)) return true;
  }
  return false;
}

/** Goes once through all records of some slots. */
export class ShardWalk {
  readonly #spaces: KeySpaces;
  readonly #shardOf: (slot: number) => ShardId | undefined;
  readonly #visit: (domain: Domain, ref: number, shard: ShardId) => void;
  readonly #domains: Domain[];
  #cursor = 0;
  /** What the bucket held that is to be visited: as many of these as were found. */
  readonly #refs: number[] = [];
  readonly #shards: ShardId[] = [];
  #found = 0;

  /**
   * @param shardOf the shard to walk that a slot belongs to; undefined: the record is passed over
   * @param visit may remove or replace the record that it is given, and no other
   */
  constructor(
    spaces: KeySpaces,
    shardOf: (slot: number) => ShardId | undefined,
    visit: (domain: Domain, ref: number, shard: ShardId) => void,
  ) {
    this.#spaces = spaces;
    this.#shardOf = shardOf;
    this.#visit = visit;
    this.#domains = [...spaces.all()];
  }

  get isDone(): boolean {
    return this.#domains.length === 0;
  }

  /** @returns whether all was seen */
  step(bucketsMax: number): boolean {
    const { engine } = this.#spaces;
    for (let buckets = 0; buckets < bucketsMax && this.#domains.length > 0; buckets++) {
      const [domain] = this.#domains;
      this.#cursor = engine.scan(domain, this.#cursor, this.#collect);
      // Only now, since what is done to a record may change the chain that it is in.
      for (let index = 0; index < this.#found; index++) {
        this.#visit(domain, this.#refs[index], this.#shards[index]);
      }
      this.#found = 0;
      if (this.#cursor === 0) this.#domains.shift();
    }
    return this.isDone;
  }

  readonly #collect = (ref: number): void => {
    const { arena } = this.#spaces.engine;
    const start = arena.keyStart(ref);
    const slot = slotOfKey(arena.octets(ref), start, start + arena.keyLength(ref));
    const shard = this.#shardOf(slot);
    if (shard === undefined) return;
    this.#refs[this.#found] = ref;
    this.#shards[this.#found] = shard;
    this.#found++;
  };
}

/** What two copies of a shard are compared by. */
export interface ShardDigest {
  readonly digest: number;
  readonly items: number;
}

/**
 * For each shard a number that two copies share if, and (but for 1 in 2^52) only if, they have the
 * same keys with the same values and deadlines. What has expired does not count.
 */
export function digestShards(
  spaces: KeySpaces,
  shardOf: (slot: number) => ShardId | undefined,
): Map<ShardId, ShardDigest> {
  const digests = new Map<ShardId, ShardDigest>();
  const { arena } = spaces.engine;
  const walk = new ShardWalk(spaces, shardOf, (domain, ref, shard) => {
    const octets = arena.octets(ref);
    const start = arena.keyStart(ref);
    const end = arena.valueStart(ref) + arena.valueLength(ref);
    const seed = Math.imul(spaces.numberOf(domain) + 1, 0x9e37_79b1) ^ arena.keyLength(ref);
    const high = fold(octets, start, end, seed);
    const low = fold(octets, start, end, high ^ (arena.deadline(ref) % 0xffff_ffff));
    const { digest, items } = digests.get(shard) ?? { digest: 0, items: 0 };
    // A sum, since the order of the records does not matter.
    const sum = (Math.floor(digest / HALF) + high) % HALF;
    digests.set(shard, { digest: sum * HALF + ((digest + low) % HALF), items: items + 1 });
  });
  while (!walk.step(WALK_BUCKETS));
  return digests;
}

const HALF = 2 ** 26;

/** 32 mixed bits of the bytes: FNV-1a with a final avalanche. */
function fold(octets: Uint8Array, start: number, end: number, seed: number): number {
  let hash = 0x811c_9dc5 ^ seed;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ octets[at], 0x0100_0193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
