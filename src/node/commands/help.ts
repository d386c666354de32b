/** The HELP subcommand that each container has, made from its table. */
import { writeArrayHeader, writeSimpleString } from '../../resp/index.ts';
import type { CommandGroup, CommandSpec } from '../command.ts';

export function helpCommand(
  container: string,
  group: CommandGroup,
  subcommands: readonly CommandSpec[],
): CommandSpec {
  const title = container.toUpperCase();
  const lines = [
    `${title} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
    ...subcommands.flatMap((spec) => [
      `${spec.name.toUpperCase()} ${spec.syntax}`.trimEnd(),
      `    ${spec.summary}`,
    ]),
    'HELP',
    '    Print this help.',
  ];
  return {
    name: 'help',
    arity: 2,
    flags: ['loading', 'stale'],
    group,
    summary: 'Lists the subcommands.',
    since: '5.0.0',
    complexity: 'O(1)',
    syntax: '',
    run: (call) => {
      writeArrayHeader(call.out, lines.length);
      for (const line of lines) writeSimpleString(call.out, line);
    },
  };
}
