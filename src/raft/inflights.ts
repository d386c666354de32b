/**
 * The append messages under way to one follower: a window bounded by count and by bytes.
 *
 * Each message is known by the last index that it carries. An acknowledgement of an index frees
 * that message and all before it.
 */
import { invariant } from '../runtime/invariant.ts';
import type { Index } from './types.ts';

export class Inflights {
  readonly #messagesMax: number;
  readonly #bytesMax: number;
  readonly #window: Array<{ readonly last: Index; readonly bytes: number }> = [];
  #bytes = 0;

  constructor(messagesMax: number, bytesMax: number) {
    this.#messagesMax = messagesMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#window.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The bound on bytes is soft: the message that crosses it is still sent, the next one is not. */
  get isFull(): boolean {
    return this.#window.length >= this.#messagesMax || this.#bytes >= this.#bytesMax;
  }

  add(last: Index, bytes: number): void {
    invariant(!this.isFull, 'no message is sent beyond a full window');
    invariant(
      this.#window.length === 0 || this.#window[this.#window.length - 1].last <= last,
      'messages are sent in the order of their indices',
    );
    this.#window.push({ last, bytes });
    this.#bytes += bytes;
  }

  freeThrough(index: Index): void {
    let freed = 0;
    while (freed < this.#window.length && this.#window[freed].last <= index) {
      this.#bytes -= this.#window[freed].bytes;
      freed++;
    }
    this.#window.splice(0, freed);
  }

  /** Makes room for one more, where an answer may have been lost. */
  freeFirst(): void {
    if (this.#window.length > 0) this.freeThrough(this.#window[0].last);
  }

  clear(): void {
    this.#window.length = 0;
    this.#bytes = 0;
  }
}
