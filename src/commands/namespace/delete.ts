import { Args } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { confirmOrRefuse, yesFlag } from '../frame/confirm.ts';

export default class NamespaceDelete extends AdminCommand {
  static override summary = 'Delete a namespace, and all that it holds.';
  static override examples = ['<%= config.bin %> namespace delete shop carts --yes'];
  static override args = {
    tenant: Args.string({ description: 'The tenant.', required: true, ignoreStdin: true }),
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { 'if-revision': revisionFlag, yes: yesFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(NamespaceDelete);
    const full = `${args.tenant}/${args.name}`;
    await confirmOrRefuse(`Delete namespace '${full}' and all its keys?`, flags);
    const done = await this.ask(flags, 'namespace.delete', { ...args, ...guardOf(flags) });
    const view = `Deleted namespace '${full}'.`;
    await this.print({ kind: 'Deleted', data: done, view, names: [full] });
  }
}
