/**
 * The settings of nodes that a config document of the cluster can change while they run, by the
 * names of their flags. One table: the node makes its flags of it, and the control plane refuses
 * what is not in it before any node hears of it.
 */
import type { ConfigValues } from './config-document.ts';
import { CachectlError } from './errors.ts';
import { count, duration, size, type Kind } from './setting-kinds.ts';
import { suggest } from './suggest.ts';

const MIB = 1024 ** 2;
const DAY_MS = 86_400_000;
const COUNT_MAX = 2 ** 31 - 1;
const SIZE_MAX = 2 ** 40;

const timeout = duration({ max: DAY_MS });

export const LIVE_SETTINGS = Object.freeze({
  'max-value-size': size({ min: 1024, max: 512 * MIB }),
  'max-key-size': size({ min: 16, max: 64 * 1024 }),
  'max-arguments': count({ min: 16, max: COUNT_MAX }),
  'max-request-size': size({ min: 1024, max: 2 ** 30 }),
  'max-inline-size': size({ min: 64, max: 16 * MIB }),
  'max-input': size({ min: MIB, max: SIZE_MAX }),
  'max-clients': count({ min: 1, max: 1_000_000 }),
  'max-output': size({ min: 64 * 1024, max: SIZE_MAX }),
  'output-pause': size({ min: 1024, max: SIZE_MAX }),
  'output-timeout': timeout,
  'idle-timeout': timeout,
  'request-timeout': timeout,
  'slowlog-threshold': timeout,
  'slowlog-length': count({ min: 0, max: 1_000_000 }),
  'max-tracking-keys': count({ min: 1, max: 100_000_000 }),
});

export type LiveSettingName = keyof typeof LIVE_SETTINGS;

/** The setting of this name; undefined where a cluster can change none of that name. */
export function liveSetting(name: string): Kind<number> | undefined {
  const table: Readonly<Record<string, Kind<number>>> = LIVE_SETTINGS;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** What is wrong with a value of a setting: names both, and what is allowed. */
export function liveSettingFault(name: string, value: string): CachectlError | undefined {
  const kind = liveSetting(name);
  if (kind === undefined) {
    const names = Object.keys(LIVE_SETTINGS);
    const near = suggest(name, names);
    const hint = near === undefined ? `They are: ${names.join(', ')}` : `Did you mean '${near}'?`;
    const words = `'${name}' is no setting that a cluster can change`;
    return new CachectlError('ERR_CACHECTL_VALUE', words, { hint });
  }
  if (kind.parse(value) !== undefined) return undefined;
  return new CachectlError(
    'ERR_CACHECTL_VALUE',
    `${name} is '${value}', which is not ${kind.form}`,
  );
}

/** @throws {CachectlError} `ERR_CACHECTL_VALUE` for the first that is wrong */
export function checkLiveSettings(values: ConfigValues): void {
  for (const [name, value] of Object.entries(values)) {
    const fault = liveSettingFault(name, String(value));
    if (fault !== undefined) throw fault;
  }
}
