/** Where requests come from: the load itself, or the filling of the key space before it. */
import type { OutputBuffer } from '../runtime/index.ts';
import { SeededRandom } from './random.ts';
import type { RequestWriter } from './requests.ts';
import type { Workload } from './workload.ts';
import { Zipf } from './zipf.ts';

export interface Source {
  /** Appends the next request; returns whether it is a read. */
  append(output: OutputBuffer): boolean;
}

/** Reads and writes drawn as the workload says; the same ones for the same stream. */
export class LoadSource implements Source {
  readonly #writer: RequestWriter;
  readonly #random: SeededRandom;
  readonly #keyCount: number;
  readonly #readFraction: number;
  readonly #zipf: Zipf | undefined;

  /** @param stream tells apart what shares a seed: threads and rounds */
  constructor(workload: Workload, writer: RequestWriter, stream: number) {
    this.#writer = writer;
    this.#random = new SeededRandom(workload.seed, stream);
    this.#keyCount = workload.keyCount;
    this.#readFraction = workload.readFraction;
    this.#zipf = workload.theta === 0 ? undefined : new Zipf(workload.keyCount, workload.theta);
  }

  append(output: OutputBuffer): boolean {
    const random = this.#random;
    const isRead = random.fraction() < this.#readFraction;
    const key = this.#zipf === undefined ? random.below(this.#keyCount) : this.#zipf.draw(random);
    if (isRead) this.#writer.appendRead(output, key);
    else this.#writer.appendWrite(output, key, random);
    return isRead;
  }
}

/** Writes each key once, from the last to the first: so that the most frequent are the newest. */
export class FillSource implements Source {
  readonly #writer: RequestWriter;
  readonly #random: SeededRandom;
  #next: number;

  /** Begins at key `end - 1`; the run's request count says where it ends. */
  constructor(workload: Workload, writer: RequestWriter, end: number) {
    this.#writer = writer;
    this.#random = new SeededRandom(workload.seed);
    this.#next = end;
  }

  append(output: OutputBuffer): boolean {
    this.#next--;
    this.#writer.appendWrite(output, this.#next, this.#random);
    return false;
  }
}
