/**
 * The calls by which simulated clients use the store of the peer that leads: over the same port,
 * and with the same client, as nodes and administrators.
 */
import { z } from 'zod';
import { CachectlError, revisionSchema } from '../../cluster/index.ts';
import type { CallTable, MetaPeer } from '../../meta/index.ts';
import type { RpcOutcome } from '../../rpc/index.ts';

const entry = z.strictObject({
  key: z.string(),
  value: z.string(),
  createRevision: revisionSchema,
  modRevision: revisionSchema,
});

const commitCall = z.strictObject({
  compares: z.array(
    z.union([
      z.strictObject({ key: z.string(), modRevision: revisionSchema }),
      z.strictObject({ key: z.string(), isPresent: z.literal(true) }),
    ]),
  ),
  changes: z.array(
    z.discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('put'), key: z.string(), value: z.string() }),
      z.strictObject({ kind: z.literal('delete'), key: z.string() }),
      z.strictObject({ kind: z.literal('deletePrefix'), prefix: z.string() }),
    ]),
  ),
});

export const commitAnswer = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('committed'), revision: revisionSchema }),
  z.strictObject({
    kind: z.literal('conflict'),
    revision: revisionSchema,
    failed: z.array(z.strictObject({ key: z.string(), current: entry.optional() })),
  }),
]);

const readCall = z.strictObject({ prefix: z.string() });

export const readAnswer = z.strictObject({
  revision: revisionSchema,
  entries: z.array(entry),
});

export type CommitCall = z.infer<typeof commitCall>;
export type CommitAnswer = z.infer<typeof commitAnswer>;
export type ReadAnswer = z.infer<typeof readAnswer>;

/** Served by each peer, while it leads. */
export function storeCalls({ store }: MetaPeer, timeoutMs: number): CallTable {
  return new Map([
    [
      'sim.commit',
      (body, answer) => {
        store.commit(commitCall.parse(body), timeoutMs, (outcome) => {
          if (outcome.kind === 'unknown') answer(failed('ERR_CACHECTL_TIMEOUT', true));
          else if (outcome.kind === 'refused') answer(failed('ERR_CACHECTL_NO_QUORUM', false));
          else answer({ ok: true, body: outcome });
        });
      },
    ],
    [
      'sim.read',
      (body, answer) => {
        store.read(readCall.parse(body), (outcome) => {
          if (outcome.kind === 'refused') answer(failed('ERR_CACHECTL_NO_QUORUM', false));
          else answer({ ok: true, body: { revision: outcome.revision, entries: outcome.entries } });
        });
      },
    ],
  ]);
}

function failed(
  code: 'ERR_CACHECTL_TIMEOUT' | 'ERR_CACHECTL_NO_QUORUM',
  maybeApplied: boolean,
): RpcOutcome {
  return { ok: false, error: new CachectlError(code, 'not done', { details: { maybeApplied } }) };
}
