/** Settings of a tenant, as flags; and as answers to questions, where somebody can be asked. */
import { Flags } from '@oclif/core';
import type { OperationInput } from '../../meta/admin/index.ts';
import { countFlag, limitFlag } from './flags.ts';
import { choice, count, duration, size, type Kind } from './kinds.ts';

const MIB = 1024 ** 2;
const memory = size({ min: MIB });
const qps = count({ min: 1, max: 1_000_000_000 });
const POLICIES = ['tinylfu', 'lru', 'lfu', 'noeviction'] as const;

export const tenantFlags = {
  'max-memory': limitFlag(memory)({ summary: 'Of keys, values and overhead, in the cluster.' }),
  'max-qps': limitFlag(qps)({ summary: 'Operations a second, in the cluster.' }),
  'max-connections': limitFlag(count({ min: 1, max: 10_000_000 }))({ summary: 'At one time.' }),
  'max-bandwidth': limitFlag(size({ min: 1024 }))({ summary: 'Bytes a second, both ways.' }),
  policy: Flags.option({ options: POLICIES, summary: 'What goes first when memory is full.' })(),
  replicas: countFlag({ min: 0, max: 8 })({ summary: 'Copies beside the primary.' }),
  ack: Flags.option({
    options: ['primary', 'replica', 'quorum'] as const,
    summary: 'Who must have a write before it is acknowledged.',
  })(),
  'max-unreplicated-time': limitFlag(duration({ min: 1 }))({
    summary: 'Replicas further behind than this: no more writes are acknowledged.',
  }),
  'max-unreplicated-bytes': limitFlag(size({ min: 1 }))({
    summary: 'Replicas further behind than this: no more writes are acknowledged.',
  }),
};

export interface TenantFlags {
  readonly 'max-memory'?: number | null | undefined;
  readonly 'max-qps'?: number | null | undefined;
  readonly 'max-connections'?: number | null | undefined;
  readonly 'max-bandwidth'?: number | null | undefined;
  readonly policy?: (typeof POLICIES)[number] | undefined;
  readonly replicas?: number | undefined;
  readonly ack?: 'primary' | 'replica' | 'quorum' | undefined;
  readonly 'max-unreplicated-time'?: number | null | undefined;
  readonly 'max-unreplicated-bytes'?: number | null | undefined;
}

type TenantChanges = Omit<OperationInput<'tenant.update'>, 'name' | 'ifRevision' | 'actor'>;

/** What was given, under the API's names; null: the limit is taken away. */
export function changesOf(flags: TenantFlags): TenantChanges {
  const changes: TenantChanges = {
    maxMemoryBytes: flags['max-memory'],
    maxQps: flags['max-qps'],
    maxConnections: flags['max-connections'],
    maxBandwidthBytes: flags['max-bandwidth'],
    policy: flags.policy,
    replicas: flags.replicas,
    ack: flags.ack,
  };
  const time = flags['max-unreplicated-time'];
  const bytes = flags['max-unreplicated-bytes'];
  if (time === undefined && bytes === undefined) return given(changes);
  const maxUnreplicated = {
    ...(typeof time === 'number' ? { ms: time } : {}),
    ...(typeof bytes === 'number' ? { bytes } : {}),
  };
  return given({ ...changes, maxUnreplicated });
}

function given<T extends object>(fields: T): T {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- fields that are undefined are optional
  return Object.fromEntries(kept) as T;
}

/** The same for a tenant that is created: what is `none` has no limit anyway. */
export function settingsOf(flags: TenantFlags): Omit<OperationInput<'tenant.create'>, 'name'> {
  const kept = Object.entries(changesOf(flags)).filter(([, value]) => value !== null);
  return Object.fromEntries(kept);
}

/** Asks for what the flags do not say; only where somebody can be asked. */
export async function askForSettings(flags: TenantFlags): Promise<TenantFlags> {
  const { input, select } = await import('@inquirer/prompts');
  const context = { output: process.stderr };
  const limit = async (message: string, kind: Kind<number>, example: string) => {
    const validate = (text: string) =>
      text === 'none' || kind.parse(text) !== undefined || `${kind.form}, or 'none'`;
    const text = await input(
      { message: `${message}, such as ${example}:`, default: 'none', validate },
      context,
    );
    return text === 'none' ? null : kind.parse(text);
  };
  const policy = async () =>
    choice(POLICIES).parse(
      await select(
        { message: 'What goes first when memory is full?', choices: [...POLICIES] },
        context,
      ),
    );
  const replicas = async () => {
    const kind = count({ min: 0, max: 8 });
    const validate = (text: string) => kind.parse(text) !== undefined || kind.form;
    const message = 'Copies beside the primary:';
    return kind.parse(await input({ message, default: '1', validate }, context));
  };
  return {
    ...flags,
    'max-memory': flags['max-memory'] ?? (await limit('Memory', memory, '64mb')),
    'max-qps': flags['max-qps'] ?? (await limit('Operations a second', qps, '5000')),
    policy: flags.policy ?? (await policy()),
    replicas: flags.replicas ?? (await replicas()),
  };
}
