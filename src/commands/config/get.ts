import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { versionFlag } from '../frame/flags.ts';

export default class ConfigGet extends AdminCommand {
  static override summary = 'Show a config document, in YAML that config apply takes.';
  static override examples = [
    '<%= config.bin %> config get limits',
    '<%= config.bin %> config get limits --version 3',
    '<%= config.bin %> config get limits --json',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { version: versionFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigGet);
    const version = flags.version === undefined ? {} : { version: flags.version };
    const { config } = await this.ask(flags, 'config.get', { name: args.name, ...version });
    const { stringify } = await import('yaml');
    const view = stringify(config.values).trimEnd();
    await this.print({ kind: 'Config', data: config, view, names: [config.name] });
  }
}
