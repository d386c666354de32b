/**
 * A session of this peer's own: proposes a command again until its outcome is known, and has it
 * applied once.
 *
 * The session is opened with the first command. Should it be lost (closed for want of use), what
 * was surely not applied goes on in a new one, and the rest ends as `unknown`: only the caller can
 * tell then whether to do it again.
 */
import type { Runtime } from '../runtime/index.ts';
import type { SubmitOutcome } from './peer-requests.ts';
import type { SessionCommand } from './sessions.ts';
import type { RefusalReason } from './types.ts';

export type ProposeOutcome =
  /** Applied, once, at this peer too; `answer` is the state machine's. */
  | { readonly kind: 'applied'; readonly answer: Uint8Array }
  /** Not applied, and never will be. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  /** Time is up: it may be applied, now or later, or never. */
  | { readonly kind: 'unknown' };

export interface ProposerSettings {
  /** Commands under way at a time; less than the answers that a session keeps. */
  readonly pendingMax: number;
  /** Before a command is proposed again that was refused for the moment. */
  readonly pauseMs: number;
  /** Before a command is proposed again of which nothing was heard. */
  readonly attemptMs: number;
}

type Submit = (
  command: SessionCommand,
  untilUs: number,
  done: (outcome: SubmitOutcome) => void,
) => void;

interface Pending {
  readonly bytes: Uint8Array;
  readonly untilUs: number;
  readonly done: (outcome: ProposeOutcome) => void;
  /** In the present session; 0 before it is open. */
  serial: number;
  /** An attempt of which nothing is known yet. */
  isOpen: boolean;
  /** Whether an earlier attempt may have reached a log. */
  mayBeApplied: boolean;
}

const NONCES_PER_LIFE = 2 ** 21;

export class Proposer {
  readonly #runtime: Pick<Runtime, 'clock' | 'timers'>;
  readonly #settings: ProposerSettings;
  readonly #submit: Submit;
  /** In the order of their serials. */
  readonly #pending = new Set<Pending>();
  #session: number | undefined;
  #isOpening = false;
  #lastSerial = 0;
  #nonce: number;

  constructor(
    runtime: Pick<Runtime, 'clock' | 'random' | 'timers'>,
    settings: ProposerSettings,
    submit: Submit,
  ) {
    this.#runtime = runtime;
    this.#settings = settings;
    this.#submit = submit;
    this.#nonce = runtime.random.uint32() * NONCES_PER_LIFE;
  }

  propose(bytes: Uint8Array, timeoutMs: number, done: (outcome: ProposeOutcome) => void): void {
    if (this.#pending.size >= this.#settings.pendingMax) {
      this.#runtime.timers.defer(() => done({ kind: 'refused', reason: 'overloaded' }));
      return;
    }
    const untilUs = this.#runtime.clock.monotonicUs() + timeoutMs * 1000;
    const pending: Pending = {
      bytes,
      untilUs,
      done,
      serial: 0,
      isOpen: false,
      mayBeApplied: false,
    };
    this.#pending.add(pending);
    if (this.#session === undefined) this.#open();
    else this.#begin(pending);
  }

  #open(): void {
    if (this.#session !== undefined || this.#isOpening || this.#pending.size === 0) return;
    this.#isOpening = true;
    this.#nonce++;
    this.#submit({ kind: 'open', nonce: this.#nonce }, this.#attemptUntilUs(), (outcome) => {
      this.#isOpening = false;
      if (outcome.kind === 'answered' && outcome.answer.kind === 'opened') {
        this.#session = outcome.answer.session;
        this.#lastSerial = 0;
        for (const pending of [...this.#pending]) this.#begin(pending);
        return;
      }
      const reason = outcome.kind === 'refused' ? outcome.reason : 'noLeader';
      for (const pending of [...this.#pending]) {
        if (this.#isFinal(reason) || this.#isLate(pending)) this.#end(pending, reason);
      }
      this.#later(() => this.#open());
    });
  }

  #begin(pending: Pending): void {
    this.#lastSerial++;
    pending.serial = this.#lastSerial;
    this.#attempt(pending);
  }

  #attempt(pending: Pending): void {
    const session = this.#session;
    if (session === undefined || !this.#pending.has(pending)) return;
    const { serial, bytes, untilUs } = pending;
    const answeredThrough = this.#answeredThrough();
    const command = { kind: 'command', session, serial, answeredThrough, bytes } as const;
    const attemptUntilUs = Math.min(untilUs, this.#attemptUntilUs());
    pending.isOpen = true;
    this.#submit(command, attemptUntilUs, (outcome) => {
      if (!this.#pending.has(pending)) return;
      pending.isOpen = false;
      this.#answered(pending, outcome);
    });
  }

  #answered(pending: Pending, outcome: SubmitOutcome): void {
    switch (outcome.kind) {
      case 'answered':
        if (outcome.answer.kind === 'answered') {
          this.#pending.delete(pending);
          pending.done({ kind: 'applied', answer: outcome.answer.bytes });
        } else this.#reopen();
        break;
      case 'refused':
        if (this.#isFinal(outcome.reason) || this.#isLate(pending)) {
          this.#end(pending, outcome.reason);
        } else this.#later(() => this.#attempt(pending));
        break;
      case 'unknown':
        pending.mayBeApplied = true;
        if (this.#isLate(pending)) this.#end(pending, 'noLeader');
        else this.#attempt(pending);
        break;
    }
  }

  /** The session is gone: what may have been applied in it can no longer be asked about. */
  #reopen(): void {
    this.#session = undefined;
    for (const pending of [...this.#pending]) {
      if (pending.mayBeApplied || pending.isOpen) this.#end(pending, 'noLeader');
    }
    this.#open();
  }

  /** The outcome is a refusal only where no attempt can have left a trace. */
  #end(pending: Pending, reason: RefusalReason): void {
    this.#pending.delete(pending);
    const mayBeApplied = pending.mayBeApplied || pending.isOpen;
    pending.done(mayBeApplied ? { kind: 'unknown' } : { kind: 'refused', reason });
  }

  /** Refusals that asking again does not change, or must not, so that nothing queues up. */
  #isFinal(reason: RefusalReason): boolean {
    return reason === 'tooLarge' || reason === 'overloaded' || reason === 'stopped';
  }

  #isLate({ untilUs }: Pending): boolean {
    return this.#runtime.clock.monotonicUs() >= untilUs;
  }

  #later(callback: () => void): void {
    this.#runtime.timers.after(this.#settings.pauseMs, callback);
  }

  #answeredThrough(): number {
    for (const { serial } of this.#pending) return serial - 1;
    return this.#lastSerial;
  }

  #attemptUntilUs(): number {
    return this.#runtime.clock.monotonicUs() + this.#settings.attemptMs * 1000;
  }
}
