import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EMPTY_CONFIGURATION, encodeConfiguration } from './configuration.ts';
import { RaftLog } from './log.ts';
import { RAFT_RULES } from './rules.ts';
import { configurationOf, entriesOf } from './testing/solo.ts';
import { asIndex, asTerm } from './types.ts';
import type { Entry, SnapshotMetadata } from './types.ts';

function logOf(terms: readonly number[]): RaftLog {
  return new RaftLog(undefined, entriesOf(terms), RAFT_RULES.storedThrough);
}

function snapshotAt(index: number, term: number): SnapshotMetadata {
  const configuration = configurationOf('a b c');
  return { index: asIndex(index), term: asTerm(term), configuration, sizeBytes: 0, checksum: 0 };
}

function termsOf(log: RaftLog): number[] {
  return Array.from({ length: log.lastIndex - log.base.index }, (_, at) =>
    Number(log.termAt(log.base.index + 1 + at)),
  );
}

const rising = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 })
  .map((steps) =>
    steps.map((_, at) => 1 + steps.slice(0, at).reduce((sum, step) => sum + step, 0)),
  );

/** Two logs as Raft makes them: equal up to some place, and of different terms from there on. */
const twoLogs = fc
  .tuple(rising, rising, rising)
  .map(([shared, a, b]): readonly [number[], number[], number] => {
    const last = shared.at(-1) ?? 0;
    // Even terms were led by one side, odd ones by the other: never two leaders in a term.
    const odd = a.map((term) => last + 1 + 2 * term + ((last + 1) % 2));
    const even = b.map((term) => last + 2 + 2 * term + ((last + 1) % 2));
    return [[...shared, ...odd], [...shared, ...even], shared.length];
  });

interface Model {
  terms: number[];
  /** What each write under way was given, and what is on the disk. */
  writes: Array<{ sequence: number; entries: readonly Entry[] }>;
  disk: number[];
  commit: number;
}

const operation = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('cut' as const), back: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ kind: fc.constant('write' as const) }),
  fc.record({ kind: fc.constant('written' as const), count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('commit' as const), back: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ kind: fc.constant('apply' as const), bytes: fc.integer({ min: 1, max: 90 }) }),
  fc.record({ kind: fc.constant('compact' as const), back: fc.integer({ min: 0, max: 2 }) }),
);

describe('a log', () => {
  test('knows at all times what of it is durable, whatever is cut and written meanwhile', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
        const log = logOf([1]);
        const model: Model = { terms: [1], writes: [], disk: [1], commit: 0 };
        let term = 1;
        let sequence = 0;
        const applied: number[] = [];
        for (const step of operations) {
          if (step.kind === 'append') {
            const terms = Array.from({ length: step.count }, () => term);
            log.append(entriesOf(terms, log.lastIndex + 1));
            model.terms.push(...terms);
          } else if (step.kind === 'cut') {
            // Cutting is what a new leader does, so what follows is of a new term.
            term++;
            const from = Math.max(model.commit + 1, model.terms.length - step.back);
            log.truncateFrom(asIndex(from));
            model.terms.length = from - 1;
          } else if (step.kind === 'write') {
            sequence++;
            model.writes.push({ sequence, entries: log.takeUnwritten(sequence) });
          } else if (step.kind === 'written') {
            const done = model.writes.splice(0, step.count);
            for (const { entries } of done) {
              if (entries.length === 0) continue;
              model.disk.length = entries[0].index - 1;
              model.disk.push(...entries.map((entry) => entry.term));
            }
            log.written(done.at(-1)?.sequence ?? 0);
          } else if (step.kind === 'commit') {
            const index = Math.max(0, model.terms.length - step.back);
            expect(log.commitThrough(asIndex(index))).toBe(index > model.commit);
            model.commit = Math.max(model.commit, index);
          } else if (step.kind === 'apply') {
            const entries = log.takeCommitted(step.bytes);
            for (const { index } of entries) applied.push(index);
            log.appliedThrough(asIndex(applied.at(-1) ?? 0));
          } else {
            const index = applied.at(-1) ?? 0;
            const dropTo = asIndex(Math.max(0, index - step.back));
            const isNew = index > (log.snapshot?.index ?? 0);
            if (index > 0) {
              const snapshot = snapshotAt(index, model.terms[index - 1]);
              expect(log.compact(snapshot, dropTo)).toBe(isNew);
            }
          }
          expect(termsOf(log)).toEqual(model.terms.slice(log.base.index));
          // All that it calls durable is on the disk, and is what it holds now.
          const durable = model.terms.slice(0, log.stable);
          expect(model.disk.slice(0, log.stable)).toEqual(durable);
          expect(applied.at(-1) ?? 0).toBeLessThanOrEqual(Math.min(log.commit, log.stable));
          expect(applied).toEqual(applied.map((_, at) => at + 1));
        }
        // With everything written, everything is durable.
        sequence++;
        log.takeUnwritten(sequence);
        log.written(sequence);
        expect(log.stable).toBe(log.lastIndex);
      }),
      { numRuns: 300 },
    );
  });

  test('never takes back what is committed', () => {
    const log = logOf([1, 1, 1]);
    log.commitThrough(asIndex(2));
    expect(log.commitThrough(asIndex(1))).toBe(false);
    expect(log.commit).toBe(2);
    expect(() => log.truncateFrom(asIndex(2))).toThrow('never cut');
    expect(() => log.restore(snapshotAt(2, 1), 1)).toThrow('never takes back');
    expect(() => log.commitThrough(asIndex(4))).toThrow('that are there');
  });

  test('takes entries only without a gap, and with terms that do not fall', () => {
    const log = logOf([1, 2]);
    expect(() => log.append(entriesOf([2], 4))).toThrow('right after');
    expect(() => log.append(entriesOf([1], 3))).toThrow('never fall');
    expect(() => logOf([1, 1]).append(entriesOf([1], 2))).toThrow('right after');
  });

  test('has the configuration of its last configuration entry in force, cut or not', () => {
    const log = logOf([1]);
    expect(log.configuration).toEqual(EMPTY_CONFIGURATION);
    const [two, three] = ['a b', 'a b c'].map((names, at): Entry => {
      const bytes = encodeConfiguration(configurationOf(names));
      return { index: asIndex(2 + at), term: asTerm(1), kind: 'configuration', bytes };
    });
    log.append([two, three]);
    expect([log.configurationIndex, log.configuration.voters.length]).toEqual([3, 3]);
    expect(log.configurationBefore.voters.length).toBe(2);
    expect(log.configurationAt(asIndex(2)).voters.length).toBe(2);
    log.truncateFrom(asIndex(3));
    expect([log.configurationIndex, log.configuration.voters.length]).toEqual([2, 2]);
    log.truncateFrom(asIndex(2));
    expect(log.configuration).toEqual(EMPTY_CONFIGURATION);
  });

  test('hands out at least one entry, and no more than the bytes asked for', () => {
    const log = logOf([1, 1, 1, 1]);
    const all = log.slice(asIndex(1), log.lastIndex, Infinity);
    expect(all.length).toBe(4);
    expect(log.slice(asIndex(2), log.lastIndex, 1).length).toBe(1);
    expect(log.slice(asIndex(2), asIndex(3), Infinity).length).toBe(2);
    const bytesOfTwo = 2 * (24 + all[0].bytes.length);
    expect(log.slice(asIndex(1), log.lastIndex, bytesOfTwo).length).toBe(2);
  });

  test('after a snapshot begins anew, and is durable once that is written', () => {
    const log = logOf([1, 1]);
    log.restore(snapshotAt(9, 4), 7);
    expect([log.base.index, log.lastIndex, log.commit, log.stable]).toEqual([9, 9, 9, 0]);
    log.append(entriesOf([5], 10));
    log.commitThrough(asIndex(10));
    expect(log.takeCommitted(1000)).toEqual([]);
    log.takeUnwritten(8);
    log.written(7);
    expect(log.stable).toBe(9);
    log.restoring(snapshotAt(9, 4));
    log.written(8);
    expect(log.takeCommitted(1000).map(({ index }) => index)).toEqual([10]);
  });

  test('opened with entries that trail behind its snapshot, keeps them for others', () => {
    const log = new RaftLog(snapshotAt(3, 1), entriesOf([1, 1, 1, 2], 2), RAFT_RULES.storedThrough);
    expect([log.base.index, log.lastIndex, log.commit, log.applied]).toEqual([2, 5, 3, 3]);
    expect(log.configuration.voters.length).toBe(3);
    expect(() => new RaftLog(snapshotAt(3, 1), entriesOf([2], 5), (through) => through)).toThrow(
      'no entry is missing',
    );
  });
});

describe('looking for the place where two logs part', () => {
  test('finds it by the hints alone, and in no more steps than there are terms', () => {
    fc.assert(
      fc.property(twoLogs, ([leaderTerms, followerTerms, shared]) => {
        const leader = logOf(leaderTerms);
        const follower = logOf(followerTerms);
        let previous = leader.last;
        let steps = 0;
        while (!follower.has(previous)) {
          const hint = follower.lastPossibleMatch(previous);
          const next = Math.min(previous.index - 1, leader.lastPossibleMatch(hint).index);
          previous = { index: asIndex(next), term: asTerm(leader.termAt(next) ?? 0) };
          expect(++steps).toBeLessThanOrEqual(new Set([...leaderTerms, ...followerTerms]).size + 1);
        }
        expect(previous.index).toBeLessThanOrEqual(shared);
        // It never goes back further than to the first entry of the term in which they part.
        const termThere = leaderTerms[shared - 1] ?? 0;
        const firstOfTerm = leaderTerms.indexOf(termThere);
        expect(previous.index).toBeGreaterThanOrEqual(Math.max(0, firstOfTerm));
      }),
      { numRuns: 500 },
    );
  });
});
