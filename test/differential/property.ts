/** What is checked, in CI with a few hundred runs and in a campaign with thousands. */
import * as fc from 'fast-check';
import { COMMANDS } from '../../src/node/commands/index.ts';
import type { Pair } from './pair.ts';
import { requests, sequences, type Sequence } from './requests.ts';

const STEPS_MAX = 40;

/** Families whose every reply follows from what was asked before. */
const GROUPS: ReadonlySet<string> = new Set(['string', 'generic', 'bitmap']);

const BESIDES: ReadonlySet<string> = new Set([
  ...['dbsize', 'flushall', 'flushdb', 'memory|usage', 'ping', 'echo', 'select', 'cluster|keyslot'],
]);

/** What would wait for something. */
const EXCLUDED: ReadonlySet<string> = new Set(['wait', 'object|help', 'object|freq']);

const specs = COMMANDS.filter(
  (spec) =>
    GROUPS.has(spec.group) ||
    [...BESIDES].some((name) => name === spec.name || name.startsWith(`${spec.name}|`)),
);

function isWanted(group: string, fullName: string): boolean {
  if (EXCLUDED.has(fullName)) return false;
  return GROUPS.has(group) || BESIDES.has(fullName);
}

export function randomSequences(): fc.Arbitrary<Sequence> {
  return sequences(requests(specs, isWanted), STEPS_MAX);
}

/** Resolves where all runs agreed; rejects with the shortest sequence that shows a difference. */
export async function checkRandomSequences(
  pair: Pair,
  parameters: { numRuns: number; seed?: number; path?: string },
): Promise<void> {
  const property = fc.asyncProperty(randomSequences(), async (sequence) => {
    const found = await pair.compare(sequence);
    if (found !== undefined) throw new Error(found);
  });
  await fc.assert(property, { ...parameters, includeErrorInReport: true });
}
