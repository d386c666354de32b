import { Args, Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { configWrittenReport, readSettingsFile } from '../frame/config-input.ts';

export default class ConfigApply extends AdminCommand {
  static override summary =
    'Replace a config document by a YAML file, or create it; begins a rollout.';
  static override examples = [
    '<%= config.bin %> config apply limits -f limits.yaml',
    '<%= config.bin %> config get limits | sed s/1mb/2mb/ | cachectl config apply limits -f -',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    file: Flags.string({
      char: 'f',
      summary: 'A YAML file of settings; - for standard input.',
      required: true,
    }),
    message: Flags.string({ char: 'm', summary: 'Why, for the history.' }),
    'if-revision': revisionFlag,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigApply);
    const values = readSettingsFile(flags.file);
    const words = flags.message === undefined ? {} : { message: flags.message };
    const input = { name: args.name, values, ...words, ...guardOf(flags) };
    const done = await this.ask(flags, 'config.apply', input);
    await this.print(configWrittenReport(done));
  }
}
