import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { peerReport } from '../frame/admin-views.ts';
import { confirmOrRefuse, yesFlag } from '../frame/confirm.ts';

export default class MetaRemove extends AdminCommand {
  static override summary = 'Take a meta peer out of the group.';
  static override examples = ['<%= config.bin %> meta remove m3'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { yes: yesFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(MetaRemove);
    const { name } = args;
    await confirmOrRefuse(`Take meta peer '${name}' out of the group?`, flags);
    const { peers } = await this.ask(flags, 'meta.remove', { name });
    await this.print(peerReport(peers));
  }
}
