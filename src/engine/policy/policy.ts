/**
 * What an eviction policy is, and what it needs from whoever keeps the records.
 *
 * A policy only decides the order in which records go. It owns no memory per record: its queues run
 * through links that lie in the records themselves. The owner tells it what happens to records, and
 * asks for a victim when it needs room, before it stores the new record. Every call is synchronous,
 * allocates nothing per record, and takes a small bounded number of steps.
 */

/** The fields in each record that belong to its policy. `ref` names a record; 0 names none. */
export interface PolicyLinks {
  older(ref: number): number;
  setOlder(ref: number, older: number): void;
  newer(ref: number): number;
  setNewer(ref: number, newer: number): void;
  /** 0 to 3. */
  queue(ref: number): number;
  setQueue(ref: number, queue: number): void;
  /** 21 bits. */
  accessBits(ref: number): number;
  setAccessBits(ref: number, bits: number): void;
  /** The record's weight, in bytes or in whatever unit the owner's limit has. */
  recordBytes(ref: number): number;
}

export interface EvictionPolicy {
  /** Seconds since any fixed moment. The owner keeps it current; it never goes back. */
  nowSeconds: number;
  /** A record is new. `hash` is 32 well-mixed bits of its key, as in `accessed`. */
  inserted(ref: number, hash: number): void;
  /** A record was read or overwritten. */
  accessed(ref: number, hash: number): void;
  /** A record goes, evicted or not. Its fields are still readable. */
  removed(ref: number): void;
  /** The record at `from`, with its links, was copied to `to`, where it now lives. */
  relocated(from: number, to: number): void;
  /** The record's weight has changed in place. */
  resized(ref: number, bytesBefore: number, bytesAfter: number): void;
  /** The record to go next; it stays until `removed`. 0 where the policy offers none. */
  victim(): number;
  /** All records have gone at once. What was learnt about them is forgotten. */
  clear(): void;
  /** Seconds since the record was last inserted or accessed; exact to `idleGrainSeconds`. */
  idleSeconds(ref: number): number;
  /** The policy's estimate of how often the key was used lately; undefined if it keeps none. */
  frequency(ref: number, hash: number): number | undefined;
  /** Memory held beside the records, in bytes. */
  readonly bytes: number;
}

export const POLICY_NAMES = ['lru', 'lfu', 'tinylfu', 'noeviction'] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];
