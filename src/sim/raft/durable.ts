/** What the disk of one peer has acknowledged, across the lives of its process. */
import type { LogBatch, LogContents } from '../../raft/stores.ts';
import type { HardState } from '../../raft/types.ts';

const NOTHING: Pick<HardState, 'vote'> & { readonly term: number } = { term: 0, vote: undefined };

export class Durable {
  hardState: typeof NOTHING = NOTHING;
  /** Entries through here are covered by a snapshot, or were never this peer's to keep. */
  base = 0;
  /** Terms of the entries after `base`. */
  #terms: number[] = [];
  /** Entries through here were acknowledged, and lost by the disk. */
  lostThrough = 0;

  get lastIndex(): number {
    return this.base + this.#terms.length;
  }

  /** The log store has answered that a batch is durable. */
  acknowledge({ hardState, snapshot, entries }: LogBatch): void {
    if (hardState !== undefined) this.hardState = hardState;
    if (snapshot !== undefined) {
      this.base = snapshot.index;
      this.#terms = [];
    }
    for (const { index, term } of entries) {
      if (index <= this.base) continue;
      this.#terms.length = Math.min(this.#terms.length, index - 1 - this.base);
      this.#terms.push(term);
    }
  }

  /** What was found on the disk is durable, be it acknowledged or not. */
  recovered({ hardState, snapshot, entries, lostThrough }: LogContents): void {
    this.hardState = hardState;
    this.base = snapshot?.index ?? 0;
    this.#terms = [];
    for (const { index, term } of entries) if (index > this.base) this.#terms.push(term);
    this.lostThrough = lostThrough?.index ?? 0;
  }

  /**
   * What is missing in `contents`, in words; undefined where all is there. What was written and
   * not acknowledged may be there as well, and may have taken the place of entries.
   */
  missingIn({ hardState, snapshot, entries, lostThrough }: LogContents): string | undefined {
    const { term, vote } = this.hardState;
    if (hardState.term < term) return `term ${term}: it is in term ${hardState.term}`;
    if (hardState.term === term && vote !== undefined && hardState.vote !== vote) {
      return `its vote for ${vote} in term ${term}: it has ${hardState.vote ?? 'none'}`;
    }
    const terms = new Map<number, number>();
    for (const entry of entries) terms.set(entry.index, entry.term);
    const covered = Math.max(this.base, snapshot?.index ?? 0, lostThrough?.index ?? 0);
    for (let index = covered + 1; index <= this.lastIndex; index += 1) {
      const had = this.#terms[index - this.base - 1];
      const has = terms.get(index) ?? -1;
      if (has > had) return undefined;
      if (has < had) return `entry ${index} of term ${had}`;
    }
    return undefined;
  }

  /**
   * Whether the entry is there, or covered by something that stands for it. Without a term, any
   * entry at that index will do: whoever asks has compacted its log beyond it.
   */
  holds(index: number, term: number | undefined): boolean {
    if (index <= this.base || index <= this.lostThrough) return true;
    const has = this.#terms[index - this.base - 1];
    return has !== undefined && (term === undefined || has === term);
  }
}
