import type { OperationOutput } from '../../meta/admin/index.ts';
import { formatSize } from '../../cluster/quantities.ts';
import { roughSize } from './admin-views.ts';

/** A tenant in lines: what it is allowed, and what it uses. */
export function tenantInWords({
  tenant,
  namespaces,
  usage,
}: OperationOutput<'tenant.show'>): string {
  const { maxMemoryBytes, maxBandwidthBytes, maxUnreplicated } = tenant;
  const size = (bytes: number | undefined) =>
    bytes === undefined ? 'no limit' : formatSize(bytes);
  const risk = [
    ...(maxUnreplicated.ms === undefined ? [] : [`${maxUnreplicated.ms}ms`]),
    ...(maxUnreplicated.bytes === undefined ? [] : [formatSize(maxUnreplicated.bytes)]),
  ];
  const reads = usage.hits + usage.misses;
  const ratio = reads === 0 ? '-' : `${((100 * usage.hits) / reads).toFixed(1)} %`;
  const lines: ReadonlyArray<readonly [string, string]> = [
    ['name', tenant.name],
    ['policy', tenant.policy],
    ['memory', `${roughSize(usage.bytes)} of ${size(maxMemoryBytes)}, ${usage.items} keys`],
    ['qps', `${usage.opsPerSecond} of ${tenant.maxQps ?? 'no limit'}`],
    ['connections', `${usage.connections} of ${tenant.maxConnections ?? 'no limit'}`],
    ['bandwidth', size(maxBandwidthBytes)],
    ['replicas', String(tenant.replicas)],
    ['ack', tenant.ack],
    ['unreplicated', risk.length === 0 ? 'no limit' : `at most ${risk.join(' or ')}`],
    ['hits', `${ratio}, ${usage.evicted} evicted`],
    ['secret', tenant.hasSecret ? 'yes' : 'no'],
    ['namespaces', namespaces.map(({ name }) => name).join(', ')],
    ['revision', String(tenant.revision)],
  ];
  const width = Math.max(...lines.map(([title]) => title.length));
  return lines.map(([title, words]) => `${title.padEnd(width)}  ${words}`).join('\n');
}
