/** `COMMAND`: what the command table says, in the shapes that Redis gives it. */
import {
  writeArrayHeader,
  writeBulk,
  writeBulkText,
  writeInteger,
  writeMapHeader,
  writeNull,
  writeSetHeader,
  writeSimpleString,
} from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { Command, CommandSpec } from '../command.ts';
import { globMatcher } from '../glob.ts';
import { helpCommand } from './help.ts';

const group = 'server';

function all(call: Call): void {
  const { commands } = call.node.table;
  writeArrayHeader(call.out, commands.length);
  for (const command of commands) writeCommand(call, command);
}

function info(call: Call): void {
  if (call.count === 2) {
    all(call);
    return;
  }
  writeArrayHeader(call.out, call.count - 2);
  for (let i = 2; i < call.count; i++) {
    const command = named(call, call.text(i));
    if (command === undefined) writeNull(call.out, call.version);
    else writeCommand(call, command);
  }
}

/** A command by its name, or a subcommand as `container|name`. */
function named(call: Call, name: string): Command | undefined {
  const [container, subcommand] = name.toLowerCase().split('|');
  const command = call.node.table.byName(container);
  return subcommand === undefined ? command : command?.subcommands.get(subcommand);
}

function writeCommand(call: Call, command: Command): void {
  const { out, version } = call;
  const { spec } = command;
  const { flags } = spec;
  const categories = categoriesOf(spec);
  writeArrayHeader(out, 10);
  writeBulkText(out, command.fullName);
  writeInteger(out, spec.arity);
  writeSetHeader(out, flags.length, version);
  for (const flag of flags) writeSimpleString(out, flag);
  writeInteger(out, spec.keys?.first ?? 0);
  writeInteger(out, spec.keys?.last ?? 0);
  writeInteger(out, spec.keys?.step ?? 0);
  writeSetHeader(out, categories.length, version);
  for (const category of categories) writeSimpleString(out, category);
  writeArrayHeader(out, 0);
  writeKeySpecs(call, spec);
  writeArrayHeader(out, command.subcommands.size);
  for (const subcommand of command.subcommands.values()) writeCommand(call, subcommand);
}

/** ACL categories, which follow from flags and group. */
function categoriesOf(spec: CommandSpec): readonly string[] {
  const categories: string[] = [];
  if (spec.flags.includes('write')) categories.push('@write');
  if (spec.flags.includes('readonly')) categories.push('@read');
  if (spec.group === 'generic') categories.push('@keyspace');
  else if (spec.group === 'string') categories.push('@string');
  else if (spec.group === 'bitmap') categories.push('@bitmap');
  else if (spec.group === 'connection') categories.push('@connection');
  if (spec.flags.includes('admin')) categories.push('@admin', '@dangerous');
  categories.push(spec.flags.includes('fast') ? '@fast' : '@slow');
  return categories;
}

function writeKeySpecs(call: Call, spec: CommandSpec): void {
  const { out, version } = call;
  const { keys } = spec;
  writeArrayHeader(out, keys === undefined ? 0 : 1);
  if (keys === undefined) return;
  const flags = spec.flags.includes('write') ? ['RW', 'UPDATE'] : ['RO', 'ACCESS'];
  writeMapHeader(out, 3, version);
  writeBulkText(out, 'flags');
  writeSetHeader(out, flags.length, version);
  for (const flag of flags) writeSimpleString(out, flag);
  writeBulkText(out, 'begin_search');
  writeMapHeader(out, 2, version);
  writeBulkText(out, 'type');
  writeBulkText(out, 'index');
  writeBulkText(out, 'spec');
  writeMapHeader(out, 1, version);
  writeBulkText(out, 'index');
  writeInteger(out, keys.first);
  writeBulkText(out, 'find_keys');
  writeMapHeader(out, 2, version);
  writeBulkText(out, 'type');
  writeBulkText(out, 'range');
  writeBulkText(out, 'spec');
  writeMapHeader(out, 3, version);
  writeBulkText(out, 'lastkey');
  writeInteger(out, keys.last < 0 ? keys.last : keys.last - keys.first);
  writeBulkText(out, 'keystep');
  writeInteger(out, keys.step);
  writeBulkText(out, 'limit');
  writeInteger(out, 0);
}

function docs(call: Call): void {
  const commands =
    call.count === 2
      ? call.node.table.commands
      : Array.from({ length: call.count - 2 }, (_, index) =>
          named(call, call.text(index + 2)),
        ).filter((command) => command !== undefined);
  writeMapHeader(call.out, commands.length, call.version);
  for (const command of commands) writeDocs(call, command);
}

function writeDocs(call: Call, command: Command): void {
  const { out, version } = call;
  const { spec } = command;
  const fields: Array<readonly [string, string]> = [['summary', spec.summary]];
  if (spec.since !== undefined) fields.push(['since', spec.since]);
  fields.push(['group', spec.group], ['complexity', spec.complexity]);
  writeBulkText(out, command.fullName);
  const subcommands = [...command.subcommands.values()];
  writeMapHeader(out, fields.length + (subcommands.length > 0 ? 1 : 0), version);
  for (const [name, value] of fields) {
    writeBulkText(out, name);
    writeBulkText(out, value);
  }
  if (subcommands.length === 0) return;
  writeBulkText(out, 'subcommands');
  writeMapHeader(out, subcommands.length, version);
  for (const subcommand of subcommands) writeDocs(call, subcommand);
}

function list(call: Call): void {
  const everything = call.node.table.all();
  let names = everything.map((command) => command.fullName);
  if (call.count > 2) {
    const wanted = filtered(call, everything);
    if (wanted === undefined) return;
    names = wanted;
  }
  writeArrayHeader(call.out, names.length);
  for (const name of names) writeBulkText(call.out, name);
}

function filtered(call: Call, commands: readonly Command[]): string[] | undefined {
  if (call.count !== 5 || !call.is(2, 'filterby')) {
    call.fail('ERR syntax error');
    return undefined;
  }
  const names = (keep: (command: Command) => boolean): string[] =>
    commands.filter((command) => keep(command)).map((command) => command.fullName);
  if (call.is(3, 'module')) return [];
  if (call.is(3, 'aclcat')) {
    const category = `@${call.word(4)}`;
    return names((command) => categoriesOf(command.spec).includes(category));
  }
  if (call.is(3, 'pattern')) {
    const matches = globMatcher(call.copy(4), { ignoreCase: true });
    return names((command) => matches(Buffer.from(command.fullName)));
  }
  call.fail('ERR syntax error');
  return undefined;
}

/** The command of the request in the arguments from 2 on, or undefined after an error reply. */
function inner(call: Call): Command | undefined {
  const container = call.node.table.byName(call.text(2));
  const command =
    container !== undefined && container.subcommands.size > 0 && call.count > 3
      ? container.subcommands.get(call.word(3))
      : container;
  if (command === undefined) call.fail('ERR Invalid command specified');
  else if (command.spec.keys === undefined) call.fail('ERR The command has no key arguments');
  else if (!command.takes(call.count - 2)) {
    call.fail('ERR Invalid number of arguments specified for command');
  } else return command;
  return undefined;
}

/** Which of the call's arguments are keys of the request that begins at argument 2. */
function keyArguments(call: Call, command: Command): number[] {
  const { keys } = command.spec;
  if (keys === undefined) return [];
  const count = call.count - 2;
  const last = keys.last < 0 ? count + keys.last : keys.last;
  const positions: number[] = [];
  for (let i = keys.first; i <= last; i += keys.step) positions.push(i + 2);
  return positions;
}

function getKeys(call: Call): void {
  const command = inner(call);
  if (command === undefined) return;
  const positions = keyArguments(call, command);
  writeArrayHeader(call.out, positions.length);
  for (const i of positions) writeBulk(call.out, call.bytes, call.starts[i], call.ends[i]);
}

function getKeysAndFlags(call: Call): void {
  const command = inner(call);
  if (command === undefined) return;
  const positions = keyArguments(call, command);
  const flags = command.isWrite ? ['RW', 'UPDATE'] : ['RO', 'ACCESS'];
  const { out, version } = call;
  writeArrayHeader(out, positions.length);
  for (const i of positions) {
    writeArrayHeader(out, 2);
    writeBulk(out, call.bytes, call.starts[i], call.ends[i]);
    writeSetHeader(out, flags.length, version);
    for (const flag of flags) writeSimpleString(out, flag);
  }
}

type Sub = Pick<CommandSpec, 'name' | 'arity' | 'summary' | 'syntax' | 'since'> & {
  run: (call: Call) => void;
};

function sub(spec: Sub): CommandSpec {
  return { flags: ['loading', 'stale'], complexity: 'O(N) with N commands', ...spec, group };
}

const SUBCOMMANDS: readonly CommandSpec[] = [
  sub({
    name: 'count',
    arity: 2,
    summary: 'Counts the commands.',
    syntax: '',
    since: '2.8.13',
    run: (call) => writeInteger(call.out, call.node.table.commands.length),
  }),
  sub({
    name: 'docs',
    arity: -2,
    summary: 'Returns the documentation of commands.',
    syntax: '[command-name [command-name ...]]',
    since: '7.0.0',
    run: docs,
  }),
  sub({
    name: 'info',
    arity: -2,
    summary: 'Returns arity, flags and keys of commands.',
    syntax: '[command-name [command-name ...]]',
    since: '2.8.13',
    run: info,
  }),
  sub({
    name: 'list',
    arity: -2,
    summary: 'Returns the names of the commands.',
    syntax: '[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]',
    since: '7.0.0',
    run: list,
  }),
  sub({
    name: 'getkeys',
    arity: -3,
    summary: 'Returns the keys in a command.',
    syntax: 'command [arg [arg ...]]',
    since: '2.8.13',
    run: getKeys,
  }),
  sub({
    name: 'getkeysandflags',
    arity: -3,
    summary: 'Returns the keys in a command, and what it does with them.',
    syntax: 'command [arg [arg ...]]',
    since: '7.0.0',
    run: getKeysAndFlags,
  }),
];

export const INTROSPECTION_COMMANDS: readonly CommandSpec[] = [
  {
    name: 'command',
    arity: -1,
    flags: ['loading', 'stale'],
    group,
    summary: 'Describes all commands.',
    since: '2.8.13',
    complexity: 'O(N) with N commands',
    syntax: '',
    run: all,
    subcommands: [...SUBCOMMANDS, helpCommand('command', group, SUBCOMMANDS)],
  },
];
