/**
 * Who waits for what at one peer: proposals until their entry is applied here, reads until the
 * state machine is far enough.
 *
 * A proposal is known by its session and serial (or its nonce), so that an answer is found whoever
 * proposed the entry that brought it, here or at the leader. Every wait ends: with the answer, with
 * a refusal, or, when time is up or the leader was lost, with `unknown`.
 */
import type { ProposalOutcome } from './effects.ts';
import type { SessionAnswer, SessionCommand } from './sessions.ts';
import { asIndex } from './types.ts';
import type { Index, PeerId, RefusalReason } from './types.ts';

export type SubmitOutcome =
  | { readonly kind: 'answered'; readonly answer: SessionAnswer }
  /** This attempt left no trace. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  /** It may be applied, now or later, or never. Asking again with the same serial is safe. */
  | { readonly kind: 'unknown' };

interface Waiter {
  readonly key: string;
  readonly proposal: number;
  readonly untilUs: number;
  readonly leader: PeerId | undefined;
  readonly done: (outcome: SubmitOutcome) => void;
}

export class PendingProposals {
  /** In the order of submission, and so of their deadlines. */
  readonly #waiters = new Set<Waiter>();
  readonly #byKey = new Map<string, Set<Waiter>>();
  readonly #byProposal = new Map<number, Set<Waiter>>();
  /** The last entry of each batch that this peer itself appended, in the order of the log. */
  readonly #appended = new Map<number, Index>();

  get size(): number {
    return this.#waiters.size;
  }

  get wakeAtUs(): number {
    for (const { untilUs } of this.#waiters) return untilUs;
    return Infinity;
  }

  add(
    command: SessionCommand,
    proposal: number,
    leader: PeerId | undefined,
    untilUs: number,
    done: (outcome: SubmitOutcome) => void,
  ): void {
    const waiter: Waiter = { key: keyOfCommand(command), proposal, untilUs, leader, done };
    this.#waiters.add(waiter);
    addTo(this.#byKey, waiter.key, waiter);
    addTo(this.#byProposal, proposal, waiter);
  }

  /** What the core says has become of a batch, all of which still waits. */
  proposed(outcome: ProposalOutcome): void {
    const batch = this.#byProposal.get(outcome.proposal);
    if (batch === undefined) return;
    if ('refused' in outcome) {
      for (const waiter of batch) this.#end(waiter, { kind: 'refused', reason: outcome.refused });
    } else if ('index' in outcome) {
      this.#appended.set(outcome.proposal, asIndex(outcome.index + batch.size - 1));
    }
  }

  answered(answer: SessionAnswer): void {
    for (const waiter of this.#byKey.get(keyOfAnswer(answer)) ?? []) {
      this.#end(waiter, { kind: 'answered', answer });
    }
  }

  /**
   * All through `index` is applied here. What this peer appended before that and is still waited
   * for was overwritten by another leader: it left no trace. Of what a restored snapshot holds
   * nothing can be told.
   */
  applied(index: Index, isRestored: boolean): void {
    if (isRestored) {
      this.abandon();
      return;
    }
    for (const [proposal, last] of this.#appended) {
      if (last > index) break;
      this.#appended.delete(proposal);
      for (const waiter of this.#byProposal.get(proposal) ?? []) {
        this.#end(waiter, { kind: 'refused', reason: 'notLeader' });
      }
    }
  }

  /** Another leader is known: what was sent to an earlier one may be lost. */
  leaderChanged(leader: PeerId): void {
    for (const waiter of [...this.#waiters]) {
      if (waiter.leader !== leader) this.#end(waiter, { kind: 'unknown' });
    }
  }

  expire(nowUs: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.untilUs > nowUs) return;
      this.#end(waiter, { kind: 'unknown' });
    }
  }

  /** Whoever is told may propose anew at once: that one is not meant. */
  abandon(): void {
    this.#appended.clear();
    for (const waiter of [...this.#waiters]) this.#end(waiter, { kind: 'unknown' });
  }

  #end(waiter: Waiter, outcome: SubmitOutcome): void {
    this.#waiters.delete(waiter);
    removeFrom(this.#byKey, waiter.key, waiter);
    removeFrom(this.#byProposal, waiter.proposal, waiter);
    waiter.done(outcome);
  }
}

export type ReadOutcome =
  /** Read the state machine now, within the call. */
  { readonly kind: 'ready' } | { readonly kind: 'refused'; readonly reason: RefusalReason };

/** Reads that the core has let go, until what they must see is applied. */
export class PendingReads {
  readonly #asked = new Map<number, (outcome: ReadOutcome) => void>();
  #ready: Array<{ readonly index: Index; readonly done: (outcome: ReadOutcome) => void }> = [];

  add(read: number, done: (outcome: ReadOutcome) => void): void {
    this.#asked.set(read, done);
  }

  confirmed(read: number, index: Index): void {
    const done = this.#asked.get(read);
    this.#asked.delete(read);
    if (done !== undefined) this.#ready.push({ index, done });
  }

  refused(read: number, reason: RefusalReason): void {
    const done = this.#asked.get(read);
    this.#asked.delete(read);
    done?.({ kind: 'refused', reason });
  }

  applied(index: Index): void {
    if (this.#ready.length === 0) return;
    const due = this.#ready.filter((read) => read.index <= index);
    this.#ready = this.#ready.filter((read) => read.index > index);
    for (const { done } of due) done({ kind: 'ready' });
  }

  abandon(): void {
    const all = [...this.#asked.values(), ...this.#ready.map(({ done }) => done)];
    this.#asked.clear();
    this.#ready = [];
    for (const done of all) done({ kind: 'refused', reason: 'stopped' });
  }
}

function keyOfCommand(command: SessionCommand): string {
  return command.kind === 'open' ? `open ${command.nonce}` : `${command.session} ${command.serial}`;
}

function keyOfAnswer(answer: SessionAnswer): string {
  return answer.kind === 'opened' ? `open ${answer.nonce}` : `${answer.session} ${answer.serial}`;
}

function addTo<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function removeFrom<Key, Value>(map: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
