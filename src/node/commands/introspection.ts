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
  type RespVersion,
} from '../../resp/index.ts';
import type { OutputBuffer } from '../../runtime/index.ts';
import type { Call } from '../call.ts';
import type { Command, CommandSpec, KeyPositions } from '../command.ts';
import {
  categoriesOf,
  flagsOf,
  keyArguments,
  keyRange,
  type KeyArgument,
} from '../command-description.ts';
import { globMatcher } from '../glob.ts';
import { parseSyntax, type SyntaxArgument } from '../syntax.ts';
import { container, subcommandsWith } from './container.ts';

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
  const [outer, subcommand] = name.toLowerCase().split('|');
  const command = call.node.table.byName(outer);
  return subcommand === undefined ? command : command?.subcommands.get(subcommand);
}

function writeCommand(call: Call, command: Command): void {
  const { out, version } = call;
  const { spec } = command;
  const range = keyRange(spec);
  writeArrayHeader(out, 10);
  writeBulkText(out, command.fullName);
  writeInteger(out, spec.arity);
  writeWords(call, flagsOf(spec));
  writeInteger(out, range.first);
  writeInteger(out, range.last);
  writeInteger(out, range.step);
  writeWords(call, categoriesOf(spec));
  writeArrayHeader(out, spec.tips?.length ?? 0);
  for (const tip of spec.tips ?? []) writeBulkText(out, tip);
  writeArrayHeader(out, spec.keys?.length ?? 0);
  for (const positions of spec.keys ?? []) writeKeySpec(out, positions, version);
  writeArrayHeader(out, command.subcommands.size);
  for (const subcommand of command.subcommands.values()) writeCommand(call, subcommand);
}

function writeWords(call: Call, words: readonly string[]): void {
  writeSetHeader(call.out, words.length, call.version);
  for (const word of words) writeSimpleString(call.out, word);
}

function writeKeySpec(out: OutputBuffer, positions: KeyPositions, version: RespVersion): void {
  const flags = positions.access.split(' ');
  writeMapHeader(out, 3, version);
  writeBulkText(out, 'flags');
  writeSetHeader(out, flags.length, version);
  for (const flag of flags) writeSimpleString(out, flag);
  writeBulkText(out, 'begin_search');
  writeTyped(out, 'index', { index: positions.first }, version);
  writeBulkText(out, 'find_keys');
  const lastkey = positions.last < 0 ? positions.last : positions.last - positions.first;
  writeTyped(out, 'range', { lastkey, keystep: positions.step, limit: 0 }, version);
}

function writeTyped(
  out: OutputBuffer,
  type: string,
  fields: Readonly<Record<string, number>>,
  version: RespVersion,
): void {
  writeMapHeader(out, 2, version);
  writeBulkText(out, 'type');
  writeBulkText(out, type);
  writeBulkText(out, 'spec');
  writeMapHeader(out, Object.keys(fields).length, version);
  for (const [name, value] of Object.entries(fields)) {
    writeBulkText(out, name);
    writeInteger(out, value);
  }
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
  const syntax = parseSyntax(spec.syntax);
  const subcommands = [...command.subcommands.values()];
  const lists = (syntax.length > 0 ? 1 : 0) + (subcommands.length > 0 ? 1 : 0);
  writeBulkText(out, command.fullName);
  writeMapHeader(out, fields.length + lists, version);
  for (const [name, value] of fields) {
    writeBulkText(out, name);
    writeBulkText(out, value);
  }
  if (syntax.length > 0) writeArguments(call, syntax);
  if (subcommands.length === 0) return;
  writeBulkText(out, 'subcommands');
  writeMapHeader(out, subcommands.length, version);
  for (const subcommand of subcommands) writeDocs(call, subcommand);
}

function writeArguments(call: Call, syntax: readonly SyntaxArgument[]): void {
  writeBulkText(call.out, 'arguments');
  writeArrayHeader(call.out, syntax.length);
  for (const argument of syntax) writeArgument(call, argument);
}

function writeArgument(call: Call, argument: SyntaxArgument): void {
  const { out, version } = call;
  const flags: string[] = [];
  if (argument.isOptional) flags.push('optional');
  if (argument.isMultiple) flags.push('multiple');
  const fields: Array<readonly [string, string]> = [
    ['name', argument.name],
    ['type', argument.type],
  ];
  if (argument.token !== undefined) fields.push(['token', argument.token]);
  const parts = argument.arguments;
  const lists = (flags.length > 0 ? 1 : 0) + (parts.length > 0 ? 1 : 0);
  writeMapHeader(out, fields.length + lists, version);
  for (const [name, value] of fields) {
    writeBulkText(out, name);
    writeBulkText(out, value);
  }
  if (flags.length > 0) {
    writeBulkText(out, 'flags');
    writeWords(call, flags);
  }
  if (parts.length > 0) writeArguments(call, parts);
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
  const outer = call.node.table.byName(call.text(2));
  const command =
    outer !== undefined && outer.subcommands.size > 0 && call.count > 3
      ? outer.subcommands.get(call.word(3))
      : outer;
  if (command === undefined) call.fail('ERR Invalid command specified');
  else if (command.spec.keys === undefined) call.fail('ERR The command has no key arguments');
  else if (!command.takes(call.count - 2)) {
    call.fail('ERR Invalid number of arguments specified for command');
  } else return command;
  return undefined;
}

/** The keys of the request in the arguments from 2 on, or undefined after an error reply. */
function innerKeys(call: Call): KeyArgument[] | undefined {
  const command = inner(call);
  if (command === undefined) return undefined;
  return keyArguments(command.spec, call.count - 2).map(({ index, access }) => ({
    index: index + 2,
    access,
  }));
}

function getKeys(call: Call): void {
  const keys = innerKeys(call);
  if (keys === undefined) return;
  writeArrayHeader(call.out, keys.length);
  for (const { index } of keys) {
    writeBulk(call.out, call.bytes, call.starts[index], call.ends[index]);
  }
}

function getKeysAndFlags(call: Call): void {
  const keys = innerKeys(call);
  if (keys === undefined) return;
  writeArrayHeader(call.out, keys.length);
  for (const { index, access } of keys) {
    writeArrayHeader(call.out, 2);
    writeBulk(call.out, call.bytes, call.starts[index], call.ends[index]);
    writeWords(call, access);
  }
}

const sub = subcommandsWith({
  flags: ['loading', 'stale'],
  categories: ['connection'],
  complexity: 'O(N) with N commands',
  group,
});

const inNoOrder = ['nondeterministic_output_order'];

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
    tips: inNoOrder,
    summary: 'Returns the documentation of commands.',
    syntax: '[command-name [command-name ...]]',
    since: '7.0.0',
    run: docs,
  }),
  sub({
    name: 'info',
    arity: -2,
    tips: inNoOrder,
    summary: 'Returns arity, flags and keys of commands.',
    syntax: '[command-name [command-name ...]]',
    since: '2.8.13',
    run: info,
  }),
  sub({
    name: 'list',
    arity: -2,
    tips: inNoOrder,
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
  container(
    {
      name: 'command',
      arity: -1,
      flags: ['loading', 'stale'],
      categories: ['connection'],
      tips: inNoOrder,
      group,
      summary: 'Describes all commands.',
      since: '2.8.13',
      complexity: 'O(N) with N commands',
      run: all,
    },
    SUBCOMMANDS,
  ),
];
