/**
 * Carries out what the controller has decided, with its place in the audit log, and says so once the
 * state shows it: whoever decides next sees the outcome.
 *
 * After a commit of which nothing is known the state is brought up to date: either its changes are
 * there, or they are not and may still come. Then they come only if what they rest on is unchanged,
 * and so before anything that is decided by the same.
 */
import {
  AUDIT_EVENTS_MAX,
  METADATA_KEYS,
  type AuditEvent,
  type Revision,
} from '../../cluster/index.ts';
import type { Runtime } from '../../runtime/index.ts';
import type { Change, MetadataStore, Transaction } from '../store/index.ts';
import type { ClusterState } from './cluster-state.ts';
import type { LoopCommit } from './loop.ts';
import { put } from './map-commit.ts';

/**
 * - `committed`, and the state shows it.
 * - `conflict`: nothing was done, and the state shows why.
 * - `failed`: it is not known to be done; the state is as new as can be.
 * - `stopped`: this peer leads no more.
 */
export type Committed = 'committed' | 'conflict' | 'failed' | 'stopped';

interface Host {
  readonly runtime: Pick<Runtime, 'clock' | 'log' | 'timers'>;
  readonly store: MetadataStore;
  readonly state: ClusterState;
}

const TIMEOUT_MS = 5000;
const READ_AGAIN_MS = 200;
const WHO = 'controller';

export class Commits {
  readonly #host: Host;
  readonly #waiting = new Set<{ readonly revision: Revision; readonly run: () => void }>();
  readonly #underWay = new Set<(outcome: Committed) => void>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** @param done called once, later */
  commit(decision: LoopCommit, done: (outcome: Committed) => void): void {
    this.#underWay.add(done);
    const finish = (outcome: Committed): void => {
      if (this.#underWay.delete(done)) done(outcome);
    };
    this.#host.store.commit(this.#transaction(decision), TIMEOUT_MS, (outcome) => {
      switch (outcome.kind) {
        case 'committed':
          this.#log(decision, outcome.revision);
          this.#when(outcome.revision, () => finish('committed'));
          break;
        case 'conflict':
          this.#when(outcome.revision, () => finish('conflict'));
          break;
        case 'refused':
          this.#host.runtime.log.write('warn', `a commit is refused: ${outcome.reason}`);
          finish('failed');
          break;
        case 'unknown':
          this.#settle(() => finish('failed'));
          break;
      }
    });
  }

  /** What waits for the state to move on. */
  stateChanged(): void {
    const { revision } = this.#host.state;
    for (const waiter of this.#waiting) {
      if (waiter.revision > revision) continue;
      this.#waiting.delete(waiter);
      waiter.run();
    }
  }

  stop(): void {
    const ended = [...this.#underWay];
    this.#underWay.clear();
    this.#waiting.clear();
    this.#host.runtime.timers.defer(() => {
      for (const done of ended) done('stopped');
    });
  }

  /** Until the state is at least of now. */
  #settle(done: () => void): void {
    this.#host.store.read({ key: METADATA_KEYS.epoch }, (outcome) => {
      if (outcome.kind === 'read') this.#when(outcome.revision, done);
      else this.#host.runtime.timers.after(READ_AGAIN_MS, () => this.#settle(done));
    });
  }

  #when(revision: Revision, run: () => void): void {
    if (this.#host.state.revision >= revision) run();
    else this.#waiting.add({ revision, run });
  }

  #transaction({ compares, changes, events, movesBegun = 0 }: LoopCommit): Transaction {
    const { state, runtime } = this.#host;
    if (events.length === 0) return { compares, changes };
    const atMs = Math.floor(runtime.clock.wallUs() / 1000);
    const first = state.counters.event;
    const written = events.flatMap((event, index): Change[] => {
      const number = first + index;
      const record: AuditEvent = { number, atMs, who: WHO, ...event };
      const dropped = number - AUDIT_EVENTS_MAX;
      return [
        put(METADATA_KEYS.event(number), record),
        ...(dropped < 1 ? [] : [{ kind: 'delete', key: METADATA_KEYS.event(dropped) } as const]),
      ];
    });
    const { move } = state.counters;
    const counters = {
      ...state.counters,
      event: first + events.length,
      move: move + movesBegun,
    };
    return {
      compares: [...compares, state.unchanged(METADATA_KEYS.counters)],
      changes: [...changes, put(METADATA_KEYS.counters, counters), ...written],
    };
  }

  #log({ events }: LoopCommit, revision: Revision): void {
    for (const { operation, subject, words } of events) {
      this.#host.runtime.log.write('info', `${operation}: ${subject}`, { words, revision });
    }
  }
}
