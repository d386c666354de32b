/** The command table's content, by family. */
import type { CommandSpec } from '../command.ts';
import { BIT_COMMANDS } from './bits.ts';
import { CLIENT_COMMANDS } from './client.ts';
import { CLUSTER_COMMANDS } from './cluster.ts';
import { CONFIG_COMMANDS } from './config.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { COUNTER_COMMANDS } from './counters.ts';
import { EXPIRY_COMMANDS } from './expiry.ts';
import { HANDSHAKE_COMMANDS } from './handshake.ts';
import { INTROSPECTION_COMMANDS } from './introspection.ts';
import { KEY_COMMANDS } from './keys.ts';
import { KEYSPACE_COMMANDS } from './keyspace.ts';
import { LATENCY_COMMANDS } from './latency.ts';
import { LCS_COMMANDS } from './lcs.ts';
import { MEMORY_COMMANDS } from './memory.ts';
import { OBJECT_COMMANDS } from './object.ts';
import { SERVER_COMMANDS } from './server.ts';
import { STRING_BATCH_COMMANDS } from './string-batches.ts';
import { STRING_RANGE_COMMANDS } from './string-ranges.ts';
import { STRING_COMMANDS } from './strings.ts';

export const COMMANDS: readonly CommandSpec[] = [
  ...STRING_COMMANDS,
  ...STRING_BATCH_COMMANDS,
  ...STRING_RANGE_COMMANDS,
  ...COUNTER_COMMANDS,
  ...LCS_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...KEYSPACE_COMMANDS,
  ...OBJECT_COMMANDS,
  ...MEMORY_COMMANDS,
  ...BIT_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...HANDSHAKE_COMMANDS,
  ...CLIENT_COMMANDS,
  ...SERVER_COMMANDS,
  ...LATENCY_COMMANDS,
  ...CONFIG_COMMANDS,
  ...CLUSTER_COMMANDS,
  ...INTROSPECTION_COMMANDS,
];
