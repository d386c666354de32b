/**
 * Copies of short and long byte ranges, both without an allocation.
 *
 * Below some 24 bytes a loop is fastest. Above, `Buffer.prototype.copy` takes the same few tens
 * of nanoseconds for 32 bytes as for 1 KiB, where a loop takes one a byte; `set` needs a view of
 * the range, which is garbage a moment later.
 */

const LOOP_BYTES_MAX = 24;

// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node types the prototype as any
const { copy } = Buffer.prototype as Buffer;

/** Copies `source[start, end)` to `target` at `at`, where there must be room. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): void {
  if (end - start > LOOP_BYTES_MAX) {
    copy.call(source, target, at, start, end);
    return;
  }
  while (start < end) target[at++] = source[start++];
}
