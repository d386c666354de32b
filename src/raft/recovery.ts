/**
 * Making snapshot store and log agree when a peer starts.
 *
 * A snapshot becomes durable before the log notes it. A crash in between leaves a snapshot that is
 * newer than the log knows; and a damaged disk may have kept the snapshot and lost the log's end.
 *
 * - The log holds the snapshot's last entry: the log goes on after it. The snapshot was this peer's
 *   own, or brought nothing that the log lacks; the log only has to note it.
 * - It does not: the snapshot came from a leader, and was about to take the log's place, or the
 *   entry was lost. The log's entries are void, be they before, at or after it.
 */
import { asTerm } from './types.ts';
import type { LogContents } from './stores.ts';
import type { SnapshotMetadata } from './types.ts';

export interface Recovered {
  /** What the core starts from, once `repair` is durable. `snapshot` is the store's newest. */
  readonly contents: LogContents;
  /** `note`: tell the log of the snapshot. `reset`: let the log begin anew after it. */
  readonly repair: 'none' | 'note' | 'reset';
}

/** @param snapshot the newest in the snapshot store; never older than the one the log knows. */
export function reconcile(
  contents: LogContents,
  snapshot: SnapshotMetadata | undefined,
): Recovered {
  if (snapshot === undefined) return { contents, repair: 'none' };
  const isNoted = contents.snapshot?.index === snapshot.index;
  const [first] = contents.entries;
  // A log that begins right after the snapshot it has noted continues it, too.
  const continues =
    contents.entries.some(
      ({ index, term }) => index === snapshot.index && term === snapshot.term,
    ) ||
    (isNoted && (first === undefined || first.index > snapshot.index));
  if (isNoted && continues) return { contents, repair: 'none' };
  if (continues) return { contents: { ...contents, snapshot }, repair: 'note' };
  // The term in which it was received may not have become durable; then no vote was given in it.
  const { hardState } = contents;
  const isBehind = hardState.term < snapshot.term;
  return {
    contents: {
      ...contents,
      hardState: isBehind ? { term: asTerm(snapshot.term), vote: undefined } : hardState,
      snapshot,
      entries: [],
    },
    repair: 'reset',
  };
}
