import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { configReport } from '../frame/admin-views.ts';
import { limitOfList } from '../frame/flags.ts';

export default class ConfigHistory extends AdminCommand {
  static override summary = 'Show the versions of a config document.';
  static override examples = ['<%= config.bin %> config history limits'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { limit: limitOfList, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigHistory);
    const { name } = args;
    const { versions } = await this.ask(flags, 'config.history', { name, limit: flags.limit });
    await this.print(configReport(versions, 'ConfigHistory'));
  }
}
