/**
 * Taking in a snapshot, piece by piece.
 *
 * Pieces are taken strictly in order; every answer names the offset that is wanted next, so that
 * the sender takes up where the last one ended, after a loss and after a change of leader alike
 * (two leaders' snapshots of one index with one length and one checksum are the same bytes). The
 * checksum runs along, and the snapshot counts only if it comes out right: otherwise everything is
 * asked for anew.
 */
import { crc32 } from 'node:zlib';
import type { ReceivedChunk } from './effects.ts';
import type { SnapshotChunk, SnapshotMetadata } from './types.ts';

export type ChunkResult =
  /** Write `chunk`, then ask for `nextOffset`. */
  | { readonly kind: 'partial'; readonly chunk: ReceivedChunk; readonly nextOffset: number }
  /** Write `chunk`, then install the snapshot. */
  | { readonly kind: 'complete'; readonly chunk: ReceivedChunk }
  /** Not the piece that is wanted: ask for `nextOffset`. */
  | { readonly kind: 'refused'; readonly nextOffset: number };

export class SnapshotReceiver {
  #snapshot: SnapshotMetadata | undefined;
  #nextOffset = 0;
  #checksum = 0;

  take(message: SnapshotChunk): ChunkResult {
    const { snapshot, offset, bytes } = message;
    if (this.#snapshot === undefined || !isSame(this.#snapshot, snapshot)) {
      // Only a first piece begins anew: a late one of another snapshot must not undo this one.
      if (offset !== 0) return { kind: 'refused', nextOffset: 0 };
      this.#begin(snapshot);
    }
    const end = offset + bytes.length;
    const isProgress = bytes.length > 0 || snapshot.sizeBytes === 0;
    if (offset !== this.#nextOffset || end > snapshot.sizeBytes || !isProgress) {
      return { kind: 'refused', nextOffset: this.#nextOffset };
    }
    this.#checksum = crc32(bytes, this.#checksum);
    this.#nextOffset = end;
    if (end < snapshot.sizeBytes) {
      return { kind: 'partial', chunk: { snapshot, offset, bytes }, nextOffset: end };
    }
    const isIntact = this.#checksum === snapshot.checksum;
    this.forget();
    return isIntact
      ? { kind: 'complete', chunk: { snapshot, offset, bytes } }
      : { kind: 'refused', nextOffset: 0 };
  }

  /** What was received so far is of no more use. */
  forget(): void {
    this.#snapshot = undefined;
    this.#nextOffset = 0;
    this.#checksum = 0;
  }

  #begin(snapshot: SnapshotMetadata): void {
    this.forget();
    this.#snapshot = snapshot;
  }
}

function isSame(a: SnapshotMetadata, b: SnapshotMetadata): boolean {
  return (
    a.index === b.index &&
    a.term === b.term &&
    a.sizeBytes === b.sizeBytes &&
    a.checksum === b.checksum
  );
}
