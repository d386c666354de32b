/** What an engine's memory is used for. */
import type { Arena } from './arena.ts';
import type { Domain } from './domain.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { Slabs } from './slabs.ts';

export interface MemoryReport {
  limitBytes: number;
  usedBytes: number;
  /** Reserved memory that was used at any time and may still be resident. */
  touchedBytes: number;
  /** Records that are live, with headers. */
  liveBytes: number;
  /** Keys and values alone. */
  payloadBytes: number;
  indexBytes: number;
  policyBytes: number;
  /** Reserved for records over live; 1 where nothing is stored. */
  fragmentation: number;
  /** All that is used beyond keys and values, for each item. */
  overheadBytesPerItem: number;
}

export function reportMemory(
  budget: MemoryBudget,
  slabs: Slabs,
  arena: Arena,
  domains: ReadonlyArray<Domain | undefined>,
): MemoryReport {
  let payloadBytes = 0;
  let items = 0;
  let indexBytes = 0;
  let policyBytes = 0;
  for (const domain of domains) {
    if (domain === undefined) continue;
    payloadBytes += domain.payloadBytes;
    if (!domain.isRemainder) items += domain.items;
    indexBytes += domain.index.bytes;
    policyBytes += domain.policy.bytes + domain.ghost.bytes;
  }
  const { usedBytes } = budget;
  const liveBytes = arena.bytesLive;
  return {
    limitBytes: budget.memoryBytes,
    usedBytes,
    touchedBytes: slabs.bytesTouched,
    liveBytes,
    payloadBytes,
    indexBytes,
    policyBytes,
    fragmentation: liveBytes === 0 ? 1 : arena.bytesReserved / liveBytes,
    overheadBytesPerItem: items === 0 ? 0 : (usedBytes - payloadBytes) / items,
  };
}
