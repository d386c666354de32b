/**
 * A transaction in the making: reads of a view of the store, and changes on top of it.
 *
 * Every key that was read becomes a compare, so a commit goes through only if it would have been
 * made the same way on what the store holds by then. Lists are not compared: whoever depends on one
 * reads a key that changes with it, such as the epoch.
 */
import type { z } from 'zod';
import { invariant } from '../../runtime/index.ts';
import { asRevision, METADATA_KEYS, type Revision } from '../../cluster/index.ts';
import type { Change, Compare, Transaction } from '../store/index.ts';

/** A record, with the revision of its last change. */
export interface Stored<T> {
  readonly value: T;
  /** `THIS_COMMIT` where it is changed by this draft. */
  readonly revision: Revision;
}

/**
 * The revision of the commit in the making, which nobody knows yet: no guard holds for it. Not 0:
 * a guard of 0 asks that there be no such record.
 */
export const THIS_COMMIT = asRevision(Number.MAX_SAFE_INTEGER);

/** Records whose revisions nobody is told, and which many calls change. */
const SHARED: ReadonlySet<string> = new Set([METADATA_KEYS.counters, METADATA_KEYS.epoch]);

/** The same once the commit has its revision. */
export function settled<T>(stored: Stored<T>, revision: Revision): Stored<T> {
  return stored.revision === THIS_COMMIT ? { value: stored.value, revision } : stored;
}

interface Found {
  readonly key: string;
  readonly value: string;
  readonly modRevision: Revision;
}

interface Source {
  get(key: string): Found | undefined;
  list(prefix: string): readonly Found[];
}

/**
 * What was made of entries. The store never changes an entry in place, so it is made once, however
 * many calls look at all nodes or all tenants; the entry's end is its end too.
 */
const decoded = new WeakMap<Found, { readonly schema: z.ZodType; readonly value: unknown }>();

export class Draft {
  readonly #source: Source;
  readonly #reads = new Map<string, Revision>();
  /** Values put by this draft; undefined: deleted. */
  readonly #written = new Map<string, string | undefined>();

  constructor(source: Source) {
    this.#source = source;
  }

  get isChanged(): boolean {
    return this.#written.size > 0;
  }

  get(key: string): Found | undefined {
    if (this.#written.has(key)) {
      const value = this.#written.get(key);
      return value === undefined ? undefined : { key, value, modRevision: THIS_COMMIT };
    }
    const entry = this.#source.get(key);
    this.#reads.set(key, entry?.modRevision ?? asRevision(0));
    return entry;
  }

  /** In the order of the keys. */
  list(prefix: string): readonly Found[] {
    const entries = this.#source.list(prefix).filter(({ key }) => !this.#written.has(key));
    const written = [...this.#written].flatMap(([key, value]) =>
      key.startsWith(prefix) && value !== undefined
        ? [{ key, value, modRevision: THIS_COMMIT }]
        : [],
    );
    if (written.length === 0) return entries;
    return [...entries, ...written].toSorted((one, other) => (one.key < other.key ? -1 : 1));
  }

  read<Schema extends z.ZodType>(
    key: string,
    schema: Schema,
  ): Stored<z.output<Schema>> | undefined {
    const entry = this.get(key);
    if (entry === undefined) return undefined;
    return { value: decode(entry, schema), revision: entry.modRevision };
  }

  readAll<Schema extends z.ZodType>(
    prefix: string,
    schema: Schema,
  ): ReadonlyArray<Stored<z.output<Schema>>> {
    return this.list(prefix).map((entry) => ({
      value: decode(entry, schema),
      revision: entry.modRevision,
    }));
  }

  put(key: string, value: unknown): void {
    this.#written.set(key, JSON.stringify(value));
  }

  delete(key: string): void {
    this.#written.set(key, undefined);
  }

  deleteAll(prefix: string): void {
    for (const { key } of this.list(prefix)) this.delete(key);
  }

  /**
   * A draft on top of this one: what it does counts once it is merged, and else not at all. What it
   * reads, this one has read.
   */
  fork(): Draft {
    return new Draft(this);
  }

  /** Whether a fork changes a record that this one has changed: they cannot be one commit. */
  collidesWith(fork: Draft): boolean {
    return [...fork.#written.keys()].some((key) => this.#written.has(key) && !SHARED.has(key));
  }

  merge(fork: Draft): void {
    for (const [key, value] of fork.#written) this.#written.set(key, value);
  }

  transaction(): Transaction {
    const compares: Compare[] = [...this.#reads].map(([key, modRevision]) => ({
      key,
      modRevision,
    }));
    const changes: Change[] = [...this.#written].map(([key, value]) =>
      value === undefined ? { kind: 'delete', key } : { kind: 'put', key, value },
    );
    return { compares, changes };
  }
}

function decode<Schema extends z.ZodType>(entry: Found, schema: Schema): z.output<Schema> {
  const known = decoded.get(entry);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- made by this very schema
  if (known?.schema === schema) return known.value as z.output<Schema>;
  const parsed = schema.safeParse(JSON.parse(entry.value));
  const words = parsed.error?.message ?? '';
  invariant(parsed.success, `the record at ${entry.key} is in its form: ${words}`);
  decoded.set(entry, { schema, value: parsed.data });
  return parsed.data;
}
