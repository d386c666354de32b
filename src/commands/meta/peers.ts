import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { peerReport } from '../frame/admin-views.ts';

export default class MetaPeers extends AdminCommand {
  static override summary = 'Show the meta peers, and how far each is.';
  static override examples = ['<%= config.bin %> meta peers'];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(MetaPeers);
    const { peers } = await this.ask(flags, 'meta.peers', {});
    await this.print(peerReport(peers));
  }
}
