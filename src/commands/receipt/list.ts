import { AdminCommand, adminFlags } from '../frame/admin-command.ts';
import { receiptReport } from '../frame/admin-views.ts';
import { durationFlag, limitOfList, shardFlag, timeBefore } from '../frame/flags.ts';

export default class ReceiptList extends AdminCommand {
  static override summary = 'Show what failovers and switches may have cost, the newest first.';
  static override examples = [
    '<%= config.bin %> receipt list',
    '<%= config.bin %> receipt list --shard 7 --since 1h',
  ];
  static override flags = {
    shard: shardFlag({ summary: 'Only those of this shard.' }),
    since: durationFlag({ min: 1 })({ summary: 'Only those that are no older.' }),
    limit: limitOfList,
    ...adminFlags,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(ReceiptList);
    const { shard, since, limit } = flags;
    const { receipts } = await this.ask(flags, 'receipt.list', {
      limit,
      ...(shard === undefined ? {} : { shard }),
      ...(since === undefined ? {} : { sinceMs: timeBefore(since) }),
    });
    await this.print(receiptReport(receipts));
  }
}
