/** The command table's content, by family. */
import type { CommandSpec } from '../command.ts';
import { CONNECTION_COMMANDS } from './connection.ts';
import { STRING_COMMANDS } from './strings.ts';

export const COMMANDS: readonly CommandSpec[] = [...STRING_COMMANDS, ...CONNECTION_COMMANDS];
