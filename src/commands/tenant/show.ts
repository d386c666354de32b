import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { tenantInWords } from '../frame/tenant-words.ts';

export default class TenantShow extends AdminCommand {
  static override summary = 'Show a tenant, its namespaces, and what it uses.';
  static override examples = ['<%= config.bin %> tenant show shop'];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TenantShow);
    const shown = await this.ask(flags, 'tenant.show', { name: args.name });
    await this.print({
      kind: 'Tenant',
      data: shown,
      view: tenantInWords(shown),
      names: [args.name],
    });
  }
}
