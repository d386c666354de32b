import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { namespaceReport } from '../frame/admin-views.ts';

export default class NamespaceList extends AdminCommand {
  static override summary = 'Show the namespaces of a tenant.';
  static override examples = ['<%= config.bin %> namespace list shop'];
  static override args = {
    tenant: Args.string({ description: 'The tenant.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NamespaceList);
    const { namespaces } = await this.ask(flags, 'namespace.list', { tenant: args.tenant });
    await this.print(namespaceReport(namespaces));
  }
}
