import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import type { SystemError } from '../runtime/index.ts';
import type { LogBatch, LogContents } from './stores.ts';
import {
  answerOf,
  append,
  batchOf,
  compact,
  DIRECTORY,
  entry,
  hardState,
  type Machine,
  type MachineOptions,
  makeMachine,
  open,
  reopened,
  settle,
  snapshotAt,
} from './test-support.ts';
import { asIndex } from './types.ts';
import type { SyncReport } from './wal.ts';

describe('what was acknowledged', () => {
  test('comes back: entries, term, vote, snapshot', () => {
    const machine = makeMachine();
    const { log, contents } = open(machine);
    expect(contents).toEqual({
      hardState: hardState(0),
      snapshot: undefined,
      entries: [],
      lostThrough: undefined,
    });
    append(machine, log, { hardState: hardState(3, 'm2'), entries: [entry(1, 3), entry(2, 3)] });
    append(machine, log, {
      entries: [entry(3, 3, '', 'noop'), entry(4, 3, 'who', 'configuration')],
    });
    compact(machine, log, 2, 3, 1);
    expect(reopened(machine.disk.image())).toEqual({
      hardState: hardState(3, 'm2'),
      snapshot: snapshotAt(2, 3),
      entries: [
        entry(1, 3),
        entry(2, 3),
        entry(3, 3, '', 'noop'),
        entry(4, 3, 'who', 'configuration'),
      ],
      lostThrough: undefined,
    });
  });

  test('an entry takes the place of one with its index, and of all after that', () => {
    const machine = makeMachine();
    const { log } = open(machine);
    append(machine, log, {
      hardState: hardState(1),
      entries: [entry(1, 1), entry(2, 1), entry(3, 1)],
    });
    append(machine, log, { hardState: hardState(2), entries: [entry(2, 2)] });
    expect(reopened(machine.disk.image()).entries).toEqual([entry(1, 1), entry(2, 2)]);
  });

  test('a snapshot from the leader takes the place of the log', () => {
    const machine = makeMachine();
    const { log } = open(machine);
    append(machine, log, { hardState: hardState(1), entries: [entry(1, 1), entry(2, 1)] });
    append(machine, log, {
      hardState: hardState(4),
      snapshot: snapshotAt(90, 4),
      entries: [entry(91, 4)],
    });
    settle(machine);
    const contents = reopened(machine.disk.image());
    expect(contents.snapshot).toEqual(snapshotAt(90, 4));
    expect(contents.entries).toEqual([entry(91, 4)]);
  });

  test('entries must follow the log and one another', () => {
    const machine = makeMachine();
    const { log } = open(machine);
    const none = (): void => undefined;
    expect(() => log.append(batchOf({ entries: [entry(2, 1)] }), none)).toThrow('follow');
    expect(() => log.append(batchOf({ entries: [entry(1, 1), entry(3, 1)] }), none)).toThrow(
      'follow',
    );
    expect(() => log.append(batchOf({ entries: [entry(0, 1)] }), none)).toThrow('follow');
    expect(() => log.compact(snapshotAt(1, 1), asIndex(1), none)).toThrow('ahead of the log');
  });
});

describe('group commit', () => {
  test('what comes while a sync is under way makes one group with one sync', () => {
    const syncs: SyncReport[] = [];
    const machine = makeMachine();
    const { log } = open(machine, { onSync: (report) => syncs.push(report) });
    const acknowledged: number[] = [];
    for (let index = 1; index <= 100; index++) {
      log.append(batchOf({ entries: [entry(index, 1)] }), () => acknowledged.push(index));
    }
    settle(machine);
    expect(acknowledged).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    expect(syncs.map(({ batches }) => batches)).toEqual([1, 99]);
    expect(syncs[0]).toMatchObject({ durationUs: 200 });
  });

  test('a group takes no more batches once it is large', () => {
    const syncs: SyncReport[] = [];
    const machine = makeMachine();
    const { log } = open(machine, { groupBytesMax: 100, onSync: (report) => syncs.push(report) });
    for (let index = 1; index <= 7; index++) {
      const bytes = index === 5 ? 'x'.repeat(1000) : 'x'.repeat(20);
      log.append(batchOf({ entries: [entry(index, 1, bytes)] }), () => undefined);
    }
    settle(machine);
    expect(syncs.map(({ batches }) => batches)).toEqual([1, 3, 1, 2]);
    expect(reopened(machine.disk.image()).entries).toHaveLength(7);
  });

  test('a slow disk is reported', () => {
    let isSlow = false;
    const machine = makeMachine({
      decide: ({ kind }) => ({ delayUs: isSlow && kind === 'sync' ? 1_200_000 : 100 }),
    });
    const { log } = open(machine);
    append(machine, log, { entries: [entry(1, 1)] });
    expect(machine.words).toEqual([]);
    isSlow = true;
    append(machine, log, { entries: [entry(2, 1)] });
    expect(machine.words).toEqual([{ level: 'warn', message: 'the disk is slow to sync the log' }]);
  });
});

const filesOf = (machine: Machine): string[] =>
  [...machine.disk.image().files.keys()].map((path) => path.slice(DIRECTORY.length + 1));

describe('segments', () => {
  const small = { segmentBytesMax: 600 };

  test('a full one is followed by another, and all go that a snapshot has made needless', () => {
    const machine = makeMachine();
    const { log } = open(machine, small);
    for (let index = 1; index <= 40; index++) {
      append(machine, log, {
        hardState: hardState(index),
        entries: [entry(index, index, 'x'.repeat(50))],
      });
    }
    const before = filesOf(machine);
    expect(before.length).toBeGreaterThan(5);
    compact(machine, log, 30, 30, 20);
    settle(machine);
    const after = filesOf(machine);
    expect(after.length).toBeLessThan(before.length);
    expect(after).toContain('LOCK');
    const { entries, snapshot, hardState: last } = reopened(machine.disk.image(), small);
    expect(snapshot).toEqual(snapshotAt(30, 30));
    expect(last).toEqual(hardState(40));
    expect(entries[0].index).toBeLessThanOrEqual(21);
    expect(entries[0].index).toBeGreaterThan(10);
    expect(entries.at(-1)?.index).toBe(40);
  });

  test('none is kept that a snapshot from the leader has replaced', () => {
    const machine = makeMachine();
    const { log } = open(machine, small);
    for (let index = 1; index <= 20; index++) {
      append(machine, log, { entries: [entry(index, 1, 'x'.repeat(50))] });
    }
    append(machine, log, { hardState: hardState(2), snapshot: snapshotAt(90, 2) });
    settle(machine);
    expect(filesOf(machine)).toHaveLength(2);
    expect(reopened(machine.disk.image())).toMatchObject({ hardState: hardState(2), entries: [] });
  });

  test('starting again and again leaves no more files behind', () => {
    const machine = makeMachine();
    for (let start = 0; start < 30; start++) {
      const { log } = open(machine);
      if (start === 10)
        append(machine, log, { hardState: hardState(2, 'm3'), entries: [entry(1, 2)] });
      machine.disk.kill();
    }
    expect(filesOf(machine).length).toBeLessThanOrEqual(4);
    expect(reopened(machine.disk.image())).toMatchObject({
      hardState: hardState(2, 'm3'),
      entries: [entry(1, 2)],
    });
  });

  test('one that cannot be removed is tried again later, and harms nobody', () => {
    let fails = true;
    const machine = makeMachine({
      decide: ({ kind }) =>
        kind === 'remove' && fails ? { delayUs: 10, error: 'EIO' } : { delayUs: 10 },
    });
    const { log } = open(machine, small);
    for (let index = 1; index <= 20; index++) {
      append(machine, log, { entries: [entry(index, 1, 'x'.repeat(50))] });
    }
    const before = filesOf(machine).length;
    compact(machine, log, 20, 1);
    settle(machine);
    expect(filesOf(machine).length).toBeGreaterThanOrEqual(before);
    expect(machine.words.map(({ message }) => message)).toContain(
      'cannot remove an old log segment',
    );
    fails = false;
    append(machine, log, { entries: [entry(21, 1)] });
    settle(machine);
    expect(filesOf(machine).length).toBeLessThan(before);
  });
});

/** What a log should hold, by the plainest means. */
class ModelLog {
  state = hardState(0);
  snapshot: LogContents['snapshot'];
  entries: LogContents['entries'] = [];
  droppedTo = 0;

  get lastIndex(): number {
    return this.entries.at(-1)?.index ?? this.snapshot?.index ?? 0;
  }

  append(batch: LogBatch): void {
    this.state = batch.hardState ?? this.state;
    if (batch.snapshot !== undefined) {
      this.snapshot = batch.snapshot;
      this.entries = [];
    }
    const [first] = batch.entries;
    if (first === undefined) return;
    this.entries = [...this.entries.filter(({ index }) => index < first.index), ...batch.entries];
  }

  /** Entries that may be dropped need not be there; all others must. */
  expectIn(contents: LogContents): void {
    expect(contents.hardState).toEqual(this.state);
    expect(contents.snapshot).toEqual(this.snapshot);
    expect(contents.lostThrough).toBeUndefined();
    const first = contents.entries[0]?.index ?? this.droppedTo + 1;
    expect(first).toBeLessThanOrEqual(Math.max(this.droppedTo, this.snapshot?.index ?? 0) + 1);
    expect(contents.entries).toEqual(this.entries.filter(({ index }) => index >= first));
    expect(this.entries.every(({ index }) => index <= this.droppedTo || index >= first)).toBe(true);
  }
}

type Action =
  | {
      readonly kind: 'append';
      readonly back: number;
      readonly count: number;
      readonly size: number;
      readonly vote: boolean;
    }
  | { readonly kind: 'snapshot'; readonly ahead: number; readonly count: number }
  | { readonly kind: 'compact'; readonly keep: number; readonly behind: number }
  | { readonly kind: 'reopen' };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      back: fc.nat(3),
      count: fc.nat(4),
      size: fc.nat(80),
      vote: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('snapshot' as const),
      ahead: fc.nat(9),
      count: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('compact' as const),
      keep: fc.nat(4),
      behind: fc.nat(6),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
);

test('any sequence of appends, compactions and restarts gives what a plain list gives', () => {
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const machine = makeMachine();
      const options = { segmentBytesMax: 400 };
      let { log } = open(machine, options);
      const model = new ModelLog();
      let term = 1;
      for (const each of actions) {
        if (each.kind === 'reopen') {
          machine.disk.kill();
          const opened = open(machine, options);
          log = opened.log;
          model.expectIn(opened.contents);
        } else if (each.kind === 'compact') {
          const committed = Math.max(model.snapshot?.index ?? 0, model.lastIndex - each.keep);
          const at = model.entries.find(({ index }) => index === committed);
          if (at === undefined) continue;
          const dropTo = Math.max(0, committed - each.behind);
          compact(machine, log, committed, at.term, dropTo);
          model.snapshot = snapshotAt(committed, at.term);
          model.droppedTo = Math.max(model.droppedTo, dropTo);
        } else {
          term += 1;
          const anew = each.kind === 'snapshot';
          const start = anew
            ? model.lastIndex + each.ahead
            : Math.max(model.snapshot?.index ?? 0, model.lastIndex - each.back);
          const batch = batchOf({
            hardState: anew || each.vote ? hardState(term, anew ? undefined : 'm2') : undefined,
            snapshot: anew ? snapshotAt(start, term) : undefined,
            entries: Array.from({ length: each.count }, (_, place) =>
              entry(start + place + 1, term, anew ? '' : 'x'.repeat(each.size)),
            ),
          });
          append(machine, log, batch);
          model.append(batch);
        }
      }
      settle(machine);
      model.expectIn(reopened(machine.disk.image(), options));
    }),
    { numRuns: 300 },
  );
});

describe('an error of the disk', () => {
  const failing = (kinds: ReadonlySet<string>, error: string): MachineOptions & { arm(): void } => {
    let isArmed = false;
    return {
      arm: () => (isArmed = true),
      decide: ({ kind }) => {
        const fails = isArmed && kinds.has(kind);
        // Once only: a second try would succeed, and must not be made.
        if (fails) isArmed = false;
        return fails ? { delayUs: 10, error, bytesWritten: 20 } : { delayUs: 10 };
      },
    };
  };

  test.each([
    ['append', 'ENOSPC', 'Free some space'],
    ['append', 'EIO', 'Check the disk'],
    ['sync', 'EIO', 'Check the disk'],
  ])('of %s (%s) is final, and is not tried again', (kind, code, remedy) => {
    const options = failing(new Set([kind]), code);
    const machine = makeMachine(options);
    const { log } = open(machine);
    append(machine, log, { hardState: hardState(1), entries: [entry(1, 1)] });
    options.arm();
    const errors: Array<SystemError | undefined> = [];
    for (let index = 2; index <= 4; index++) {
      log.append(batchOf({ entries: [entry(index, 1)] }), (error) => errors.push(error));
    }
    settle(machine);
    log.compact(snapshotAt(1, 1), asIndex(1), (error) => errors.push(error));
    settle(machine);
    expect(errors.map((error) => error?.code)).toEqual([code, code, code, code]);
    expect(errors[0]?.message).toContain(DIRECTORY);
    expect(errors[0]?.message).toContain(remedy);
    const closed = answerOf<SystemError | undefined>(machine.queue, (done) => log.close(done));
    expect(closed).toBeUndefined();
    // Acknowledged: 1. Of the rest, what reached the disk may come back.
    const { entries } = reopened(machine.disk.image());
    expect(entries[0]).toEqual(entry(1, 1));
  });

  test('while a segment is begun is final as well', () => {
    for (const kind of ['openAppend', 'append', 'sync', 'rename', 'syncDirectory']) {
      const options = failing(new Set([kind]), 'EIO');
      const machine = makeMachine(options);
      const { log } = open(machine, { segmentBytesMax: 1 });
      append(machine, log, { hardState: hardState(1), entries: [entry(1, 1)] });
      settle(machine);
      options.arm();
      const errors: Array<SystemError | undefined> = [];
      log.append(batchOf({ entries: [entry(2, 1)] }), (error) => errors.push(error));
      settle(machine);
      log.append(batchOf({ entries: [entry(3, 1)] }), (error) => errors.push(error));
      settle(machine);
      expect(errors.map((error) => error?.code)).toEqual(['EIO', 'EIO']);
      answerOf<SystemError | undefined>(machine.queue, (done) => log.close(done));
      expect(reopened(machine.disk.image()).entries[0]).toEqual(entry(1, 1));
    }
  });

  test('after a failed sync, a new process trusts nothing that was not synced since', () => {
    const options = failing(new Set(['sync']), 'EIO');
    const machine = makeMachine(options);
    const { log } = open(machine);
    append(machine, log, { hardState: hardState(1), entries: [entry(1, 1)] });
    options.arm();
    log.append(batchOf({ entries: [entry(2, 1)] }), () => undefined);
    settle(machine);
    machine.disk.kill();
    // The kernel shows entry 2 to the new process, and will never write it.
    const again = open(machine);
    expect(again.contents.entries).toEqual([entry(1, 1), entry(2, 1)]);
    append(machine, again.log, { entries: [entry(3, 1)] });
    machine.disk.crash(() => 0);
    expect(open(machine).contents.entries).toEqual([entry(1, 1), entry(2, 1), entry(3, 1)]);
  });
});

describe('closing', () => {
  test('writes what was taken on, then lets go of the directory', () => {
    const machine = makeMachine();
    const { log } = open(machine);
    const order: string[] = [];
    log.append(batchOf({ entries: [entry(1, 1)] }), () => order.push('first'));
    log.append(batchOf({ entries: [entry(2, 1)] }), () => order.push('second'));
    log.close((error) => order.push(`closed ${error?.code ?? 'well'}`));
    log.append(batchOf({ entries: [entry(3, 1)] }), (error) => order.push(`late ${error?.code}`));
    log.close((error) => order.push(`again ${error?.code}`));
    settle(machine);
    expect(order.toSorted()).toEqual([
      'again EBADF',
      'closed well',
      'first',
      'late EBADF',
      'second',
    ]);
    expect(order.indexOf('closed well')).toBeGreaterThan(order.indexOf('second'));
    expect(open(machine).contents.entries).toEqual([entry(1, 1), entry(2, 1)]);
  });
});
