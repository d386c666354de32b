/**
 * Commands whose work may take longer than one turn of the event loop should: they are carried out
 * in steps, and all other clients are served between two of them.
 *
 * The command's own client waits: its next requests are read after the reply. Each turn does one
 * step, whatever the number of such commands; a few take turns, the others wait in line, so that
 * what they hold in memory stays bounded too. A long reply is sent in parts, the next one when the
 * client has taken those before; meanwhile it waits apart and keeps nobody from having a turn.
 */
import { invariant, type OutputBuffer } from '../runtime/index.ts';
import type { Call } from './call.ts';
import type { Command } from './command.ts';
import type { CacheNode } from './node.ts';
import type { Session } from './session.ts';
import { describeRequest, type SlowRequest } from './slow-log.ts';

export interface LongCommand {
  /** Does up to about half a millisecond's work; returns whether all of it is done. */
  step(): boolean;
  /** Writes the reply, or its beginning, once, after the last step. */
  reply(out: OutputBuffer): void;
  /** Writes some more of the reply, where it is long; returns whether that was the last of it. */
  replyMore?(out: OutputBuffer): boolean;
}

interface Running {
  readonly session: Session;
  readonly command: Command;
  readonly request: SlowRequest;
  readonly work: LongCommand;
  readonly isMuted: boolean;
  /** All work is done, and the reply has begun. */
  isReplying: boolean;
  /** The time of all turns together. */
  tookUs: number;
}

const CONCURRENT_MAX = 4;

export class LongCommands {
  readonly #node: CacheNode;
  /** In order of arrival. */
  #running: Running[] = [];
  /** Those whose client does not take its reply. */
  readonly #waiting = new Map<Session, Running>();
  #turn = 0;

  constructor(node: CacheNode) {
    this.#node = node;
  }

  /** Carries out `work` as the call's command: at once where one step does it. */
  start(call: Call, work: LongCommand): void {
    const { clock } = this.#node.runtime;
    const startUs = clock.monotonicUs();
    if (work.step()) {
      work.reply(call.out);
      let isDone = work.replyMore === undefined;
      while (!isDone) isDone = work.replyMore?.(call.out) ?? true;
      return;
    }
    const { session, command } = call;
    invariant(command !== undefined, 'a call that is carried out is that of a command');
    const isMuted = session.replyMode === 'off' || session.replyMode === 'skip-this';
    session.suspend();
    this.#add({
      session,
      command,
      request: describeRequest(call),
      work,
      isMuted,
      isReplying: false,
      tookUs: clock.monotonicUs() - startUs,
    });
  }

  /** The client has taken what was sent to it. */
  drained(session: Session): void {
    const waiting = this.#waiting.get(session);
    if (waiting === undefined || session.isClogged) return;
    this.#waiting.delete(session);
    this.#add(waiting);
  }

  /** The client is gone. */
  forget(session: Session): void {
    this.#waiting.delete(session);
  }

  #add(running: Running): void {
    this.#running.push(running);
    if (this.#running.length === 1) this.#schedule();
  }

  #schedule(): void {
    this.#node.runtime.timers.defer(() => {
      this.#running = this.#running.filter(({ session }) => !session.closed);
      if (this.#running.length === 0) return;
      this.#turn = (this.#turn + 1) % Math.min(CONCURRENT_MAX, this.#running.length);
      const running = this.#running[this.#turn];
      this.#node.beginBatch();
      const { clock } = this.#node.runtime;
      const startUs = clock.monotonicUs();
      const isDone = running.isReplying ? this.#replyMore(running) : this.#step(running);
      running.tookUs += clock.monotonicUs() - startUs;
      const { session } = running;
      if (isDone || session.isClogged) this.#running.splice(this.#turn, 1);
      if (isDone) {
        this.#node.took(running.command, running.tookUs, () => running.request);
        session.endReply();
        session.wake();
      } else if (session.isClogged && !session.closed) {
        this.#waiting.set(session, running);
      }
      if (this.#running.length > 0) this.#schedule();
    });
  }

  /** Returns whether the command is done with. */
  #step(running: Running): boolean {
    const { session, work } = running;
    if (!work.step()) return false;
    if (running.isMuted) return true;
    running.isReplying = true;
    session.beginReply();
    session.respond((out) => work.reply(out));
    return work.replyMore === undefined;
  }

  #replyMore({ session, work }: Running): boolean {
    let isDone = true;
    session.respond((out) => {
      isDone = work.replyMore?.(out) ?? true;
    });
    return isDone;
  }
}
