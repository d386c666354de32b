import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { peerReport } from '../frame/admin-views.ts';

export default class MetaAdd extends AdminCommand {
  static override summary = 'Add a meta peer, which was started without --peers.';
  static override examples = ['<%= config.bin %> meta add m4 127.0.0.1:7503'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
    address: Args.string({
      description: 'Where it listens, host:port.',
      required: true,
      ignoreStdin: true,
    }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MetaAdd);
    const { name, address } = args;
    const { peers } = await this.ask(flags, 'meta.add', { name, address });
    await this.print(peerReport(peers));
  }
}
