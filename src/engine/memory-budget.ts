/**
 * How the engine's memory is divided: so much for tables, the rest for segments, and of those never
 * all for live records, since cleaning needs room to work in.
 */
import type { Arena } from './arena.ts';
import type { Domain } from './domain.ts';
import type { TableMemory } from './table-memory.ts';

/**
 * Of the memory for records, the share kept free so that cleaning stays cheap: the least where
 * freed records are filled by new ones of their size and nothing needs to be moved, the most where
 * cleaning has much to do.
 */
const SLACK_SHARE_MIN = 0.02;
const SLACK_SHARE_MAX = 0.08;
/** How far the share moves at a time. Down slower than up: a workload may come again. */
const SLACK_STEP_UP = 0.0025;
const SLACK_STEP_DOWN = 0.0005;
/** Cleaning has much to do above the one, little below the other: bytes moved for each written. */
const MOVED_MUCH = 0.5;
const MOVED_LITTLE = 0.1;
/** Over fewer bytes written, what cleaning had to do for them says little. */
const SLACK_SAMPLE_BYTES = 4 * 1024 * 1024;
/**
 * Segments that live records never fill: one being written, one for survivors, one for tables to
 * grow into, one to spare.
 */
const SEGMENTS_KEPT = 4;
/** What a policy's tables may grow by without asking, beyond what they need a record. */
const TABLE_GROWTH_BYTES = 64 * 1024;
/** Of thousands of domains, so many are looked at each time. */
const DOMAINS_A_REFRESH = 256;

export class MemoryBudget {
  memoryBytes: number;
  /** What live records may come to, as of the last `refresh`. */
  liveBytesMax = 0;
  /** Of that, the part which is for records that this node decides about; the rest is for copies. */
  ownShare = 1;
  /**
   * Records made, and records moved by the cleaning that they called for, since the share that is
   * kept free was last fitted to it.
   */
  bytesWritten = 0;
  bytesMoved = 0;
  readonly #arena: Arena;
  readonly #tables: TableMemory;
  readonly #domains: ReadonlyArray<Domain | undefined>;
  /** By domain: what its tables held, and wanted to hold more, when last looked at. */
  readonly #tableBytesOf: number[] = [];
  readonly #wantedBytesOf: number[] = [];
  #tableBytesSum = 0;
  #wantedBytesSum = 0;
  #domainNext = 0;
  #tableBytes = 0;
  #slackShare = SLACK_SHARE_MIN;

  constructor(
    memoryBytes: number,
    arena: Arena,
    tables: TableMemory,
    domains: ReadonlyArray<Domain | undefined>,
  ) {
    this.memoryBytes = memoryBytes;
    this.#arena = arena;
    this.#tables = tables;
    this.#domains = domains;
    this.refresh();
  }

  /** Memory held for records and tables, the latter as of the last `refresh`. */
  get usedBytes(): number {
    return this.#arena.bytesReserved + this.#tableBytes;
  }

  /** What the limit leaves. */
  get unusedBytes(): number {
    return Math.max(0, this.memoryBytes - this.usedBytes);
  }

  /** To be called when tables may have grown, and before a segment is opened. */
  refresh(): void {
    const count = this.#domains.length;
    const looked = Math.min(count, DOMAINS_A_REFRESH);
    const first = this.#domainNext;
    for (let turn = 0; turn < looked; turn++) this.#lookAt((first + turn) % count);
    this.#domainNext = count === 0 ? 0 : (first + looked) % count;
    // What many domains' tables have grown by since they were looked at shows in the memory lent.
    const { bytesHeld, bytesSpare } = this.#tables;
    const domainBytes = Math.max(this.#tableBytesSum + bytesSpare, bytesHeld);
    this.#tableBytes = this.#arena.tableBytes + domainBytes;
    this.#grantGrowth(first, looked);
    const forRecords = this.memoryBytes - this.#tableBytes - this.#wantedBytesSum;
    const kept = SEGMENTS_KEPT * this.#arena.segmentBytes + TABLE_GROWTH_BYTES;
    this.liveBytesMax = Math.max(0, Math.floor(forRecords * (1 - this.#slackShare)) - kept);
  }

  /** Whether `bytes` more of live records would be too many. */
  isFullFor(bytes: number, isCopy: boolean): boolean {
    const { bytesLive, bytesOfCopies } = this.#arena;
    if (bytesLive + bytes > this.liveBytesMax) return true;
    return !isCopy && bytesLive - bytesOfCopies + bytes > this.liveBytesMax * this.ownShare;
  }

  /** The domain of this number is no more. */
  forget(id: number): void {
    this.#note(id, 0, 0);
  }

  #lookAt(id: number): void {
    const domain = this.#domains[id];
    if (domain === undefined) return;
    this.#note(id, domain.tableBytes, domain.policy.growth?.wantedBytes ?? 0);
  }

  #note(id: number, tableBytes: number, wantedBytes: number): void {
    this.#tableBytesSum += tableBytes - (this.#tableBytesOf[id] ?? 0);
    this.#wantedBytesSum += wantedBytes - (this.#wantedBytesOf[id] ?? 0);
    this.#tableBytesOf[id] = tableBytes;
    this.#wantedBytesOf[id] = wantedBytes;
  }

  /** Fits the share that is kept free to what cleaning had to do of late. */
  adjustSlack(): void {
    if (this.bytesWritten < SLACK_SAMPLE_BYTES) return;
    const ratio = this.bytesMoved / this.bytesWritten;
    this.bytesWritten = 0;
    this.bytesMoved = 0;
    if (ratio > MOVED_MUCH) {
      this.#slackShare = Math.min(SLACK_SHARE_MAX, this.#slackShare + SLACK_STEP_UP);
    } else if (ratio < MOVED_LITTLE) {
      this.#slackShare = Math.max(SLACK_SHARE_MIN, this.#slackShare - SLACK_STEP_DOWN);
    }
  }

  /** Whether a segment may be opened for a record of this size. */
  mayOpenSegmentFor(bytes: number): boolean {
    const { segmentBytes } = this.#arena;
    // Room for a segment of survivors, and for tables that grow with the records.
    const kept = segmentBytes * 2.5 + TABLE_GROWTH_BYTES;
    return this.usedBytes + this.#arena.segmentBytesFor(bytes) + kept <= this.memoryBytes;
  }

  /** Whether more is used than may be, since the limit was lowered. */
  get isOver(): boolean {
    return this.usedBytes > this.memoryBytes;
  }

  /** Whether it is time to clean: another segment could hardly be opened. */
  get isShort(): boolean {
    return this.usedBytes + 4 * this.#arena.segmentBytes > this.memoryBytes;
  }

  /** Tables that are to double at the limit wait until records have made way for them. */
  #grantGrowth(first: number, count: number): void {
    const roomBytes = this.memoryBytes - this.usedBytes - 2 * this.#arena.segmentBytes;
    for (let turn = 0; turn < count; turn++) {
      const growth = this.#domains[(first + turn) % this.#domains.length]?.policy.growth;
      if (growth !== undefined) growth.isGranted = this.#wantedBytesSum <= roomBytes;
    }
  }
}

/** Small memories have small segments, so that the ones kept aside cost a few per cent. */
export function segmentBytesFor(memoryBytes: number): number {
  const wanted = memoryBytes / 128;
  return Math.min(1024 * 1024, Math.max(16 * 1024, 2 ** Math.floor(Math.log2(wanted))));
}
