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
  /** The record's weight: bytes, or whatever unit the owner's limit has. */
  recordBytes(ref: number): number;
}

/**
 * How a policy asks for larger tables. It says what it wants; the owner makes room, and grants it
 * where there is memory. Until then the policy makes do with what it has.
 */
export interface TableGrowth {
  wantedBytes: number;
  isGranted: boolean;
}

export interface EvictionPolicy {
  /** Seconds since any fixed moment. The owner keeps it current; it never goes back. */
  nowSeconds: number;
  /** A record is new. `hash` is 32 well-mixed bits of its key, the same in every call. */
  inserted(ref: number, hash: number): void;
  /** A record was read or overwritten. */
  accessed(ref: number, hash: number): void;
  /** A record goes, evicted or not. Its fields are still readable. */
  removed(ref: number, hash: number): void;
  /** The record at `from` was copied to `to`, with all the fields above, and lives there now. */
  relocated(from: number, to: number): void;
  /** The record's weight has changed. */
  resized(ref: number, bytesBefore: number, bytesAfter: number): void;
  /** The record to go next; it stays until `removed`. 0 where the policy offers none. */
  victim(): number;
  /** A copy is this node's own from now on; absent where there are no copies. See `CopyAwarePolicy`. */
  adopt?(ref: number): void;
  /** All records have gone at once. What was learnt about keys is forgotten. */
  clear(): void;
  /** Seconds since the record was last inserted or accessed. */
  idleSeconds(ref: number): number;
  /** How often the record was used lately, on the policy's own scale; undefined if it has none. */
  frequency(ref: number): number | undefined;
  /**
   * A policy of the same kind for other records, to simulate this one at another size. Where this
   * one tunes itself, the other follows.
   */
  miniature(links: PolicyLinks): EvictionPolicy;
  /** Memory held beside the records, in bytes. */
  readonly bytes: number;
  /** Of records that another node decides about; absent where there are none, ever. */
  readonly copyBytes?: number;
  /** Absent where the tables never grow by much at once. */
  readonly growth?: TableGrowth | undefined;
}
