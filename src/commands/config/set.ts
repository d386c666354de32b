import { Args, Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { configWrittenReport, nothingToSet, parseSettings } from '../frame/config-input.ts';

export default class ConfigSet extends AdminCommand {
  static override summary = 'Change settings of a config document, or create it; begins a rollout.';
  static override examples = [
    '<%= config.bin %> config set limits max-value-size=2mb',
    '<%= config.bin %> config set limits max-value-size=2mb idle-timeout=5m -m "larger images"',
    '<%= config.bin %> config set limits --unset idle-timeout',
  ];
  /** Any number of settings. */
  static override strict = false;
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
    settings: Args.string({ description: 'NAME=VALUE, any number of them.', ignoreStdin: true }),
  };
  static override flags = {
    unset: Flags.string({ summary: 'A setting to take out.', multiple: true }),
    message: Flags.string({ char: 'm', summary: 'Why, for the history.' }),
    'if-revision': revisionFlag,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, argv, flags } = await this.parse(ConfigSet);
    const set = parseSettings(argv.slice(1).map(String));
    const { unset = [], message } = flags;
    if (argv.length === 1 && unset.length === 0) throw nothingToSet();
    const words = message === undefined ? {} : { message };
    const input = { name: args.name, set, unset, ...words, ...guardOf(flags) };
    const done = await this.ask(flags, 'config.set', input);
    await this.print(configWrittenReport(done));
  }
}
