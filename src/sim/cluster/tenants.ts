/** The tenants of this world, each with another promise to its writes. */
import {
  DEFAULT_NAMESPACE,
  METADATA_KEYS,
  tenantSettingsSchema,
  type Namespace,
  type Tenant,
} from '../../cluster/index.ts';
import type { Change, MetaPeer } from '../../meta/index.ts';
import { BOUND_MS, type Promised } from './scenario.ts';

/** By tenant: its number, and that of its only key space. The default tenant is there anyhow. */
export const TENANT_NUMBERS: Readonly<Record<Promised, number>> = {
  default: 0,
  quorum: 1,
  bounded: 2,
};

const SETTINGS = {
  quorum: { ack: 'quorum' },
  bounded: { maxUnreplicated: { ms: BOUND_MS } },
} as const;

const TIMEOUT_MS = 2000;

/** Writes down those that are missing, at the peer that leads. They have no secret. */
export function createTenants({ state, store }: MetaPeer, promises: readonly Promised[]): void {
  const { settings } = state;
  if (settings === undefined) return;
  const createdAtMs = settings.createdAtMs;
  const missing = new Set(
    promises.filter((name) => name !== 'default').filter((name) => !state.tenants.has(name)),
  );
  if (missing.size === 0) return;
  const changes = [...missing].flatMap((name): Change[] => {
    const number = TENANT_NUMBERS[name];
    const tenant: Tenant = {
      ...tenantSettingsSchema.parse({ replicas: settings.replicas, ...SETTINGS[name] }),
      ...{ name, number, createdAtMs },
    };
    const namespace: Namespace = { tenant: name, name: DEFAULT_NAMESPACE, number, createdAtMs };
    return [
      { kind: 'put', key: METADATA_KEYS.tenant(name), value: JSON.stringify(tenant) },
      {
        kind: 'put',
        key: METADATA_KEYS.namespace(name, DEFAULT_NAMESPACE),
        value: JSON.stringify(namespace),
      },
    ];
  });
  const compares = [...missing].map((name) => state.unchanged(METADATA_KEYS.tenant(name)));
  store.commit({ compares, changes }, TIMEOUT_MS, () => {});
}
