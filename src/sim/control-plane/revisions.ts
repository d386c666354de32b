/**
 * What revisions promise, from what clients and watchers were told and what the peers hold: each
 * value was put at one revision, whoever says so; commits that follow each other have revisions
 * that do; and two peers at one revision hold the same.
 */
import type { Entry, StoreView } from '../../meta/index.ts';
import { OracleViolation } from '../simulation.ts';
import type { CommitCall } from './calls.ts';

interface Acknowledged {
  readonly revision: number;
  readonly calledAt: number;
  readonly returnedAt: number;
  readonly changes: CommitCall['changes'];
}

export class Revisions {
  readonly acknowledged: Acknowledged[] = [];
  readonly #states = new Map<number, readonly Entry[]>();
  readonly #putAt = new Map<string, number>();

  /** A peer has come to this revision. */
  reached(peer: string, view: StoreView): void {
    const entries = view.list('');
    const known = this.#states.get(view.revision);
    if (known === undefined) {
      this.#states.set(view.revision, entries);
    } else if (JSON.stringify(known) !== JSON.stringify(entries)) {
      const words = `${peer} holds something else at revision ${view.revision} than another peer`;
      throw new OracleViolation('equal-states', words);
    }
  }

  /** What the peers held; undefined where none was seen at that revision. */
  stateAt(revision: number): readonly Entry[] | undefined {
    return this.#states.get(revision);
  }

  /** Somebody was told that `value`, which is written once, was put at `revision`. */
  told(value: string, revision: number): void {
    const known = this.#putAt.get(value) ?? revision;
    this.#putAt.set(value, known);
    if (known !== revision) {
      const words = `${value} was put at revision ${known}, and at ${revision}`;
      throw new OracleViolation('revisions', words);
    }
  }

  committed(acknowledged: Acknowledged): void {
    this.acknowledged.push(acknowledged);
    for (const change of acknowledged.changes) {
      if (change.kind === 'put') this.told(change.value, acknowledged.revision);
    }
  }

  /** All is told. */
  checkOrder(): void {
    const byReturn = this.acknowledged.toSorted((a, b) => a.returnedAt - b.returnedAt);
    const byCall = this.acknowledged.toSorted((a, b) => a.calledAt - b.calledAt);
    let highest = 0;
    let next = 0;
    for (const { calledAt, revision } of byCall) {
      for (; next < byReturn.length && byReturn[next].returnedAt < calledAt; next += 1) {
        highest = Math.max(highest, byReturn[next].revision);
      }
      if (revision < highest) {
        const words = `a commit got revision ${revision} though ${highest} was given before it began`;
        throw new OracleViolation('revisions', words);
      }
    }
  }
}
