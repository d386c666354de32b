/** One request on its way, from the caller to a node and back. */
import type { CachectlError } from '../cluster/index.ts';
import type { Reply } from '../resp/index.ts';

export type Argument = string | Uint8Array;

export class Call {
  readonly args: readonly Argument[];
  /** On the monotonic clock, in µs. After it nobody waits any more. */
  readonly deadlineUs: number;
  /** True once the caller has its answer, of whatever kind. */
  isSettled = false;
  readonly #onReply: (reply: Reply) => void;
  readonly #onError: (error: CachectlError) => void;

  constructor(
    args: readonly Argument[],
    deadlineUs: number,
    onReply: (reply: Reply) => void,
    onError: (error: CachectlError) => void,
  ) {
    this.args = args;
    this.deadlineUs = deadlineUs;
    this.#onReply = onReply;
    this.#onError = onError;
  }

  reply(reply: Reply): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.#onReply(reply);
  }

  fail(error: CachectlError): void {
    if (this.isSettled) return;
    this.isSettled = true;
    this.#onError(error);
  }
}
