/**
 * Clients that wait until it is decided who serves a shard that is on its way to another node.
 *
 * Each waits for two seconds at most, and is then told that the cluster is down: but the shard
 * stays held back, since only the leader knows what was decided.
 */
import type { ShardId } from '../../cluster/index.ts';
import type { Runtime, Timer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { Session } from '../session.ts';

const HOLD_MS = 2000;

interface Waiting {
  readonly shard: ShardId;
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
  add(call: Call, shard: ShardId): boolean {
    const { session } = call;
    if (session === this.#overdue) return false;
    session.holdBack(call);
    const timer =
      this.#waiting.get(session)?.timer ??
      this.#runtime.timers.after(HOLD_MS, () => this.#expire(session));
    this.#waiting.set(session, { shard, timer });
    return true;
  }

  /** Lets the clients of these shards go on: they may have to wait again. */
  release(isReleased: (shard: ShardId) => boolean): void {
    for (const [session, { shard }] of [...this.#waiting]) {
      if (!isReleased(shard)) continue;
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
