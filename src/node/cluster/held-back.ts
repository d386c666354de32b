/**
 * Clients that wait until it is known who serves: a shard is on its way to another node, or the
 * node's lease has run out and may be renewed by the next answer, as when the leader has changed.
 *
 * For a shard each waits for two seconds at most, and is then told that the cluster is down: but
 * the shard stays held back, since only the leader knows what was decided.
 */
import type { ShardId } from '../../cluster/index.ts';
import type { Runtime, Timer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { Session } from '../session.ts';

const HOLD_MS = 2000;

interface Waiting {
  /** Undefined: the request is about all keys. */
  readonly shard: ShardId | undefined;
  readonly timer: Timer;
}

export class HeldBack {
  readonly #runtime: Pick<Runtime, 'timers'>;
  readonly #waiting = new Map<Session, Waiting>();
  /** Has waited long enough: what it asks for in this batch is refused. */
  #overdue: Session | undefined;

  constructor(runtime: Pick<Runtime, 'timers'>) {
    this.#runtime = runtime;
  }

  /** Keeps the request until the shard is released; false where its client has waited enough. */
  add(call: Call, shard: ShardId | undefined, waitMs = HOLD_MS): boolean {
    const { session } = call;
    if (session === this.#overdue) return false;
    session.holdBack(call);
    const timer =
      this.#waiting.get(session)?.timer ??
      this.#runtime.timers.after(waitMs, () => this.#expire(session));
    this.#waiting.set(session, { shard, timer });
    return true;
  }

  /** Lets the clients of these shards go on: they may have to wait again. */
  release(isReleased: (shard: ShardId) => boolean): void {
    for (const [session, { shard }] of [...this.#waiting]) {
      if (shard !== undefined && !isReleased(shard)) continue;
      this.forget(session);
      session.release();
    }
  }

  releaseAll(): void {
    for (const session of this.#waiting.keys()) this.#expire(session);
  }

  forget(session: Session): void {
    this.#waiting.get(session)?.timer.cancel();
    this.#waiting.delete(session);
  }

  #expire(session: Session): void {
    this.forget(session);
    this.#overdue = session;
    session.release();
    this.#overdue = undefined;
  }
}
