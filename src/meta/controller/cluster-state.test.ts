import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  asRevision,
  METADATA_KEYS,
  namespaceSchema,
  tenantSchema,
  type Revision,
} from '../../cluster/index.ts';
import type { Entry, StoreView, WatchEvent } from '../store/index.ts';
import { ClusterState } from './cluster-state.ts';

const NAMES = ['a', 'b', 'c'];

const tenantOf = (name: string, number: number) =>
  JSON.stringify(tenantSchema.parse({ name, number, createdAtMs: 0 }));
const namespaceOf = (tenant: string, number: number) =>
  JSON.stringify(namespaceSchema.parse({ tenant, name: 'n', number, createdAtMs: 0 }));

/** What is put or deleted at each revision. */
const change = fc.record({
  isTenant: fc.boolean(),
  name: fc.constantFrom(...NAMES),
  isPut: fc.boolean(),
});

/** A store in a map, and the events of each of its revisions. */
class Followed {
  readonly entries = new Map<string, Entry>();
  revision: Revision = asRevision(0);

  change({
    isTenant,
    name,
    isPut,
  }: {
    isTenant: boolean;
    name: string;
    isPut: boolean;
  }): WatchEvent {
    this.revision = asRevision(this.revision + 1);
    const { revision: modRevision } = this;
    const key = isTenant ? METADATA_KEYS.tenant(name) : METADATA_KEYS.namespace(name, 'n');
    if (!isPut) {
      this.entries.delete(key);
      return { kind: 'delete', key, modRevision };
    }
    const value = isTenant ? tenantOf(name, modRevision) : namespaceOf(name, modRevision);
    this.entries.set(key, { key, value, createRevision: modRevision, modRevision });
    return { kind: 'put', key, value, modRevision };
  }

  get view(): StoreView {
    const { entries, revision } = this;
    return {
      revision,
      get: (key) => entries.get(key),
      list: (prefix) => [...entries.values()].filter(({ key }) => key.startsWith(prefix)),
    };
  }
}

describe('the state', () => {
  test('is the same, followed or read anew, and names all that changed since', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), fc.nat(), fc.nat(), (changes, from, at) => {
        const store = new Followed();
        const followed = new ClusterState();
        const begin = changes.length === 0 ? 0 : from % changes.length;
        for (const [index, each] of changes.entries()) {
          if (index === begin) followed.load(store.view);
          const event = store.change(each);
          if (index >= begin) followed.apply(store.revision, [event]);
        }
        if (changes.length === 0) followed.load(store.view);
        const fresh = new ClusterState();
        fresh.load(store.view);
        expect(followed.tenants).toEqual(fresh.tenants);
        expect(followed.namespaces).toEqual(fresh.namespaces);
        expect(followed.revision).toBe(fresh.revision);
        for (const name of NAMES) {
          const key = METADATA_KEYS.tenant(name);
          const modRevision = store.entries.get(key)?.modRevision ?? asRevision(0);
          expect(followed.unchanged(key)).toEqual({ key, modRevision });
        }

        const since = asRevision(at % (store.revision + 1));
        const named = followed.tenantChanges.after(since);
        if (since < begin) {
          expect(named).toBeUndefined();
        } else {
          const expected = changes.slice(since).map(({ isTenant, name }) => {
            return isTenant ? METADATA_KEYS.tenant(name) : METADATA_KEYS.namespace(name, 'n');
          });
          expect(new Set(named)).toEqual(new Set(expected));
        }
      }),
    );
  });

  test('does without a tenant that it cannot read, and says so', () => {
    const words: string[] = [];
    const state = new ClusterState({ write: (_level, message) => words.push(message) });
    const put = (key: string, value: unknown, at: number): void => {
      const modRevision = asRevision(at);
      const event = { kind: 'put', key, value: JSON.stringify(value), modRevision } as const;
      state.apply(modRevision, [event]);
    };
    put(METADATA_KEYS.tenant('a'), { name: 'a', newer: true }, 1);
    expect(state.tenants.size).toBe(0);
    expect(words[0]).toContain('tenants/a');
    expect(() => put('shards/00000', { newer: true }, 2)).toThrow('of a form');
  });
});
