/**
 * Commands whose work may take longer than one turn of the event loop should: they are carried out
 * in steps, and all other clients are served between two of them.
 *
 * The command's own client waits: its next requests are read after the reply. Each turn does one
 * step, whatever the number of such commands; a few take turns, the others wait in line, so that
 * what they hold in memory stays bounded too.
 */
import type { OutputBuffer } from '../runtime/index.ts';
import type { Call } from './call.ts';
import type { CacheNode } from './node.ts';
import type { Session } from './session.ts';

export interface LongCommand {
  /** Does up to about half a millisecond's work; returns whether all of it is done. */
  step(): boolean;
  /** Writes the reply, once, after the last step. */
  reply(out: OutputBuffer): void;
}

interface Running {
  readonly session: Session;
  readonly work: LongCommand;
  readonly isMuted: boolean;
}

const CONCURRENT_MAX = 4;

export class LongCommands {
  readonly #node: CacheNode;
  /** In order of arrival. */
  #running: Running[] = [];
  #turn = 0;

  constructor(node: CacheNode) {
    this.#node = node;
  }

  /** Carries out `work` as the call's command: at once where one step does it. */
  start(call: Call, work: LongCommand): void {
    if (work.step()) {
      work.reply(call.out);
      return;
    }
    const { session } = call;
    const isMuted = session.replyMode === 'off' || session.replyMode === 'skip-this';
    session.suspend();
    this.#running.push({ session, work, isMuted });
    if (this.#running.length === 1) this.#schedule();
  }

  #schedule(): void {
    this.#node.runtime.timers.defer(() => {
      this.#running = this.#running.filter(({ session }) => !session.closed);
      if (this.#running.length === 0) return;
      this.#turn = (this.#turn + 1) % Math.min(CONCURRENT_MAX, this.#running.length);
      const running = this.#running[this.#turn];
      this.#node.beginBatch();
      if (running.work.step()) {
        this.#running.splice(this.#turn, 1);
        this.#finish(running);
      }
      if (this.#running.length > 0) this.#schedule();
    });
  }

  #finish({ session, work, isMuted }: Running): void {
    if (!isMuted) session.respond((out) => work.reply(out));
    session.wake();
  }
}
