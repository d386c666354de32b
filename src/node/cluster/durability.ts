/**
 * How safe a write is before its client is told that it was carried out: what a tenant has chosen by
 * `ack` and `maxUnreplicated`, and what a client asks for by `WAIT`.
 *
 * A quorum is counted by the copies that a shard is to have, not by those that it has: with too few
 * of them the tenant's writes are refused, rather than acknowledged by a majority of what is left.
 */
import type { Ack, Tenant } from '../../cluster/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { HeldShard, Replication } from '../replication/index.ts';

/** For each shard that was written to, where its stream ended then. */
export type Writes = ReadonlyMap<HeldShard, number>;

/** Redis' words, where `min-replicas-to-write` is not met. */
const NO_REPLICAS = 'NOREPLICAS Not enough good replicas to write.';
/** So long a new primary takes the replicas that the map names for good: they are on their way. */
const ARRIVAL_US = 2_000_000;
/** After this long without an acknowledgement its outcome is unknown, and the client is let go. */
const ACK_TIMEOUT_MS = 5000;

export class Durability {
  /** That a shard is to have, the primary included. */
  copiesWanted = 1;
  readonly #replication: Replication;
  readonly #timers: Runtime['timers'];
  readonly #nowUs: () => number;

  constructor(replication: Replication, timers: Runtime['timers'], nowUs: () => number) {
    this.#replication = replication;
    this.#timers = timers;
    this.#nowUs = nowUs;
  }

  /** Why a write to this slot is not to be taken now; undefined where it is. */
  refusal({ ack, replicas, maxUnreplicated }: Tenant, slot: number): string | undefined {
    const held = this.#replication.ofSlot(slot);
    if (held === undefined) return undefined;
    if (ack !== 'primary' && this.#replicasOf(held) < this.#needed(ack)) return NO_REPLICAS;
    const { ms, bytes } = maxUnreplicated;
    if (replicas === 0 || (ms === undefined && bytes === undefined)) return undefined;
    const { end } = held.backlog;
    const used = (end - held.replicatedOffset) / (bytes ?? Infinity);
    const waitingUs = held.marks.waitingUs(held.replicatedOffset, end, this.#nowUs());
    const usedOfTime = waitingUs / ((ms ?? Infinity) * 1000);
    if (used >= 1 || usedOfTime >= 1) return NO_REPLICAS;
    // Replicas say how far they are a few milliseconds late, if they are not asked.
    if (used >= 0.5 || usedOfTime >= 0.5) this.#replication.hurry();
    return undefined;
  }

  /** That are there, or may be any moment: a write then waits for them, rather than be refused. */
  #replicasOf(held: HeldShard): number {
    const isNew = this.#nowUs() - held.leadsSinceUs < ARRIVAL_US;
    return isNew ? held.replicas.length : held.goodReplicas;
  }

  #needed(ack: Ack): number {
    if (ack === 'primary') return 0;
    return ack === 'replica' ? 1 : Math.floor(this.copiesWanted / 2);
  }

  areAcked(writes: Writes, ack: Ack): boolean {
    const count = this.#needed(ack);
    for (const [held, offset] of writes) if (!held.isAckedBy(count, offset)) return false;
    return true;
  }

  /**
   * Calls `done` once, when replicas have the writes as `ack` asks, or when it is known that they
   * are not to be acknowledged by this node.
   */
  await(writes: Writes, ack: Ack, done: (isAcked: boolean) => void): void {
    this.#awaitCount(writes, this.#needed(ack), ACK_TIMEOUT_MS, done);
  }

  /** `WAIT`: calls `done` with the number of replicas that have the writes; 0 ms: no timeout. */
  wait(writes: Writes, count: number, timeoutMs: number, done: (replicas: number) => void): void {
    const found = this.#replicasWith(writes);
    if (found >= count) done(found);
    else {
      this.#awaitCount(writes, count, timeoutMs, () => done(this.#replicasWith(writes)));
    }
  }

  #awaitCount(
    writes: Writes,
    count: number,
    timeoutMs: number,
    done: (isAcked: boolean) => void,
  ): void {
    let left = writes.size;
    let isOver = false;
    const end = (isAcked: boolean): void => {
      if (isOver) return;
      isOver = true;
      timer?.cancel();
      done(isAcked);
    };
    const timer = timeoutMs === 0 ? undefined : this.#timers.after(timeoutMs, () => end(false));
    for (const [held, offset] of writes) {
      this.#replication.whenAcked(held, offset, count, (isAcked) => {
        left--;
        if (!isAcked || left === 0) end(isAcked);
      });
    }
  }

  #replicasWith(writes: Writes): number {
    let fewest = Infinity;
    for (const [held, offset] of writes) fewest = Math.min(fewest, held.replicasAt(offset));
    return Number.isFinite(fewest) ? fewest : this.#mostReplicas();
  }

  /** Of a client that has written nothing, all replicas have all. */
  #mostReplicas(): number {
    let most = 0;
    for (const held of this.#replication.shards) {
      if (held.role === 'primary') most = Math.max(most, held.goodReplicas);
    }
    return most;
  }
}
