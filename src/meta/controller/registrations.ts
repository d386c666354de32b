/**
 * Carries out registrations: those that wait go into one commit, so that a thousand nodes that start
 * together cost a few. But each is decided as if it were the only one, so none goes along with
 * another whose outcome it rests on: one that changes the map goes alone.
 */
import { CachectlError, type NodeFacts } from '../../cluster/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Commits, Committed } from './commits.ts';
import type { LoopCommit } from './loop.ts';
import { decideRegistration, type MembershipView } from './membership.ts';

/** Undefined: the node is registered. */
type Settle = (error: CachectlError | undefined) => void;

interface Waiting {
  readonly facts: NodeFacts;
  readonly settle: Settle;
}

export interface RegistrationHost {
  readonly runtime: Pick<Runtime, 'timers'>;
  view(): MembershipView;
  notLeading(): CachectlError;
}

const BATCH_MAX = 256;
const WAITING_MAX = 10_000;

export class Registrations {
  readonly #host: RegistrationHost;
  readonly #commits: Commits;
  #waiting: Waiting[] = [];
  #isBusy = false;

  constructor(host: RegistrationHost, commits: Commits) {
    this.#host = host;
    this.#commits = commits;
  }

  /** @param settle called once, later */
  add(facts: NodeFacts, settle: Settle): void {
    if (this.#waiting.length >= WAITING_MAX) {
      const words = `${WAITING_MAX} registrations wait, the most allowed`;
      this.#host.runtime.timers.defer(() => {
        settle(new CachectlError('ERR_CACHECTL_OVERLOADED', words));
      });
      return;
    }
    this.#waiting.push({ facts, settle });
    this.#goOn();
  }

  #goOn(): void {
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#isBusy = true;
    // With what else this turn of the event loop brings.
    this.#host.runtime.timers.defer(() => this.#commitBatch());
  }

  #commitBatch(): void {
    const { batch, commit } = this.#takeBatch();
    if (batch.length === 0) {
      this.#isBusy = false;
      this.#goOn();
      return;
    }
    this.#commits.commit(commit, (outcome) => {
      this.#isBusy = false;
      this.#finish(batch, outcome);
      if (outcome !== 'stopped') this.#goOn();
    });
  }

  /** Decides those that wait, as the state is; settles those for which nothing is to be written. */
  #takeBatch(): { batch: Waiting[]; commit: LoopCommit } {
    const view = this.#host.view();
    const batch: Waiting[] = [];
    const later: Waiting[] = [];
    const parts: LoopCommit[] = [];
    const taken = new Set<string>();
    const compared = new Set<string>();
    const changed = new Set<string>();
    for (const waiting of this.#waiting) {
      const { id, host, port } = waiting.facts;
      const address = `${host}:${port}`;
      if (batch.length >= BATCH_MAX || taken.has(id) || taken.has(address)) {
        later.push(waiting);
        continue;
      }
      const decision = decideRegistration(view, waiting.facts);
      if (decision.kind === 'refused') {
        waiting.settle(decision.error);
      } else if (decision.kind === 'known') {
        waiting.settle(undefined);
      } else {
        const { commit } = decision;
        const keys = commit.changes.flatMap((each) => ('key' in each ? [each.key] : []));
        const restsOn = commit.compares.map(({ key }) => key);
        if (restsOn.some((key) => changed.has(key)) || keys.some((key) => compared.has(key))) {
          later.push(waiting);
          continue;
        }
        for (const key of restsOn) compared.add(key);
        for (const key of keys) changed.add(key);
        taken.add(id).add(address);
        batch.push(waiting);
        parts.push(decision.commit);
      }
    }
    this.#waiting = later;
    return { batch, commit: merged(parts) };
  }

  #finish(batch: readonly Waiting[], outcome: Committed): void {
    // What was decided no longer holds: it is decided anew.
    if (outcome === 'conflict') {
      this.#waiting.unshift(...batch);
      return;
    }
    const isOver = outcome === 'stopped';
    const ended = isOver ? [...batch, ...this.#waiting.splice(0)] : batch;
    for (const { settle } of ended) {
      if (outcome === 'committed') settle(undefined);
      else settle(isOver ? this.#host.notLeading() : noMajority());
    }
  }
}

/** All are decided by one state, so equal keys are compared with equal revisions. */
function merged(parts: readonly LoopCommit[]): LoopCommit {
  const compares = new Map(parts.flatMap((part) => part.compares.map((each) => [each.key, each])));
  return {
    compares: [...compares.values()],
    changes: parts.flatMap(({ changes }) => changes),
    events: parts.flatMap(({ events }) => events),
  };
}

function noMajority(): CachectlError {
  const words = 'no majority of the meta peers has taken the registration';
  return new CachectlError('ERR_CACHECTL_NO_QUORUM', words);
}
