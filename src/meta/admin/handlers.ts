/** What it takes to carry out an operation: the handlers are pure functions of what is in here. */
import {
  AUDIT_EVENTS_MAX,
  CachectlError,
  countersSchema,
  FIRST_COUNTERS,
  METADATA_KEYS,
  type AuditEvent,
  type Counters,
  type Revision,
} from '../../cluster/index.ts';
import { THIS_COMMIT, type Draft } from './draft.ts';
import type { AdminHost } from './host.ts';
import type { CheckedInput, OperationName, OperationOutput } from './schemas.ts';
import type { MadeSecret } from './secrets.ts';

export interface Reading {
  readonly draft: Draft;
  /** Of what is read. */
  readonly revision: Revision;
  readonly host: AdminHost;
  readonly nowMs: number;
}

export interface Writing extends Reading {
  readonly who: string;
  readonly warnings: string[];
  /** Of an operation that needs one. The same for each try of a call. */
  secret(): MadeSecret;
}

export type ReadHandler<Name extends OperationName> = (
  context: Reading,
  input: CheckedInput<Name>,
) => OperationOutput<Name>;

/** The answer, once it is known at which revision it was done. */
export type Answer<Name extends OperationName> = (
  revision: Revision,
) => Omit<OperationOutput<Name>, 'revision' | 'warnings'>;

export type WriteHandler<Name extends OperationName> = (
  context: Writing,
  input: CheckedInput<Name>,
) => Answer<Name>;

export type ReadHandlers = { readonly [Name in OperationName]: ReadHandler<Name> };
export type WriteHandlers = { readonly [Name in OperationName]: WriteHandler<Name> };

/** Gives out the next number of a kind. */
export function takeNumber({ draft }: Pick<Writing, 'draft'>, kind: keyof Counters): number {
  const counters = draft.read(METADATA_KEYS.counters, countersSchema)?.value ?? FIRST_COUNTERS;
  draft.put(METADATA_KEYS.counters, { ...counters, [kind]: counters[kind] + 1 });
  return counters[kind];
}

/** Puts what is done into the audit log, in the same commit. */
export function recordEvent(
  context: Pick<Writing, 'draft' | 'nowMs' | 'who'>,
  event: Pick<AuditEvent, 'operation' | 'subject' | 'words'>,
): void {
  const { draft, nowMs, who } = context;
  const number = takeNumber(context, 'event');
  const words = event.words.slice(0, 1000);
  const record: AuditEvent = { number, atMs: nowMs, who, ...event, words };
  draft.put(METADATA_KEYS.event(number), record);
  const old = number - AUDIT_EVENTS_MAX;
  if (old > 0) draft.delete(METADATA_KEYS.event(old));
}

export function notFound(what: string, hint: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_NOT_FOUND', `no ${what}`, { hint });
}

export function exists(what: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_EXISTS', `${what} exists already`);
}

export function conflict(words: string, hint?: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_CONFLICT', words, hint === undefined ? {} : { hint });
}

/** @throws {CachectlError} `ERR_CACHECTL_CONFLICT` where `ifRevision` is given and is another */
export function checkRevision(
  what: string,
  { revision }: { readonly revision: Revision },
  ifRevision: Revision | undefined,
): void {
  if (ifRevision === undefined || ifRevision === revision) return;
  const now = revision === THIS_COMMIT ? 'of a new revision' : `of revision ${revision}`;
  throw conflict(`${what} is ${now}, not ${ifRevision}: it was changed meanwhile`);
}
