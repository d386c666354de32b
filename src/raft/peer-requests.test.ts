import { expect, test } from 'vitest';
import { PendingProposals } from './peer-requests.ts';
import { asIndex } from './types.ts';

test('who proposes anew, told that a snapshot has taken the place of its answer, is told once', () => {
  const proposals = new PendingProposals();
  const outcomes: string[] = [];
  const propose = (nonce: number): void => {
    proposals.add({ kind: 'open', nonce }, nonce, undefined, Infinity, ({ kind }) => {
      outcomes.push(`${nonce} ${kind}`);
      if (nonce < 5) propose(nonce + 1);
    });
  };
  propose(1);
  proposals.applied(asIndex(10), true);
  expect(outcomes).toEqual(['1 unknown']);
  expect(proposals.size).toBe(1);
});
