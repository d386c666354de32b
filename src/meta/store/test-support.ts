/** Transactions drawn at random over few keys, and the plainest store that could carry them out. */
import fc from 'fast-check';
import { asRevision } from '../../cluster/index.ts';
import type { Change, Compare, Entry, Transaction, WatchEvent } from './metadata-store.ts';

/** Prefixes of one another, neighbours, and text beyond ASCII. */
export const KEYS = ['a', 'a/', 'a/1', 'a/2', 'a/10', 'b', 'b/é', 'b/\u{1f600}', 'b/\uffff', ''];

const key = fc.constantFrom(...KEYS);
export const prefix = fc.constantFrom('', 'a', 'a/', 'a/1', 'b/', 'c');

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('put'), key, value: fc.string() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete'), key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deletePrefix'), prefix }) },
);

/** The revision compared with is as often right as wrong: `back` counts from the newest. */
const compare = fc.oneof(
  fc.record({ key, isPresent: fc.constant(true as const) }),
  fc.record({ key, back: fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined }) }),
);

export interface TransactionPlan {
  readonly compares: ReadonlyArray<
    { readonly key: string; readonly isPresent: true } | { key: string; back: number | undefined }
  >;
  readonly changes: readonly Change[];
}

export const transactionPlan: fc.Arbitrary<TransactionPlan> = fc.record({
  compares: fc.array(compare, { maxLength: 2 }),
  changes: fc.array(change, { maxLength: 4 }),
});

/** Keeps every state there has ever been, and looks at nothing but those. */
export class PlainStore {
  /** By revision. */
  readonly states: Array<ReadonlyMap<string, Entry>> = [new Map()];

  get revision(): number {
    return this.states.length - 1;
  }

  get state(): ReadonlyMap<string, Entry> {
    return this.states[this.revision];
  }

  transaction({ compares, changes }: TransactionPlan): Transaction {
    return {
      compares: compares.map((planned): Compare => {
        if ('isPresent' in planned) return planned;
        const { key: compared, back } = planned;
        const held = this.state.get(compared)?.modRevision ?? 0;
        const modRevision = back === undefined ? held : Math.max(0, this.revision - back);
        return { key: compared, modRevision: asRevision(modRevision) };
      }),
      changes,
    };
  }

  /** @returns the keys whose compares fail */
  commit({ compares, changes }: Transaction): string[] {
    const failed = compares.filter((each) =>
      'isPresent' in each
        ? !this.state.has(each.key)
        : (this.state.get(each.key)?.modRevision ?? 0) !== each.modRevision,
    );
    if (failed.length > 0) return failed.map((each) => each.key);
    const state = new Map(this.state);
    const revision = asRevision(this.revision + 1);
    for (const each of changes) {
      if (each.kind === 'put') {
        const createRevision = state.get(each.key)?.createRevision ?? revision;
        const { key: put, value } = each;
        state.set(put, { key: put, value, createRevision, modRevision: revision });
      } else if (each.kind === 'delete') {
        state.delete(each.key);
      } else {
        for (const held of [...state.keys()]) {
          if (held.startsWith(each.prefix)) state.delete(held);
        }
      }
    }
    const isChanged =
      state.size !== this.state.size ||
      [...state].some(([held, entry]) => this.state.get(held) !== entry);
    if (isChanged) this.states.push(state);
    return [];
  }

  list(wanted: string): Entry[] {
    return [...this.state.values()]
      .filter((entry) => entry.key.startsWith(wanted))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /** What differs from one state to the next, sorted by key within a revision. */
  events(wanted: string, after: number, through: number): WatchEvent[] {
    const events: WatchEvent[] = [];
    for (let revision = after + 1; revision <= through; revision++) {
      const before = this.states[revision - 1];
      const now = this.states[revision];
      const modRevision = asRevision(revision);
      for (const held of [...new Set([...before.keys(), ...now.keys()])].sort()) {
        const entry = now.get(held);
        if (!held.startsWith(wanted) || entry === before.get(held)) continue;
        events.push(
          entry === undefined
            ? { kind: 'delete', key: held, modRevision }
            : { kind: 'put', key: held, value: entry.value, modRevision },
        );
      }
    }
    return events;
  }
}
