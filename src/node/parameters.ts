/**
 * What `CONFIG` can read and set, under Redis' names: clients, load tools and dashboards look for
 * them. Settings that only Redis has are answered with what is true of this node.
 */
import {
  MEMORY_BYTES_MAX,
  MEMORY_BYTES_MIN,
  POLICY_NAMES,
  type PolicyName,
} from '../engine/index.ts';
import type { NodeSettings } from './config.ts';
import type { CacheNode } from './node.ts';

export interface Parameter {
  readonly name: string;
  read(node: CacheNode): string;
  /** Absent where it can't be changed. Returns what is wrong with the value, if anything is. */
  readonly write?: (settings: NodeSettings, value: string) => string | undefined;
}

type NumberSetting = {
  [Name in keyof NodeSettings]: NodeSettings[Name] extends number ? Name : never;
}[keyof NodeSettings];

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1_000_000,
  mb: 1024 ** 2,
  g: 1_000_000_000,
  gb: 1024 ** 3,
};

/** Redis' notation for memory: `64mb`, where `mb` is 2^20 and `m` is a million. */
function parseMemory(text: string): number | undefined {
  const match = /^(\d{1,15})([a-z]*)$/.exec(text.toLowerCase());
  const unit = match === null ? undefined : UNITS[match[2]];
  return match === null || unit === undefined ? undefined : Number(match[1]) * unit;
}

function parseCount(text: string): number | undefined {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
}

interface Range {
  min: number;
  max: number;
  /** What one unit of the parameter is in the setting's unit; 1 where it is left out. */
  scale?: number;
}

function number(
  name: string,
  setting: NumberSetting,
  parse: (text: string) => number | undefined,
  { min, max, scale = 1 }: Range,
): Parameter {
  return {
    name,
    read: (node) => `${Math.floor(node.settings[setting] / scale)}`,
    write: (settings, value) => {
      const parsed = parse(value);
      if (parsed === undefined) {
        return parse === parseMemory
          ? 'argument must be a memory value'
          : "argument couldn't be parsed into an integer";
      }
      if (parsed < min || parsed > max) {
        return `argument must be between ${min} and ${max} inclusive`;
      }
      settings[setting] = parsed * scale;
      return undefined;
    },
  };
}

function fixed(name: string, value: string): Parameter {
  return { name, read: () => value };
}

/** Redis' names for what our policies do. Both are taken; what is read is Redis' where there is one. */
const POLICY_ALIASES: Readonly<Record<string, PolicyName>> = {
  'allkeys-lru': 'lru',
  'allkeys-lfu': 'lfu',
};

/** As tools know it. */
export function redisPolicyName(policyName: PolicyName): string {
  return Object.keys(POLICY_ALIASES).find((n) => POLICY_ALIASES[n] === policyName) ?? policyName;
}

const policy: Parameter = {
  name: 'maxmemory-policy',
  read: (node) => redisPolicyName(node.settings.policy),
  write: (settings, value) => {
    const lower = value.toLowerCase();
    const name = POLICY_ALIASES[lower] ?? POLICY_NAMES.find((known) => known === lower);
    if (name === undefined) {
      const allowed = [...POLICY_NAMES, ...Object.keys(POLICY_ALIASES)];
      return `argument(s) must be one of the following: ${allowed.join(', ')}`;
    }
    settings.policy = name;
    return undefined;
  },
};

const secret: Parameter = {
  name: 'requirepass',
  read: (node) => node.settings.secret,
  write: (settings, value) => {
    settings.secret = value;
    return undefined;
  },
};

/** That `INFO latencystats` gives of each command. */
export const LATENCY_PERCENTILES = [50, 99, 99.9] as const;

const MIB = 1024 * 1024;
const LARGE = 2 ** 40;

export const PARAMETERS: readonly Parameter[] = [
  number('maxmemory', 'memoryBytes', parseMemory, {
    min: MEMORY_BYTES_MIN,
    max: MEMORY_BYTES_MAX,
  }),
  policy,
  secret,
  number('maxclients', 'clientsMax', parseCount, { min: 1, max: 1_000_000 }),
  number('timeout', 'idleTimeoutMs', parseCount, { min: 0, max: 2 ** 31 - 1, scale: 1000 }),
  number('request-timeout', 'requestTimeoutMs', parseCount, {
    min: 0,
    max: 2 ** 31 - 1,
    scale: 1000,
  }),
  number('output-timeout', 'outputTimeoutMs', parseCount, {
    min: 0,
    max: 2 ** 31 - 1,
    scale: 1000,
  }),
  number('input-max', 'inputBytesMax', parseMemory, { min: MIB, max: LARGE }),
  number('output-max', 'outputBytesMax', parseMemory, { min: MIB, max: LARGE }),
  number('output-pause', 'outputBytesPaused', parseMemory, { min: 1024, max: LARGE }),
  number('proto-max-bulk-len', 'valueBytesMax', parseMemory, { min: MIB, max: 512 * MIB }),
  number('max-key-size', 'keyBytesMax', parseMemory, { min: 1, max: 65_536 }),
  number('slowlog-log-slower-than', 'slowlogUs', parseCount, { min: -1, max: 2 ** 53 - 1 }),
  number('slowlog-max-len', 'slowlogLength', parseCount, { min: 0, max: 1_000_000 }),
  number('latency-monitor-threshold', 'latencyThresholdMs', parseCount, {
    min: 0,
    max: 2 ** 53 - 1,
  }),
  number('tracking-table-max-keys', 'trackingKeysMax', parseCount, { min: 1, max: 2 ** 24 }),
  { name: 'port', read: (node) => `${node.address.port}` },
  { name: 'bind', read: (node) => node.address.host },
  { name: 'client-output-buffer-limit', read: describeOutputLimit },
  fixed('save', ''),
  fixed('appendonly', 'no'),
  fixed('databases', '1'),
  fixed('hz', '10'),
  fixed('cluster-enabled', 'yes'),
  fixed('io-threads', '1'),
  fixed('tcp-keepalive', '300'),
  fixed('lazyfree-lazy-eviction', 'no'),
  fixed('notify-keyspace-events', ''),
  fixed('latency-tracking', 'yes'),
  fixed('latency-tracking-info-percentiles', LATENCY_PERCENTILES.join(' ')),
];

function describeOutputLimit(node: CacheNode): string {
  const { outputBytesMax, outputBytesPaused, outputTimeoutMs } = node.settings;
  return `normal ${outputBytesMax} ${outputBytesPaused} ${Math.floor(outputTimeoutMs / 1000)}`;
}
