import { Args, Flags } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { addresses } from '../frame/admin-command.ts';
import { BaseCommand, outputFlags } from '../frame/base-command.ts';
import { contextReport } from '../frame/context-report.ts';
import { readContexts, writeContexts } from '../frame/contexts.ts';
import { badValue, word } from '../frame/kinds.ts';

const name = word(
  'a name of a to z, 0 to 9, - and _, at most 63 of them',
  /^[a-z0-9][a-z0-9_-]{0,62}$/,
);

export default class ContextAdd extends BaseCommand {
  static override summary = 'Remember a cluster by a name; the first one is put to use.';
  static override description =
    'Kept in a file of yours: ~/.config/cachectl/contexts.json, or below XDG_CONFIG_HOME.';
  static override examples = [
    '<%= config.bin %> context add prod --meta 10.0.0.1:7500,10.0.0.2:7500,10.0.0.3:7500',
    'CACHECTL_ADMIN_TOKEN=… <%= config.bin %> context add prod --meta 10.0.0.1:7500 --save-token',
  ];
  static override args = {
    name: Args.string({ description: 'What to call it.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    meta: Flags.string({ summary: 'Its meta peers.', required: true, helpValue: addresses.label }),
    'save-token': Flags.boolean({ summary: 'Keep the token of CACHECTL_ADMIN_TOKEN as well.' }),
    ...outputFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ContextAdd);
    if (name.parse(args.name) === undefined) throw badValue('NAME', args.name, name.form);
    const meta = addresses.parse(flags.meta);
    if (meta === undefined) throw badValue('--meta', flags.meta, addresses.form);
    const before = readContexts();
    if (Object.hasOwn(before.contexts, args.name)) {
      const hint = `See: cachectl context list; or: cachectl context remove ${args.name}`;
      const words = `context '${args.name}' exists already`;
      throw new CachectlError('ERR_CACHECTL_EXISTS', words, { hint });
    }
    const context = { meta: addresses.format(meta), ...tokenOf(flags['save-token']) };
    const contexts = { ...before.contexts, [args.name]: context };
    const after = { current: before.current ?? args.name, contexts };
    writeContexts(after);
    await this.print(contextReport(after));
  }
}

function tokenOf(isSaved: boolean): { token?: string } {
  if (!isSaved) return {};
  const token = process.env['CACHECTL_ADMIN_TOKEN'];
  if (token) return { token };
  throw new CachectlError(
    'ERR_CACHECTL_USAGE',
    '--save-token is given, and CACHECTL_ADMIN_TOKEN is not set',
  );
}
