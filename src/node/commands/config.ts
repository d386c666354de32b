/** `CONFIG`: what can be read and changed while the node runs. */
import { writeBulkText, writeMapHeader } from '../../resp/index.ts';
import type { Call } from '../call.ts';
import type { CommandSpec } from '../command.ts';
import { ERRORS } from '../errors.ts';
import { globMatcher } from '../glob.ts';
import type { NodeSettings } from '../config.ts';
import { PARAMETERS, type Parameter } from '../parameters.ts';
import { container, subcommandsWith } from './container.ts';

const group = 'server';

function get(call: Call): void {
  /** By lower-case name, as it is to be shown: a name given in full is echoed as it was given. */
  const shown = new Map<string, string>();
  for (let i = 2; i < call.count; i++) {
    const pattern = call.text(i);
    const isPattern = /[*?[]/.test(pattern);
    const matches = globMatcher(call.copy(i), { ignoreCase: true });
    for (const { name } of PARAMETERS) {
      if (isPattern ? matches(Buffer.from(name)) : name === pattern.toLowerCase()) {
        if (!shown.has(name)) shown.set(name, isPattern ? name : pattern);
      }
    }
  }
  writeMapHeader(call.out, shown.size, call.version);
  for (const parameter of PARAMETERS) {
    const name = shown.get(parameter.name);
    if (name === undefined) continue;
    writeBulkText(call.out, name);
    writeBulkText(call.out, parameter.read(call.node));
  }
}

/** All of them or none. */
function set(call: Call): void {
  if (call.count % 2 !== 0) {
    call.fail(ERRORS.syntax);
    return;
  }
  const changed = { ...call.node.settings };
  const seen = new Set<string>();
  for (let i = 2; i < call.count; i += 2) {
    const name = call.word(i);
    const parameter = PARAMETERS.find((known) => known.name === name);
    const problem = seen.has(name) ? 'duplicate parameter' : change(call, parameter, changed, i);
    if (parameter === undefined) {
      call.fail(`ERR Unknown option or number of arguments for CONFIG SET - '${call.quoted(i)}'`);
      return;
    }
    if (problem !== undefined) {
      call.fail(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${problem}`);
      return;
    }
    seen.add(name);
  }
  Object.assign(call.node.settings, changed);
  call.node.settingsChanged();
  call.ok();
}

/** Puts the value in the argument after `index` into `settings`; says what is wrong with it. */
function change(
  call: Call,
  parameter: Parameter | undefined,
  settings: NodeSettings,
  index: number,
): string | undefined {
  const value = call.text(index + 1);
  if (parameter?.write !== undefined) return parameter.write(settings, value);
  return parameter?.read(call.node) === value ? undefined : "can't set immutable config";
}

function resetStat(call: Call): void {
  call.node.resetStats();
  call.ok();
}

function rewrite(call: Call): void {
  call.fail('ERR The server is running without a config file');
}

const sub = subcommandsWith({
  flags: ['admin', 'noscript', 'loading', 'stale'],
  since: '2.0.0',
  complexity: 'O(1)',
  group,
});

const SUBCOMMANDS: readonly CommandSpec[] = [
  sub({
    name: 'get',
    arity: -3,
    summary: 'Returns the parameters whose names match.',
    syntax: 'parameter [parameter ...]',
    complexity: 'O(N) with N parameters',
    run: get,
  }),
  sub({
    name: 'set',
    arity: -4,
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    summary: 'Changes parameters: all that are given, or none.',
    syntax: 'parameter value [parameter value ...]',
    complexity: 'O(N) with N parameters; changing the policy takes 0.1 us a key',
    run: set,
  }),
  sub({
    name: 'resetstat',
    arity: 2,
    summary: 'Sets the counters that INFO shows back to zero.',
    syntax: '',
    complexity: 'O(1)',
    run: resetStat,
  }),
  sub({
    name: 'rewrite',
    arity: 2,
    summary: 'Refused: the node never writes its settings file.',
    syntax: '',
    complexity: 'O(1)',
    run: rewrite,
  }),
];

export const CONFIG_COMMANDS: readonly CommandSpec[] = [
  container(
    { name: 'config', group, summary: 'What concerns settings.', since: '2.0.0' },
    SUBCOMMANDS,
  ),
];
