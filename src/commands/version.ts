import { BaseCommand, outputFlags } from './frame/base-command.ts';

export default class Version extends BaseCommand {
  static override summary = 'Show the versions of cachectl and of the Node it runs on.';
  static override examples = ['<%= config.bin %> version', '<%= config.bin %> version --json'];
  static override flags = outputFlags;

  async run(): Promise<void> {
    await this.parse(Version);
    const data = {
      cachectl: this.config.version,
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
    };
    await this.print({
      kind: 'Version',
      data,
      view: `cachectl ${data.cachectl} (Node ${data.node}, ${data.platform})`,
      names: [data.cachectl],
    });
  }
}
