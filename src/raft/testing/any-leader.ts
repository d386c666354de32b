/**
 * One follower, and all that any correct leader may send to it.
 *
 * A leader of ours sends appends in one manner, and a transport of ours keeps them in order. The
 * paper allows more: an append may begin anywhere in the leader's log, bring any number of entries,
 * none as well, be repeated and overtaken, and tell of any commit index up to that moment. Leaders
 * follow each other, each with all that is committed, and with any of what is not. Whatever comes,
 * the follower must vouch for, and commit, only what agrees with the leader of the term.
 */
import { InvariantError } from '../../runtime/invariant.ts';
import type { RaftLog } from '../log.ts';
import type { Rules } from '../rules.ts';
import { asIndex, asTerm } from '../types.ts';
import { Dice } from './dice.ts';
import { Violation } from './oracles.ts';
import { entriesOf, Solo } from './solo.ts';

/** Messages that a follower is sent in one life. */
const MESSAGES = 60;

class AnyLeader {
  readonly #dice: Dice;
  readonly #follower: Solo;
  /** Terms of the entries of the leader's log, from index 1. */
  #log: number[] = [1];
  #term = 1;
  #committed = 1;
  /** The follower has said in this term that it has entries through here. */
  #acknowledged = 0;

  constructor(seed: number, rules: Partial<Rules>) {
    this.#dice = new Dice(seed);
    this.#follower = new Solo({ log: this.#log, rules });
  }

  /** @throws {Violation} */
  run(): void {
    for (let message = 0; message < MESSAGES; message += 1) {
      if (this.#dice.pick(8) === 0) this.#elect();
      if (this.#dice.pick(3) === 0) this.#propose();
      if (this.#dice.pick(3) === 0) this.#commit();
      this.#send();
      this.#check();
    }
  }

  /** The next leader has what is committed, and of the rest as much as it may have got. */
  #elect(): void {
    const kept = this.#committed + this.#dice.pick(this.#log.length - this.#committed + 1);
    this.#log.length = kept;
    this.#term += 1 + this.#dice.pick(2);
    this.#log.push(this.#term);
    this.#acknowledged = 0;
  }

  #propose(): void {
    for (let count = this.#dice.pick(6); count > 0; count -= 1) this.#log.push(this.#term);
  }

  /** Any entry of the leader's own term: the others may have it. */
  #commit(): void {
    const index = this.#committed + this.#dice.pick(this.#log.length - this.#committed + 1);
    if (this.#log[index - 1] === this.#term) this.#committed = index;
  }

  #send(): void {
    const previous = 1 + this.#dice.pick(this.#log.length);
    const count = this.#dice.pick(this.#log.length - previous + 1);
    const terms = this.#log.slice(previous, previous + count);
    this.#follower.takeSent('appendAccepted');
    this.#follower.receive(
      'b',
      {
        kind: 'append',
        previousIndex: asIndex(previous),
        previousTerm: asTerm(this.#log[previous - 1]),
        entries: entriesOf(terms, previous + 1),
        commit: asIndex(this.#dice.pick(this.#committed + 1)),
      },
      this.#term,
    );
  }

  #check(): void {
    const { log } = this.#follower.core;
    this.#mustAgree(log, log.commit, 'commits');
    if (log.commit > this.#committed) throw violation(`commits entry ${log.commit} before anyone`);
    for (const { match } of this.#follower.takeSent('appendAccepted')) {
      this.#mustAgree(log, match, 'vouches for');
      this.#acknowledged = Math.max(this.#acknowledged, match);
    }
    this.#mustAgree(log, this.#acknowledged, 'has vouched for');
  }

  #mustAgree(log: RaftLog, through: number, does: string): void {
    for (let index = 1; index <= through; index += 1) {
      const has = log.termAt(index);
      if (has === this.#log[index - 1]) continue;
      const own = has === undefined ? 'lacks it' : `has one of term ${has}`;
      throw violation(`${does} entry ${through}, and of entry ${index} it ${own}`);
    }
  }
}

/** @returns in words what a follower did that it may not; undefined where it did nothing wrong */
export function findDisagreement(seed: number, rules: Partial<Rules>): string | undefined {
  try {
    new AnyLeader(seed, rules).run();
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    if (error instanceof InvariantError) return `invariant: ${error.message}`;
    throw error;
  }
}

function violation(words: string): Violation {
  return new Violation('log matching', `a follower ${words}`);
}
