/** The command table's content, by family. */
import type { CommandSpec } from '../command.ts';
import { CLIENT_COMMANDS } from './client.ts';
import { CLUSTER_COMMANDS } from './cluster.ts';
import { CONFIG_COMMANDS } from './config.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { HANDSHAKE_COMMANDS } from './handshake.ts';
import { INTROSPECTION_COMMANDS } from './introspection.ts';
import { SERVER_COMMANDS } from './server.ts';
import { STRING_COMMANDS } from './strings.ts';

export const COMMANDS: readonly CommandSpec[] = [
  ...STRING_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...HANDSHAKE_COMMANDS,
  ...CLIENT_COMMANDS,
  ...SERVER_COMMANDS,
  ...CONFIG_COMMANDS,
  ...CLUSTER_COMMANDS,
  ...INTROSPECTION_COMMANDS,
];
