import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { namespaceReport } from '../frame/admin-views.ts';
import { sizeFlag } from '../frame/flags.ts';

export default class NamespaceCreate extends AdminCommand {
  static override summary = 'Create a key space of a tenant.';
  static override examples = [
    '<%= config.bin %> namespace create shop carts',
    '<%= config.bin %> namespace create shop carts --max-memory 16mb',
  ];
  static override args = {
    tenant: Args.string({ description: 'The tenant.', required: true, ignoreStdin: true }),
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = {
    'max-memory': sizeFlag({ min: 1024 ** 2 })({
      summary: "At most so much of the tenant's memory.",
    }),
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NamespaceCreate);
    const limit = flags['max-memory'] === undefined ? {} : { maxMemoryBytes: flags['max-memory'] };
    const { namespace } = await this.ask(flags, 'namespace.create', { ...args, ...limit });
    await this.print(namespaceReport([namespace]));
  }
}
