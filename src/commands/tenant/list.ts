import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { tenantReport } from '../frame/admin-views.ts';
import type { TenantView } from '../../meta/admin/index.ts';

export default class TenantList extends AdminCommand {
  static override summary = 'Show the tenants.';
  static override examples = [
    '<%= config.bin %> tenant list',
    '<%= config.bin %> tenant list -o wide',
  ];
  static override flags = { ...adminFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(TenantList);
    const tenants: TenantView[] = [];
    for (let after = ''; ;) {
      const page = await this.ask(flags, 'tenant.list', { after, limit: 10_000 });
      tenants.push(...page.tenants);
      after = page.tenants.at(-1)?.name ?? '';
      if (!page.isMore) break;
    }
    await this.print(tenantReport(tenants));
  }
}
