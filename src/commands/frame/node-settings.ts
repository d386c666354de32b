/** The settings of a cache node, as people give them, and what the node makes of them. */
import { hostname } from 'node:os';
import {
  LIVE_SETTINGS,
  liveSetting,
  liveSettingFault,
  nameSchema,
  type ConfigValues,
} from '../../cluster/index.ts';
import { MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, POLICY_NAMES } from '../../engine/index.ts';
import {
  NODE_SETTINGS,
  type ClusterOptions,
  type NodeOptions,
  type NodeSettings,
} from '../../node/index.ts';
import type { Address } from '../../runtime/index.ts';
import {
  address,
  addresses,
  choice,
  count,
  duration,
  size,
  word,
  badValue,
  type Kind,
} from './kinds.ts';
import { setting, type Values } from './settings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const SIZE_MAX = 2 ** 40;

const name = word(
  'letters, digits, dots, dashes and underscores, at most 63 of them',
  /^[A-Za-z0-9][\w.-]{0,62}$/,
);

const limit = <T>(kind: Kind<T>, fallback: T, summary: string) => ({
  ...setting(kind, fallback, summary),
  group: 'LIMIT',
});
const cluster = <T, Default extends T | undefined>(
  kind: Kind<T>,
  fallback: Default,
  summary: string,
) => ({
  ...setting(kind, fallback, summary),
  group: 'CLUSTER',
});
const clusterName = word(
  'a name of 1 to 63 of a to z, 0 to 9, - and _',
  /^[a-z0-9][a-z0-9_-]{0,62}$/,
);
const log = <T, Default extends T | undefined>(
  kind: Kind<T>,
  fallback: Default,
  summary: string,
) => ({
  ...setting(kind, fallback, summary),
  group: 'LOG',
});

export const nodeSettings = {
  listen: setting(address, { host: '127.0.0.1', port: 7400 }, 'Where clients connect.'),
  name: setting(name, undefined, 'What the node is called; its address, where none is given.'),
  memory: setting(
    size({ min: MEMORY_BYTES_MIN, max: MEMORY_BYTES_MAX }),
    NODE_SETTINGS.memoryBytes,
    'All memory of keys, values, index and eviction.',
  ),
  policy: setting(
    choice(POLICY_NAMES),
    NODE_SETTINGS.policy,
    'What goes first when memory is full; noeviction refuses writes instead.',
  ),
  secret: {
    ...setting(word('1 to 512 visible characters', /^[!-~]{1,512}$/), undefined, 'For AUTH.'),
    secret: true,
  },
  meta: cluster(
    addresses,
    undefined,
    'The meta peers of the cluster to join; without them the node stands alone and owns all slots.',
  ),
  'meta-token': {
    ...cluster(
      word('1 to 512 visible characters', /^[!-~]{1,512}$/),
      undefined,
      'What the meta peers ask for.',
    ),
    secret: true,
  },
  zone: cluster(clusterName, 'default', 'Copies of a shard are kept in different ones.'),
  weight: cluster(
    count({ min: 0, max: 1000 }),
    1,
    'Its part of the shards, relative to other nodes; 0: none.',
  ),
  machine: cluster(
    word('1 to 255 visible characters', /^[!-~]{1,255}$/),
    undefined,
    'Copies of a shard are kept on different ones; the name of the host, where none is given.',
  ),
  'announce-host': cluster(
    word('a host name or address', /^[\w.:%-]{1,255}$/),
    undefined,
    'Where clients and other nodes reach it; the host of --listen, where none is given.',
  ),
  'replication-port': cluster(
    count({ min: 1, max: 65_535 }),
    undefined,
    'Where other nodes reach it; the port of --listen and 10000, where none is given.',
  ),
  'replication-backlog': cluster(
    size({ min: 64 * 1024, max: SIZE_MAX }),
    32 * 1024 ** 2,
    'Memory for what the node has changed of late: a replica that lacks more is copied anew.',
  ),
  'max-replica-lag': cluster(
    duration({ max: DAY_MS }),
    1000,
    'A replica that is further behind serves no reads.',
  ),
  'max-value-size': limit(
    LIVE_SETTINGS['max-value-size'],
    NODE_SETTINGS.valueBytesMax,
    'The longest value.',
  ),
  'max-key-size': limit(
    LIVE_SETTINGS['max-key-size'],
    NODE_SETTINGS.keyBytesMax,
    'The longest key.',
  ),
  'max-arguments': limit(
    LIVE_SETTINGS['max-arguments'],
    NODE_SETTINGS.argumentCountMax,
    'Arguments of one command.',
  ),
  'max-request-size': limit(
    LIVE_SETTINGS['max-request-size'],
    NODE_SETTINGS.requestBytesMax,
    'One command with all its arguments.',
  ),
  'max-inline-size': limit(
    LIVE_SETTINGS['max-inline-size'],
    NODE_SETTINGS.inlineBytesMax,
    'A command typed as a line.',
  ),
  'max-input': limit(
    LIVE_SETTINGS['max-input'],
    NODE_SETTINGS.inputBytesMax,
    'Unfinished commands of all clients together; past it, clients with large ones are let go.',
  ),
  'max-clients': limit(
    LIVE_SETTINGS['max-clients'],
    NODE_SETTINGS.clientsMax,
    'Connections at a time.',
  ),
  'max-output': limit(
    LIVE_SETTINGS['max-output'],
    NODE_SETTINGS.outputBytesMax,
    'A client with this much unread output is disconnected.',
  ),
  'output-pause': limit(
    LIVE_SETTINGS['output-pause'],
    NODE_SETTINGS.outputBytesPaused,
    'While a client leaves this much of its replies unread, its commands are not read either.',
  ),
  'output-timeout': limit(
    LIVE_SETTINGS['output-timeout'],
    NODE_SETTINGS.outputTimeoutMs,
    'A client whose output stays unread for this long is disconnected; 0: never.',
  ),
  'idle-timeout': limit(
    LIVE_SETTINGS['idle-timeout'],
    NODE_SETTINGS.idleTimeoutMs,
    'A client that is silent for this long is disconnected; 0: never.',
  ),
  'request-timeout': limit(
    LIVE_SETTINGS['request-timeout'],
    NODE_SETTINGS.requestTimeoutMs,
    'A client that is silent for this long in the middle of a command is disconnected; 0: never.',
  ),
  'slowlog-threshold': limit(
    LIVE_SETTINGS['slowlog-threshold'],
    NODE_SETTINGS.slowlogUs / 1000,
    'Commands that take this long or longer are put into the slow log.',
  ),
  'slowlog-length': limit(
    LIVE_SETTINGS['slowlog-length'],
    NODE_SETTINGS.slowlogLength,
    'Entries that the slow log keeps.',
  ),
  'max-tracking-keys': limit(
    LIVE_SETTINGS['max-tracking-keys'],
    NODE_SETTINGS.trackingKeysMax,
    'Keys whose readers are remembered for invalidation.',
  ),
  'log-level': log(
    choice(['debug', 'info', 'warn', 'error', 'silent'] as const),
    'info',
    'Which words of the log are written.',
  ),
  'log-format': log(
    choice(['text', 'json'] as const),
    undefined,
    'How the log is written; text on a terminal and json elsewhere, where none is given.',
  ),
};

export type NodeSettingValues = Values<typeof nodeSettings>;

/**
 * @param version of this program
 * @throws {CachectlError} `ERR_CACHECTL_VALUE` where a cluster is to be joined without what it takes
 */
export function nodeOptionsOf(values: NodeSettingValues, version = '0'): NodeOptions {
  const { name: ownName, meta } = values;
  const listen = values.listen ?? nodeSettings.listen.default;
  return {
    listen,
    ...(ownName === undefined ? {} : { name: ownName }),
    settings: { ...NODE_SETTINGS, ...liveSettingsOf(values) },
    ...(meta === undefined
      ? {}
      : { cluster: clusterOptionsOf(values, meta, listen.host, version) }),
  };
}

const ANY_HOSTS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function clusterOptionsOf(
  values: NodeSettingValues,
  meta: readonly Address[],
  listenHost: string,
  version: string,
): ClusterOptions {
  const ownName = nameSchema.safeParse(values.name);
  if (!ownName.success) {
    const form = `${clusterName.form}, by which the cluster knows the node when it comes back`;
    throw badValue('--name', values.name ?? '', form);
  }
  const announceHost = values['announce-host'] ?? listenHost;
  if (ANY_HOSTS.has(announceHost)) {
    throw badValue('--announce-host', announceHost, 'an address that other machines can reach');
  }
  return {
    meta,
    token: values['meta-token'],
    name: ownName.data,
    zone: values.zone ?? nodeSettings.zone.default,
    weight: values.weight ?? nodeSettings.weight.default,
    machine: values.machine ?? hostname(),
    announceHost,
    replicationPort: values['replication-port'],
    version,
    replicaLagMsMax: values['max-replica-lag'] ?? nodeSettings['max-replica-lag'].default,
    backlogBytesMax: values['replication-backlog'] ?? nodeSettings['replication-backlog'].default,
    settingsOf: pushedSettingsOf,
  };
}

/** What a config document of the cluster makes of a node's settings: its limits, and nothing else. */
function pushedSettingsOf(given: ConfigValues): ReturnType<ClusterOptions['settingsOf']> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [settingName, value] of Object.entries(given)) {
    const fault = liveSettingFault(settingName, String(value));
    if (fault === undefined) values[settingName] = liveSetting(settingName)?.parse(String(value));
    else problems.push(fault.message);
  }
  return { settings: liveSettingsOf(values), problems };
}

/** What of the settings can be changed while a node runs; what was not given is left out. */
function liveSettingsOf(values: NodeSettingValues): Partial<NodeSettings> {
  const slowlogMs = values['slowlog-threshold'];
  const settings = {
    memoryBytes: values.memory,
    policy: values.policy,
    secret: values.secret,
    valueBytesMax: values['max-value-size'],
    keyBytesMax: values['max-key-size'],
    argumentCountMax: values['max-arguments'],
    requestBytesMax: values['max-request-size'],
    inlineBytesMax: values['max-inline-size'],
    inputBytesMax: values['max-input'],
    clientsMax: values['max-clients'],
    outputBytesMax: values['max-output'],
    outputBytesPaused: values['output-pause'],
    outputTimeoutMs: values['output-timeout'],
    idleTimeoutMs: values['idle-timeout'],
    requestTimeoutMs: values['request-timeout'],
    slowlogUs: slowlogMs === undefined ? undefined : slowlogMs * 1000,
    slowlogLength: values['slowlog-length'],
    trackingKeysMax: values['max-tracking-keys'],
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
