import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { configReport } from '../frame/admin-views.ts';

export default class ConfigList extends AdminCommand {
  static override summary = 'Show the config documents.';
  static override examples = ['<%= config.bin %> config list'];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(ConfigList);
    const { configs } = await this.ask(flags, 'config.list', {});
    await this.print(configReport(configs));
  }
}
