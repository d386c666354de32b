import { Flags } from '@oclif/core';
import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { eventReport } from '../frame/admin-views.ts';
import { countFlag, durationFlag, limitOfList, timeBefore } from '../frame/flags.ts';

export default class EventList extends AdminCommand {
  static override summary = 'Show the audit log: who did what, and when.';
  static override examples = [
    '<%= config.bin %> event list',
    '<%= config.bin %> event list --operation tenant --since 1d',
    '<%= config.bin %> event list --subject "node n1"',
    '<%= config.bin %> event list --limit 1000 --json',
  ];
  static override flags = {
    operation: Flags.string({
      summary: 'Only of this operation, such as tenant.create, or kind, such as tenant.',
      helpValue: '<word>',
    }),
    subject: Flags.string({
      summary: 'Only about this, such as "tenant shop".',
      helpValue: '<words>',
    }),
    since: durationFlag({ min: 1 })({ summary: 'Only those that are no older.' }),
    limit: limitOfList,
    before: countFlag({ min: 1 })({ summary: 'Only events of lower numbers.' }),
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(EventList);
    const { limit, before, operation, subject, since } = flags;
    const { events } = await this.ask(flags, 'event.list', {
      limit,
      ...(before === undefined ? {} : { before }),
      ...(operation === undefined ? {} : { operation }),
      ...(subject === undefined ? {} : { subject }),
      ...(since === undefined ? {} : { sinceMs: timeBefore(since) }),
    });
    await this.print(eventReport(events));
  }
}
