import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { asRevision } from '../../cluster/index.ts';
import { Keyspace } from './keyspace.ts';
import type { Entry } from './metadata-store.ts';
import { KEYS, PlainStore, prefix, transactionPlan } from './test-support.ts';

const AMPLE = { revisionsMax: 1000, lengthMax: 1_000_000 };

describe('against a store that keeps every state', () => {
  test('commits, conflicts and reads are the same', () => {
    fc.assert(
      fc.property(fc.array(transactionPlan, { maxLength: 40 }), prefix, (plans, listed) => {
        const keyspace = new Keyspace();
        const plain = new PlainStore();
        for (const plan of plans) {
          const transaction = plain.transaction(plan);
          const held = plain.state;
          const failed = plain.commit(transaction);
          const applied = keyspace.commit(transaction, AMPLE);
          expect(applied).toEqual(
            failed.length === 0
              ? { kind: 'committed', revision: plain.revision }
              : {
                  kind: 'conflict',
                  revision: plain.revision,
                  failed: failed.map((key) => ({ key, current: held.get(key) })),
                },
          );
          expect(keyspace.list(listed)).toEqual(plain.list(listed));
          for (const key of KEYS) expect(keyspace.get(key)).toEqual(plain.state.get(key));
        }
        expect(keyspace.revision).toBe(plain.revision);
        expect(keyspace.size).toBe(plain.state.size);
      }),
    );
  });

  test('pages of any size make up the whole list', () => {
    fc.assert(
      fc.property(
        fc.array(transactionPlan, { maxLength: 40 }),
        prefix,
        fc.integer({ min: 1, max: 4 }),
        (plans, listed, limit) => {
          const keyspace = new Keyspace();
          const plain = new PlainStore();
          for (const plan of plans) {
            const transaction = plain.transaction(plan);
            plain.commit(transaction);
            keyspace.commit(transaction, AMPLE);
          }
          const entries: Entry[] = [];
          for (let isMore = true; isMore;) {
            const after = entries.at(-1)?.key;
            const query = { prefix: listed, limit, ...(after === undefined ? {} : { after }) };
            const page = keyspace.read(query);
            expect(page.revision).toBe(plain.revision);
            if (page.isMore) expect(page.entries).toHaveLength(limit);
            entries.push(...page.entries);
            ({ isMore } = page);
          }
          expect(entries).toEqual(plain.list(listed));
        },
      ),
    );
  });

  test('the history has what changed with each revision, as far back as it is bound to go', () => {
    fc.assert(
      fc.property(
        fc.array(transactionPlan, { maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 0, max: 40 }),
        (plans, revisionsMax, lengthMax, through) => {
          const keyspace = new Keyspace();
          const plain = new PlainStore();
          for (const plan of plans) {
            const transaction = plain.transaction(plan);
            plain.commit(transaction);
            const compactBefore = keyspace.compactRevision;
            keyspace.commit(transaction, { revisionsMax, lengthMax });
            expect(keyspace.compactRevision).toBeGreaterThanOrEqual(compactBefore);
          }
          const { revision } = keyspace;
          expect(revision - keyspace.compactRevision).toBeLessThanOrEqual(revisionsMax);
          if (revision > 0) expect(keyspace.compactRevision).toBeLessThan(revision);
          expectHistory(keyspace, plain);
          const compactBefore = keyspace.compactRevision;
          const compacted = keyspace.compact(asRevision(through));
          expect(compacted).toBe(Math.max(compactBefore, Math.min(through, revision)));
          expectHistory(keyspace, plain);
        },
      ),
    );
  });
});

function expectHistory(keyspace: Keyspace, plain: PlainStore): void {
  for (let after = 0; after <= keyspace.revision; after++) {
    const commits = keyspace.since(asRevision(after));
    if (after < keyspace.compactRevision) {
      expect(commits).toBeUndefined();
      continue;
    }
    const events = [...(commits ?? [])].flatMap(({ revision, changes }) =>
      [...changes]
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ key, value }) =>
          value === undefined
            ? { kind: 'delete', key, modRevision: revision }
            : { kind: 'put', key, value, modRevision: revision },
        ),
    );
    expect(events).toEqual(plain.events('', after, keyspace.revision));
  }
}

describe('a commit', () => {
  test('that changes nothing makes no revision', () => {
    const keyspace = new Keyspace();
    const absent = { kind: 'delete', key: 'a' } as const;
    expect(keyspace.commit({ compares: [], changes: [absent] }, AMPLE).revision).toBe(0);
    const put = { kind: 'put', key: 'a', value: '1' } as const;
    expect(keyspace.commit({ compares: [], changes: [put, absent] }, AMPLE).revision).toBe(0);
    expect(keyspace.commit({ compares: [], changes: [put] }, AMPLE).revision).toBe(1);
  });

  test('of which one compare fails leaves all as it was, and says what is there', () => {
    const keyspace = new Keyspace();
    const put = (key: string, value: string) => ({ kind: 'put', key, value }) as const;
    keyspace.commit({ compares: [], changes: [put('a', '1'), put('b', '1')] }, AMPLE);
    const outcome = keyspace.commit(
      {
        compares: [
          { key: 'a', modRevision: asRevision(1) },
          { key: 'b', modRevision: asRevision(0) },
          { key: 'c', isPresent: true },
        ],
        changes: [put('a', '2'), { kind: 'deletePrefix', prefix: '' }],
      },
      AMPLE,
    );
    expect(outcome).toEqual({
      kind: 'conflict',
      revision: 1,
      failed: [
        { key: 'b', current: { key: 'b', value: '1', createRevision: 1, modRevision: 1 } },
        { key: 'c', current: undefined },
      ],
    });
    expect(keyspace.list('')).toHaveLength(2);
  });
});
