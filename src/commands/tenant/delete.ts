import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { confirmOrRefuse, yesFlag } from '../frame/confirm.ts';

export default class TenantDelete extends AdminCommand {
  static override summary = 'Delete a tenant, its namespaces, and all that they hold.';
  static override examples = [
    '<%= config.bin %> tenant delete shop',
    '<%= config.bin %> tenant delete shop --yes',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { 'if-revision': revisionFlag, yes: yesFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TenantDelete);
    const { name } = args;
    await confirmOrRefuse(`Delete tenant '${name}' and all its keys?`, flags);
    const done = await this.ask(flags, 'tenant.delete', { name, ...guardOf(flags) });
    await this.print({
      kind: 'Deleted',
      data: done,
      view: `Deleted tenant '${name}'.`,
      names: [name],
    });
  }
}
