/** What an engine is made with, and whom it tells of what happens in it. */
import type { Random } from '../runtime/index.ts';
import type { Domain } from './domain.ts';
import type { IsOwn } from './domain-policies.ts';

/** Why a record went that no command removed. */
export type RemovalReason = 'expired' | 'evicted';

/** Told of each record that goes by itself, while its key can still be read. */
export type RemovalListener = (
  domain: Domain,
  octets: Uint8Array,
  keyStart: number,
  keyLength: number,
  reason: RemovalReason,
) => void;

/**
 * Told of every record that comes, and of every one that goes, for whatever reason, while it can be
 * read. A value that is replaced by one of the same size is the same record.
 */
export interface RecordObserver {
  added(domain: Domain, ref: number): void;
  removed(domain: Domain, ref: number): void;
  /** All records of the domain are gone. */
  cleared(domain: Domain): void;
}

export interface EngineOptions {
  /** All memory the engine may hold: records, index, policies. At least 1 MiB. */
  memoryBytes: number;
  random: Random;
  onRemoval?: RemovalListener;
  /** Absent: nobody counts, and nothing is spent on it. */
  records?: RecordObserver;
  /**
   * Given where there may be copies of what other nodes decide about: whether a key is this node's
   * own to evict.
   */
  isOwn?: IsOwn;
}
