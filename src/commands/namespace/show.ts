import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { namespaceReport } from '../frame/admin-views.ts';

export default class NamespaceShow extends AdminCommand {
  static override summary = 'Show a namespace.';
  static override examples = ['<%= config.bin %> namespace show shop carts'];
  static override args = {
    tenant: Args.string({ description: 'The tenant.', required: true, ignoreStdin: true }),
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NamespaceShow);
    const { namespace } = await this.ask(flags, 'namespace.show', { ...args });
    await this.print({ ...namespaceReport([namespace]), kind: 'Namespace', data: namespace });
  }
}
