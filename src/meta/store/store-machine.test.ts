import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asRevision, type Revision } from '../../cluster/index.ts';
import { decodeApplied, decodeStoreCommand, encodeStoreCommand } from './codec.ts';
import type { Transaction, WatchEvent } from './metadata-store.ts';
import { StoreMachine } from './store-machine.ts';
import { PlainStore, prefix, transactionPlan } from './test-support.ts';

/** Callbacks that wait for the end of the turn. */
class Turn {
  readonly #callbacks: Array<() => void> = [];

  defer(callback: () => void): void {
    this.#callbacks.push(callback);
  }

  /** Until nothing is left to do. */
  end(): void {
    for (let next = this.#callbacks.shift(); next; next = this.#callbacks.shift()) next();
  }
}

function commit(machine: StoreMachine, transaction: Transaction, revisionsMax = 1000): Revision {
  const bound = { revisionsMax, lengthMax: 1_000_000 };
  const command = encodeStoreCommand({ kind: 'commit', transaction, bound });
  return decodeApplied(machine.apply(command)).revision;
}

/** The bytes of a snapshot, cut every `length`. */
function cut(pieces: Iterable<Uint8Array>, length: number): Uint8Array[] {
  const all = Buffer.concat([...pieces]);
  const cuts: Uint8Array[] = [];
  for (let at = 0; at < all.length; at += length) cuts.push(all.subarray(at, at + length));
  return cuts;
}

/** Follows a prefix as a client would: reads anew and goes on when it has fallen behind. */
class Follower {
  readonly #machine: StoreMachine;
  readonly #prefix: string;
  readonly events: WatchEvent[] = [];
  compactions = 0;
  from: Revision;

  constructor(machine: StoreMachine, wanted: string, from: Revision) {
    this.#machine = machine;
    this.#prefix = wanted;
    this.from = from;
    this.#watch();
  }

  #watch(): void {
    this.#machine.watches.add(this.#prefix, this.from, {
      onEvents: (revision, events) => {
        expect(events.length).toBeGreaterThan(0);
        expect(events.at(-1)?.modRevision).toBe(revision);
        this.events.push(...events);
      },
      onCompacted: (compactRevision) => {
        expect(compactRevision).toBeGreaterThan(this.from);
        this.compactions++;
        this.events.length = 0;
        this.from = this.#machine.keyspace.revision;
        this.#watch();
      },
    });
  }
}

function byKey(events: readonly WatchEvent[]): WatchEvent[] {
  return [...events].sort(
    (a, b) => a.modRevision - b.modRevision || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
}

describe('a watch', () => {
  test('is told each change once and in order, over restored snapshots and compactions', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant('commit'), plan: transactionPlan }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn') }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('watch'), prefix, back: fc.nat(8) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('compact'), back: fc.nat(8) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('restore'), pieces: fc.nat(40) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(20), (steps, revisionsMax) => {
        const turn = new Turn();
        // One peer applies all; the other is now and then sent a snapshot instead.
        const ahead = new StoreMachine(turn);
        const behind = new StoreMachine(turn);
        const plain = new PlainStore();
        const followers: Array<[Follower, string]> = [];
        for (const taken of steps) {
          switch (taken.kind) {
            case 'commit': {
              const transaction = plain.transaction(taken.plan);
              plain.commit(transaction);
              commit(ahead, transaction, revisionsMax);
              break;
            }
            case 'compact': {
              const through = asRevision(Math.max(0, plain.revision - taken.back));
              ahead.apply(encodeStoreCommand({ kind: 'compact', through }));
              break;
            }
            case 'watch': {
              for (const machine of [ahead, behind]) {
                const from = asRevision(Math.max(0, machine.keyspace.revision - taken.back));
                followers.push([new Follower(machine, taken.prefix, from), taken.prefix]);
              }
              break;
            }
            case 'restore':
              behind.restore(cut(ahead.snapshot(), taken.pieces + 1));
              break;
            default:
              turn.end();
          }
        }
        behind.restore(ahead.snapshot());
        turn.end();
        for (const [{ from, events }, wanted] of followers) {
          expect(events.map(({ modRevision }) => modRevision)).toEqual(
            byKey(events).map(({ modRevision }) => modRevision),
          );
          expect(byKey(events)).toEqual(plain.events(wanted, from, plain.revision));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('that is cancelled by another one’s handler is told nothing more', () => {
    const turn = new Turn();
    const machine = new StoreMachine(turn);
    const told: string[] = [];
    const onCompacted = (): void => {
      told.push('compacted');
    };
    machine.watches.add('', asRevision(0), {
      onEvents: () => {
        told.push('first');
        second.cancel();
      },
      onCompacted,
    });
    const second = machine.watches.add('', asRevision(0), {
      onEvents: () => told.push('second'),
      onCompacted,
    });
    commit(machine, { compares: [], changes: [{ kind: 'put', key: 'a', value: '1' }] });
    turn.end();
    expect(told).toEqual(['first']);
  });

  test('of far more changes than one turn tells comes to its end', () => {
    const turn = new Turn();
    const machine = new StoreMachine(turn);
    for (let number = 0; number < 9000; number++) {
      const key = `${number % 2 === 0 ? 'even' : 'odd'}/${number}`;
      commit(machine, { compares: [], changes: [{ kind: 'put', key, value: '' }] }, 10_000);
    }
    const follower = new Follower(machine, 'odd/', asRevision(0));
    turn.end();
    expect(follower.events).toHaveLength(4500);
  });
});

describe('a snapshot', () => {
  test('restores all there was when it was begun, whatever is applied while it is written', () => {
    const plans = fc.array(transactionPlan, { maxLength: 30 });
    fc.assert(
      fc.property(plans, plans, fc.integer({ min: 1, max: 50 }), (before, during, length) => {
        const machine = new StoreMachine(new Turn());
        const plain = new PlainStore();
        for (const plan of before) {
          const transaction = plain.transaction(plan);
          plain.commit(transaction);
          commit(machine, transaction, 20);
        }
        const untouched = machine.keyspace.freeze();
        const expected = { ...untouched, entries: [...untouched.entries.from('')] };
        const pieces = machine.snapshot();
        for (const plan of during) commit(machine, plain.transaction(plan), 20);
        const restored = new StoreMachine(new Turn());
        restored.restore(cut(pieces, length));
        const frozen = restored.keyspace.freeze();
        expect({ ...frozen, entries: [...frozen.entries.from('')] }).toEqual(expected);
      }),
    );
  });

  test('of 10,000 tenants, 1,000 nodes and 10,000 events comes in small pieces and keeps all', () => {
    const machine = new StoreMachine(new Turn());
    const put = (key: string): void => {
      const value = JSON.stringify({ key, words: 'x'.repeat(300) });
      commit(machine, { compares: [], changes: [{ kind: 'put', key, value }] }, 10_000);
    };
    for (let number = 0; number < 10_000; number++) {
      put(`tenants/t${number}`);
      put(`events/${String(number).padStart(12, '0')}`);
      if (number % 10 === 0) put(`nodes/${String(number).padStart(40, '0')}`);
    }
    const pieces = [...machine.snapshot()];
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000);
    const restored = new StoreMachine(new Turn());
    restored.restore(pieces);
    for (const listed of ['tenants/', 'nodes/', 'events/']) {
      expect(restored.keyspace.list(listed)).toEqual(machine.keyspace.list(listed));
    }
    expect(restored.keyspace.list('tenants/')).toHaveLength(10_000);
    expect(restored.keyspace.compactRevision).toBe(machine.keyspace.compactRevision);
  });
});

test('commands come back from their bytes as they were', () => {
  fc.assert(
    fc.property(transactionPlan, fc.nat(), fc.nat(), (plan, revisionsMax, lengthMax) => {
      const transaction = new PlainStore().transaction(plan);
      const command = { kind: 'commit', transaction, bound: { revisionsMax, lengthMax } } as const;
      expect(decodeStoreCommand(encodeStoreCommand(command))).toEqual(command);
    }),
  );
});
