/** The flags of `npm run bench:traces`. */
import { parseArgs } from 'node:util';
import { formatSize, parseSize, SIZE_FORM } from '../src/cluster/index.ts';
import { POLICY_NAMES, type PolicyName } from '../src/engine/policy/index.ts';

/** How much a cache holds: so many entries, or objects of so many bytes together. */
export interface Capacity {
  readonly amount: number;
  readonly unit: 'entries' | 'bytes';
}

export interface TraceOptions {
  readonly files: readonly string[];
  readonly policies: readonly PolicyName[];
  /** Undefined: those for which results are published. */
  readonly capacities: readonly Capacity[] | undefined;
  readonly seed: number;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A policy that never evicts has no hit ratio of its own. */
const EVICTING = POLICY_NAMES.filter((name) => name !== 'noeviction');

export const USAGE = `usage: npm run bench:traces -- --trace FILE[,FILE] [--policy ${EVICTING.join(',')}]
         [--capacity 250,500 | 128mb,1gb] [--seed N]`;

/** @throws {UsageError} naming the flag, its value, and what is allowed */
export function parseOptions(args: string[]): TraceOptions {
  const { trace, policy, capacity, seed } = parseFlags(args);
  return {
    files: listOf('--trace', trace),
    policies: listOf('--policy', policy).map(policyOf),
    capacities: capacity === undefined ? undefined : listOf('--capacity', capacity).map(capacityOf),
    seed: seedOf(seed),
  };
}

export function capacityText({ amount, unit }: Capacity): string {
  return unit === 'entries' ? String(amount) : formatSize(amount);
}

interface Flags {
  readonly trace?: string[];
  readonly policy: string[];
  readonly capacity?: string[];
  readonly seed: string;
}

function parseFlags(args: string[]): Flags {
  try {
    return parseArgs({
      args,
      options: {
        trace: { type: 'string', multiple: true },
        policy: { type: 'string', multiple: true, default: [EVICTING.join(',')] },
        capacity: { type: 'string', multiple: true },
        seed: { type: 'string', default: '1' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function listOf(flag: string, values: readonly string[] | undefined): string[] {
  const list = (values ?? []).flatMap((value) => value.split(',')).map((part) => part.trim());
  if (list.length === 0) throw new UsageError(`${flag} is missing`);
  if (list.includes('')) throw new UsageError(`${flag} has an empty part`);
  return list;
}

function policyOf(text: string): PolicyName {
  const policy = EVICTING.find((name) => name === text);
  if (policy !== undefined) return policy;
  throw new UsageError(`--policy '${text}' is none of ${EVICTING.join(', ')}`);
}

function capacityOf(text: string): Capacity {
  const unit = /^\d+$/.test(text) ? 'entries' : 'bytes';
  const amount = parseSize(text) ?? 0;
  if (amount > 0) return { amount, unit };
  throw new UsageError(`--capacity '${text}' is neither a number of entries nor ${SIZE_FORM}`);
}

function seedOf(text: string): number {
  const seed = Number(text);
  if (/^\d+$/.test(text) && seed < 2 ** 32) return seed;
  throw new UsageError(`--seed '${text}' is no whole number below 4294967296`);
}
