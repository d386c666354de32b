import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { nodeReport } from '../frame/admin-views.ts';

export default class NodeList extends AdminCommand {
  static override summary = 'Show the nodes.';
  static override examples = ['<%= config.bin %> node list', '<%= config.bin %> node list -o wide'];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(NodeList);
    const { nodes } = await this.ask(flags, 'node.list', {});
    await this.print(nodeReport(nodes));
  }
}
