/** Commands that are a family of subcommands, such as `CLIENT`. */
import { writeArrayHeader, writeSimpleString } from '../../resp/index.ts';
import type { CommandSpec } from '../command.ts';

/** The HELP that each container has, made from its table. */
function helpCommand(
  { name, group, categories }: Pick<CommandSpec, 'name' | 'group' | 'categories'>,
  subcommands: readonly CommandSpec[],
): CommandSpec {
  const title = name.toUpperCase();
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
    ...(categories === undefined ? {} : { categories }),
    run: (call) => {
      writeArrayHeader(call.out, lines.length);
      for (const line of lines) writeSimpleString(call.out, line);
    },
  };
}

type WithDefault = 'flags' | 'complexity';

/** What a subcommand says of itself; the rest is common to its family. */
type SubcommandSpec = Omit<CommandSpec, WithDefault | 'group'> &
  Partial<Pick<CommandSpec, WithDefault>>;

/** Completes the subcommands of a family with what most of them share. */
export function subcommandsWith(
  common: Pick<CommandSpec, WithDefault | 'group'> & Partial<CommandSpec>,
): (spec: SubcommandSpec) => CommandSpec {
  return (spec) => ({ ...common, ...spec });
}

/** A command that does nothing but what its subcommands do, HELP among them. */
export function container(
  spec: Pick<CommandSpec, 'name' | 'group' | 'summary' | 'since'> & Partial<CommandSpec>,
  subcommands: readonly CommandSpec[],
): CommandSpec {
  return {
    arity: -2,
    flags: [],
    complexity: 'Depends on the subcommand.',
    syntax: '',
    ...spec,
    subcommands: [...subcommands, helpCommand(spec, subcommands)],
  };
}
