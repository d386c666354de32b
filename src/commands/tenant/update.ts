import { Args } from '@oclif/core';
import { CachectlError } from '../../cluster/errors.ts';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { tenantReport } from '../frame/admin-views.ts';
import { guardOf, revisionFlag } from '../frame/guard.ts';
import { changesOf, tenantFlags } from '../frame/tenant-flags.ts';

export default class TenantUpdate extends AdminCommand {
  static override summary = 'Change settings of a tenant; none takes a limit away.';
  static override examples = [
    '<%= config.bin %> tenant update shop --max-memory 128mb',
    '<%= config.bin %> tenant update shop --max-qps none --if-revision 42',
  ];
  static override args = {
    name: Args.string({ description: 'Its name.', required: true, ignoreStdin: true }),
  };
  static override flags = { ...tenantFlags, 'if-revision': revisionFlag, ...adminFlags };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TenantUpdate);
    const changes = changesOf(flags);
    if (Object.keys(changes).length === 0) {
      const hint = 'See: cachectl tenant update --help';
      throw new CachectlError('ERR_CACHECTL_USAGE', 'nothing to change', { hint });
    }
    const input = { name: args.name, ...changes, ...guardOf(flags) };
    const { tenant } = await this.ask(flags, 'tenant.update', input);
    await this.print({ ...tenantReport([tenant]), kind: 'Tenant', data: tenant });
  }
}
