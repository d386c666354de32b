/** First in, first out, without the cost of `Array.shift` on long arrays. */
/** So many places of items that were taken are kept, or as many as there are items. */
const KEPT_MAX = 64;

export class Fifo<T> {
  #items: T[] = [];
  #first = 0;

  get length(): number {
    return this.#items.length - this.#first;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const item = this.#items[this.#first++];
    if (this.#first >= KEPT_MAX && this.#first * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#first);
      this.#first = 0;
    }
    return item;
  }

  /** Empties it. */
  takeAll(): T[] {
    const items = this.#items.slice(this.#first);
    this.#items = [];
    this.#first = 0;
    return items;
  }

  forEach(visit: (item: T) => void): void {
    for (let at = this.#first; at < this.#items.length; at++) visit(this.#items[at]);
  }
}
