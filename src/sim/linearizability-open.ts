/**
 * The known operations of a history that an order does not hold yet, as a list of their calls and
 * returns by time. Taking one out and putting it back are O(1), in the manner of dancing links:
 * what is taken out last must be put back first.
 */
import { invariant } from '../runtime/index.ts';
import type { Operation } from './linearizability-model.ts';

export interface Known<Input, Output> {
  readonly operation: Operation<Input, Output>;
  readonly returned: { readonly at: number; readonly output: Output };
}

export class OpenOperations<Input, Output> {
  readonly known: ReadonlyArray<Known<Input, Output>>;
  /** Calls whose outcome is unknown. They are never in the list. */
  readonly unknown: ReadonlyArray<Operation<Input, Output>>;
  /** The place of each call and return in the order of all: less is earlier. */
  readonly callRank: Int32Array;
  readonly returnRank: Int32Array;
  readonly unknownCallRank: Int32Array;

  // The call of operation i is node 2i and its return is node 2i + 1; the last node is the head.
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #head: number;
  readonly #isTaken: Uint8Array;
  /** All operations before this one are taken. */
  #low = 0;
  /** No operation after this one is taken. */
  #high = -1;
  #openCount: number;

  constructor(
    known: ReadonlyArray<Known<Input, Output>>,
    unknown: ReadonlyArray<Operation<Input, Output>>,
  ) {
    this.known = known;
    this.unknown = unknown;
    this.callRank = new Int32Array(known.length);
    this.returnRank = new Int32Array(known.length);
    this.unknownCallRank = new Int32Array(unknown.length);
    this.#head = known.length * 2;
    this.#next = new Int32Array(known.length * 2 + 1);
    this.#previous = new Int32Array(known.length * 2 + 1);
    this.#isTaken = new Uint8Array(known.length);
    this.#openCount = known.length;
    this.#linkByTime();
  }

  get openCount(): number {
    return this.#openCount;
  }

  /** Operations called before the first return that is open; `first` is the one that returns. */
  candidates(): { readonly indexes: number[]; readonly first: number } {
    const indexes: number[] = [];
    let node = this.#next[this.#head];
    for (; node % 2 === 0 && node !== this.#head; node = this.#next[node]) indexes.push(node / 2);
    invariant(node !== this.#head, 'there is an open operation');
    return { indexes, first: (node - 1) / 2 };
  }

  take(index: number): void {
    this.#unlink(index * 2);
    this.#unlink(index * 2 + 1);
    this.#isTaken[index] = 1;
    this.#openCount--;
    this.#high = Math.max(this.#high, index);
    while (this.#isTaken[this.#low] === 1) this.#low++;
  }

  putBack(index: number): void {
    this.#relink(index * 2 + 1);
    this.#relink(index * 2);
    this.#isTaken[index] = 0;
    this.#openCount++;
    this.#low = Math.min(this.#low, index);
    while (this.#high >= 0 && this.#isTaken[this.#high] === 0) this.#high--;
  }

  /** Which operations are taken, exactly: a bit for each that is not on one side of all others. */
  key(): string {
    let key = `${this.#low} ${this.#high} `;
    for (let start = this.#low; start <= this.#high; start += 15) {
      let bits = 0;
      const end = Math.min(start + 14, this.#high);
      for (let index = start; index <= end; index++) bits = bits * 2 + this.#isTaken[index];
      key += String.fromCharCode(bits);
    }
    return key;
  }

  #linkByTime(): void {
    const events: Array<{ at: number; isReturn: boolean; node: number }> = [];
    this.known.forEach(({ operation, returned }, index) => {
      events.push({ at: operation.calledAt, isReturn: false, node: index * 2 });
      events.push({ at: returned.at, isReturn: true, node: index * 2 + 1 });
    });
    this.unknown.forEach(({ calledAt }, index) => {
      events.push({ at: calledAt, isReturn: false, node: ~index });
    });
    // A call goes before a return of the same time, which makes the two concurrent.
    events.sort((a, b) => a.at - b.at || Number(a.isReturn) - Number(b.isReturn));
    let last = this.#head;
    events.forEach(({ node, isReturn }, rank) => {
      if (node < 0) {
        this.unknownCallRank[~node] = rank;
        return;
      }
      (isReturn ? this.returnRank : this.callRank)[node >> 1] = rank;
      this.#next[last] = node;
      this.#previous[node] = last;
      last = node;
    });
    this.#next[last] = this.#head;
    this.#previous[this.#head] = last;
  }

  #unlink(node: number): void {
    this.#next[this.#previous[node]] = this.#next[node];
    this.#previous[this.#next[node]] = this.#previous[node];
  }

  #relink(node: number): void {
    this.#next[this.#previous[node]] = node;
    this.#previous[this.#next[node]] = node;
  }
}
