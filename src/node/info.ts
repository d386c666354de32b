/** What `INFO` answers: sections of `name:value` lines, under the names that tools look for. */
import { averageTtlMs, type Domain } from '../engine/index.ts';
import type { CacheNode } from './node.ts';
import { LATENCY_PERCENTILES, redisPolicyName } from './parameters.ts';
import { REDIS_VERSION } from './version.ts';

type Field = readonly [name: string, value: string | number];

interface Section {
  readonly name: string;
  readonly title: string;
  /** Whether plain `INFO` shows it. */
  readonly isDefault: boolean;
  /** `domain`: the key space of the client that asks. */
  fields(node: CacheNode, domain: Domain): readonly Field[];
}

const MODE = 'cluster';

const SECTIONS: readonly Section[] = [
  { name: 'server', title: 'Server', isDefault: true, fields: server },
  { name: 'clients', title: 'Clients', isDefault: true, fields: clients },
  { name: 'memory', title: 'Memory', isDefault: true, fields: memory },
  { name: 'engine', title: 'Engine', isDefault: true, fields: engine },
  { name: 'persistence', title: 'Persistence', isDefault: true, fields: persistence },
  { name: 'stats', title: 'Stats', isDefault: true, fields: stats },
  { name: 'replication', title: 'Replication', isDefault: true, fields: replication },
  { name: 'cpu', title: 'CPU', isDefault: true, fields: cpu },
  { name: 'modules', title: 'Modules', isDefault: true, fields: () => [] },
  { name: 'commandstats', title: 'Commandstats', isDefault: false, fields: commandStats },
  { name: 'latencystats', title: 'Latencystats', isDefault: false, fields: latencyStats },
  { name: 'errorstats', title: 'Errorstats', isDefault: true, fields: errorStats },
  { name: 'cluster', title: 'Cluster', isDefault: true, fields: () => [['cluster_enabled', 1]] },
  { name: 'keyspace', title: 'Keyspace', isDefault: true, fields: keyspace },
];

/** The sections asked for; all that are shown by default where none is. */
export function describeNode(node: CacheNode, domain: Domain, asked: readonly string[]): string {
  const all = asked.some((name) => name === 'all' || name === 'everything');
  const defaults = asked.length === 0 || asked.includes('default');
  return SECTIONS.filter(
    (section) => all || (defaults && section.isDefault) || asked.includes(section.name),
  )
    .map((section) => {
      const lines = section.fields(node, domain).map(([name, value]) => `${name}:${value}\r\n`);
      return `# ${section.title}\r\n${lines.join('')}`;
    })
    .join('\r\n');
}

function server(node: CacheNode): readonly Field[] {
  const facts = node.processFacts();
  const uptime = Math.floor((node.runtime.clock.monotonicUs() - node.startedAtUs) / 1_000_000);
  return [
    ['redis_version', REDIS_VERSION],
    ['redis_mode', MODE],
    ['server_name', 'cachectl'],
    ['arch_bits', 64],
    ['node_version', facts.version],
    ['process_id', facts.pid],
    ['run_id', node.nodeId],
    ['tcp_port', node.address.port],
    ['server_time_usec', node.runtime.clock.wallUs()],
    ['uptime_in_seconds', uptime],
    ['uptime_in_days', Math.floor(uptime / 86_400)],
    ['hz', 10],
    ['configured_hz', 10],
    ['config_file', ''],
  ];
}

function clients(node: CacheNode): readonly Field[] {
  const suspended = [...node.sessions.values()].filter((session) => session.isSuspended).length;
  return [
    ['connected_clients', node.sessions.size],
    ['cluster_connections', 0],
    ['maxclients', node.settings.clientsMax],
    ['blocked_clients', suspended],
    ['tracking_clients', node.tracking.clients],
    ['clients_peak', Math.max(node.stats.clientsPeak, node.sessions.size)],
  ];
}

function memory(node: CacheNode): readonly Field[] {
  const report = node.engine.report();
  const resident = node.processFacts().residentBytes;
  const peak = Math.max(node.stats.memoryPeakBytes, report.usedBytes);
  return [
    ['used_memory', report.usedBytes],
    ['used_memory_human', human(report.usedBytes)],
    ['used_memory_rss', resident],
    ['used_memory_rss_human', human(resident)],
    ['used_memory_peak', peak],
    ['used_memory_peak_human', human(peak)],
    ['used_memory_dataset', report.payloadBytes],
    ['used_memory_overhead', report.usedBytes - report.payloadBytes],
    ['maxmemory', report.limitBytes],
    ['maxmemory_human', human(report.limitBytes)],
    ['maxmemory_policy', redisPolicyName(node.settings.policy)],
    ['mem_fragmentation_ratio', report.fragmentation.toFixed(2)],
    ['mem_allocator', 'segments'],
  ];
}

function engine(node: CacheNode, domain: Domain): readonly Field[] {
  const report = node.engine.report();
  return [
    ['live_bytes', report.liveBytes],
    ['payload_bytes', report.payloadBytes],
    ['touched_bytes', report.touchedBytes],
    ['index_bytes', report.indexBytes],
    ['policy_bytes', report.policyBytes],
    ['overhead_bytes_per_item', report.overheadBytesPerItem.toFixed(1)],
    ['fragmentation', report.fragmentation.toFixed(3)],
    ['relocations', node.engine.relocations],
    ...domain.ghost
      .estimates()
      .map(({ capacityFactor, hitRate }): Field => [
        `hit_rate_at_${capacityFactor}x_memory`,
        hitRate === undefined ? 'unknown' : hitRate.toFixed(4),
      ]),
  ];
}

function persistence(node: CacheNode): readonly Field[] {
  return [
    ['loading', 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', node.changes],
    ['rdb_bgsave_in_progress', 0],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
  ];
}

function stats(node: CacheNode, domain: Domain): readonly Field[] {
  const counted = node.stats;
  return [
    ['total_connections_received', counted.connections],
    ['total_commands_processed', counted.commands],
    ['instantaneous_ops_per_sec', counted.opsPerSecond],
    ['total_net_input_bytes', counted.inputBytes],
    ['total_net_output_bytes', counted.outputBytes],
    ['rejected_connections', counted.rejectedConnections],
    ['expired_keys', domain.expired],
    ['evicted_keys', domain.evicted],
    ['evicted_clients', counted.disconnectedSlow],
    ['idle_clients_disconnected', counted.disconnectedIdle],
    ['keyspace_hits', domain.hits],
    ['keyspace_misses', domain.misses],
    ['pubsub_channels', 0],
    ['pubsub_patterns', 0],
    ['tracking_total_keys', node.tracking.keys],
    ['total_error_replies', counted.errors],
    ['unexpected_error_replies', counted.protocolErrors],
  ];
}

function replication(node: CacheNode): readonly Field[] {
  return [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', node.nodeId],
    ['master_repl_offset', 0],
  ];
}

function cpu(node: CacheNode): readonly Field[] {
  const { userCpuUs, systemCpuUs } = node.processFacts();
  return [
    ['used_cpu_sys', (systemCpuUs / 1e6).toFixed(6)],
    ['used_cpu_user', (userCpuUs / 1e6).toFixed(6)],
  ];
}

/** Times are estimated from the calls that were timed: see `TIMED_CALLS_MASK` in `node.ts`. */
function commandStats(node: CacheNode): readonly Field[] {
  return node.table
    .all()
    .filter((command) => command.calls + command.rejected > 0)
    .map((command) => {
      const timed = command.timings.count;
      const perCall = timed === 0 ? 0 : command.timedUs / timed;
      const total = Math.round(perCall * command.calls);
      return [
        `cmdstat_${command.fullName}`,
        `calls=${command.calls},usec=${total},usec_per_call=${perCall.toFixed(2)},` +
          `rejected_calls=${command.rejected},failed_calls=${command.failed}`,
      ];
    });
}

/** Of the calls that were timed, as above. */
function latencyStats(node: CacheNode): readonly Field[] {
  return node.table
    .all()
    .filter((command) => command.timings.count > 0)
    .map((command) => {
      const percentiles = LATENCY_PERCENTILES.map(
        (percentile) => `p${percentile}=${command.timings.quantileUs(percentile / 100).toFixed(3)}`,
      );
      return [`latency_percentiles_usec_${command.fullName}`, percentiles.join(',')];
    });
}

function errorStats(node: CacheNode): readonly Field[] {
  return [...node.stats.errorsByCode].map(([code, count]) => [
    `errorstat_${code}`,
    `count=${count}`,
  ]);
}

function keyspace(node: CacheNode, domain: Domain): readonly Field[] {
  if (domain.items === 0) return [];
  const ttlMs = averageTtlMs(node.engine, domain);
  return [['db0', `keys=${domain.items},expires=${domain.volatileItems},avg_ttl=${ttlMs}`]];
}

const UNITS = ['B', 'K', 'M', 'G'];

/** As Redis writes sizes for people: `1.50M`. */
function human(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  const scaled = bytes / 1024 ** power;
  return power === 0 ? `${bytes}B` : `${scaled.toFixed(2)}${UNITS[power]}`;
}
