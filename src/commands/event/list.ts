import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { eventReport } from '../frame/admin-views.ts';
import { countFlag, limitOfList } from '../frame/flags.ts';

export default class EventList extends AdminCommand {
  static override summary = 'Show the audit log: who did what, and when.';
  static override examples = [
    '<%= config.bin %> event list',
    '<%= config.bin %> event list --limit 1000 --json',
  ];
  static override flags = {
    limit: limitOfList,
    before: countFlag({ min: 1 })({ summary: 'Only events of lower numbers.' }),
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(EventList);
    const before = flags.before === undefined ? {} : { before: flags.before };
    const { events } = await this.ask(flags, 'event.list', { limit: flags.limit, ...before });
    await this.print(eventReport(events));
  }
}
