/**
 * Judges what clients of a cache were told about one key.
 *
 * A key is written by one client, one write after another, each with a value of its own; so writes
 * have an order, and a read tells which of them it saw. Promise: a read sees the last write that was
 * acknowledged before the read began, or a later one. Less than that means that acknowledged writes
 * were lost, and each of those must be one that the system had said may be lost.
 *
 * A write of which nobody knows what came may be carried out at any later time: so it must be the
 * last of its key, and its client goes on with another one.
 *
 * Nothing expires and nothing is evicted in these worlds, so a miss is a value like any other: it is
 * what a key has before its first write and after a deletion.
 */

export interface KeyWrite {
  /** Undefined: a deletion. */
  readonly value: string | undefined;
  readonly calledAtUs: number;
  /** Undefined: not known to have been carried out. */
  returnedAtUs: number | undefined;
  /** Surely not carried out. */
  isRefused: boolean;
}

export interface KeyRead {
  readonly calledAtUs: number;
  readonly returnedAtUs: number;
  readonly value: string | undefined;
}

export interface KeyFault {
  readonly kind: 'lost' | 'unknown-value';
  readonly sentence: string;
}

/**
 * @param excuse undefined where the system had said that this write may be lost by the time of this
 *   read; else why it may not
 * @returns the first promise that a read has broken; undefined where all hold
 */
export function judgeKey<Write extends KeyWrite>(
  key: string,
  writes: readonly Write[],
  reads: readonly KeyRead[],
  excuse: (write: Write, read: KeyRead) => string | undefined,
): KeyFault | undefined {
  const carriedOut = writes.filter(({ isRefused }) => !isRefused);
  for (const read of reads) {
    const seen = latestMatch(carriedOut, read);
    if (seen === undefined) {
      const sentence = `${key} was read as ${shown(read.value)}, which nobody had written`;
      return { kind: 'unknown-value', sentence };
    }
    for (const write of carriedOut.slice(seen + 1)) {
      if (write.returnedAtUs === undefined || write.returnedAtUs >= read.calledAtUs) continue;
      const why = excuse(write, read);
      if (why === undefined) continue;
      const sentence =
        `${key} was read as ${shown(read.value)} at ${ms(read.returnedAtUs)}, though ` +
        `${shown(write.value)} had been acknowledged at ${ms(write.returnedAtUs)}: ${why}`;
      return { kind: 'lost', sentence };
    }
  }
  return undefined;
}

/** The last write that explains the read; -1: none did, it saw the key as it was at first. */
function latestMatch(writes: readonly KeyWrite[], read: KeyRead): number | undefined {
  for (let index = writes.length - 1; index >= 0; index--) {
    const { value, calledAtUs } = writes[index];
    if (value === read.value && calledAtUs <= read.returnedAtUs) return index;
  }
  return read.value === undefined ? -1 : undefined;
}

function shown(value: string | undefined): string {
  return value === undefined ? 'missing' : `'${value.slice(0, 40)}'`;
}

function ms(us: number): string {
  return `${(us / 1000).toFixed(1)} ms`;
}
