/**
 * How the engine's memory is divided: so much for tables, the rest for segments, and of those never
 * all for live records, since cleaning needs room to work in.
 */
import type { Arena } from './arena.ts';
import type { Domain } from './domain.ts';

/** Of the memory for records, the share kept free so that cleaning stays cheap. */
const SLACK_SHARE = 0.06;
/** Segments that live records never fill: one being written, one for survivors, one to spare. */
const SEGMENTS_KEPT = 3;
/** What a policy's tables may grow by without asking, beyond what they need a record. */
const TABLE_GROWTH_BYTES = 64 * 1024;

export class MemoryBudget {
  memoryBytes: number;
  /** What live records may come to, as of the last `refresh`. */
  liveBytesMax = 0;
  readonly #arena: Arena;
  readonly #domains: ReadonlyArray<Domain | undefined>;
  #tableBytes = 0;

  constructor(memoryBytes: number, arena: Arena, domains: ReadonlyArray<Domain | undefined>) {
    this.memoryBytes = memoryBytes;
    this.#arena = arena;
    this.#domains = domains;
    this.refresh();
  }

  /** Memory held for records and tables, the latter as of the last `refresh`. */
  get usedBytes(): number {
    return this.#arena.bytesReserved + this.#tableBytes;
  }

  /** To be called when tables may have grown, and before a segment is opened. */
  refresh(): void {
    let tableBytes = this.#arena.tableBytes;
    let wantedBytes = 0;
    for (const domain of this.#domains) {
      if (domain === undefined) continue;
      tableBytes += domain.tableBytes;
      wantedBytes += domain.policy.growth?.wantedBytes ?? 0;
    }
    this.#tableBytes = tableBytes;
    this.#grantGrowth(wantedBytes);
    const forRecords = this.memoryBytes - tableBytes - wantedBytes;
    const kept = SEGMENTS_KEPT * this.#arena.segmentBytes + TABLE_GROWTH_BYTES;
    this.liveBytesMax = Math.max(0, Math.floor(forRecords * (1 - SLACK_SHARE)) - kept);
  }

  /** Whether a segment may be opened for a record of this size. */
  mayOpenSegmentFor(bytes: number): boolean {
    const { segmentBytes } = this.#arena;
    // Room for a segment of survivors, and for tables that grow with the records.
    const kept = segmentBytes * 1.5 + TABLE_GROWTH_BYTES;
    return this.usedBytes + this.#arena.segmentBytesFor(bytes) + kept <= this.memoryBytes;
  }

  /** Whether it is time to clean: another segment could hardly be opened. */
  get isShort(): boolean {
    return this.usedBytes + 3 * this.#arena.segmentBytes > this.memoryBytes;
  }

  /** Tables that are to double at the limit wait until records have made way for them. */
  #grantGrowth(wantedBytes: number): void {
    const roomBytes = this.memoryBytes - this.usedBytes - 2 * this.#arena.segmentBytes;
    for (const domain of this.#domains) {
      const growth = domain?.policy.growth;
      if (growth !== undefined) growth.isGranted = wantedBytes <= roomBytes;
    }
  }
}

/** Small memories have small segments, so that the ones kept aside cost a few per cent. */
export function segmentBytesFor(memoryBytes: number): number {
  const wanted = memoryBytes / 128;
  return Math.min(1024 * 1024, Math.max(16 * 1024, 2 ** Math.floor(Math.log2(wanted))));
}
