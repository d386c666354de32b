/** The settings of a cache node, as people give them, and what the node makes of them. */
import {
  KEY_LENGTH_MAX,
  MEMORY_BYTES_MAX,
  MEMORY_BYTES_MIN,
  POLICY_NAMES,
  VALUE_LENGTH_MAX,
} from '../../engine/index.ts';
import { NODE_SETTINGS, type NodeOptions } from '../../node/index.ts';
import { REQUEST_BYTES_CEILING } from '../../resp/index.ts';
import { address, choice, count, duration, size, word, type Kind } from './kinds.ts';
import { setting, type Values } from './settings.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 1440 * MINUTE_MS;
const COUNT_MAX = 2 ** 31 - 1;
const SIZE_MAX = 2 ** 40;

const timeout = duration({ max: DAY_MS });
const name = word(
  'letters, digits, dots, dashes and underscores, at most 63 of them',
  /^[A-Za-z0-9][\w.-]{0,62}$/,
);

const limit = <T>(kind: Kind<T>, fallback: T, summary: string) => ({
  ...setting(kind, fallback, summary),
  group: 'LIMIT',
});
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
  'max-value-size': limit(
    size({ min: 1024, max: VALUE_LENGTH_MAX }),
    NODE_SETTINGS.valueBytesMax,
    'The longest value.',
  ),
  'max-key-size': limit(
    size({ min: 16, max: KEY_LENGTH_MAX }),
    NODE_SETTINGS.keyBytesMax,
    'The longest key.',
  ),
  'max-arguments': limit(
    count({ min: 16, max: COUNT_MAX }),
    NODE_SETTINGS.argumentCountMax,
    'Arguments of one command.',
  ),
  'max-request-size': limit(
    size({ min: 1024, max: REQUEST_BYTES_CEILING }),
    NODE_SETTINGS.requestBytesMax,
    'One command with all its arguments.',
  ),
  'max-inline-size': limit(
    size({ min: 64, max: 16 * 1024 ** 2 }),
    NODE_SETTINGS.inlineBytesMax,
    'A command typed as a line.',
  ),
  'max-input': limit(
    size({ min: 1024 ** 2, max: SIZE_MAX }),
    NODE_SETTINGS.inputBytesMax,
    'Unfinished commands of all clients together; past it, clients with large ones are let go.',
  ),
  'max-clients': limit(
    count({ min: 1, max: 1_000_000 }),
    NODE_SETTINGS.clientsMax,
    'Connections at a time.',
  ),
  'max-output': limit(
    size({ min: 64 * 1024, max: SIZE_MAX }),
    NODE_SETTINGS.outputBytesMax,
    'A client with this much unread output is disconnected.',
  ),
  'output-pause': limit(
    size({ min: 1024, max: SIZE_MAX }),
    NODE_SETTINGS.outputBytesPaused,
    'While a client leaves this much of its replies unread, its commands are not read either.',
  ),
  'output-timeout': limit(
    timeout,
    NODE_SETTINGS.outputTimeoutMs,
    'A client whose output stays unread for this long is disconnected; 0: never.',
  ),
  'idle-timeout': limit(
    timeout,
    NODE_SETTINGS.idleTimeoutMs,
    'A client that is silent for this long is disconnected; 0: never.',
  ),
  'request-timeout': limit(
    timeout,
    NODE_SETTINGS.requestTimeoutMs,
    'A client that is silent for this long in the middle of a command is disconnected; 0: never.',
  ),
  'slowlog-threshold': limit(
    timeout,
    NODE_SETTINGS.slowlogUs / 1000,
    'Commands that take this long or longer are put into the slow log.',
  ),
  'slowlog-length': limit(
    count({ min: 0, max: 1_000_000 }),
    NODE_SETTINGS.slowlogLength,
    'Entries that the slow log keeps.',
  ),
  'max-tracking-keys': limit(
    count({ min: 1, max: 100_000_000 }),
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

export function nodeOptionsOf(values: NodeSettingValues): NodeOptions {
  const slowlogMs = values['slowlog-threshold'];
  return {
    listen: values.listen ?? nodeSettings.listen.default,
    ...(values.name === undefined ? {} : { name: values.name }),
    settings: {
      memoryBytes: values.memory ?? NODE_SETTINGS.memoryBytes,
      policy: values.policy ?? NODE_SETTINGS.policy,
      secret: values.secret ?? NODE_SETTINGS.secret,
      valueBytesMax: values['max-value-size'] ?? NODE_SETTINGS.valueBytesMax,
      keyBytesMax: values['max-key-size'] ?? NODE_SETTINGS.keyBytesMax,
      argumentCountMax: values['max-arguments'] ?? NODE_SETTINGS.argumentCountMax,
      requestBytesMax: values['max-request-size'] ?? NODE_SETTINGS.requestBytesMax,
      inlineBytesMax: values['max-inline-size'] ?? NODE_SETTINGS.inlineBytesMax,
      inputBytesMax: values['max-input'] ?? NODE_SETTINGS.inputBytesMax,
      clientsMax: values['max-clients'] ?? NODE_SETTINGS.clientsMax,
      outputBytesPaused: values['output-pause'] ?? NODE_SETTINGS.outputBytesPaused,
      outputBytesMax: values['max-output'] ?? NODE_SETTINGS.outputBytesMax,
      outputTimeoutMs: values['output-timeout'] ?? NODE_SETTINGS.outputTimeoutMs,
      idleTimeoutMs: values['idle-timeout'] ?? NODE_SETTINGS.idleTimeoutMs,
      requestTimeoutMs: values['request-timeout'] ?? NODE_SETTINGS.requestTimeoutMs,
      slowlogUs: slowlogMs === undefined ? NODE_SETTINGS.slowlogUs : slowlogMs * 1000,
      slowlogLength: values['slowlog-length'] ?? NODE_SETTINGS.slowlogLength,
      trackingKeysMax: values['max-tracking-keys'] ?? NODE_SETTINGS.trackingKeysMax,
    },
  };
}
