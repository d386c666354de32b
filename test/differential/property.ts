/** What is checked, in CI with a few hundred runs and in a campaign with thousands. */
import * as fc from 'fast-check';
import { COMMANDS } from '../../src/node/commands/index.ts';
import type { Pair } from './pair.ts';
import { requests, sequences, type Sequence } from './requests.ts';

const STEPS_MAX = 40;

/** Families whose every reply follows from what was asked before. */
const DATA_GROUPS: ReadonlySet<string> = new Set(['string', 'generic', 'bitmap']);

const DATA_COMMANDS_BESIDES: ReadonlySet<string> = new Set([
  ...['dbsize', 'flushall', 'flushdb', 'memory|usage', 'ping', 'echo', 'select', 'cluster|keyslot'],
]);

/** What would wait, end the connection, silence it, or change the server for the next run. */
const EXCLUDED: ReadonlySet<string> = new Set([
  ...['wait', 'quit', 'object|help', 'object|freq', 'client|reply', 'client|pause', 'config|set'],
]);

const ONE_KEY_COMMANDS: ReadonlySet<string> = new Set(['set', 'getdel', 'expire', 'incr']);

function isOfData(group: string, fullName: string): boolean {
  return DATA_GROUPS.has(group) || DATA_COMMANDS_BESIDES.has(fullName);
}

/** Of strings, keys and bits. */
export const dataSequences: fc.Arbitrary<Sequence> = sequences(
  requests(COMMANDS, (group, name) => isOfData(group, name) && !EXCLUDED.has(name)),
  STEPS_MAX,
);

/** Of connection and server. */
export const serverSequences: fc.Arbitrary<Sequence> = sequences(
  requests(COMMANDS, (group, name) => !isOfData(group, name) && !EXCLUDED.has(name)),
  STEPS_MAX,
);

/** For a server in cluster mode. */
export const clusterSequences: fc.Arbitrary<Sequence> = sequences(
  requests(COMMANDS, (group, name) => group === 'cluster' || ONE_KEY_COMMANDS.has(name)),
  STEPS_MAX,
);

/** Resolves where all runs agreed; rejects with the shortest sequence that shows a difference. */
export async function checkSequences(
  pair: Pair,
  arbitrary: fc.Arbitrary<Sequence>,
  parameters: { numRuns: number; seed?: number; path?: string },
): Promise<void> {
  const property = fc.asyncProperty(arbitrary, async (sequence) => {
    const found = await pair.compare(sequence);
    if (found !== undefined) throw new Error(found);
  });
  await fc.assert(property, { ...parameters, includeErrorInReport: true });
}

const digits = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n });

/** Decimals of all sizes, as people and programs write them. */
const decimal = fc.oneof(
  fc.double().map(String),
  fc.tuple(digits, fc.integer({ min: -4960, max: 4960 })).map(([m, power]) => `${m}e${power}`),
  fc.tuple(digits, fc.nat(24)).map(([m, power]) => `${m}e-${power}`),
  fc.tuple(digits, fc.integer({ min: -16_500, max: 16_500 })).map(([m, power]) => hex(m, power)),
  fc.integer({ min: -100_000, max: 100_000 }).map((cents) => `${cents / 100}`),
);

function hex(mantissa: bigint, power: number): string {
  const magnitude = mantissa < 0n ? -mantissa : mantissa;
  return `${mantissa < 0n ? '-' : ''}0x${magnitude.toString(16)}p${power}`;
}

/** Sums of many random pairs, with all their digits. */
export async function checkSums(pair: Pair, count: number): Promise<void> {
  const pairs = fc.sample(fc.tuple(decimal, decimal), count);
  const steps = pairs.flatMap(([one, other]) => [
    ['SET', 'sum', one],
    ['INCRBYFLOAT', 'sum', other],
  ]);
  const found = await pair.compare({ version: 2, isPipelined: true, steps });
  if (found !== undefined) throw new Error(found);
}
