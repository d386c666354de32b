/** Tenants and their namespaces. */
import {
  CachectlError,
  DEFAULT_NAMESPACE,
  DEFAULT_TENANT,
  formatSize,
  METADATA_KEYS,
  namespaceSchema,
  nodeRecordSchema,
  suggest,
  takesShards,
  tenantSchema,
  type Namespace,
  type Revision,
  type Tenant,
  type TenantUsage,
} from '../../cluster/index.ts';
import { settled, type Draft, type Stored } from './draft.ts';
import {
  checkRevision,
  conflict,
  exists,
  notFound,
  recordEvent,
  takeNumber,
  type Reading,
  type ReadHandlers,
  type WriteHandlers,
  type Writing,
} from './handlers.ts';
import type { CheckedInput } from './schemas.ts';
import type { NamespaceView, TenantUsageView, TenantView } from './views.ts';

export const tenantReads = {
  'tenant.list': ({ draft, revision }, { after = '', limit }) => {
    const start = METADATA_KEYS.tenant(after);
    const found = draft
      .readAll(METADATA_KEYS.tenants, tenantSchema)
      .filter(({ value }) => METADATA_KEYS.tenant(value.name) > start);
    const tenants = found.slice(0, limit).map((one) => tenantView(one.value, one.revision));
    return { tenants, isMore: found.length > limit, revision };
  },
  'tenant.show': (context, { name }) => {
    const { value, revision } = readTenant(context.draft, name);
    return {
      tenant: tenantView(value, revision),
      namespaces: readNamespaces(context.draft, name),
      usage: usageOf(context, name),
    };
  },
  'namespace.list': ({ draft, revision }, { tenant }) => {
    readTenant(draft, tenant);
    return { namespaces: readNamespaces(draft, tenant), revision };
  },
  'namespace.show': ({ draft }, { tenant, name }) => {
    const { value, revision } = readNamespace(draft, tenant, name);
    return { namespace: { ...value, revision } };
  },
} satisfies Partial<ReadHandlers>;

export const tenantWrites = {
  'tenant.create': (context, input) => {
    const { draft, nowMs } = context;
    const key = METADATA_KEYS.tenant(input.name);
    if (draft.get(key) !== undefined) throw exists(`tenant '${input.name}'`);
    warnOfMissingNodes(context, input.replicas);
    const { secret, hash } = context.secret();
    const number = takeNumber(context, 'tenant');
    const tenant: Tenant = { ...input, number, secretHash: hash, createdAtMs: nowMs };
    draft.put(key, tenant);
    putNamespace(context, { tenant: input.name, name: DEFAULT_NAMESPACE });
    recordTenantEvent(context, 'tenant.create', input.name, settingsInWords(input));
    return (revision) => ({ tenant: tenantView(tenant, revision), secret });
  },
  'tenant.update': (context, { ifRevision, name, ...changes }) => {
    const { draft } = context;
    const found = readGuarded(draft, name, ifRevision);
    const { value: before } = found;
    refuseBelowUse(context, name, changes);
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    const merged = { ...before, ...Object.fromEntries(given) };
    const kept = Object.entries(merged).filter(([, value]) => value !== null);
    const tenant = tenantSchema.parse(Object.fromEntries(kept));
    if (changes.replicas !== undefined) warnOfMissingNodes(context, tenant.replicas);
    if (changes.maxMemoryBytes !== undefined) refuseBelowNamespaces(draft, tenant);
    if (JSON.stringify(tenant) === JSON.stringify(tenantSchema.parse(before))) {
      return (revision) => ({ tenant: tenantView(before, settled(found, revision).revision) });
    }
    draft.put(METADATA_KEYS.tenant(name), tenant);
    recordTenantEvent(context, 'tenant.update', name, settingsInWords(Object.fromEntries(given)));
    return (revision) => ({ tenant: tenantView(tenant, revision) });
  },
  'tenant.delete': (context, { name, ifRevision }) => {
    const { draft } = context;
    if (name === DEFAULT_TENANT) throw alwaysThere(`tenant '${name}'`);
    readGuarded(draft, name, ifRevision);
    draft.delete(METADATA_KEYS.tenant(name));
    draft.deleteAll(METADATA_KEYS.namespacesOf(name));
    recordTenantEvent(context, 'tenant.delete', name, '');
    return () => ({ name });
  },
  'tenant.rotate-secret': (context, { name, ifRevision }) => {
    const { draft } = context;
    const { value: before } = readGuarded(draft, name, ifRevision);
    const { secret, hash } = context.secret();
    const tenant: Tenant = { ...before, secretHash: hash };
    draft.put(METADATA_KEYS.tenant(name), tenant);
    recordTenantEvent(context, 'tenant.rotate-secret', name, '');
    return (revision) => ({ tenant: tenantView(tenant, revision), secret });
  },
  'namespace.create': (context, { tenant, name, maxMemoryBytes }) => {
    const { draft } = context;
    const { value: owner } = readTenant(draft, tenant);
    if (draft.get(METADATA_KEYS.namespace(tenant, name)) !== undefined) {
      throw exists(`namespace '${tenant}/${name}'`);
    }
    refuseAbove(owner, name, maxMemoryBytes);
    const limit = maxMemoryBytes === undefined ? {} : { maxMemoryBytes };
    const namespace = putNamespace(context, { tenant, name, ...limit });
    const subject = `namespace ${tenant}/${name}`;
    const words = settingsInWords(limit);
    recordEvent(context, { operation: 'namespace.create', subject, words });
    return (revision) => ({ namespace: { ...namespace, revision } });
  },
  'namespace.delete': (context, { tenant, name, ifRevision }) => {
    const { draft } = context;
    const found = readNamespace(draft, tenant, name);
    if (name === DEFAULT_NAMESPACE) throw alwaysThere(`namespace '${tenant}/${name}'`);
    const subject = `namespace ${tenant}/${name}`;
    checkRevision(subject, found, ifRevision);
    draft.delete(METADATA_KEYS.namespace(tenant, name));
    recordEvent(context, { operation: 'namespace.delete', subject, words: '' });
    return () => ({ tenant, name });
  },
} satisfies Partial<WriteHandlers>;

function tenantView({ secretHash, ...shown }: Tenant, revision: Revision): TenantView {
  return { ...shown, hasSecret: secretHash !== undefined, revision };
}

function readTenant(draft: Draft, name: string): Stored<Tenant> {
  const found = draft.read(METADATA_KEYS.tenant(name), tenantSchema);
  if (found !== undefined) return found;
  const names = draft.list(METADATA_KEYS.tenants).map(({ key }) => key.split('/')[1]);
  throw notFound(`tenant '${name}'`, meant(name, names) ?? 'See: cachectl tenant list');
}

function readGuarded(draft: Draft, name: string, ifRevision: Revision | undefined): Stored<Tenant> {
  const found = readTenant(draft, name);
  checkRevision(`tenant '${name}'`, found, ifRevision);
  return found;
}

function readNamespace(draft: Draft, tenant: string, name: string): Stored<Namespace> {
  readTenant(draft, tenant);
  const found = draft.read(METADATA_KEYS.namespace(tenant, name), namespaceSchema);
  if (found !== undefined) return found;
  const names = readNamespaces(draft, tenant).map((namespace) => namespace.name);
  const hint = meant(name, names) ?? `See: cachectl namespace list ${tenant}`;
  throw notFound(`namespace '${tenant}/${name}'`, hint);
}

function readNamespaces(draft: Draft, tenant: string): NamespaceView[] {
  const found = draft.readAll(METADATA_KEYS.namespacesOf(tenant), namespaceSchema);
  return found.map(({ value, revision }) => ({ ...value, revision }));
}

function meant(name: string, names: readonly string[]): string | undefined {
  const near = suggest(name, names);
  return near === undefined ? undefined : `Did you mean '${near}'?`;
}

function putNamespace(
  context: Writing,
  fields: Pick<Namespace, 'tenant' | 'name' | 'maxMemoryBytes'>,
): Namespace {
  const number = takeNumber(context, 'namespace');
  const namespace: Namespace = { ...fields, number, createdAtMs: context.nowMs };
  context.draft.put(METADATA_KEYS.namespace(fields.tenant, fields.name), namespace);
  return namespace;
}

function alwaysThere(what: string): CachectlError {
  return new CachectlError('ERR_CACHECTL_VALUE', `${what} is always there and cannot be deleted`);
}

function recordTenantEvent(context: Writing, operation: string, name: string, words: string): void {
  recordEvent(context, { operation, subject: `tenant ${name}`, words });
}

function settingsInWords(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .filter(([name]) => name !== 'name')
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(' ');
}

/** Summed over the nodes that have reported of it lately. */
function usageOf({ draft, host }: Reading, tenant: string): TenantUsageView {
  const fields = [
    'bytes',
    'items',
    'opsPerSecond',
    'demandPerSecond',
    'connections',
    'hits',
    'misses',
    'evicted',
  ] as const;
  const total = { bytes: 0, items: 0, opsPerSecond: 0, demandPerSecond: 0 };
  const usage = { ...total, connections: 0, hits: 0, misses: 0, evicted: 0 };
  for (const { value } of draft.readAll(METADATA_KEYS.nodes, nodeRecordSchema)) {
    const reported = host.lifeOf(value.id)?.heartbeat?.tenants ?? [];
    const own: TenantUsage | undefined = reported.find((one) => one.tenant === tenant);
    if (own !== undefined) for (const field of fields) usage[field] += own[field];
  }
  return usage;
}

type Limits = Pick<CheckedInput<'tenant.update'>, 'maxMemoryBytes' | 'maxConnections'>;

function refuseBelowUse(context: Reading, name: string, limits: Limits): void {
  const { bytes, connections } = usageOf(context, name);
  const { maxMemoryBytes, maxConnections } = limits;
  if (typeof maxMemoryBytes === 'number' && maxMemoryBytes < bytes) {
    const words = `tenant '${name}' has ${bytes} bytes in use, more than ${formatSize(maxMemoryBytes)}`;
    throw conflict(words, 'Delete some of its keys first, or choose a limit above what is in use.');
  }
  if (typeof maxConnections === 'number' && maxConnections < connections) {
    const words = `tenant '${name}' has ${connections} connections, more than ${maxConnections}`;
    throw conflict(words, 'Close some of them first, or choose a limit above what is in use.');
  }
}

function refuseBelowNamespaces(draft: Draft, tenant: Tenant): void {
  for (const { name, maxMemoryBytes } of readNamespaces(draft, tenant.name)) {
    refuseAbove(tenant, name, maxMemoryBytes);
  }
}

/** A namespace may have no more than its tenant. */
function refuseAbove(tenant: Tenant, name: string, maxMemoryBytes: number | undefined): void {
  if (maxMemoryBytes === undefined || tenant.maxMemoryBytes === undefined) return;
  if (maxMemoryBytes <= tenant.maxMemoryBytes) return;
  const own = formatSize(maxMemoryBytes);
  const words = `namespace '${tenant.name}/${name}' would have ${own}, more than its tenant's ${formatSize(tenant.maxMemoryBytes)}`;
  throw new CachectlError('ERR_CACHECTL_VALUE', words);
}

function warnOfMissingNodes({ draft, warnings }: Writing, replicas: number): void {
  const nodes = draft.readAll(METADATA_KEYS.nodes, nodeRecordSchema);
  const fit = nodes.filter(({ value }) => takesShards(value)).length;
  const missing = replicas + 1 - fit;
  if (missing <= 0) return;
  const has = fit === 1 ? 'there is 1 node' : `there are ${fit} nodes`;
  const more = missing === 1 ? '1 more is missing' : `${missing} more are missing`;
  const copies = `${replicas} ${replicas === 1 ? 'replica needs' : 'replicas need'} ${replicas + 1} nodes`;
  warnings.push(`${copies}, and ${has} that can take shards: ${more} until all copies are kept`);
}
