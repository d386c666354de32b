/**
 * How far each follower has compared its log with that of its leader, term by term: what it vouches
 * for, and what it commits, goes no further.
 *
 * This is worked out from the messages that a peer took and the log that it has afterwards, not
 * from what it says about them.
 */
import type { RaftCore } from '../../raft/core.ts';
import type { RaftLog } from '../../raft/log.ts';
import type { Message, PeerId } from '../../raft/types.ts';

export class Comparisons {
  /** By peer and term. */
  readonly #through = new Map<string, number>();

  /** A peer has taken a message, and this is what it is now. */
  took(id: PeerId, { term, log }: RaftCore, message: Message): void {
    if (message.term !== term) return;
    if (message.kind === 'append') {
      const { previousIndex, previousTerm, entries } = message;
      const last = entries.at(-1) ?? { index: previousIndex, term: previousTerm };
      const isEqual =
        agrees(log, previousIndex, previousTerm) && agrees(log, last.index, last.term);
      if (isEqual) this.#raise(id, term, last.index);
    } else if (message.kind === 'snapshotChunk') {
      const { snapshot } = message;
      if (agrees(log, snapshot.index, snapshot.term)) this.#raise(id, term, snapshot.index);
    }
  }

  /** The last entry that `id` has compared with the leader of `term`; 0 where it has none. */
  through(id: PeerId, term: number): number {
    return this.#through.get(`${id} ${term}`) ?? 0;
  }

  #raise(id: PeerId, term: number, index: number): void {
    if (index > this.through(id, term)) this.#through.set(`${id} ${term}`, index);
  }
}

/** Up to the commit index, and to where it begins, a log agrees with every leader's. */
function agrees(log: RaftLog, index: number, term: number): boolean {
  const has = log.termAt(index);
  return has === undefined ? index <= log.base.index : has === term;
}
