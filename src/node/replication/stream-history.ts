/**
 * Which epoch's primary wrote which part of a shard's stream: so it can be told whether what a
 * replica has is the beginning of what a primary has, or went another way.
 *
 * An epoch has one primary, and a primary writes one stream. So a copy at offset o of epoch e is a
 * part of this stream where the stream has a part of epoch e, and o lies in it.
 */
import { asEpoch, type Epoch } from '../../cluster/index.ts';

/** How far a copy is: the epoch that its last effect is of, and the offset after it. */
export interface StreamPosition {
  readonly epoch: Epoch;
  readonly offset: number;
}

/** Of a node that has nothing of a shard. */
export const NOTHING: StreamPosition = Object.freeze({ epoch: asEpoch(0), offset: 0 });

/** A copy that was away for more changes of the primary is made anew. */
const PARTS_MAX = 16;

export class StreamHistory {
  /** In the order of their starts, and so of their epochs. */
  #parts: StreamPosition[];

  /** @param parts each with the offset at which it begins */
  constructor(parts: readonly StreamPosition[] = []) {
    this.#parts = parts.slice(-PARTS_MAX);
  }

  get parts(): readonly StreamPosition[] {
    return this.#parts;
  }

  /** The epoch of what is written now; 0 where nothing was. */
  get epoch(): Epoch {
    return this.#parts.at(-1)?.epoch ?? asEpoch(0);
  }

  /** A new primary goes on from `offset`. */
  begin(epoch: Epoch, offset: number): void {
    if (epoch === this.epoch) return;
    this.#parts = [...this.#parts, { epoch, offset }].slice(-PARTS_MAX);
  }

  /** Whether a copy at this position is the beginning of this stream, which ends at `end`. */
  includes({ epoch, offset }: StreamPosition, end: number): boolean {
    const index = this.#parts.findIndex((part) => part.epoch === epoch);
    if (index === -1) return false;
    const partEnd = this.#parts.at(index + 1)?.offset ?? end;
    return offset >= this.#parts[index].offset && offset <= partEnd;
  }
}
