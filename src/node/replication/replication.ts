/**
 * A node's part in replication: all shards it holds, in whatever role, and the links to other nodes.
 *
 * As a primary it writes down the effect of each change, and sends it to whoever follows; as a
 * follower it applies what it is sent. The map decides which; `applyMap` makes it so.
 *
 * Guarantees: an effect is in a shard's stream before any reply says that the command was carried
 * out; a follower that is whole has, at each offset, exactly what its primary had there, less what
 * has expired; no frame of a primary that was replaced changes a copy.
 */
import {
  asEpoch,
  roleOf,
  SLOT_COUNT,
  shardBySlot,
  slotOfKey,
  type Epoch,
  type NodeId,
  type Shard,
  type ShardId,
  type ShardMap,
} from '../../cluster/index.ts';
import type { Domain } from '../../engine/index.ts';
import type { Address, Connection, Listener, Runtime, SystemError } from '../../runtime/index.ts';
import { BacklogPool } from './backlog.ts';
import { EffectScout } from './effect-scout.ts';
import { DEL, delBytes, EffectReader, SET, setBytes, writeDel, writeSet } from './effects.ts';
import {
  FOLLOWER_RULES,
  FollowerLink,
  type FollowerHost,
  type FollowerRules,
} from './follower-link.ts';
import { HeldShard } from './held-shard.ts';
import { ShardChores } from './shard-chores.ts';
import { isMemoryShort, WALK_BUCKETS, type KeySpaces } from './shard-records.ts';
import {
  SOURCE_RULES,
  SourceLink,
  type LinkFacts,
  type SourceHost,
  type SourceRules,
} from './source-link.ts';
import { NOTHING, type StreamPosition } from './stream-history.ts';

export interface ReplicationOptions {
  readonly runtime: Runtime;
  readonly spaces: ReplicatedSpaces;
  /** Undefined until it is known: before, nobody is followed, and nobody may follow. */
  readonly clusterId: () => string | undefined;
  readonly nodeId: NodeId;
  /** What nodes of one cluster know; empty: nothing is asked. */
  readonly token: string;
  readonly backlogBytesMax: number;
  /** Index buckets, about as many as records, that one step of a walk looks into. Default 512. */
  readonly walkBuckets?: number;
  /** What the shard's records come to. */
  readonly bytesOf: (shard: ShardId) => number;
  readonly itemsOf: (shard: ShardId) => number;
  /** Monotonic, as of the batch under way. */
  readonly nowUs: () => number;
  /** Brings the engine's clock up to date, before effects are applied. */
  readonly onBatch: () => void;
  /** Calls back at the end of the event loop's turn that is under way. */
  readonly afterReplies: (callback: () => void) => void;
  /** A key was changed by a primary elsewhere. */
  readonly onApplied: (domain: Domain, bytes: Uint8Array, start: number, end: number) => void;
  readonly rules?: Partial<ReplicationRules>;
}

export interface ReplicatedSpaces extends KeySpaces {
  /** Whether this namespace was there and is gone, rather than not there yet. */
  wasRemoved(namespace: number): boolean;
}

/** Replaced by tests, which put mistakes in their place. */
export interface ReplicationRules extends SourceRules, FollowerRules {
  /** Whether a removal goes into the stream. */
  streamsRemoval(held: HeldShard): boolean;
}

const REPLICATION_RULES: ReplicationRules = Object.freeze({
  ...SOURCE_RULES,
  ...FOLLOWER_RULES,
  streamsRemoval: () => true,
});

/** How to reach the nodes that the map names. */
export type NodeAddresses = ReadonlyMap<NodeId, Address>;

/**
 * A frame costs as much as several effects, at both ends: what comes within this time goes in one,
 * or what is so much, where it comes sooner.
 */
const GATHER_MS = 2;
const GATHER_BYTES = 64 * 1024;

interface Waiter {
  readonly offset: number;
  readonly count: number;
  /** @param isAcked false where this node is no longer to acknowledge it */
  readonly done: (isAcked: boolean) => void;
}

export class Replication {
  /** Told of a shard that can be served now that nothing is left of an earlier time. */
  onCleared: ((held: HeldShard) => void) | undefined;
  /** Told of a copy that has become whole, and of a shard that this node leads from now on. */
  onProgress: (() => void) | undefined;
  readonly #options: ReplicationOptions;
  readonly #rules: ReplicationRules;
  readonly #pool: BacklogPool;
  readonly #held = new Map<ShardId, HeldShard>();
  readonly #bySlot: Array<HeldShard | undefined> = Array.from(
    { length: SLOT_COUNT },
    () => undefined,
  );
  readonly #sources = new Set<SourceLink>();
  readonly #links = new Map<NodeId, FollowerLink>();
  readonly #throttles = new Map<ShardId, number>();
  readonly #waiters = new Map<HeldShard, Waiter[]>();
  readonly #reader = new EffectReader();
  readonly #scout: EffectScout;
  readonly #chores: ShardChores;
  readonly #sourceHost: SourceHost;
  readonly #followerHost: FollowerHost;
  #willPump = false;
  #gatheredBytes = 0;
  #willHurry = false;
  #listener: Listener | undefined;
  /** Records that a follower had no room for: misses, should it become primary. */
  recordsWithoutRoom = 0;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#rules = { ...REPLICATION_RULES, ...options.rules };
    this.#pool = new BacklogPool(options.backlogBytesMax, (backlog, offset) => {
      for (const source of this.#sources) source.sendAhead(backlog, offset);
    });
    const { runtime, spaces, clusterId, nodeId, token, bytesOf } = options;
    const walkBuckets = options.walkBuckets ?? WALK_BUCKETS;
    this.#scout = new EffectScout(spaces);
    this.#chores = new ShardChores({
      ...{ runtime, spaces, walkBuckets, itemsOf: options.itemsOf },
      isPrimary: (shard) => this.#held.get(shard)?.role === 'primary',
      isMemoryShort: () => isMemoryShort(spaces),
    });
    this.#sourceHost = {
      ...{ runtime, spaces, clusterId, nodeId, token, bytesOf },
      walkBuckets,
      rules: this.#rules,
      held: (shard) => this.#held.get(shard),
      throttleOf: (shard) => this.#throttles.get(shard),
      onAck: (held) => this.#acked(held),
      onClose: (link) => this.#sourceClosed(link),
    };
    this.#followerHost = {
      ...{ runtime, clusterId, nodeId, token },
      rules: this.#rules,
      begin: () => {
        options.onBatch();
        this.#scout.begin();
      },
      apply: (held, effects, start, end) => this.#apply(held, effects, start, end),
      clear: (held, done) => this.#chores.begin(held.id, { kind: 'clear', done }),
      onWhole: () => this.onProgress?.(),
    };
  }

  /** Takes followers from now on; `done` gets the error where that fails. */
  listen(address: Address, done: (error: SystemError | undefined) => void): void {
    let isListening = false;
    const { runtime } = this.#options;
    runtime.network.listen(address, {
      onListening: (listener) => {
        isListening = true;
        this.#listener = listener;
        done(undefined);
      },
      onConnection: (connection) => this.#accept(connection),
      onError: (error) => {
        if (!isListening) done(error);
        else runtime.log.write('error', `cannot accept followers: ${error.message}`);
      },
    });
  }

  stop(done: () => void): void {
    this.#chores.stop();
    for (const link of this.#links.values()) link.close();
    for (const source of this.#sources) source.close('this node stops');
    if (this.#listener === undefined) done();
    else this.#listener.close(done);
  }

  /** Where followers find it: the one that was given, where 0 was asked for. */
  get port(): number {
    return this.#listener?.address.port ?? 0;
  }

  held(shard: ShardId): HeldShard | undefined {
    return this.#held.get(shard);
  }

  get shards(): Iterable<HeldShard> {
    return this.#held.values();
  }

  /** The shard of a slot that this node holds, in whatever role. */
  ofSlot(slot: number): HeldShard | undefined {
    return this.#bySlot[slot];
  }

  get backlogBytes(): number {
    return this.#pool.bytesUsed;
  }

  /** The connections with other nodes. */
  links(): Array<LinkFacts & { readonly node: NodeId; readonly direction: 'to' | 'from' }> {
    const to = [...this.#links.values()].flatMap(({ node, facts }) =>
      facts === undefined ? [] : [{ ...facts, node, direction: 'to' as const }],
    );
    const from = [...this.#sources].flatMap(({ node, facts }) =>
      node === undefined ? [] : [{ ...facts, node, direction: 'from' as const }],
    );
    return [...to, ...from];
  }

  /** Takes up the roles that the map gives, and gives up all others. */
  applyMap(map: ShardMap, addresses: NodeAddresses): void {
    const { nodeId } = this.#options;
    const wanted = new Set<NodeId>();
    this.#chores.shardBySlot = shardBySlot(map);
    for (const shard of map.shards) {
      const role = roleOf(shard, nodeId);
      if (role === undefined) {
        this.#release(shard.id);
        continue;
      }
      const held = this.#hold(shard, role);
      held.setMembers(shard.replicas, shard.learners);
      if (shard.primary !== null && role !== 'primary') wanted.add(shard.primary);
    }
    for (const [node, link] of this.#links) {
      const address = addresses.get(node);
      const isMoved = address?.host !== link.isAt.host || address.port !== link.isAt.port;
      if (wanted.has(node) && !isMoved) continue;
      link.close();
      this.#links.delete(node);
      for (const held of this.#held.values()) if (held.primary === node) held.primary = undefined;
    }
    for (const shard of map.shards) this.#followAsMapped(shard, addresses);
    this.#dropGoneFollowers(map);
  }

  #hold(shard: Shard, role: HeldShard['role']): HeldShard {
    let held = this.#held.get(shard.id);
    if (held === undefined) {
      held = new HeldShard(shard, role, this.#pool);
      this.#held.set(shard.id, held);
      this.#bySlot.fill(held, shard.slotFirst, shard.slotLast + 1);
      if (role === 'primary') this.#lead(held, shard.epoch);
      return held;
    }
    if (held.role === role && held.epoch === shard.epoch) return held;
    if (role === 'primary') {
      this.#lead(held, shard.epoch);
    } else if (held.role !== 'primary' && held.epoch === shard.epoch) {
      // It goes on following as it did: only what it counts for is another thing.
      held.role = role;
    } else {
      if (held.role === 'primary') this.#stepDown(held);
      held.follow(role, shard.epoch);
      held.primary = undefined;
    }
    return held;
  }

  #lead(held: HeldShard, epoch: Epoch): void {
    const link = held.primary === undefined ? undefined : this.#links.get(held.primary);
    link?.unfollow(held.id);
    held.primary = undefined;
    // Half a copy is no state that the shard ever had: better nothing than that.
    const mustClear = !held.isWhole || this.#chores.isClearing(held.id);
    held.lead(epoch, this.#options.runtime.clock.monotonicUs());
    this.#dropSources(held);
    this.onProgress?.();
    if (!mustClear) {
      this.#chores.begin(held.id, { kind: 'adopt' });
      return;
    }
    held.isClearing = true;
    this.#chores.begin(held.id, {
      kind: 'clear',
      done: () => {
        held.isClearing = false;
        this.onCleared?.(held);
      },
    });
  }

  #stepDown(held: HeldShard): void {
    this.#dropSources(held);
    // A shard that is held back goes only to who has all that was written to it.
    this.#endWaits(held, held.isFrozen);
  }

  #followAsMapped(shard: Shard, addresses: NodeAddresses): void {
    const held = this.#held.get(shard.id);
    if (held === undefined || held.role === 'primary') return;
    const { primary } = shard;
    if (held.primary === primary && held.isFollowedSince === shard.epoch) return;
    if (held.primary !== undefined) this.#links.get(held.primary)?.unfollow(held.id);
    held.primary = undefined;
    if (primary === null) return;
    const address = addresses.get(primary);
    if (address === undefined) return;
    let link = this.#links.get(primary);
    if (link === undefined) {
      link = new FollowerLink(this.#followerHost, primary, address);
      this.#links.set(primary, link);
    }
    held.primary = primary;
    held.isFollowedSince = shard.epoch;
    link.follow(held);
  }

  /** What is not held any more is removed, in steps. */
  #release(shard: ShardId): void {
    const held = this.#held.get(shard);
    if (held === undefined) return;
    if (held.primary !== undefined) this.#links.get(held.primary)?.unfollow(shard);
    if (held.role === 'primary') this.#stepDown(held);
    this.#held.delete(shard);
    this.#bySlot.fill(undefined, held.slotFirst, held.slotLast + 1);
    held.backlog.clear(0);
    this.#chores.begin(shard, { kind: 'clear' });
  }

  #dropSources(held: HeldShard): void {
    for (const source of this.#sources) source.drop(held.id);
  }

  /**
   * What waits for replicas waits in vain: unless the shard was handed over with all of it. Told once
   * this node has taken up the whole map that made it so: whoever waits goes on with its next command.
   */
  #endWaits(held: HeldShard, isAcked: boolean): void {
    const waiters = this.#waiters.get(held);
    if (waiters === undefined) return;
    this.#waiters.delete(held);
    this.#options.runtime.timers.defer(() => {
      for (const { done } of waiters) done(isAcked);
    });
  }

  /** Of nodes that the map no longer names for a shard nothing is waited for. */
  #dropGoneFollowers(map: ShardMap): void {
    for (const shard of map.shards) {
      const held = this.#held.get(shard.id);
      if (held?.role !== 'primary') continue;
      for (const node of held.followers.keys()) {
        if (held.watchers.has(node)) continue;
        held.followers.delete(node);
        for (const source of this.#sources) if (source.node === node) source.drop(held.id);
      }
    }
  }

  /**
   * The key in `bytes[start, end)`, of this slot, has a new value or deadline, or is gone, by a
   * command. Writes down what it is now.
   *
   * @param ref its record; 0: it is gone
   * @returns the shard, whose stream now ends after this change
   */
  changed(
    domain: Domain,
    bytes: Uint8Array,
    start: number,
    end: number,
    slot: number,
    ref: number,
  ): HeldShard | undefined {
    const held = this.#bySlot[slot];
    if (held?.role !== 'primary') return undefined;
    held.writes++;
    if (ref === 0) this.#streamRemoval(held, domain, bytes, start, end - start);
    else this.#streamRecord(held, domain, ref);
    return held;
  }

  /** A record goes by itself: it has expired, or was evicted. */
  removed(domain: Domain, octets: Uint8Array, start: number, length: number): void {
    const held = this.#bySlot[slotOfKey(octets, start, start + length)];
    // What goes while the position must stay goes at the follower by itself, or stays a hit.
    if (held?.role !== 'primary' || held.isFrozen) return;
    this.#streamRemoval(held, domain, octets, start, length);
  }

  #streamRemoval(
    held: HeldShard,
    domain: Domain,
    bytes: Uint8Array,
    start: number,
    length: number,
  ): void {
    if (!this.#rules.streamsRemoval(held)) return;
    const effectBytes = delBytes(length);
    const { backlog } = held;
    this.#noteGrowth(held);
    if (!held.isWatched) {
      backlog.skip(effectBytes);
      return;
    }
    backlog.append(effectBytes);
    const namespace = this.#options.spaces.numberOf(domain);
    writeDel(backlog.bytes, backlog.at, namespace, bytes, start, length);
    this.#pumpSoon(effectBytes);
  }

  #streamRecord(held: HeldShard, domain: Domain, ref: number): void {
    const { arena } = this.#options.spaces.engine;
    const keyLength = arena.keyLength(ref);
    const valueLength = arena.valueLength(ref);
    const effectBytes = setBytes(keyLength, valueLength);
    const { backlog } = held;
    this.#noteGrowth(held);
    if (!held.isWatched) {
      backlog.skip(effectBytes);
      return;
    }
    backlog.append(effectBytes);
    writeSet(
      backlog.bytes,
      backlog.at,
      this.#options.spaces.numberOf(domain),
      arena.octets(ref),
      arena.keyStart(ref),
      keyLength,
      valueLength,
      arena.deadline(ref),
    );
    this.#pumpSoon(effectBytes);
  }

  /** Also where nobody follows: tenants may bound for how long a write is this node's alone. */
  #noteGrowth(held: HeldShard): void {
    held.marks.note(held.backlog.end, this.#options.nowUs());
  }

  /** What a few turns bring for a shard goes in one frame. */
  #pumpSoon(bytes: number): void {
    if (this.#sources.size === 0) return;
    this.#gatheredBytes += bytes;
    if (this.#gatheredBytes >= GATHER_BYTES) {
      this.#gatheredBytes = 0;
      this.#options.afterReplies(() => this.#pump());
    } else if (!this.#willPump) {
      this.#willPump = true;
      this.#options.runtime.timers.after(GATHER_MS, () => {
        this.#willPump = false;
        this.#pump();
      });
    }
  }

  #pump(): void {
    this.#gatheredBytes = 0;
    for (const source of this.#sources) source.pumpNow();
  }

  /** Somebody waits for replicas: what there is goes at the end of this turn, to be acknowledged. */
  hurry(): void {
    if (this.#willHurry || this.#sources.size === 0) return;
    this.#willHurry = true;
    this.#options.afterReplies(() => {
      this.#willHurry = false;
      for (const source of this.#sources) source.ask();
    });
  }

  /** Calls `done` once `count` replicas have applied all before `offset`, or it is moot. */
  whenAcked(
    held: HeldShard,
    offset: number,
    count: number,
    done: (isAcked: boolean) => void,
  ): void {
    if (held.isAckedBy(count, offset)) {
      done(true);
      return;
    }
    const waiters = this.#waiters.get(held);
    if (waiters === undefined) this.#waiters.set(held, [{ offset, count, done }]);
    else waiters.push({ offset, count, done });
    this.hurry();
  }

  #acked(held: HeldShard): void {
    const waiters = this.#waiters.get(held);
    if (waiters !== undefined) {
      const due = waiters.filter(({ offset, count }) => held.isAckedBy(count, offset));
      if (due.length === waiters.length) this.#waiters.delete(held);
      else if (due.length > 0) {
        this.#waiters.set(
          held,
          waiters.filter((waiter) => !due.includes(waiter)),
        );
      }
      for (const { done } of due) done(true);
    }
  }

  /** Takes nothing of a primary of an epoch below, and says how far each shard is. */
  seal(shards: readonly ShardId[], epoch: Epoch): Array<StreamPosition & { shard: ShardId }> {
    return shards.map((shard) => {
      const held = this.#held.get(shard);
      if (held === undefined) return { shard, ...NOTHING };
      if (epoch > held.epochMin) held.epochMin = asEpoch(epoch);
      return { shard, ...held.position };
    });
  }

  /** Bytes a second of copies of this shard that this node sends; undefined: no limit. */
  setThrottle(shard: ShardId, bytesPerSecond: number | undefined): void {
    if (bytesPerSecond === undefined) this.#throttles.delete(shard);
    else this.#throttles.set(shard, bytesPerSecond);
    for (const source of this.#sources) source.pump();
  }

  #accept(connection: Connection): void {
    this.#sources.add(new SourceLink(this.#sourceHost, connection));
  }

  #sourceClosed(link: SourceLink): void {
    this.#sources.delete(link);
    const { node } = link;
    if (node === undefined || [...this.#sources].some((other) => other.node === node)) return;
    for (const held of this.#held.values()) {
      const follower = held.followers.get(node);
      // It may come back, and go on; until then it counts for what it has acknowledged.
      if (follower !== undefined && !follower.isCaughtUp) held.followers.delete(node);
    }
  }

  #apply(held: HeldShard, effects: Uint8Array, start: number, end: number): boolean {
    const { engine } = this.#options.spaces;
    engine.isApplying = true;
    const isSound = this.#applyAll(held, effects, start, end);
    engine.isApplying = false;
    return isSound;
  }

  #applyAll(held: HeldShard, effects: Uint8Array, start: number, end: number): boolean {
    const reader = this.#reader;
    const scout = this.#scout;
    let at = start;
    while (at < end) {
      if (at >= scout.seenTo) scout.scout(effects, at);
      const next = reader.next(effects, at, end);
      if (next === -1) return false;
      const keyEnd = reader.keyStart + reader.keyLength;
      if (!held.hasSlot(slotOfKey(effects, reader.keyStart, keyEnd))) return false;
      if (!this.#applyOne(effects, reader)) return false;
      at = next;
    }
    return true;
  }

  #applyOne(effects: Uint8Array, effect: EffectReader): boolean {
    const { spaces, onApplied } = this.#options;
    const { engine } = spaces;
    const { namespace, keyStart, keyLength, valueStart, valueLength, deadlineMs } = effect;
    const domain = spaces.numbered(namespace);
    if (domain === undefined) return spaces.wasRemoved(namespace);
    const isOver = deadlineMs !== 0 && deadlineMs <= engine.nowMs;
    const isStored =
      effect.kind === SET &&
      !isOver &&
      engine.set(
        domain,
        effects,
        keyStart,
        keyLength,
        effects,
        valueStart,
        valueLength,
        deadlineMs,
      ) !== 0;
    if (!isStored) {
      const ref = engine.find(domain, effects, keyStart, keyLength);
      if (ref !== 0) engine.remove(domain, ref);
      if (effect.kind !== DEL && !isOver) this.recordsWithoutRoom++;
    }
    onApplied(domain, effects, keyStart, keyStart + keyLength);
    return true;
  }
}
